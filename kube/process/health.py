"""Health and metrics over HTTP, as every Kubernetes component serves them: /livez, /readyz, /healthz, /metrics.

Health is for everybody, all else for whom `guard` lets pass.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from prometheus_client import REGISTRY, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from kube.process.pages import Answer, Guard, Page, PageRequest, serve_pages

Check = Callable[[], bool]
ALWAYS_ALLOWED: Final = ("/livez", "/readyz", "/healthz")      # upstream's --authorization-always-allow-paths


def report(checks: Mapping[str, Check], title: str, *, verbose: bool) -> tuple[int, str]:
    """Status code and text in the form of the apiserver's health pages ("[+]ping ok")."""
    results = {name: check() for name, check in checks.items()}
    healthy = all(results.values())
    if healthy and not verbose:
        return 200, "ok"
    lines = [f"[+]{name} ok" if good else f"[-]{name} failed: reason withheld" for name, good in results.items()]
    lines.append(f"{title} check {'passed' if healthy else 'failed'}")
    return (200 if healthy else 500), "\n".join(lines) + "\n"


def metrics_page(query: str) -> Answer:
    """What the process counts, for Prometheus."""
    return Answer(200, generate_latest(REGISTRY), CONTENT_TYPE_LATEST)


@asynccontextmanager
async def serve_health(
    port: int,
    *,
    host: str = "0.0.0.0",
    ready: Mapping[str, Check] | None = None,
    live: Mapping[str, Check] | None = None,
    tls: ssl.SSLContext | None = None,
    guard: Guard | None = None,
) -> AsyncIterator[None]:
    """Serves while the context is open. `ready` and `live` map a check's name to a function that says whether it holds."""

    def page(title: str, checks: Mapping[str, Check]) -> Page:
        return lambda query: Answer(*report(checks, title, verbose="verbose" in query))

    alive = {"ping": lambda: True, **(live or {})}
    pages = {
        "/livez": page("livez", alive),
        "/healthz": page("healthz", alive),
        "/readyz": page("readyz", {"ping": lambda: True, **(ready or {})}),
        "/metrics": metrics_page,
    }

    async def guarded(request: PageRequest) -> None:
        if guard is not None and request.path not in ALWAYS_ALLOWED:
            await guard(request)

    async with serve_pages(host, port, pages, tls, guard=guarded):
        yield
