"""hosts: names from a file in the shape of /etc/hosts, and from the Corefile itself. Follows CoreDNS's hosts."""

from __future__ import annotations

import ipaddress
import logging
import time
from collections.abc import Iterable
from pathlib import Path

from dnslib import RR

from addons.coredns import records
from addons.coredns.chain import Setup, Wrap
from addons.coredns.corefile import Directive, parse_seconds
from addons.coredns.message import AAAA, PTR, SERVFAIL, A, DnsFailure, Handler, Reply, Request
from addons.coredns.names import address_of_reverse, fqdn, in_zone, reverse_zones

DEFAULT_TTL_S = 3600
DEFAULT_RELOAD_S = 5.0

log = logging.getLogger("coredns")


class HostsTable:
    """Names and addresses of a hosts file and of inline lines; the file is read again when it changes."""

    def __init__(self, path: Path, inline: Iterable[str], reload_s: float) -> None:
        self._path = path
        self._inline = list(inline)
        self._reload_s = reload_s
        self._checked_at = float("-inf")
        self._stamp: tuple[int, int] | None = None
        self.by_name: dict[str, list[str]] = {}
        self.by_address: dict[str, list[str]] = {}
        self._fill([])

    def refresh(self) -> None:
        now = time.monotonic()
        if now - self._checked_at < self._reload_s:
            return
        self._checked_at = now
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._fill(self._path.read_text().splitlines())
                self._stamp = stamp
        except OSError:
            return              # no such file: the inline lines are all there is

    def _fill(self, lines: Iterable[str]) -> None:
        by_name: dict[str, list[str]] = {}
        by_address: dict[str, list[str]] = {}
        for line in (*self._inline, *lines):
            address, *names = line.partition("#")[0].split() or [""]
            try:
                address = str(ipaddress.ip_address(address.partition("%")[0]))
            except ValueError:
                continue
            for name in map(fqdn, names):
                by_name.setdefault(name, []).append(address)
                by_address.setdefault(address, []).append(name)
        self.by_name, self.by_address = by_name, by_address


class Hosts:
    name = "hosts"

    def __init__(
        self, table: HostsTable, zones: tuple[str, ...], fall_through: tuple[str, ...], ttl_s: int, reverse: bool, following: Handler
    ) -> None:
        self._table = table
        self._zones = zones
        self._fall_through = fall_through
        self._ttl_s = ttl_s
        self._reverse = reverse
        self._next = following

    async def serve(self, request: Request) -> Reply:
        self._table.refresh()
        answers: list[RR] = []
        if request.qtype == PTR:
            names = self._table.by_address.get(address_of_reverse(request.name), []) if self._reverse else []
            if not names:
                return await self._next.serve(request)
            answers = [records.ptr(request.asked, self._ttl_s, name) for name in names]
        elif not any(in_zone(request.name, zone) for zone in self._zones):
            return await self._next.serve(request)
        elif request.qtype in (A, AAAA):
            answers = self._addresses(request)
        if answers or request.name in self._table.by_name:
            return Reply(answers=answers, authoritative=True, source=self.name)
        if any(in_zone(request.name, zone) for zone in self._fall_through):
            return await self._next.serve(request)
        # There is no SOA to say NXDOMAIN with; a failure at least makes resolvers try elsewhere.
        raise DnsFailure("no such host, and no fallthrough", SERVFAIL)

    def _addresses(self, request: Request) -> list[RR]:
        addresses = self._table.by_name.get(request.name, [])
        return [
            records.address(request.asked, self._ttl_s, address) for address in addresses if (":" in address) == (request.qtype == AAAA)
        ]


def setup(directive: Directive, setup: Setup) -> Wrap:
    path = Path(directive.args[0] if directive.args else "/etc/hosts")
    zones = tuple(zone for arg in directive.args[1:] for zone in reverse_zones(arg)) or (setup.zone,)
    inline: list[str] = []
    fall_through: tuple[str, ...] = ()
    ttl_s, reload_s, reverse = DEFAULT_TTL_S, DEFAULT_RELOAD_S, True
    for line in directive.block:
        match (line.name, *line.args):
            case ["fallthrough", *rest]:
                fall_through = tuple(zone for arg in rest for zone in reverse_zones(arg)) or (".",)
            case ["no_reverse"]:
                reverse = False
            case ["ttl", text] if text.isdigit() and 0 < int(text) <= 65535:
                ttl_s = int(text)
            case ["reload", text]:
                reload_s = parse_seconds(text)
            case [address, _, *_] if _is_address(address):
                inline.append(" ".join((line.name, *line.args)))
            case _:
                raise directive.error(f"unknown property '{line.name}'")
    table = HostsTable(path, inline, reload_s)
    return lambda following: Hosts(table, zones, fall_through, ttl_s, reverse, following)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
