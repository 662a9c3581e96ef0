"""Resource records, made with dnslib from plain values."""

from __future__ import annotations

from typing import TypeAlias

import dnslib
from dnslib import RR, DNSLabel

from addons.coredns.message import AAAA, CNAME, NS, PTR, SOA, SRV, TXT, A

Owner: TypeAlias = DNSLabel | str


def address(owner: Owner, ttl_s: int, text: str) -> RR:
    if ":" in text:
        return RR(owner, AAAA, ttl=ttl_s, rdata=dnslib.AAAA(text))
    return RR(owner, A, ttl=ttl_s, rdata=dnslib.A(text))


def cname(owner: Owner, ttl_s: int, target: str) -> RR:
    return RR(owner, CNAME, ttl=ttl_s, rdata=dnslib.CNAME(target))


def ptr(owner: Owner, ttl_s: int, target: str) -> RR:
    return RR(owner, PTR, ttl=ttl_s, rdata=dnslib.PTR(target))


def ns(owner: Owner, ttl_s: int, target: str) -> RR:
    return RR(owner, NS, ttl=ttl_s, rdata=dnslib.NS(target))


def srv(owner: Owner, ttl_s: int, *, weight: int, port: int, target: str) -> RR:
    return RR(owner, SRV, ttl=ttl_s, rdata=dnslib.SRV(0, weight, port, target))


def txt(owner: Owner, ttl_s: int, text: str) -> RR:
    return RR(owner, TXT, ttl=ttl_s, rdata=dnslib.TXT(text))


def soa(zone: str, ttl_s: int, serial: int) -> RR:
    """Refresh, retry and expire as CoreDNS's backends have them; `ttl_s` also bounds how long a denial may be kept."""
    below = "" if zone == "." else zone
    rdata = dnslib.SOA(f"ns.dns.{below}", f"hostmaster.{below}", (serial & 0xFFFFFFFF, 7200, 1800, 86400, ttl_s))
    return RR(zone, SOA, ttl=min(ttl_s, 300), rdata=rdata)
