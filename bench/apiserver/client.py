"""Load on one server: a lean HTTP/1.1 client over TLS, closed loops and an open one.

    closed   N connections, each asks again when it has its answer: throughput and cost
    open     requests go out at a constant rate whatever happens; a latency counts from when its request was due, so that a
             server that stands still is charged with all that waited (coordinated omission)
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, cast

from bench.apiserver.servers import TOKEN, Server

JSON = "application/json"


class Answer(NamedTuple):
    code: int
    body: bytes


class Connection(asyncio.Protocol):
    """One keep-alive connection, one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._answer: asyncio.Future[Answer] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)      # uvloop's is one by its methods only

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the server hung up"))

    async def ask(self, request: bytes) -> Answer:
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        head_end = buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = bytes(buffer[:head_end]).lower()
        begin = head_end + 4
        at = head.find(b"content-length:")
        if at >= 0:
            end = begin + int(head[at + 15:].split(b"\r\n", 1)[0])
            if len(buffer) < end:
                return
            body = bytes(buffer[begin:end])
        elif buffer.endswith(b"0\r\n\r\n"):
            body = _unchunked(bytes(buffer[begin:]))
        else:
            return
        buffer.clear()
        assert self._answer is not None
        self._answer.set_result(Answer(int(head[9:12]), body))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _unchunked(data: bytes) -> bytes:
    parts, at = [], 0
    while size := int(data[at:(line := data.index(b"\r\n", at))], 16):
        parts.append(data[line + 2:line + 2 + size])
        at = line + size + 4
    return b"".join(parts)


def request(method: str, path: str, body: Any = None, *, media_type: str = JSON, accept: str = JSON, token: str = TOKEN) -> bytes:
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench/1\r\nAuthorization: Bearer {token}\r\nAccept: {accept}\r\n"
    if data:
        head += f"Content-Type: {media_type}\r\nContent-Length: {len(data)}\r\n"
    return head.encode() + b"\r\n" + data


async def connect(server: Server) -> Connection:
    context: ssl.SSLContext = server.context
    _, protocol = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", server.port, ssl=context)
    return protocol


@asynccontextmanager
async def connections(server: Server, count: int) -> AsyncIterator[list[Connection]]:
    held = [await connect(server) for _ in range(count)]
    try:
        yield held
    finally:
        for one in held:
            one.close()


def expect(answer: Answer, what: bytes) -> Answer:
    if not 200 <= answer.code < 300:
        raise SystemExit(f"{what[:120]!r}: {answer.code} {answer.body[:500]!r}")
    return answer


class Load(NamedTuple):
    """What came of a number of requests; times in seconds."""

    requests: int
    wall_s: float
    cpu_s: float            # of the server
    etcd_cpu_s: float
    latencies: list[float]
    waited_s: float = 0.0   # how long the server's threads were ready to run and no core was free

    def percentile(self, share: float) -> float:
        return _percentile(self.latencies, share)

    def percentile_of_the_median_second(self, share: float, rate: int) -> float:
        """What a machine that is busy with something else for some of the time shows for the rest of it."""
        seconds = [self.latencies[first:first + rate] for first in range(0, len(self.latencies), rate)]
        return _percentile([_percentile(one, share) for one in seconds], 0.5)


def _percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def closed_loop(server: Server, requests: Iterable[bytes], *, parallel: int = 16) -> Load:
    """Every request must succeed."""
    pending = iter(requests)
    latencies: list[float] = []

    async def work(connection: Connection) -> None:
        for one in pending:
            began = time.perf_counter()
            expect(await connection.ask(one), one)
            latencies.append(time.perf_counter() - began)

    async with connections(server, parallel) as held:
        cpu, etcd, began = server.cpu_s(), server.etcd_cpu_s(), time.perf_counter()
        await asyncio.gather(*map(work, held))
        wall = time.perf_counter() - began
    return Load(len(latencies), wall, server.cpu_s() - cpu, server.etcd_cpu_s() - etcd, latencies)


async def open_loop(server: Server, make: Callable[[int], bytes], *, rate: float, seconds: float, parallel: int = 64) -> Load:
    """`make(n)` is the n-th request, made when it is due."""
    latencies = [0.0] * int(rate * seconds)
    tasks: set[asyncio.Task[None]] = set()
    async with connections(server, parallel) as held:
        idle: deque[Connection] = deque(held)
        freed = asyncio.Semaphore(parallel)
        waited, cpu, etcd, began = server.waited_s(), server.cpu_s(), server.etcd_cpu_s(), time.perf_counter()

        async def one(number: int, due: float) -> None:
            async with freed:
                connection = idle.popleft()
                asked = make(number)
                expect(await connection.ask(asked), asked)
                idle.append(connection)
            latencies[number] = time.perf_counter() - due

        for number in range(len(latencies)):
            due = began + number / rate
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            task = asyncio.create_task(one(number, due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        wall = time.perf_counter() - began
    return Load(len(latencies), wall, server.cpu_s() - cpu, server.etcd_cpu_s() - etcd, latencies, server.waited_s() - waited)
