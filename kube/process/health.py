"""Health and metrics over HTTP, as every Kubernetes component serves them: /livez, /readyz, /healthz, /metrics."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

Check = Callable[[], bool]


def report(checks: Mapping[str, Check], title: str, *, verbose: bool) -> tuple[int, str]:
    """Status code and text in the form of the apiserver's health pages ("[+]ping ok")."""
    results = {name: check() for name, check in checks.items()}
    healthy = all(results.values())
    if healthy and not verbose:
        return 200, "ok"
    lines = [f"[+]{name} ok" if good else f"[-]{name} failed: reason withheld" for name, good in results.items()]
    lines.append(f"{title} check {'passed' if healthy else 'failed'}")
    return (200 if healthy else 500), "\n".join(lines) + "\n"


@asynccontextmanager
async def serve_health(
    port: int,
    *,
    host: str = "0.0.0.0",
    ready: Mapping[str, Check] | None = None,
    live: Mapping[str, Check] | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[None]:
    """Serves while the context is open. `ready` and `live` map a check's name to a function that says whether it holds."""

    def page(title: str, checks: Mapping[str, Check]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.Response:
            status, text = report(checks, title, verbose="verbose" in request.query)
            return web.Response(status=status, text=text)

        return answer

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})

    application = web.Application()
    alive = {"ping": lambda: True, **(live or {})}
    application.router.add_get("/livez", page("livez", alive))
    application.router.add_get("/healthz", page("healthz", alive))
    application.router.add_get("/readyz", page("readyz", {"ping": lambda: True, **(ready or {})}))
    application.router.add_get("/metrics", metrics)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
        yield
    finally:
        await runner.cleanup()
