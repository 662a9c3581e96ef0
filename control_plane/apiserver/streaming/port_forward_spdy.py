"""port-forward over SPDY: two streams per connection, `data` and `error`, that share a `requestID` and name the `port`.

Follows kubelet's portforward (httpstream.go). The session runs over the bare connection, or over the binary messages of a WebSocket:
kubectl from 1.31 on tunnels so, because proxies on the way know WebSockets (KEP-4006).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import WSMsgType, web

from control_plane.apiserver.streaming.console_websocket import open_websocket
from control_plane.apiserver.streaming.port_forward import Ports
from control_plane.apiserver.streaming.spdy_upgrade import chosen_protocol, no_protocol, serving, upgrade_headers
from control_plane.apiserver.streaming.upgrade import upgraded
from kube.spdy.session import Refused, Session, Stream

PROTOCOLS: Final = ("portforward.k8s.io",)
TUNNEL: Final = "SPDY/3.1+portforward.k8s.io"
_OTHER_HALF_WITHIN_S: Final = 30.0      # upstream's default StreamCreationTimeout


def wants_tunnel(request: web.BaseRequest) -> bool:
    wanted = ",".join(request.headers.getall("Sec-WebSocket-Protocol", []))
    return TUNNEL in [one.strip() for one in wanted.split(",")]


async def serve(request: web.BaseRequest, ports: Ports) -> web.StreamResponse:
    name = chosen_protocol(request, PROTOCOLS)
    if name is None:
        return no_protocol(request, PROTOCOLS)
    response, connection = await upgraded(request, upgrade_headers(name))
    client = _Client(ports)
    session = Session(connection, client.accept)
    async with client, serving(session, request):
        await session.ended.wait()
    return response


async def serve_tunnel(request: web.BaseRequest, ports: Ports) -> web.StreamResponse:
    socket = await open_websocket(request, (TUNNEL,))
    client = _Client(ports)
    session = Session(_Messages(socket), client.accept)
    async with client, serving(session, request):
        await session.ended.wait()
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(1):
                await socket.close()
    return socket


class _Messages:
    """A WebSocket's binary messages as a pipe of bytes."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket

    async def read(self) -> bytes:
        while True:
            message = await self._socket.receive()
            if message.type is WSMsgType.BINARY:
                if message.data:
                    return bytes(message.data)
            elif message.type is not WSMsgType.TEXT:
                return b""

    async def write(self, data: bytes) -> None:
        await self._socket.send_bytes(data)


@dataclass(slots=True)
class _Pair:
    port: int
    data: Stream | None = None
    error: Stream | None = None


class _Connection:
    """A `port_forward.Local`."""

    def __init__(self, data: Stream, error: Stream) -> None:
        self._data, self._error = data, error

    @property
    def was_reset(self) -> bool:
        return self._data.was_reset

    async def read(self) -> bytes:
        return await self._data.read()

    async def write(self, data: bytes) -> None:
        await self._data.write(data)

    async def close(self) -> None:
        await self._data.close()
        await self._error.close()       # no error can come any more, and kubectl closes its end only then


class _Client:
    """Pairs the streams; a task per pair."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._pairs: dict[str, _Pair] = {}      # that wait for their other half
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def accept(self, stream: Stream) -> None:
        port = stream.headers.get("port", "")
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
            raise Refused(f"port {port!r}")
        kind = stream.headers.get("streamtype", "")
        request_id = stream.headers.get("requestid") or _guessed_id(stream, kind)
        pair = self._pairs.get(request_id)
        if pair is None:
            pair = self._pairs[request_id] = _Pair(int(port))
            self._start(self._give_up(request_id, pair))
        if kind == "data" and pair.data is None:
            pair.data, pair.port = stream, int(port)
        elif kind == "error" and pair.error is None:
            pair.error = stream
        else:
            raise Refused(f"stream type {kind!r}")
        if pair.data and pair.error:
            del self._pairs[request_id]
            self._start(self._forward(pair.port, pair.data, pair.error))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="port-forward")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward(self, port: int, data: Stream, error: Stream) -> None:
        problem = await self._ports.forward(port, _Connection(data, error))
        with contextlib.suppress(ConnectionError):
            if problem:
                await error.write(problem.encode())
            await error.close()
            await data.close()
            await data.reset()       # what the client still sends has no taker, and must not fill the connection

    async def _give_up(self, request_id: str, pair: _Pair) -> None:
        await asyncio.sleep(_OTHER_HALF_WITHIN_S)
        if self._pairs.get(request_id) is pair:
            del self._pairs[request_id]
            for stream in (pair.data, pair.error):
                if stream is not None:
                    with contextlib.suppress(ConnectionError):
                        await stream.reset()


def _guessed_id(stream: Stream, kind: str) -> str:
    """Clients of Kubernetes 1.0 named none: they opened the error stream first, and the data stream right after it."""
    return str(stream.stream_id if kind == "error" else stream.stream_id - 2)
