"""A few small pages over HTTP or HTTPS: health, metrics. Every process has some, and a web framework behind them would cost each 2 MB:
so much of a forked process's shared memory becomes its own when the framework's code runs.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from kube.apimachinery.errors import ApiError

REASONS: Final = {
    200: "OK", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 500: "Internal Server Error",
    503: "Service Unavailable",
}
MAX_HEADER_LINES: Final = 100
READ_TIMEOUT_S: Final = 5.0


class Answer(NamedTuple):
    status: int
    body: str | bytes
    content_type: str = "text/plain; charset=utf-8"


class PageRequest(NamedTuple):
    method: str
    path: str
    query: str                            # "verbose&x=1"
    authorization: str                    # the header
    certificate: Mapping[str, Any] | None = None      # of the peer, verified by TLS


Page = Callable[[str], Answer]      # takes the request's query
Guard = Callable[[PageRequest], Awaitable[None]]      # raises the ApiError that refuses a request


@asynccontextmanager
async def serve_pages(
    host: str, port: int, pages: Mapping[str, Page], tls: ssl.SSLContext | None = None, *, guard: Guard | None = None,
) -> AsyncIterator[int]:
    """Serves while the context is open; `pages` by their path, each for whom `guard` lets pass. Yields the port (`port` 0 picks one)."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                request = await _read_request(reader, writer.get_extra_info("peercert"))
                writer.write(_encode(await _respond(request, pages, guard), with_body=request.method != "HEAD"))
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


async def _read_request(reader: asyncio.StreamReader, certificate: Mapping[str, Any] | None) -> PageRequest:
    line = await reader.readline()
    authorization = ""
    for _ in range(MAX_HEADER_LINES):
        header = await reader.readline()
        if header in (b"\r\n", b"\n", b""):
            break
        name, _, value = header.decode("latin-1").partition(":")
        if name.strip().lower() == "authorization":
            authorization = value.strip()
    method, target, _ = line.decode("latin-1").split(" ", 2)
    path, _, query = target.partition("?")
    return PageRequest(method, path.rstrip("/") or "/", query, authorization, certificate)


async def _respond(request: PageRequest, pages: Mapping[str, Page], guard: Guard | None) -> Answer:
    try:
        if guard is not None:
            await guard(request)
    except ApiError as error:
        return Answer(error.code, json.dumps(error.to_status()), "application/json")
    page = pages.get(request.path)
    if page is None:
        return Answer(404, "404 page not found\n")
    if request.method not in ("GET", "HEAD"):
        return Answer(405, "method not allowed\n")
    return page(request.query)


def _encode(answer: Answer, *, with_body: bool) -> bytes:
    body = answer.body.encode() if isinstance(answer.body, str) else answer.body
    head = (
        f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, '-')}\r\nContent-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(body)}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (body if with_body else b"")
