"""`Upgrade: SPDY/3.1` and the protocol spoken in the streams. Follows k8s.io/streaming's httpstream handshake."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from control_plane.apiserver.streaming.upgrade import keep_watch
from kube.spdy.session import Session

SPDY: Final = "SPDY/3.1"
PROTOCOL_VERSION: Final = "X-Stream-Protocol-Version"
ACCEPTED_VERSIONS: Final = "X-Accepted-Stream-Protocol-Versions"
_GOODBYE_S: Final = 1.0


def wants_spdy(request: web.BaseRequest) -> bool:
    return "upgrade" in request.headers.get("Connection", "").lower() and SPDY.lower() in request.headers.get("Upgrade", "").lower()


def wants_websocket(request: web.BaseRequest) -> bool:
    return "upgrade" in request.headers.get("Connection", "").lower() and "websocket" in request.headers.get("Upgrade", "").lower()


def chosen_protocol(request: web.BaseRequest, ours: Sequence[str]) -> str | None:
    """The first of the client's that is ours; "" when it names none, as clients of Kubernetes 1.0 did; None when none fits."""
    wanted = [one.strip() for value in request.headers.getall(PROTOCOL_VERSION, []) for one in value.split(",")]
    return next((one for one in wanted if one in ours), None) if wanted else ""


def no_protocol(request: web.BaseRequest, ours: Sequence[str]) -> web.Response:
    wanted = request.headers.getall(PROTOCOL_VERSION, [])
    headers = CIMultiDict[str]((ACCEPTED_VERSIONS, one) for one in ours)
    text = f"unable to upgrade: unable to negotiate protocol: client supports [{' '.join(wanted)}], server accepts [{' '.join(ours)}]\n"
    return web.Response(status=403, text=text, headers=headers)


def upgrade_headers(protocol: str) -> dict[str, str]:
    headers = {"Connection": "Upgrade", "Upgrade": SPDY}
    return headers | {PROTOCOL_VERSION: protocol} if protocol else headers


@asynccontextmanager
async def serving(session: Session, request: web.BaseRequest) -> AsyncIterator[None]:
    """The session's frames are read while the context is open; then it says goodbye, and the connection is ended."""
    tasks = [
        asyncio.create_task(session.serve(), name="spdy session"),
        asyncio.create_task(keep_watch(request, session.ping), name="spdy pings"),
    ]
    try:
        yield
    finally:
        try:
            with suppress(ConnectionError):
                async with asyncio.timeout(_GOODBYE_S):
                    await session.close()
            if request.transport is not None:
                request.transport.close()
        except TimeoutError:            # it reads nothing any more
            if request.transport is not None:
                request.transport.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
