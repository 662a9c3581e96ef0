"""port-forward over channels of a WebSocket, as client libraries do it: per port a channel for data and one for errors.

Follows kubelet's portforward (websocket.go). Each channel begins with its port, two bytes, the lower one first. Halves cannot be closed:
when the Pod closes a connection its channel falls silent, and when all have, the WebSocket is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from aiohttp import WSMsgType, web

from control_plane.apiserver.streaming.channels import Protocol
from control_plane.apiserver.streaming.console_websocket import open_websocket
from control_plane.apiserver.streaming.port_forward import Ports
from control_plane.apiserver.streaming.upgrade import Activity, keep_watch
from kube.apimachinery.errors import BadRequest

PROTOCOLS: Final = ("v4.channel.k8s.io", "v4.base64.channel.k8s.io")
_MAX_PORTS: Final = 127         # two channels each, and a channel is a byte
_KEPT: Final = 16               # messages of a channel that wait to be taken; then nothing more is read from the client


async def serve(request: web.BaseRequest, ports: Ports) -> web.StreamResponse:
    """Raises BadRequest."""
    wanted = _ports(request)
    socket = await open_websocket(request, PROTOCOLS)
    protocol = Protocol(socket.ws_protocol or PROTOCOLS[0])
    activity = Activity()
    channels = [_Channel(socket, protocol, 2 * number, activity) for number in range(len(wanted))]
    watch = asyncio.create_task(keep_watch(request, socket.ping, activity), name="websocket pings")
    reading = asyncio.create_task(_read(socket, protocol, channels, activity), name="port-forward input")
    try:
        with contextlib.suppress(ConnectionError):
            for channel, port in zip(channels, wanted, strict=True):
                await channel.announce(port)
            await asyncio.gather(*(_forward(ports, port, channel) for channel, port in zip(channels, wanted, strict=True)))
            await socket.close()
    finally:
        reading.cancel()
        watch.cancel()
    return socket


async def _forward(ports: Ports, port: int, channel: _Channel) -> None:
    if problem := await ports.forward(port, channel):
        await channel.write_error(problem)
    channel.end()


async def _read(socket: web.WebSocketResponse, protocol: Protocol, channels: list[_Channel], activity: Activity) -> None:
    async for message in socket:
        activity.note()
        if message.type in (WSMsgType.BINARY, WSMsgType.TEXT) and (parts := protocol.unframe(message.data)) is not None:
            number, data = parts
            if number % 2 == 0 and number // 2 < len(channels) and data:
                await channels[number // 2].arrive(data)
    for channel in channels:
        channel.end()


class _Channel:
    """A `port_forward.Local`."""

    def __init__(self, socket: web.WebSocketResponse, protocol: Protocol, number: int, activity: Activity) -> None:
        self._socket = socket
        self._protocol = protocol
        self._number = number
        self._activity = activity
        self._arrived: asyncio.Queue[bytes] = asyncio.Queue(_KEPT)
        self._ended = asyncio.Event()

    @property
    def was_reset(self) -> bool:
        return self._ended.is_set()

    async def announce(self, port: int) -> None:
        for number in (self._number, self._number + 1):
            await self._send(number, port.to_bytes(2, "little"))

    async def arrive(self, data: bytes) -> None:
        if not self._ended.is_set():
            await self._arrived.put(data)

    def end(self) -> None:
        """Nothing comes or goes any more; who waits for room or for data is woken."""
        self._ended.set()
        while not self._arrived.empty():
            self._arrived.get_nowait()
        self._arrived.put_nowait(b"")

    async def read(self) -> bytes:
        return b"" if self._ended.is_set() else await self._arrived.get()

    async def write(self, data: bytes) -> None:
        await self._send(self._number, data)

    async def write_error(self, text: str) -> None:
        await self._send(self._number + 1, text.encode())

    async def close(self) -> None:
        self.end()

    async def _send(self, number: int, data: bytes) -> None:
        self._activity.note()
        framed = self._protocol.frame(number, data)
        if self._protocol.is_text:
            await self._socket.send_str(framed.decode())
        else:
            await self._socket.send_bytes(framed)


def _ports(request: web.BaseRequest) -> list[int]:
    """`ports` of the query, several times or joined by commas."""
    texts = [one for value in request.query.getall("ports", []) for one in value.split(",")]
    if not texts:
        raise BadRequest('query parameter "port" is required')
    found = []
    for text in texts:
        if not (text.isascii() and text.isdigit() and int(text) < 1 << 16):
            raise BadRequest(f'unable to parse "{text}" as a port: strconv.ParseUint: parsing "{text}": invalid syntax')
        if int(text) < 1:
            raise BadRequest(f'port "{text}" must be > 0')
        found.append(int(text))
    if len(found) > _MAX_PORTS:
        raise BadRequest(f"at most {_MAX_PORTS} ports can be forwarded over one WebSocket")
    return found
