"""A proxied request and its answer, bodies streamed both ways. Follows apimachinery's UpgradeAwareHandler and Go's ReverseProxy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from control_plane.apiserver.streaming.proxy.dial import CONNECT_S, dial_problem, host_and_port
from control_plane.apiserver.streaming.proxy.location import Location
from control_plane.apiserver.streaming.proxy.rewriting import (
    MAX_PAGE,
    Proxied,
    request_headers,
    response_headers,
    rewritten_page,
    rewritten_url,
)
from kube.apimachinery.errors import ServiceUnavailable

_AUTOMATIC: Final = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")      # what is not there is not added
_MAX_LINE: Final = 64 * 1024


async def exchange(request: web.BaseRequest, location: Location, target: str, proxied: Proxied) -> web.StreamResponse:
    """`target`: path and query. Raises ServiceUnavailable."""
    headers = request_headers(request.headers, request.remote or "")
    headers.extend(location.headers)
    headers["X-Forwarded-Uri"] = proxied.prefix + target.partition("?")[0]
    connector = aiohttp.TCPConnector(force_close=True, ssl=location.tls if location.tls is not None else False)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False,
        skip_auto_headers=_AUTOMATIC, max_line_size=_MAX_LINE, max_field_size=_MAX_LINE,
    ) as session:
        try:
            answer = await session.request(
                request.method, URL(f"{location.scheme}://{host_and_port(location.address)}{target}", encoded=True), headers=headers,
                data=_body(request) if request.body_exists else None, allow_redirects=False, server_hostname=location.server_name,
            )
        except (aiohttp.ClientError, OSError) as error:
            raise ServiceUnavailable(f"error trying to reach service: {_problem(location, error)}") from error
        async with answer:
            return await _pass_back(request, answer, proxied)


async def _body(request: web.BaseRequest) -> AsyncIterator[bytes]:
    async for piece in request.content.iter_any():
        yield piece


def _problem(location: Location, error: BaseException) -> str:
    cause = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error
    if isinstance(cause, aiohttp.ServerDisconnectedError):
        return "EOF"
    return dial_problem(location.address, cause) if isinstance(cause, OSError) else str(cause)


async def _pass_back(request: web.BaseRequest, answer: aiohttp.ClientResponse, proxied: Proxied) -> web.StreamResponse:
    headers = response_headers(answer.headers.items(), answer.headers.getall("Connection", []))
    if location := headers.get("Location"):
        headers["Location"] = rewritten_url(location, proxied)
    elif headers.get("Content-Type", "").partition(";")[0].strip() == "text/html" and request.method != "HEAD":
        return await _pass_back_page(request, answer, headers, proxied)
    return await _pass_back_body(request, answer, headers)


async def _pass_back_body(
    request: web.BaseRequest, answer: aiohttp.ClientResponse, headers: CIMultiDict[str], first: bytes = b""
) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
    if "Content-Length" not in headers and request.method != "HEAD" and answer.status not in (204, 304):
        response.enable_chunked_encoding()
    await response.prepare(request)
    try:
        if first:
            await response.write(first)
        async for piece in answer.content.iter_any():
            await response.write(piece)
    except aiohttp.ClientPayloadError:      # half an answer must not look like a whole one
        if request.transport is not None:
            request.transport.abort()
    return response


async def _pass_back_page(
    request: web.BaseRequest, answer: aiohttp.ClientResponse, headers: CIMultiDict[str], proxied: Proxied
) -> web.StreamResponse:
    body = bytearray()
    try:
        async for piece in answer.content.iter_any():
            body += piece
            if len(body) > MAX_PAGE:
                return await _pass_back_body(request, answer, headers, bytes(body))
    except aiohttp.ClientPayloadError as error:
        raise ServiceUnavailable(f"error trying to reach service: {error}") from error
    page = rewritten_page(bytes(body), headers.get("Content-Encoding", ""), lambda url: rewritten_url(url, proxied))
    headers.popall("Content-Length", None)
    return web.Response(status=answer.status, reason=answer.reason, headers=headers, body=bytes(body) if page is None else page)
