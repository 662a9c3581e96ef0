"""The whole way of one proxied request, once it is authorized and admitted."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from control_plane.apiserver.object_api import not_allowed
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.streaming.proxy.location import Locations
from kube.apimachinery.meta import JsonObject

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")


class ProxyConnector:
    def __init__(self, locations: Locations) -> None:
        self._locations = locations

    def options(self, call: Call, path: str) -> JsonObject:
        """As admission plugins see them: PodProxyOptions, ServiceProxyOptions, NodeProxyOptions."""
        return {"kind": f"{call.resource.kind}ProxyOptions", "apiVersion": "v1", "path": path}

    async def serve(self, request: web.BaseRequest, call: Call, path: str) -> web.StreamResponse:
        """`path`: what follows "/proxy". Raises ApiError."""
        from control_plane.apiserver.streaming.proxy.dial import host_and_port
        from control_plane.apiserver.streaming.proxy.exchange import exchange
        from control_plane.apiserver.streaming.proxy.rewriting import Proxied, target_path
        from control_plane.apiserver.streaming.proxy.tunnel import tunnel, wants_upgrade

        if request.method not in _METHODS:
            raise not_allowed()
        location = await self._locations.of(call)
        query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
        if wants_upgrade(request):
            return await tunnel(request, location, (target_path(path) or "/") + query)
        if not path and request.method in ("GET", "HEAD"):
            # Links of the page are relative to it: "proxy" must be a folder for them.
            return web.Response(status=301, headers={"Location": f"{request.rel_url.raw_path}/{query}"})
        prefix = request.path.removesuffix(path)
        proxied = Proxied(prefix, host_and_port(location.address), request.headers.get("Host", ""))
        return await exchange(request, location, (target_path(path) or "/") + query, proxied)
