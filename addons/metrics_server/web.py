"""HTTPS for a few readers: HTTP/1.1, requests without a body, connections that stay open. A web framework would cost the Pod 7 MB."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, unquote

from kube.apimachinery.errors import ApiError, InternalError
from kube.process.log import get_logger
from kube.process.pages import REASONS

IDLE_S: Final = 120.0
MAX_HEAD: Final = 1 << 16
log = get_logger("web")


class Request(NamedTuple):
    method: str
    path: str
    query: Mapping[str, str]                    # the first of each name
    headers: tuple[tuple[str, str], ...]        # names in lower case
    certificate: Mapping[str, Any] | None       # of the peer, verified by TLS

    def header(self, name: str) -> str:
        return next((value for each, value in self.headers if each == name), "")


Handler = Callable[[Request], Awaitable[dict[str, Any] | str]]      # an object, or a text; raises ApiError


@asynccontextmanager
async def serve(host: str, port: int, tls: ssl.SSLContext, handler: Handler) -> AsyncIterator[int]:
    """Serves while the context is open; yields the port (`port` 0 picks one)."""
    writers: set[asyncio.StreamWriter] = set()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            while await _exchange(reader, writer, handler):
                pass
        except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass                # the client went away, or speaks something else
        finally:
            writers.discard(writer)
            writer.close()

    server = await asyncio.start_server(connection, host, port, ssl=tls, limit=MAX_HEAD)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler) -> bool:
    """One request; returns whether the connection goes on."""
    async with asyncio.timeout(IDLE_S):
        head = await reader.readuntil(b"\r\n\r\n")
    request = _parse(head, writer.get_extra_info("peercert"))
    length = int(request.header("content-length") or 0)
    has_body = bool(length or request.header("transfer-encoding"))
    status, body, kind = await _respond(request, handler)
    lasting = request.header("connection").lower() != "close" and not has_body
    answer = (
        f"HTTP/1.1 {status} {REASONS.get(status, '-')}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        f"Cache-Control: no-cache, private\r\nConnection: {'keep-alive' if lasting else 'close'}\r\n\r\n"
    )
    writer.write(answer.encode() + (b"" if request.method == "HEAD" else body))
    await writer.drain()
    return lasting


def _parse(head: bytes, certificate: Mapping[str, Any] | None) -> Request:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    path, _, query = target.partition("?")
    headers = tuple((name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines if line))
    parameters = {name: values[0] for name, values in parse_qs(query).items()}
    return Request(method, unquote(path).rstrip("/") or "/", parameters, headers, certificate)


async def _respond(request: Request, handler: Handler) -> tuple[int, bytes, str]:
    try:
        answer = await handler(request)
    except ApiError as error:
        return error.code, json.dumps(error.to_status()).encode(), "application/json"
    except Exception:
        log.exception("request failed", path=request.path)
        return 500, json.dumps(InternalError("Internal error occurred").to_status()).encode(), "application/json"
    if isinstance(answer, str):
        return 200, answer.encode(), "text/plain; charset=utf-8"
    return 200, json.dumps(answer).encode(), "application/json"
