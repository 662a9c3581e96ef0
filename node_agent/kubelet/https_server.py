"""The kubelet's own HTTPS API on 10250, thin: health, metrics, the Pods it runs, what they use, their logs and log files.

Nobody is anonymous here: a certificate of the cluster or a token, and the right to that part of the Node (nodes/metrics, nodes/pods ...,
or nodes/proxy, which stands for all). Follows pkg/kubelet/server.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import msgspec
from aiohttp import web
from aiohttp.typedefs import Middleware
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from kube.api.authorization_v1 import ResourceAttributes
from kube.apimachinery import errors
from kube.client.delegated_auth import Caller, Credentials, DelegatedAuth
from kube.process.config import TlsFiles
from kube.process.tls import server_context
from node_agent.kubelet.container_logs import find_log
from node_agent.kubelet.log_files import LogFiles
from node_agent.kubelet.node_service import log_options
from node_agent.kubelet.pod_state import Services
from node_agent.kubelet.pod_workers import PodWorkers
from node_agent.kubelet.stats.collector import StatsCollector

SUBRESOURCES = {
    "stats": "stats", "metrics": "metrics", "logs": "log", "pods": "pods", "runningpods": "pods", "healthz": "healthz",
    "configz": "configz",
}
VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serve_https(
    port: int, tls: TlsFiles, services: Services, workers: PodWorkers, auth: DelegatedAuth, stats: StatsCollector,
) -> AsyncIterator[None]:
    """Serves while the context is open."""
    application = web.Application(middlewares=[guarded_by(auth, services.config.node_name)])
    handlers = _Handlers(services, workers, stats)
    application.router.add_get("/healthz", handlers.healthz)
    application.router.add_get("/pods", handlers.pods)
    application.router.add_get("/runningpods/", handlers.running_pods)
    application.router.add_get("/configz", handlers.configz)
    application.router.add_get("/metrics", handlers.metrics)
    application.router.add_get("/metrics/resource", handlers.resource_metrics)
    application.router.add_get("/metrics/cadvisor", handlers.cadvisor_metrics)
    application.router.add_get("/stats/summary", handlers.summary)
    files = LogFiles(Path(services.config.root_dir) / "logs")
    application.router.add_get("/logs/", files.serve)
    application.router.add_get("/logs/{path:.*}", files.serve)
    application.router.add_get("/containerLogs/{namespace}/{pod}/{container}", handlers.logs)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "0.0.0.0", port, ssl_context=server_context(tls, client_certificates=ssl.CERT_OPTIONAL)).start()
        yield
    finally:
        await runner.cleanup()


class _Handlers:
    def __init__(self, services: Services, workers: PodWorkers, stats: StatsCollector) -> None:
        self._services = services
        self._workers = workers
        self._stats = stats

    async def healthz(self, request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def pods(self, request: web.Request) -> web.Response:
        listing = {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": self._workers.pods()}
        return web.Response(body=msgspec.json.encode(listing), content_type="application/json")

    async def running_pods(self, request: web.Request) -> web.Response:
        running = {record.config.pod_uid for record in self._services.runtime.containers() if record.running}
        items = [pod for pod in self._workers.pods() if pod.metadata.uid in running]
        listing = {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items}
        return web.Response(body=msgspec.json.encode(listing), content_type="application/json")

    async def configz(self, request: web.Request) -> web.Response:
        from node_agent.kubelet.configz import configz

        return web.Response(body=msgspec.json.encode(configz(self._services.config)), content_type="application/json")

    async def metrics(self, request: web.Request) -> web.Response:
        from node_agent.kubelet.stats import endpoints  # nobody asks an ordinary node

        services = self._services
        body = generate_latest(REGISTRY) + await endpoints.kubelet_metrics(self._stats, services.runtime, services.pressure.evictions)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def resource_metrics(self, request: web.Request) -> web.Response:
        from node_agent.kubelet.stats import endpoints

        return await endpoints.resource(self._stats)

    async def cadvisor_metrics(self, request: web.Request) -> web.Response:
        from node_agent.kubelet.stats import endpoints

        return await endpoints.cadvisor(self._stats)

    async def summary(self, request: web.Request) -> web.Response:
        from node_agent.kubelet.stats import endpoints

        return await endpoints.summary(self._stats, request)

    async def logs(self, request: web.Request) -> web.StreamResponse:
        try:
            state = self._workers.find(request.match_info["namespace"], request.match_info["pod"])
            if state is None:
                raise errors.NotFound(f'pod "{request.match_info["pod"]}" does not exist')
            wanted = _log_query(request.query)
            found = find_log(self._services, state, request.match_info["container"], previous=wanted.previous)
        except errors.ApiError as error:
            return web.Response(status=error.code, text=error.message)
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        async for piece in found.read(log_options(wanted, self._services.clock.now())):
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


def guarded_by(auth: DelegatedAuth, node_name: str) -> Middleware:
    """A middleware that lets through who may; asked for paths that do not exist too."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        certificate = request.transport.get_extra_info("peercert") if request.transport else None
        try:
            caller = await auth.caller(Credentials(certificate, request.headers.get("Authorization", "")))
            await _require(auth, caller, request, node_name)
        except errors.ApiError as error:
            return web.Response(status=error.code, text=error.message)
        return await handler(request)

    return guard


async def _require(auth: DelegatedAuth, caller: Caller, request: web.Request, node_name: str) -> None:
    own = SUBRESOURCES.get(request.path.split("/")[1], "proxy")
    verb = VERBS.get(request.method, "")
    for subresource in dict.fromkeys((own, "proxy")):
        attributes = ResourceAttributes(verb=verb, version="v1", resource="nodes", subresource=subresource, name=node_name)
        if await auth.may(caller, attributes):
            return
    raise errors.Forbidden(f"Forbidden (user={caller.user}, verb={verb}, resource=nodes, subresource(s)=[{own}])")
