"""HTTP probes against a real server on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from kube.api.core_v1 import Container, HTTPGetAction, HTTPHeader, Probe
from node_agent.probes.probers import PortError, Prober, container_port
from node_agent.probes.results import Finding, Outcome


async def answer(request: web.BaseRequest) -> web.Response:
    place = {
        "/same": "/ok", "/elsewhere": f"http://127.0.0.2:{request.url.port}/secret", "/loop": "/loop", "/file": "file:///etc/passwd",
    }.get(request.path)
    if place is not None:
        return web.Response(status=302, headers={"Location": place}, text="moved")
    return web.Response(status=500 if request.path == "/bad" else 200, text="secret" if request.path == "/secret" else "fine")


@asynccontextmanager
async def served() -> AsyncIterator[int]:
    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    site = web.TCPSite(runner, "0.0.0.0", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def never(container_id: str, command: Sequence[str], timeout_s: float) -> tuple[int, bytes]:
    raise AssertionError("nothing is executed")


async def look(path: str, header: str = "x") -> Finding:
    prober = Prober(never)
    async with served() as port:
        action = HTTPGetAction(path=path, port=port, http_headers=(HTTPHeader(name="X", value=header),))
        try:
            return await prober.look(Probe(http_get=action, timeout_seconds=5), Container(name="c"), "id", "127.0.0.1")
        finally:
            await prober.close()


@pytest.mark.parametrize(("path", "outcome"), [
    ("/ok", Outcome.SUCCESS), ("/bad", Outcome.FAILURE), ("/same", Outcome.SUCCESS), ("/elsewhere", Outcome.WARNING),
    ("/file", Outcome.WARNING), ("/loop", Outcome.FAILURE),
])
async def test_answers(path: str, outcome: Outcome) -> None:
    assert (await look(path)).outcome is outcome


async def test_nobody_else_is_asked_for_the_pod() -> None:
    assert "secret" not in (await look("/elsewhere")).message


async def test_a_header_that_cannot_be_sent_is_a_failure() -> None:
    assert (await look("/ok", "a\r\nHost: b")).outcome is Outcome.FAILURE


@pytest.mark.parametrize(("port", "words"), [("web", 'port "web" not found'), (0, "invalid port number: 0")])
def test_a_port_that_is_none(port: str | int, words: str) -> None:
    with pytest.raises(PortError, match=f"^{words}$"):
        container_port(port, Container(name="c"))
