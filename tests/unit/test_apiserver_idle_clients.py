"""WebSockets to which nothing happens are ended after four hours, as upstream does it; here sooner."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import ClientSession, web

from control_plane.apiserver.streaming import upgrade
from control_plane.apiserver.streaming.console_websocket import open_websocket
from control_plane.apiserver.streaming.upgrade import Activity, keep_watch


async def serve(request: web.BaseRequest) -> web.StreamResponse:
    socket, activity = await open_websocket(request, ()), Activity()
    watch = asyncio.create_task(keep_watch(request, socket.ping, activity))
    try:
        async for message in socket:
            activity.note()
            await socket.send_bytes(message.data)
    finally:
        watch.cancel()
    return socket


async def test_who_says_nothing_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upgrade, "IDLE_S", 0.5)
    runner = web.ServerRunner(web.Server(serve))
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        async with ClientSession() as session, session.ws_connect(f"http://127.0.0.1:{runner.addresses[0][1]}/") as socket:
            await socket.send_bytes(b"x")
            assert (await asyncio.wait_for(socket.receive(), 30)).data == b"x"
            assert (await asyncio.wait_for(socket.receive(), 30)).type.name.startswith("CLOS")
    finally:
        await runner.cleanup()
