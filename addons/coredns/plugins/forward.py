"""forward: asks other resolvers. Follows CoreDNS's forward, without health checks of its own and without TLS.

With no upstream (a resolv.conf without a nameserver) nothing is ever sent: such names fail at once.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from dnslib import DNSError, DNSHeader, DNSQuestion, DNSRecord

from addons.coredns.chain import Setup, Wrap
from addons.coredns.corefile import Directive
from addons.coredns.message import OPT, REFUSED, DnsFailure, Handler, Reply, Request
from addons.coredns.metrics import Metrics
from addons.coredns.names import in_zone, reverse_zones

READ_TIMEOUT_S: Final = 2.0
DEADLINE_S: Final = 5.0


class Upstream(NamedTuple):
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Settings:
    zone: str
    upstreams: tuple[Upstream, ...]
    excluded: tuple[str, ...] = ()
    policy: str = "random"
    max_concurrent: int = 0         # 0: no limit
    force_tcp: bool = False
    prefer_udp: bool = False


class Forward:
    name = "forward"

    def __init__(self, settings: Settings, metrics: Metrics, following: Handler) -> None:
        self._settings = settings
        self._metrics = metrics
        self._next = following
        self._under_way = 0
        self._turn = 0

    async def serve(self, request: Request) -> Reply:
        settings = self._settings
        excluded = any(in_zone(request.name, zone) for zone in settings.excluded)
        if excluded or not in_zone(request.name, settings.zone):
            return await self._next.serve(request)
        if not settings.upstreams:
            raise DnsFailure("no upstream resolver is configured")
        if settings.max_concurrent and self._under_way >= settings.max_concurrent:
            self._metrics.count(
                "coredns_forward_max_concurrent_rejects_total", "Counter of the number of queries rejected because of the limit.")
            raise DnsFailure(f"concurrent queries exceeded maximum {settings.max_concurrent}", REFUSED)
        self._under_way += 1
        try:
            return await self._ask_in_turn(request)
        finally:
            self._under_way -= 1

    async def _ask_in_turn(self, request: Request) -> Reply:
        """Tries one upstream after the other until the deadline."""
        failure = "no upstream answered"
        try:
            async with asyncio.timeout(DEADLINE_S):
                for upstream in self._order():
                    self._metrics.count("coredns_forward_requests_total", "Counter of requests made per upstream.", {"to": str(upstream)})
                    try:
                        return await self._exchange(request, upstream)
                    except TimeoutError:
                        failure = f"read udp {upstream}: i/o timeout"
                    except (OSError, DNSError, EOFError) as error:
                        failure = f"{upstream}: {error}"
        except TimeoutError:
            pass
        raise DnsFailure(failure)

    def _order(self) -> list[Upstream]:
        upstreams = list(self._settings.upstreams)
        if self._settings.policy == "random":
            random.shuffle(upstreams)
        elif self._settings.policy == "round_robin":
            self._turn = (self._turn + 1) % len(upstreams)
            upstreams = upstreams[self._turn:] + upstreams[: self._turn]
        return upstreams

    async def _exchange(self, request: Request, upstream: Upstream) -> Reply:
        settings = self._settings
        by_tcp = settings.force_tcp or (request.protocol == "tcp" and not settings.prefer_udp)
        query_id = random.randrange(0x10000)
        header = DNSHeader(id=query_id, rd=int(request.recursion_desired))
        query = DNSRecord(header, questions=[DNSQuestion(request.asked, request.qtype, request.qclass)])
        packed = bytes(query.pack())
        async with asyncio.timeout(READ_TIMEOUT_S):
            record = await (_ask_tcp if by_tcp else _ask_udp)(upstream, packed)
            if record.header.tc and not by_tcp and settings.prefer_udp:
                record = await _ask_tcp(upstream, packed)
        return Reply(
            rcode=record.header.rcode, answers=list(record.rr), authority=list(record.auth),
            additional=[each for each in record.ar if each.rtype != OPT], authoritative=bool(record.header.aa),
            recursion_available=bool(record.header.ra), truncated=bool(record.header.tc), source=self.name,
        )


class _UdpExchange(asyncio.DatagramProtocol):
    """One question on a socket of its own: its random port makes an answer harder to forge."""

    def __init__(self, query: bytes) -> None:
        self._query = query
        self.answer: asyncio.Future[DNSRecord] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.sendto(self._query)  # type: ignore[attr-defined]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self.answer.done() or not _answers(self._query, data):
            return
        try:
            self.answer.set_result(DNSRecord.parse(data))
        except (DNSError, struct.error, IndexError) as error:
            self.answer.set_exception(DNSError(str(error)))

    def error_received(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


def _answers(query: bytes, data: bytes) -> bool:
    """Same id, same question (whatever the case of its letters)."""
    return len(data) >= len(query) and data[:2] == query[:2] and bool(data[2] & 0x80) and data[12: len(query)].lower() == query[12:].lower()


async def _ask_udp(upstream: Upstream, query: bytes) -> DNSRecord:
    loop = asyncio.get_running_loop()
    transport, exchange = await loop.create_datagram_endpoint(lambda: _UdpExchange(query), remote_addr=upstream)
    try:
        return await exchange.answer
    finally:
        transport.close()


async def _ask_tcp(upstream: Upstream, query: bytes) -> DNSRecord:
    reader, writer = await asyncio.open_connection(*upstream)
    try:
        writer.write(struct.pack("!H", len(query)) + query)
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        data = await reader.readexactly(length)
        if not _answers(query, data):
            raise DNSError("reply to another question")
        return DNSRecord.parse(data)
    finally:
        writer.close()


def setup(directive: Directive, setup: Setup) -> Wrap:
    if len(directive.args) < 2:
        raise directive.wrong_arguments()
    try:
        zone = reverse_zones(directive.args[0])[0]
        settings = Settings(zone, _upstreams(directive.args[1:]))
    except ValueError as error:
        raise directive.error(str(error)) from error
    for line in directive.block:
        match (line.name, *line.args):
            case ["except", _, *_]:
                settings = replace(settings, excluded=tuple(zone for arg in line.args for zone in reverse_zones(arg)))
            case ["policy", "random" | "round_robin" | "sequential" as policy]:
                settings = replace(settings, policy=policy)
            case ["max_concurrent", text] if text.isdigit():
                settings = replace(settings, max_concurrent=int(text))
            case ["force_tcp"]:
                settings = replace(settings, force_tcp=True)
            case ["prefer_udp"]:
                settings = replace(settings, prefer_udp=True)
            case ["max_fails" | "expire" | "health_check", *_]:
                pass            # there are no health checks: an upstream that fails is skipped for that question
            case _:
                raise directive.error(f"unknown property '{line.name}'")
    return partial(Forward, settings, setup.runtime.metrics)


def _upstreams(texts: Sequence[str]) -> tuple[Upstream, ...]:
    """Addresses, or files in the shape of resolv.conf. Raises ValueError."""
    found: list[Upstream] = []
    for text in texts:
        if text.startswith("/"):
            found += nameservers(Path(text))
            continue
        host, colon, port = text.removeprefix("dns://").rpartition(":")
        if not colon or (text.count(":") > 1 and "]" not in text):
            host, port = text.removeprefix("dns://"), "53"
        try:
            found.append(Upstream(str(ipaddress.ip_address(host.strip("[]"))), int(port)))
        except ValueError as error:
            raise ValueError(f"not an IP address or file: {text!r}") from error
    return tuple(found)


def nameservers(resolv_conf: Path) -> list[Upstream]:
    """The nameservers of a resolv.conf; none if it cannot be read.

    A loopback address there means the host's resolver, which no Pod can reach: in a Pod it would be this very server.
    """
    try:
        lines = resolv_conf.read_text().splitlines()
    except OSError:
        return []
    found = []
    for words in map(str.split, lines):
        if len(words) >= 2 and words[0] == "nameserver":
            try:
                address = ipaddress.ip_address(words[1].partition("%")[0])
            except ValueError:
                continue
            if not address.is_loopback:
                found.append(Upstream(str(address), 53))
    return found
