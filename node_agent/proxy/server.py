"""kube-proxy's pages: /healthz and /livez for load balancers and probes (10256); /metrics, /proxyMode for operators (10249)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from kube.api.core_v1 import Node
from kube.process.clock import Clock
from kube.process.health import metrics_page
from kube.process.pages import Answer, Page, serve_pages
from node_agent.proxy.config import ProxyConfig
from node_agent.proxy.proxier import Proxier

HEALTHY_FOR_S = 60.0                       # upstream: twice the longest sync period
TO_BE_DELETED = "ToBeDeletedByClusterAutoscaler"


@asynccontextmanager
async def serve(config: ProxyConfig, proxier: Proxier, clock: Clock) -> AsyncIterator[None]:
    """Serves while the context is open."""
    async with (
        serve_pages("0.0.0.0", config.health_port, _health(proxier, clock)),
        serve_pages(config.metrics_address, config.metrics_port, OPERATORS),
    ):
        yield


def is_alive(proxier: Proxier, now: datetime) -> bool:
    """Whether every change that waits has waited less than a minute."""
    return proxier.last_synced >= proxier.last_queued or now.timestamp() - max(proxier.last_queued, proxier.last_synced) < HEALTHY_FOR_S


def is_eligible(node: Node | None) -> bool:
    """Whether load balancers shall send new connections here: not to a node that is on its way out."""
    if node is None:
        return True
    return not node.metadata.deletion_timestamp and all(taint.key != TO_BE_DELETED for taint in node.spec.taints)


def _health(proxier: Proxier, clock: Clock) -> dict[str, Page]:
    def healthz(query: str) -> Answer:
        eligible = is_eligible(proxier.node)
        return page(is_alive(proxier, clock.now()) and eligible, {"nodeEligible": eligible})

    def livez(query: str) -> Answer:
        return page(is_alive(proxier, clock.now()), {})

    def page(good: bool, more: dict[str, bool]) -> Answer:
        now = clock.now()
        last = now.timestamp() if proxier.last_synced >= proxier.last_queued else proxier.last_synced
        body = {"lastUpdated": str(datetime.fromtimestamp(last, UTC)), "currentTime": str(now), **more}
        return Answer(200 if good else 503, json.dumps(body), "application/json; charset=utf-8")

    return {"/healthz": healthz, "/livez": livez}


OPERATORS: Final[dict[str, Page]] = {
    "/proxyMode": lambda query: Answer(200, "nftables"),
    "/healthz": lambda query: Answer(200, "ok"),
    "/metrics": metrics_page,
}
