"""A few fixed pages over HTTP: /health, /ready, /metrics. Small on purpose: a DNS Pod should not carry a web framework for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

Page = Callable[[], tuple[int, str]]
REASONS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}
MAX_HEADER_LINES = 100
READ_TIMEOUT_S = 5.0


def split_address(address: str) -> tuple[str, int]:
    """":8080" is every address. Raises ValueError."""
    host, _, port = address.rpartition(":")
    return host.strip("[]") or "0.0.0.0", int(port)


@asynccontextmanager
async def serve_page(address: str, path: str, page: Page, content_type: str = "text/plain; charset=utf-8") -> AsyncIterator[None]:
    """Serves one page while the context is open."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                status, body = _respond(await _request_line(reader), path, page)
                data = body.encode()
                head = (
                    f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: {content_type}\r\n"
                    f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n"
                )
                writer.write(head.encode() + data)
                await writer.drain()
        except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass                # the client went away or speaks something else
        finally:
            writer.close()

    host, port = split_address(address)
    server = await asyncio.start_server(answer, host, port)
    try:
        yield
    finally:
        server.close()


async def _request_line(reader: asyncio.StreamReader) -> str:
    line = await reader.readline()
    for _ in range(MAX_HEADER_LINES):
        if (await reader.readline()) in (b"\r\n", b"\n", b""):
            break
    return line.decode("latin-1")


def _respond(request_line: str, path: str, page: Page) -> tuple[int, str]:
    method, target, _ = request_line.split(" ", 2)
    if method not in ("GET", "HEAD"):
        return 405, "method not allowed\n"
    if target.partition("?")[0].rstrip("/") != path:
        return 404, "404 page not found\n"
    return page()
