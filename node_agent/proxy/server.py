"""kube-proxy's pages: /healthz and /livez for load balancers and probes (10256); /metrics, /proxyMode for operators (10249)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from aiohttp import web
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from kube.api.core_v1 import Node
from kube.process.clock import Clock
from node_agent.proxy.config import ProxyConfig
from node_agent.proxy.proxier import Proxier

HEALTHY_FOR_S = 60.0                       # upstream: twice the longest sync period
TO_BE_DELETED = "ToBeDeletedByClusterAutoscaler"


@asynccontextmanager
async def serve(config: ProxyConfig, proxier: Proxier, clock: Clock) -> AsyncIterator[None]:
    """Serves while the context is open."""
    runners = []
    pages = ((_health(proxier, clock), "0.0.0.0", config.health_port), (_operators(), config.metrics_address, config.metrics_port))
    try:
        for application, host, port in pages:
            runners.append(web.AppRunner(application, access_log=None))
            await runners[-1].setup()
            await web.TCPSite(runners[-1], host, port).start()
        yield
    finally:
        for runner in runners:
            await runner.cleanup()


def is_alive(proxier: Proxier, now: datetime) -> bool:
    """Whether every change that waits has waited less than a minute."""
    return proxier.last_synced >= proxier.last_queued or now.timestamp() - max(proxier.last_queued, proxier.last_synced) < HEALTHY_FOR_S


def is_eligible(node: Node | None) -> bool:
    """Whether load balancers shall send new connections here: not to a node that is on its way out."""
    if node is None:
        return True
    return not node.metadata.deletion_timestamp and all(taint.key != TO_BE_DELETED for taint in node.spec.taints)


def _health(proxier: Proxier, clock: Clock) -> web.Application:
    async def healthz(request: web.Request) -> web.Response:
        eligible = is_eligible(proxier.node)
        return page(is_alive(proxier, clock.now()) and eligible, {"nodeEligible": eligible})

    async def livez(request: web.Request) -> web.Response:
        return page(is_alive(proxier, clock.now()), {})

    def page(good: bool, more: dict[str, bool]) -> web.Response:
        now = clock.now()
        last = now.timestamp() if proxier.last_synced >= proxier.last_queued else proxier.last_synced
        body = {"lastUpdated": str(datetime.fromtimestamp(last, UTC)), "currentTime": str(now), **more}
        return web.json_response(body, status=200 if good else 503, headers={"X-Content-Type-Options": "nosniff"}, dumps=json.dumps)

    application = web.Application()
    application.router.add_get("/healthz", healthz)
    application.router.add_get("/livez", livez)
    return application


def _operators() -> web.Application:
    async def proxy_mode(request: web.Request) -> web.Response:
        return web.Response(text="nftables")

    async def healthz(request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})

    application = web.Application()
    application.router.add_get("/proxyMode", proxy_mode)
    application.router.add_get("/healthz", healthz)
    application.router.add_get("/metrics", metrics)
    return application
