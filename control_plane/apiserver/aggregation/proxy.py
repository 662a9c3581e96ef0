"""Requests of a group version that another server serves. Follows kube-aggregator's handler_proxy.

Who gets here is authenticated and authorized as for any other request. Failures are plain text, as upstream's, and no Status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from control_plane.apiserver.aggregation.targets import Target
from control_plane.apiserver.aggregation.trust import BadBundle, Contexts, identity_headers
from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.dialing import Services, Unreachable
from kube.apimachinery.errors import ApiError, ServiceUnavailable
from kube.process.log import get_logger

if TYPE_CHECKING:
    from kube.client.rest_transport import RestTransport

log = get_logger("aggregation")

OPENAPI_USER: Final = UserInfo("system:aggregator")      # who fetches documents for everybody


class AggregationProxy:
    def __init__(self, services: Services, contexts: Contexts) -> None:
        self._services = services
        self._contexts = contexts

    async def serve(self, request: web.BaseRequest, target: Target, user: UserInfo) -> web.StreamResponse:
        from control_plane.apiserver.streaming.proxy.dial import host_and_port
        from control_plane.apiserver.streaming.proxy.exchange import exchange
        from control_plane.apiserver.streaming.proxy.location import Location
        from control_plane.apiserver.streaming.proxy.rewriting import Proxied
        from control_plane.apiserver.streaming.proxy.tunnel import tunnel, wants_upgrade

        if not target.available:
            return plain("service unavailable", 503)
        try:
            context = self._contexts.of(target.ca_bundle, insecure=target.insecure)
        except BadBundle as error:
            return plain(str(error), 500)
        try:
            address = self._services.resolve(target.namespace, target.service, target.port)
        except (ApiError, Unreachable) as error:
            log.warning("cannot resolve the Service of an APIService", name=target.name, error=str(error))
            return plain("service unavailable", 503)
        location = Location(address, context, None if target.insecure else target.host, identity_headers(user))
        try:
            if wants_upgrade(request):
                return await tunnel(request, location, request.rel_url.raw_path_qs)
            proxied = Proxied("", host_and_port(address), request.headers.get("Host", ""))
            return await exchange(request, location, request.rel_url.raw_path_qs, proxied)
        except ApiError as error:
            return plain(error.message, 503)


    def transport(self, target: Target, user: UserInfo) -> RestTransport:
        """For our own components' calls. Raises ServiceUnavailable and other ApiErrors."""
        from kube.client.http_connection import HttpServer
        from kube.client.rest_transport import RestTransport

        if not target.available:
            raise ServiceUnavailable("service unavailable")
        try:
            context = self._contexts.of(target.ca_bundle, insecure=target.insecure)
            address = self._services.resolve(target.namespace, target.service, target.port)
        except (BadBundle, Unreachable) as error:
            raise ServiceUnavailable(str(error)) from error
        url = f"https://{target.host}:{target.port}"
        return RestTransport(url, server=HttpServer(url, context, address=address, always=identity_headers(user)))


def plain(text: str, code: int) -> web.Response:
    """Go's http.Error."""
    return web.Response(text=text + "\n", status=code, headers={"X-Content-Type-Options": "nosniff"})
