"""The kubelet's own HTTPS API on 10250, thin: health, metrics, the Pods it runs, their logs. Clients need a certificate of the cluster."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace

import msgspec
from aiohttp import web
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from kube.apimachinery import errors
from kube.process.config import TlsFiles
from kube.process.tls import server_context
from node_agent.kubelet.container_logs import log_source
from node_agent.kubelet.node_service import log_options
from node_agent.kubelet.pod_state import Services
from node_agent.kubelet.pod_workers import PodWorkers
from node_agent.runtime.logs import read_log
from node_agent.runtime.model import ContainerState

ALLOWED_NAMES = ("kube-apiserver-kubelet-client", "kubernetes-admin")


@asynccontextmanager
async def serve_https(port: int, tls: TlsFiles, services: Services, workers: PodWorkers) -> AsyncIterator[None]:
    """Serves while the context is open."""
    application = web.Application(middlewares=[_authorize])
    handlers = _Handlers(services, workers)
    application.router.add_get("/healthz", handlers.healthz)
    application.router.add_get("/pods", handlers.pods)
    application.router.add_get("/metrics", handlers.metrics)
    application.router.add_get("/containerLogs/{namespace}/{pod}/{container}", handlers.logs)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "0.0.0.0", port, ssl_context=server_context(tls, client_certificates=ssl.CERT_OPTIONAL)).start()
        yield
    finally:
        await runner.cleanup()


class _Handlers:
    def __init__(self, services: Services, workers: PodWorkers) -> None:
        self._services = services
        self._workers = workers

    async def healthz(self, request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def pods(self, request: web.Request) -> web.Response:
        listing = {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": self._workers.pods()}
        return web.Response(body=msgspec.json.encode(listing), content_type="application/json")

    async def metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def logs(self, request: web.Request) -> web.StreamResponse:
        try:
            state = self._workers.find(request.match_info["namespace"], request.match_info["pod"])
            if state is None:
                raise errors.NotFound(f'pod "{request.match_info["pod"]}" does not exist')
            wanted = _log_query(request.query)
            path, record = log_source(self._services, state, request.match_info["container"], previous=wanted.previous)
        except errors.ApiError as error:
            return web.Response(status=error.code, text=error.message)
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)

        def ended() -> bool:
            held = self._services.runtime.container(record.id)
            return held is None or held.state is ContainerState.EXITED

        async for piece in read_log(path, log_options(wanted, self._services.clock.now()), ended):
            await response.write(piece)
        return response


def _log_query(query: Mapping[str, str]) -> SimpleNamespace:
    def number(name: str, default: int) -> int:
        text = query.get(name, "")
        if text and not text.isdigit():
            raise errors.BadRequest(f"unable to decode query: {name} must be a number, got {text!r}")
        return int(text) if text else default

    return SimpleNamespace(
        follow=query.get("follow") == "true", previous=query.get("previous") == "true", timestamps=query.get("timestamps") == "true",
        tail_lines=number("tailLines", -1), since_seconds=number("sinceSeconds", 0), since_time=query.get("sinceTime", ""),
        limit_bytes=number("limitBytes", 0), stream=query.get("stream", ""),
    )


@web.middleware
async def _authorize(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> web.StreamResponse:
    if request.path == "/healthz":
        return await handler(request)
    certificate = request.transport.get_extra_info("peercert") if request.transport else None
    if not certificate:
        return web.Response(status=401, text="Unauthorized")
    names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    if not any(name in ALLOWED_NAMES for name in names):
        return web.Response(status=403, text=f"Forbidden (user={','.join(names)}, verb=get, resource=nodes, subresource=proxy)")
    return await handler(request)
