"""Sockets and TLS of the HTTPS door: its own port in the node's network, and listening sockets inherited from the launcher."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from control_plane.apiserver.http_door.any_certificate import accept_any
from kube.process.config import TlsFiles
from kube.process.tls import server_context

_KEEP_ALIVE_S: Final = 90.0
_GRACE_S: Final = 2.0             # for requests under way when the apiserver ends; watches are cut
MAX_BODY: Final = 3 * 1024 * 1024    # upstream's limit of a request body
_MAX_LINE: Final = 64 * 1024
_READ_HEADER_S: Final = 32.0      # upstream's ReadHeaderTimeout: who connects and says nothing is hung up on


class _Connection(RequestHandler):
    """aiohttp's own time-out begins with the first answer."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._patience = asyncio.get_running_loop().call_later(_READ_HEADER_S, self._hang_up)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._patience.cancel()
        super().connection_lost(exc)

    def _hang_up(self) -> None:
        if not self._request_count:
            self.force_close()


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY)


@asynccontextmanager
async def serve_https(
    handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], tls: TlsFiles, port: int, listen_fds: Sequence[int] = (),
    front_proxy_ca_file: str = "",
) -> AsyncIterator[int]:
    """Serves while the context is open; yields the port (`port` 0 picks one). Client certificates are for the handler to judge."""
    server = _Server(
        handler, request_factory=_request, handler_cancellation=True, keepalive_timeout=_KEEP_ALIVE_S, access_log=None,
        max_line_size=_MAX_LINE, max_field_size=_MAX_LINE, tcp_keepalive=True,
    )
    runner = web.ServerRunner(server, shutdown_timeout=_GRACE_S)
    await runner.setup()
    context = server_context(tls)
    if front_proxy_ca_file:
        context.load_verify_locations(front_proxy_ca_file)
    accept_any(context)
    try:
        main = web.TCPSite(runner, "0.0.0.0", port, ssl_context=context, backlog=1024, reuse_address=True)
        await main.start()
        for number in listen_fds:
            await web.SockSite(runner, socket.socket(fileno=number), ssl_context=context, backlog=1024).start()
        assert main._server is not None
        yield main._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    finally:
        await runner.cleanup()
