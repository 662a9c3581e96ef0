"""DNS over UDP and TCP on one address.

The fast path answers from the cache without a task, a parser or an allocation beyond the reply; everything else is parsed and goes
through the chain of the longest zone that the name is in.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import time
from functools import partial

from dnslib import DNSError, DNSLabel, DNSRecord

from addons.coredns.answer_cache import Answer, AnswerCache
from addons.coredns.message import (
    BADVERS,
    FORMERR,
    IN,
    NOTIMP,
    OPT,
    REFUSED,
    SERVFAIL,
    A,
    DnsFailure,
    Handler,
    Reply,
    Request,
    rcode_name,
)
from addons.coredns.metrics import Cell, CellLabels, Metrics
from addons.coredns.names import fqdn, longest_zone
from addons.coredns.wire import MAX_UDP, TCP_LIMIT, Frame, pack_reply, read_frame, size_class

TCP_IDLE_S = 10.0
SOCKET_BUFFER_BYTES = 1 << 20
MAX_LOOKUPS_PER_REQUEST = 8     # CNAMEs followed through the chain

NO_ZONE = "dropped"             # the label of queries for zones that nobody here serves

log = logging.getLogger("coredns")


class Listener:
    """One address and port, UDP and TCP. `chains` may be replaced at any time."""

    def __init__(self, host: str, port: int, metrics: Metrics) -> None:
        self.host, self.port = host, port
        self.chains: dict[str, Handler] = {}
        self.answers = AnswerCache()
        self._metrics = metrics
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        metrics.add_source(self._samples)

    @property
    def label(self) -> str:
        return f"dns://:{self.port}"

    async def open(self) -> None:
        """Raises OSError. Port 0 picks a free one, the same for both protocols."""
        loop = asyncio.get_running_loop()
        self._tcp = await asyncio.start_server(self._serve_connection, self.host, self.port)
        self.port = self._tcp.sockets[0].getsockname()[1]
        try:
            self._udp, _ = await loop.create_datagram_endpoint(partial(_UdpServer, self), local_addr=(self.host, self.port))
        except OSError:
            self._tcp.close()
            raise
        if (sock := self._udp.get_extra_info("socket")) is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)

    async def close(self) -> None:
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def replace(self, chains: dict[str, Handler]) -> None:
        self.chains = chains
        self.answers.clear()

    def cached(self, query: bytes, frame: Frame, limit: int) -> bytes | None:
        """The answer, if it is at hand."""
        now = time.monotonic()
        answer = self.answers.get(self.answers.key(query, frame, limit), now)
        if answer is None:
            return None
        reply = answer.respond(query, frame.question_end, now)
        answer.cell.count += 1
        answer.cell.response_bytes += len(reply)
        return reply

    async def answer(self, query: bytes, protocol: str) -> bytes | None:
        """The long way: parse, ask the chain, pack, keep. None: not worth an answer."""
        try:
            record = DNSRecord.parse(query)
        except (DNSError, ValueError, struct.error, IndexError):
            return _bare_reply(query, FORMERR)
        if record.header.qr:
            return None
        if record.header.opcode:
            return _bare_reply(query, NOTIMP)
        if len(record.questions) != 1:
            return _bare_reply(query, FORMERR)
        request, edns_version = self._request(record, protocol)
        zone = longest_zone(request.name, self.chains) or NO_ZONE
        if edns_version not in (None, 0):
            reply = Reply(BADVERS)
        elif zone == NO_ZONE or request.qclass != IN:
            reply = Reply(REFUSED)
        else:
            reply = await self._ask(self.chains[zone], request)
        packed = pack_reply(request, reply, record.header.id, edns=edns_version is not None, checking_disabled=bool(record.header.cd))
        cell = self._cell(zone, request, reply)
        cell.count += 1
        cell.response_bytes += len(packed)
        self._keep(query, packed, request, reply, cell)
        return packed

    def _request(self, record: DNSRecord, protocol: str) -> tuple[Request, int | None]:
        question = record.questions[0]
        edns = next((each for each in record.ar if each.rtype == OPT), None)
        udp_limit = MAX_UDP if edns is None else size_class(edns.rclass)
        request = Request(
            name=fqdn(str(question.qname)), asked=question.qname, qtype=question.qtype, qclass=question.qclass, protocol=protocol,
            recursion_desired=bool(record.header.rd), dnssec_ok=edns is not None and bool(edns.ttl & 0x8000),
            size_limit=TCP_LIMIT if protocol == "tcp" else udp_limit, resolve=self._resolver(protocol),
        )
        return request, None if edns is None else (edns.ttl >> 16) & 0xFF

    def _resolver(self, protocol: str, left: int = MAX_LOOKUPS_PER_REQUEST) -> _Resolver:
        return _Resolver(self, protocol, left)

    async def resolve(self, request: Request) -> Reply:
        """A question of our own, for a plugin that follows a name."""
        zone = longest_zone(request.name, self.chains)
        return Reply(REFUSED) if zone is None else await self._ask(self.chains[zone], request)

    async def _ask(self, handler: Handler, request: Request) -> Reply:
        try:
            return await handler.serve(request)
        except DnsFailure as failure:
            return Reply(failure.rcode)
        except Exception:
            log.exception("panic while answering %s %s", request.name, request.type_name)
            self._metrics.count("coredns_panics_total", "A metrics that counts the number of panics.")
            return Reply(SERVFAIL)

    def _cell(self, zone: str, request: Request, reply: Reply) -> Cell:
        kind = request.type_name
        counted_type = "other" if kind.startswith("TYPE") else kind        # clients may ask for 65,536 of them
        return self._metrics.cells[CellLabels(self.label, zone, request.protocol, counted_type, rcode_name(reply.rcode), reply.source)]

    def _keep(self, query: bytes, packed: bytes, request: Request, reply: Reply, cell: Cell) -> None:
        if not reply.tags and not reply.lifetime_s:
            return
        if (frame := read_frame(query)) is not None:
            key = self.answers.key(query, frame, request.size_limit)
            self.answers.put(Answer(key, packed, frame.question_end, reply, time.monotonic(), cell))

    def spawn(self, query: bytes, address: tuple[str, int], transport: asyncio.DatagramTransport) -> None:
        task = asyncio.create_task(self._answer_datagram(query, address, transport))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_datagram(self, query: bytes, address: tuple[str, int], transport: asyncio.DatagramTransport) -> None:
        if (reply := await self.answer(query, "udp")) is not None and not transport.is_closing():
            transport.sendto(reply, address)

    async def _serve_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                async with asyncio.timeout(TCP_IDLE_S):
                    (length,) = struct.unpack("!H", await reader.readexactly(2))
                    query = await reader.readexactly(length)
                frame = read_frame(query)
                reply = None if frame is None else self.cached(query, frame, TCP_LIMIT)
                if reply is None:
                    reply = await self.answer(query, "tcp")
                if reply is None:
                    return
                writer.write(struct.pack("!H", len(reply)) + reply)
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            pass                # the client is done
        finally:
            self._tasks.discard(task)
            writer.close()

    def _samples(self) -> list[tuple[str, str, str, tuple[tuple[str, str], ...], float]]:
        labels = (("server", self.label), ("type", "success"), ("zones", "."), ("view", ""))
        asked = self.answers.hits + self.answers.misses
        return [
            ("coredns_cache_hits_total", "counter", "The count of cache hits.", labels, self.answers.hits),
            ("coredns_cache_requests_total", "counter", "The count of cache requests.", labels[:1], asked),
            ("coredns_cache_entries", "gauge", "The number of elements in the cache.", labels, len(self.answers)),
        ]


class _Resolver:
    """Request.resolve: asks the same listener, a bounded number of times per client's request."""

    def __init__(self, listener: Listener, protocol: str, left: int) -> None:
        self._listener = listener
        self._protocol = protocol
        self._left = left

    async def __call__(self, name: str, qtype: int = A) -> Reply:
        if self._left == 0:
            return Reply(SERVFAIL)
        self._left -= 1
        return await self._listener.resolve(Request(
            name=fqdn(name), asked=DNSLabel(name), qtype=qtype, protocol=self._protocol, size_limit=TCP_LIMIT, resolve=self))


class _UdpServer(asyncio.DatagramProtocol):
    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]   # asyncio makes a DatagramTransport for this protocol

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        frame = read_frame(data)
        reply = None if frame is None else self._listener.cached(data, frame, frame.limit)
        if reply is not None:
            self._transport.sendto(reply, addr)
        elif len(data) >= 12:
            self._listener.spawn(data, addr, self._transport)


def _bare_reply(query: bytes, rcode: int) -> bytes | None:
    """The header alone, for what cannot be parsed; never to something that is a reply itself."""
    if len(query) < 12 or query[2] & 0x80:
        return None
    return query[:2] + bytes((0x80 | (query[2] & 0x79), rcode)) + bytes(8)
