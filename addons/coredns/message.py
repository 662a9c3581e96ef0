"""What travels down the chain (a request) and back up (a reply)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from dnslib import CLASS, QTYPE, RCODE, RR, DNSLabel

if TYPE_CHECKING:
    from collections.abc import Hashable

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 3, 4, 5, 16
A, NS, CNAME, SOA, PTR, MX, TXT, AAAA, SRV = 1, 2, 5, 6, 12, 15, 16, 28, 33
HINFO, OPT, IXFR, AXFR = 13, 41, 251, 252
IN = 1


@dataclass(slots=True)
class Reply:
    """An answer in parts. Records have dnslib's shape; the server packs, trims and sends them.

    `tags` and `lifetime_s` say how the packed answer may be kept: until one of the tags is dropped, or for so long, its TTLs counting
    down. Neither: it is not kept.
    """

    rcode: int = NOERROR
    answers: list[RR] = field(default_factory=list)
    authority: list[RR] = field(default_factory=list)
    additional: list[RR] = field(default_factory=list)
    authoritative: bool = False
    recursion_available: bool = False
    truncated: bool = False
    tags: frozenset[Hashable] = frozenset()
    lifetime_s: float | None = None
    rotate: bool = False                # addresses may be turned from answer to answer
    source: str = ""                    # the plugin that answered, for the metrics


@dataclass(frozen=True, slots=True)
class Request:
    """One question. `name` is lower case with a final dot; `asked` is the name as it was written, which replies repeat."""

    name: str
    asked: DNSLabel
    qtype: int
    qclass: int = IN
    protocol: str = "udp"
    recursion_desired: bool = True
    dnssec_ok: bool = False
    size_limit: int = 512
    resolve: Callable[[str, int], Awaitable[Reply]] | None = None   # asks this server another question, through the whole chain

    @property
    def type_name(self) -> str:
        return type_name(self.qtype)


class DnsFailure(Exception):
    """A request that a plugin could not answer; becomes `rcode`, and a line of the errors plugin."""

    def __init__(self, message: str, rcode: int = SERVFAIL) -> None:
        super().__init__(message)
        self.rcode = rcode


class Handler(Protocol):
    """A plugin in the chain, or its end."""

    name: str

    async def serve(self, request: Request) -> Reply:
        """Answers, or asks the next one. Raises DnsFailure."""


class NoNextPlugin:
    """The end of every chain."""

    name = "end"

    async def serve(self, request: Request) -> Reply:
        raise DnsFailure("no next plugin found")


def type_name(qtype: int) -> str:
    return str(QTYPE.forward.get(qtype, f"TYPE{qtype}"))


def rcode_name(rcode: int) -> str:
    return str(RCODE.forward.get(rcode, rcode))


def class_name(qclass: int) -> str:
    return str(CLASS.forward.get(qclass, f"CLASS{qclass}"))


def min_ttl(records: Iterable[RR]) -> int | None:
    ttls = [record.ttl for record in records if record.rtype != OPT]
    return min(ttls, default=None)
