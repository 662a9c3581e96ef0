"""exec and attach over a WebSocket: the channel.k8s.io protocols (channels.py)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import WSMsgType, web

from control_plane.apiserver.streaming import channels
from control_plane.apiserver.streaming.channels import Protocol
from control_plane.apiserver.streaming.console import Console, Output, resize_frame
from control_plane.apiserver.streaming.upgrade import Activity, keep_watch
from kube.apimachinery.errors import BadRequest, Forbidden
from kube.rpc.v1.node_pb2 import StreamFrame, StreamStart

MAX_MESSAGE: Final = 16 * 1024 * 1024      # held in memory whole; kubectl sends 32 KiB at a time
_CHANNELS: Final[dict[Output, int]] = {"stdout": channels.STDOUT, "stderr": channels.STDERR}


async def serve_websocket(request: web.BaseRequest, console: Console) -> web.StreamResponse:
    """Raises BadRequest."""
    socket = await open_websocket(request, channels.PROTOCOLS)
    client = _Client(socket, Protocol(socket.ws_protocol or "channel.k8s.io"), console.start)
    watch = asyncio.create_task(keep_watch(request, socket.ping, client.activity), name="websocket pings")
    try:
        await client.greet()
        status = await console.run(client)
        with contextlib.suppress(ConnectionError):      # the client may be gone by now
            if (final := client.protocol.final_message(dict(status))) is not None:
                await client.send(channels.ERROR, final)
            await socket.close()
    finally:
        watch.cancel()
    return socket


async def open_websocket(request: web.BaseRequest, protocols: tuple[str, ...]) -> web.WebSocketResponse:
    """Without aiohttp's heartbeat: it hangs up on clients whose answers wait behind what the command does not read. Raises ApiError."""
    offered = [one.strip() for value in request.headers.getall("Sec-WebSocket-Protocol", []) for one in value.split(",")]
    if offered and not set(offered) & set(protocols):
        raise Forbidden(f"requested protocol(s) are not supported: [{' '.join(offered)}]; supports [{' '.join(protocols)}]")
    socket = web.WebSocketResponse(protocols=protocols, max_msg_size=MAX_MESSAGE, compress=False)
    if not socket.can_prepare(request):
        raise BadRequest("Upgrade request required")
    await socket.prepare(request)
    return socket


class _Client:
    def __init__(self, socket: web.WebSocketResponse, protocol: Protocol, start: StreamStart) -> None:
        self._socket = socket
        self.protocol = protocol
        self._start = start
        self.activity = Activity()

    async def greet(self) -> None:
        """An empty message says that the connection stands; upstream sends it on the lowest channel the client reads."""
        lowest = channels.STDOUT if self._start.stdout else channels.STDERR if self._start.stderr else channels.ERROR
        with contextlib.suppress(ConnectionError):
            await self.send(lowest, b"")

    async def inputs(self) -> AsyncIterator[StreamFrame]:
        async for message in self._socket:
            self.activity.note()
            if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT) or (parts := self.protocol.unframe(message.data)) is None:
                continue
            channel, data = parts
            if channel == channels.STDIN and self._start.stdin and data:
                yield StreamFrame(stdin=data)
            elif channel == channels.RESIZE and (size := resize_frame(data)):
                yield size
            elif channel == channels.CLOSE and data[:1] == bytes((channels.STDIN,)):
                yield StreamFrame(close_stdin=True)

    async def output(self, name: Output, data: bytes) -> None:
        await self.send(_CHANNELS[name], data)

    async def send(self, channel: int, data: bytes) -> None:
        self.activity.note()
        framed = self.protocol.frame(channel, data)
        if self.protocol.is_text:
            await self._socket.send_str(framed.decode())
        else:
            await self._socket.send_bytes(framed)
