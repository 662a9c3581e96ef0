"""What is no resource: discovery, OpenAPI, health, version, metrics, and the list of paths itself."""

from __future__ import annotations

import platform
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from control_plane.apiserver.aggregation.aggregator import Aggregator
from control_plane.apiserver.config import KUBERNETES_VERSION
from control_plane.apiserver.discovery.index import DiscoveryIndex
from control_plane.apiserver.http_door.openapi import OpenApi
from control_plane.apiserver.object_api import not_allowed, page_not_found
from control_plane.apiserver.request_info import RequestInfo
from kube.apimachinery.resources import SCHEME
from kube.process.health import Check

Page = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
HealthChecks = Mapping[str, Mapping[str, Check]]       # title (livez, readyz, healthz) -> checks

_JSON: Final = {"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
_PLAIN: Final = {"Cache-Control": "no-cache, private", "X-Content-Type-Options": "nosniff"}
_OPENID: Final = {"Content-Type": "application/json", "Cache-Control": "public, max-age=3600"}
_JWKS: Final = {**_OPENID, "Content-Type": "application/jwk-set+json"}


class Paths:
    """`openid`: the documents of the service-account issuer, by path."""

    def __init__(
        self, discovery: DiscoveryIndex, checks: HealthChecks, metrics: CollectorRegistry, openid: Mapping[str, Callable[[], bytes]],
        aggregator: Aggregator,
    ) -> None:
        self._discovery = discovery
        self._checks = checks
        self._metrics = metrics
        self._openid = openid
        self._openapi = OpenApi(SCHEME, aggregator)
        self._pages: dict[str, Page] = {
            "/": self._list, "/index.html": self._list, "/version": self._version, "/metrics": self._serve_metrics,
            "/openapi/v2": self._openapi.serve_v2,
        }

    async def serve(self, request: web.BaseRequest, info: RequestInfo) -> web.StreamResponse:
        path = info.path
        if path.endswith("/") and (path in ("/api/", "/apis/", "/version/") or path.startswith(("/api/", "/apis/"))):
            path = path.rstrip("/")      # upstream's router takes these with a slash as well, its mux no others
        if request.method != "GET" and self._is_routed(path):
            raise not_allowed()
        if page := self._pages.get(path):
            return await page(request)
        if path == "/openapi/v3" or path.startswith("/openapi/v3/"):
            return await self._openapi.serve_v3(request, path.removeprefix("/openapi/v3"))
        title, slash, check = path.lstrip("/").partition("/")
        if title in self._checks and (check or not slash):
            return self._health(request, title, check)
        if document := self._openid.get(path):
            return web.Response(body=document(), headers=_JWKS if path.endswith("/jwks") else _OPENID)
        return self._discovery.serve(request, path)

    def _is_routed(self, path: str) -> bool:
        """What upstream's router serves, to GET alone; its mux asks for no method."""
        parts = path.strip("/").split("/")
        if parts[0] == "apis" and len(parts) == 3:
            return SCHEME.is_built_in(parts[1])
        return path == "/version" or (parts[0] == "api" and len(parts) <= 2)

    async def _list(self, request: web.BaseRequest) -> web.Response:
        paths = [*self._discovery.paths(), *self._pages, *(f"/{title}" for title in self._checks), "/openapi/v3", *self._openid]
        for title, checks in self._checks.items():
            paths += [f"/{title}/{name}" for name in checks]
        return web.Response(body=msgspec.json.encode({"paths": sorted(set(paths) - {"/"})}), headers=_JSON)

    async def _version(self, request: web.BaseRequest) -> web.Response:
        major, minor, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
        body = {
            "major": major, "minor": minor, "emulationMajor": major, "emulationMinor": minor,
            "minCompatibilityMajor": major, "minCompatibilityMinor": str(int(minor) - 1), "gitVersion": KUBERNETES_VERSION,
            "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": f"python{platform.python_version()}", "compiler": platform.python_implementation(),
            "platform": f"linux/{'amd64' if platform.machine() == 'x86_64' else platform.machine()}",
        }
        return web.Response(body=msgspec.json.format(msgspec.json.encode(body), indent=2), headers=_JSON)

    async def _serve_metrics(self, request: web.BaseRequest) -> web.Response:
        return web.Response(body=generate_latest(self._metrics), headers={"Content-Type": CONTENT_TYPE_LATEST})

    def _health(self, request: web.BaseRequest, title: str, single: str) -> web.Response:
        checks = dict(self._checks[title])
        excluded = set(request.query.getall("exclude", []))
        if single:
            if single not in checks:
                raise page_not_found()
            checks = {single: checks[single]}
        results = {name: name in excluded or check() for name, check in checks.items()}
        healthy = all(results.values())
        headers = {"Cache-Control": "no-cache, private"} if single else _PLAIN
        if healthy and (single or "verbose" not in request.query):
            return web.Response(text="ok", headers=headers)
        lines = [_check_line(name, good, excluded=name in excluded) for name, good in results.items()]
        lines.append(f"{title} check {'passed' if healthy else 'failed'}")
        return web.Response(text="\n".join(lines) + "\n", status=200 if healthy else 500, headers=headers)


def _check_line(name: str, good: bool, *, excluded: bool) -> str:
    if excluded:
        return f"[+]{name} excluded: ok"
    return f"[+]{name} ok" if good else f"[-]{name} failed: reason withheld"
