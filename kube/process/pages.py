"""A few small pages over HTTP or HTTPS: health, metrics. Every process has some, and a web framework behind them would cost each 2 MB:
so much of a forked process's shared memory becomes its own when the framework's code runs.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

REASONS: Final = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 500: "Internal Server Error", 503: "Service Unavailable"}
MAX_HEADER_LINES: Final = 100
READ_TIMEOUT_S: Final = 5.0


class Answer(NamedTuple):
    status: int
    body: str | bytes
    content_type: str = "text/plain; charset=utf-8"


Page = Callable[[str], Answer]      # takes the request's query: "verbose&x=1"


@asynccontextmanager
async def serve_pages(host: str, port: int, pages: Mapping[str, Page], tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serves while the context is open; `pages` by their path. Yields the port (`port` 0 picks one)."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                writer.write(_encode(*_respond(await _request_line(reader), pages)))
                await writer.drain()
        except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass                # the client went away or speaks something else
        finally:
            writer.close()

    server = await asyncio.start_server(serve, host, port, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def _request_line(reader: asyncio.StreamReader) -> str:
    line = await reader.readline()
    for _ in range(MAX_HEADER_LINES):
        if (await reader.readline()) in (b"\r\n", b"\n", b""):
            break
    return line.decode("latin-1")


def _respond(request_line: str, pages: Mapping[str, Page]) -> tuple[Answer, bool]:
    """The answer, and whether its body is wanted."""
    method, target, _ = request_line.split(" ", 2)
    path, _, query = target.partition("?")
    page = pages.get(path) or pages.get(path.rstrip("/"))
    if page is None:
        return Answer(404, "404 page not found\n"), True
    if method not in ("GET", "HEAD"):
        return Answer(405, "method not allowed\n"), True
    return page(query), method == "GET"


def _encode(answer: Answer, with_body: bool) -> bytes:
    body = answer.body.encode() if isinstance(answer.body, str) else answer.body
    head = (
        f"HTTP/1.1 {answer.status} {REASONS[answer.status]}\r\nContent-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(body)}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (body if with_body else b"")
