"""HTTP/1.1 to one server, as much of it as the REST transport needs: requests with a body, answers whole or as they come.

A library's client would do, but costs each DNS Pod 70 ms of its start and 7 MB (aiohttp): more than the rest of its client. Requests
are not pipelined; each takes an idle connection or makes one. Every failure is an OSError. A name is looked up for each connection; a
server that vanished without a word, its address with it, is missed within some ten seconds.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Final, NamedTuple
from urllib.parse import urlsplit

CONNECT_TIMEOUT_S: Final = 10.0
BUFFER: Final = 1 << 18             # the longest header block, too
CHUNK: Final = 1 << 16
SILENCE_S: Final = 5                # then the kernel asks whether the server is still there,
PROBE_S: Final = 2                  # so often,
PATIENCE_S: Final = 9               # and gives up when nothing was acknowledged for so long
REPEATABLE: Final = frozenset({"GET", "HEAD"})          # on another connection, when an idle one turns out to be dead; as Go's client


class BadAnswer(OSError):
    """What came is not HTTP, or ends too early."""


class StaleConnection(BadAnswer):
    """An idle connection that the server closed in the moment when it was used again: nothing of an answer came."""


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]                  # names in lower case
    body: AsyncGenerator[bytes, None]           # pieces, as they come

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self.body])


class HttpServer:
    """`url` is "https://host:port", perhaps with a path that stands before every request's own.

    `address` (host, port): where to connect instead; certificate and Host header are still the URL's. With `repeatable`, every request
    is sent again when an idle connection turns out to be dead, and not only those that read. `always`: headers of every request, which
    may have one name several times.
    """

    def __init__(
        self, url: str, context: ssl.SSLContext | None = None, *, address: tuple[str, int] | None = None, repeatable: bool = False,
        always: Sequence[tuple[str, str]] = (),
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not the URL of a server: {url!r}")
        self._host, self._netloc, self._prefix = parts.hostname, parts.netloc.rpartition("@")[2], parts.path.rstrip("/")
        self._address = address or (parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))
        self._repeatable = repeatable
        self._always = tuple(always)
        self._context = (context or ssl.create_default_context()) if parts.scheme == "https" else None
        self._idle: list[_Connection] = []

    @asynccontextmanager
    async def request(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> AsyncIterator[Answer]:
        """`target`: path and query. An answer that is not read to its end ends its connection with it."""
        connection, answer = await self._exchange(method, self._prefix + target, headers, body)
        try:
            async with aclosing(answer.body):
                yield answer
        finally:
            if connection.reusable:
                self._idle.append(connection)
            else:
                connection.abort()

    def drop_idle(self) -> None:
        """Connections in use stay."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.abort()

    async def close(self) -> None:
        """Connections in use end with their requests."""
        idle = self._idle
        self.drop_idle()
        await asyncio.gather(*(connection.closed() for connection in idle))

    async def _exchange(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[_Connection, Answer]:
        message = _encode(method, target, (("Host", self._netloc), *self._always, *headers.items()), body)
        while True:
            connection = self._take_idle() or await self._connect()
            try:
                return connection, await connection.exchange(method, message)
            except StaleConnection:
                connection.abort()
                if not connection.used_before or not (self._repeatable or method in REPEATABLE):
                    raise
            except BaseException:
                connection.abort()
                raise

    def _take_idle(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.at_end:
                return connection
            connection.abort()
        return None

    async def _connect(self) -> _Connection:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(
                    *self._address, ssl=self._context, server_hostname=self._host if self._context else None, limit=BUFFER,
                )
                _keep_alive(writer.get_extra_info("socket"))
                return _Connection(reader, writer)
        except TimeoutError as error:
            raise BadAnswer(f"no connection to {self._netloc} within {CONNECT_TIMEOUT_S:g} s") from error


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.used_before = False
        self.reusable = False       # between a whole answer and the next request

    @property
    def at_end(self) -> bool:
        return self._reader.at_eof() or self._writer.is_closing()

    def abort(self) -> None:
        self._writer.transport.abort()

    async def closed(self) -> None:
        with suppress(OSError):
            await self._writer.wait_closed()

    async def exchange(self, method: str, message: bytes) -> Answer:
        self.used_before, self.reusable = self.reusable, False
        try:
            self._writer.write(message)
            await self._writer.drain()
            status, headers = await self._head()
        except BadAnswer:
            raise
        except OSError as error:        # reset, or given up by the kernel
            raise StaleConnection(str(error) or "connection reset") from error
        return Answer(status, headers, self._body(method, status, headers))

    async def _head(self) -> tuple[int, dict[str, str]]:
        status = 100
        while 100 <= status < 200:      # interim answers are passed over
            try:
                block = await self._reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError as error:
                if error.partial:
                    raise BadAnswer("the connection ended within an answer's headers") from error
                raise StaleConnection("the connection ended without an answer") from error
            except asyncio.LimitOverrunError as error:
                raise BadAnswer("an answer's headers are too long") from error
            status, headers = _parse_head(block)
        return status, headers

    async def _body(self, method: str, status: int, headers: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        lasting = headers.get("connection", "").lower() != "close"
        try:
            if method == "HEAD" or status in (204, 304):
                pass
            elif headers.get("transfer-encoding", "").lower() == "chunked":
                async for piece in self._chunks():
                    yield piece
            elif (length := headers.get("content-length")) is not None:
                async for piece in self._exactly(int(length)):
                    yield piece
            else:
                lasting = False
                while piece := await self._reader.read(CHUNK):
                    yield piece
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            raise BadAnswer("the connection ended within an answer") from error
        self.reusable = lasting

    async def _exactly(self, size: int) -> AsyncGenerator[bytes, None]:
        """In pieces: a size is only what the server says, and not what it sends."""
        while size > 0:
            piece = await self._reader.readexactly(min(size, BUFFER))
            size -= len(piece)
            yield piece

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        while size := int((await self._reader.readuntil(b"\n")).partition(b";")[0], 16):
            async for piece in self._exactly(size):
                yield piece
            await self._reader.readexactly(2)
        while (await self._reader.readuntil(b"\n")).strip():
            pass        # trailers


def _keep_alive(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, SILENCE_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, PATIENCE_S * 1000)


def _encode(method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    if body or method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join(lines)
    if any(character in value for value in (target, *(value for _, value in headers)) for character in "\r\n"):
        raise ValueError(f"a line break in a request's target or header: {head!r}")
    return head.encode("latin-1") + b"\r\n\r\n" + body


def _parse_head(block: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = block.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
        raise BadAnswer(f"not an HTTP answer: {first[:80]!r}")
    headers = {}
    for line in filter(None, lines):
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return int(rest[:3]), headers
