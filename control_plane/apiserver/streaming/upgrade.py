"""The connection behind a request, as bytes, once the HTTP server has given it away (101 Switching Protocols).

The transport gets another protocol; the server's own one learns of the connection's end alone, so that it cancels the request's handler.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final

from aiohttp import web

_HIGH: Final = 256 * 1024       # reading rests above,
_LOW: Final = 64 * 1024         # and goes on below
_LOOK_S: Final = 1.0            # how often a silent client is looked at
_PING_S: Final = 10.0
IDLE_S = 4 * 3600.0             # upstream's StreamIdleTimeout
_GONE: Final = frozenset({7, 8, 9})      # TCP_CLOSE, TCP_CLOSE_WAIT, TCP_LAST_ACK


class UpgradedConnection(asyncio.Protocol):
    """A `kube.spdy.session.Pipe`."""

    def __init__(self, transport: asyncio.Transport, before: asyncio.BaseProtocol) -> None:
        self._transport = transport
        self._before = before
        self._pieces: deque[bytes] = deque()
        self._kept = 0
        self._arrived = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._resting = False
        self._at_end = False
        self._lost = False

    async def read(self) -> bytes:
        while not self._pieces:
            if self._at_end:
                return b""
            self._arrived.clear()
            await self._arrived.wait()
        data = self._pieces.popleft()
        self._kept -= len(data)
        if self._resting and self._kept < _LOW and not self._lost:
            self._resting = False
            self._transport.resume_reading()
        return data

    async def write(self, data: bytes) -> None:
        if self._lost or self._transport.is_closing():
            raise ConnectionResetError("the client is gone")
        self._transport.write(data)
        await self._may_write.wait()
        if self._lost:
            raise ConnectionResetError("the client is gone")

    def data_received(self, data: bytes) -> None:
        self._pieces.append(bytes(data))
        self._kept += len(data)
        self._arrived.set()
        if self._kept > _HIGH and not self._resting:
            self._resting = True
            self._transport.pause_reading()

    def eof_received(self) -> None:
        self._at_end = True
        self._arrived.set()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = self._at_end = True
        self._arrived.set()
        self._may_write.set()
        self._before.connection_lost(exc)


class Spent(web.StreamResponse):
    """What a handler returns that took the connection over and answered itself."""

    def __init__(self, status: int) -> None:
        super().__init__(status=status)
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> None:
        pass

    async def write_eof(self, data: bytes = b"") -> None:
        pass


async def upgraded(request: web.BaseRequest, headers: Mapping[str, str]) -> tuple[web.StreamResponse, UpgradedConnection]:
    """Answers 101 and takes the connection over. The response is what the handler returns in the end; that ends the connection."""
    response = web.StreamResponse(status=101, headers=headers)
    response.force_close()
    await response.prepare(request)
    return response, take_over(request)


def take_over(request: web.BaseRequest) -> UpgradedConnection:
    """Nothing more of HTTP goes over the request's connection. Raises ConnectionResetError."""
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the client is gone")
    connection = UpgradedConnection(transport, request.protocol)
    if early := getattr(request.protocol, "_message_tail", b""):      # sent without waiting for the 101
        connection.data_received(early)
    transport.set_protocol(connection)
    return connection


class Activity:
    """When something was last sent over a connection, or came."""

    def __init__(self) -> None:
        self.note()

    def note(self) -> None:
        self._at = asyncio.get_running_loop().time()

    @property
    def quiet_s(self) -> float:
        return asyncio.get_running_loop().time() - self._at


async def keep_watch(request: web.BaseRequest, ping: Callable[[], Awaitable[None]], activity: Activity | None = None) -> None:
    """Hangs up on a client that is gone, even while nothing is read from it because nobody takes what it sent before.

    In that state the event loop does not see the connection's end, and the kernel learns of it late, if the last bytes find no room. A ping
    brings it out: the other side's kernel answers with a reset. To be run as a task of its own, and cancelled.
    With `activity` it also hangs up on a client to whom nothing happens for IDLE_S: pings do not count. (SPDY clients ping, and theirs do.)
    """
    silent_s = 0.0
    while (transport := request.transport) is not None:
        await asyncio.sleep(_LOOK_S)
        if _is_gone(transport) or (activity is not None and activity.quiet_s > IDLE_S):
            transport.abort()
            return
        silent_s += _LOOK_S
        if silent_s >= _PING_S:
            silent_s = 0.0
            with suppress(ConnectionError, TimeoutError):
                await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(_quietly(ping))), _LOOK_S)


async def _quietly(ping: Callable[[], Awaitable[None]]) -> None:
    """It may wait for room for long, and then fail."""
    with suppress(ConnectionError):
        await ping()


def _is_gone(transport: asyncio.Transport) -> bool:
    connection = transport.get_extra_info("socket")
    try:
        (state,) = struct.unpack_from("B", connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8))
    except (OSError, AttributeError):
        return False
    return state in _GONE
