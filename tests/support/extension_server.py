"""A small extension API server: HTTPS on loopback, one resource, and it believes only the front proxy."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

from kube.process.config import TlsFiles
from kube.process.tls import server_context

GROUP, VERSION = "wardle.example.com", "v1alpha1"
BASE = f"/apis/{GROUP}/{VERSION}"


class ExtensionServer:
    """`asked`: every request, with its headers and the common name of the client's certificate."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[dict[str, Any]] = []
        self.broken = False

    def requests(self, path: str) -> list[dict[str, Any]]:
        return [one for one in self.asked if one["path"].partition("?")[0] == path and one["user"] != "system:kube-aggregator"]

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        certificate = request.transport.get_extra_info("peercert") or {}
        names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
        body = await request.text() if request.body_exists else ""
        self.asked.append({
            "method": request.method, "path": request.path_qs, "certificate": names[0] if names else "", "body": body,
            "headers": [(name.lower(), value) for name, value in request.headers.items()], "user": request.headers.get("X-Remote-User", ""),
        })
        if not names or names[0] != "front-proxy-client":
            return web.json_response({"kind": "Status", "code": 401}, status=401)
        if self.broken:
            return web.Response(status=500)
        if "upgrade" in request.headers.get("Connection", "").lower():
            return await self._echo(request)
        return self._answer(request, body)

    def _answer(self, request: web.BaseRequest, body: str) -> web.Response:
        namespaced = f"{BASE}/namespaces/default/flunders"
        if request.path == BASE:
            return web.json_response(resource_list())
        if request.path in (namespaced, f"{BASE}/flunders"):
            if request.method == "POST":
                return web.json_response(json.loads(body), status=201)
            return web.json_response({
                "kind": "FlunderList", "apiVersion": f"{GROUP}/{VERSION}", "metadata": {"resourceVersion": "1"}, "items": [flunder()]})
        if request.path == f"{namespaced}/a":
            return web.json_response(flunder())
        if request.path == "/openapi/v3":
            relative = f"/openapi/v3{BASE}?hash=ABC"
            return web.json_response({"paths": {BASE.lstrip("/"): {"serverRelativeURL": relative}}})
        if request.path == f"/openapi/v3{BASE}":
            return web.json_response({"openapi": "3.0.0", "info": {"title": "wardle"}, "paths": {}})
        return web.json_response({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "reason": "NotFound"}, status=404)

    async def _echo(self, request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await socket.send_str(f"echo {message.data}")
        return socket


def flunder(name: str = "a") -> dict[str, Any]:
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Flunder", "metadata": {"name": name, "namespace": "default"}}


def resource_list() -> dict[str, Any]:
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{GROUP}/{VERSION}", "resources": [
        {"name": "flunders", "singularName": "flunder", "namespaced": True, "kind": "Flunder", "verbs": ["create", "get", "list"],
         "shortNames": ["fl"]},
        {"name": "flunders/status", "singularName": "", "namespaced": True, "kind": "Flunder", "verbs": ["get"]},
    ]}


class KeepingExtensionServer(ExtensionServer):
    """Keeps flunders, by namespace and name; knows list, watch, get and delete of one."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], dict[str, Any]] = {}
        self._version = 1
        self._watches: list[asyncio.Queue[bytes]] = []

    def keep(self, namespace: str, name: str, **metadata: Any) -> None:
        self._version += 1
        metadata |= {"name": name, "namespace": namespace, "resourceVersion": str(self._version)}
        self.kept[namespace, name] = {**flunder(name), "metadata": metadata}
        self._tell("ADDED", self.kept[namespace, name])

    def drop(self, namespace: str, name: str) -> None:
        self._version += 1
        self._tell("DELETED", self.kept.pop((namespace, name)))

    def _tell(self, kind: str, obj: dict[str, Any]) -> None:
        for watch in self._watches:
            watch.put_nowait(json.dumps({"type": kind, "object": obj}).encode() + b"\n")

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.query.get("watch") != "true":
            return await super().handle(request)
        answer, events = web.StreamResponse(headers={"Content-Type": "application/json"}), asyncio.Queue[bytes]()
        self._watches.append(events)
        try:
            await answer.prepare(request)
            while True:
                await answer.write(await events.get())
        finally:
            self._watches.remove(events)

    def _answer(self, request: web.BaseRequest, body: str) -> web.Response:
        parts = request.path.removeprefix(BASE).strip("/").split("/")
        if request.path == BASE:
            listed = resource_list()
            listed["resources"][0]["verbs"] = ["delete", "get", "list", "watch"]
            return web.json_response(listed)
        if parts[0] != "namespaces" or parts[2:3] != ["flunders"]:
            return self._listed([*self.kept.values()]) if parts == ["flunders"] else super()._answer(request, body)
        if len(parts) == 3:
            return self._listed([obj for (namespace, _), obj in self.kept.items() if namespace == parts[1]])
        found = self.kept.get((parts[1], parts[3]))
        if found is None:
            return web.json_response({
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "reason": "NotFound", "message": "no flunder",
            }, status=404)
        if request.method == "DELETE":
            self.drop(parts[1], parts[3])
        return web.json_response(found)

    def _listed(self, items: list[dict[str, Any]]) -> web.Response:
        metadata = {"resourceVersion": str(self._version)}
        return web.json_response({"kind": "FlunderList", "apiVersion": f"{GROUP}/{VERSION}", "metadata": metadata, "items": items})


@asynccontextmanager
async def running_extension_server(identity: TlsFiles, server: ExtensionServer | None = None) -> AsyncIterator[ExtensionServer]:
    server = server or ExtensionServer()
    context = server_context(identity, client_certificates=ssl.CERT_OPTIONAL)
    runner = web.ServerRunner(web.Server(server.handle), shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        assert site._server is not None
        server.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        yield server
    finally:
        await runner.cleanup()
