"""Health pages over real sockets."""

from __future__ import annotations

import asyncio
import json

import pytest

from kube.apimachinery.errors import Forbidden
from kube.client.http_connection import HttpServer
from kube.process.health import metrics_page, report, serve_health
from kube.process.pages import Answer, PageRequest, serve_pages
from tests.support.ports import free_ports

PAGES = {
    "/livez": lambda query: Answer(200, "ok" if not query else f"asked for {query}"),
    "/readyz": lambda query: Answer(500, "[-]etcd failed\n"),
    "/metrics": metrics_page,
}


@pytest.mark.parametrize(("method", "target", "status", "body"), [
    pytest.param("GET", "/livez", 200, b"ok", id="page"),
    pytest.param("GET", "/livez/", 200, b"ok", id="slash"),
    pytest.param("GET", "/livez?verbose", 200, b"asked for verbose", id="query"),
    pytest.param("GET", "/readyz", 500, b"[-]etcd failed\n", id="failed"),
    pytest.param("HEAD", "/livez", 200, b"", id="head"),
    pytest.param("POST", "/livez", 405, b"method not allowed\n", id="method"),
    pytest.param("GET", "/", 404, b"404 page not found\n", id="unknown"),
])
async def test_pages(method: str, target: str, status: int, body: bytes) -> None:
    async with serve_pages("127.0.0.1", 0, PAGES) as port, HttpServer(f"http://127.0.0.1:{port}").request(method, target, {}) as answer:
        assert (answer.status, await answer.read()) == (status, body)


async def test_metrics_are_prometheus_text() -> None:
    async with serve_pages("127.0.0.1", 0, PAGES) as port, HttpServer(f"http://127.0.0.1:{port}").request("GET", "/metrics", {}) as answer:
        text = await answer.read()

    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert b"# HELP" in text


async def test_noise_is_hung_up_on() -> None:
    async with serve_pages("127.0.0.1", 0, PAGES) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x16\x03\x01\r\n\r\n")
        assert await reader.read() == b""
        writer.close()


async def only_with_a_token(request: PageRequest) -> None:
    if request.authorization != "Bearer t":
        raise Forbidden(f"{request.method} {request.path}?{request.query}")


@pytest.mark.parametrize(("target", "headers", "status"), [
    pytest.param("/metrics", {}, 403, id="no token"),
    pytest.param("/metrics/", {}, 403, id="no token, with a slash"),
    pytest.param("/elsewhere", {}, 403, id="not even what is there"),
    pytest.param("/metrics", {"authorization": "Bearer t"}, 200, id="token"),
    pytest.param("/healthz", {}, 200, id="health"),
    pytest.param("/readyz/", {}, 200, id="readiness"),
])
async def test_metrics_are_guarded_and_health_is_not(target: str, headers: dict[str, str], status: int) -> None:
    (port,) = free_ports(1)
    async with (
        serve_health(port, host="127.0.0.1", guard=only_with_a_token),
        HttpServer(f"http://127.0.0.1:{port}").request("GET", target, headers) as answer,
    ):
        body = await answer.read()

    assert answer.status == status
    assert status == 200 or json.loads(body)["message"] == f"GET {target.rstrip('/')}?"


def test_a_failed_check_is_named() -> None:
    assert report({"ping": lambda: True, "etcd": lambda: False}, "readyz", verbose=False) == (
        500, "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n",
    )
