"""A proxied request that wants another protocol (WebSocket, SPDY): the backend's connection is joined to the client's."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from control_plane.apiserver.streaming.proxy.dial import dial_problem, open_connection
from control_plane.apiserver.streaming.proxy.location import Location
from control_plane.apiserver.streaming.proxy.rewriting import request_headers
from control_plane.apiserver.streaming.upgrade import Spent, UpgradedConnection, keep_watch, take_over
from kube.apimachinery.errors import InternalError

_ANSWER_S: Final = 60.0
_REFUSAL_S: Final = 10.0      # for the body of an answer that is no upgrade
_CHUNK: Final = 64 * 1024


def wants_upgrade(request: web.BaseRequest) -> bool:
    return "upgrade" in ",".join(request.headers.getall("Connection", [])).lower()


async def tunnel(request: web.BaseRequest, location: Location, target: str) -> web.StreamResponse:
    """`target`: path and query. Raises InternalError, with the words of upstream's handler."""
    try:
        reader, writer = await open_connection(location.address, tls=location.tls, name=location.server_name)
    except OSError as error:
        raise InternalError(f"Internal error occurred: error dialing backend: {dial_problem(location.address, error)}") from error
    try:
        headers = request_headers(request.headers, request.remote or "", upgrade=True)
        headers.extend(location.headers)
        head, status = await _ask(reader, writer, f"{request.method} {target} HTTP/1.1", headers)
        if status != 101 and status < 400:
            raise InternalError(f"Internal error occurred: invalid upgrade response: status code {status}")
        connection = take_over(request)
        await connection.write(head)
        with contextlib.suppress(OSError, TimeoutError):
            if status == 101:
                await _join(request, connection, reader, writer)
            else:
                async with asyncio.timeout(_REFUSAL_S):
                    await _copy_back(reader, connection)
    finally:
        writer.transport.abort()
    return Spent(status)


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: str, headers: CIMultiDict[str]
) -> tuple[bytes, int]:
    """The answer's head as it came, and its status."""
    lines = [line, *(f"{name}: {value}" for name, value in headers.items())]
    writer.write("\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n")
    try:
        async with asyncio.timeout(_ANSWER_S):
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise InternalError("Internal error occurred: unexpected EOF") from error
    version, _, rest = head.partition(b" ")
    if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit():
        raise InternalError("Internal error occurred: malformed HTTP response")
    return head, int(rest[:3])


async def _join(
    request: web.BaseRequest, connection: UpgradedConnection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Until either side ends, as upstream."""

    async def no_ping() -> None:
        """What is spoken here is not known."""

    watch = asyncio.create_task(keep_watch(request, no_ping), name="proxy watch")
    copies = {
        asyncio.create_task(_copy_on(connection, writer), name="proxy to backend"),
        asyncio.create_task(_copy_back(reader, connection), name="proxy to client"),
    }
    try:
        await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (watch, *copies):
            task.cancel()
        await asyncio.gather(watch, *copies, return_exceptions=True)


async def _copy_on(connection: UpgradedConnection, writer: asyncio.StreamWriter) -> None:
    while data := await connection.read():
        writer.write(data)
        await writer.drain()


async def _copy_back(reader: asyncio.StreamReader, connection: UpgradedConnection) -> None:
    while data := await reader.read(_CHUNK):
        await connection.write(data)
