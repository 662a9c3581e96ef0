"""What the name in a proxied request means. Follows ResourceLocation of registry/core's pods, services and nodes."""

from __future__ import annotations

import functools
import ipaddress
import random
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from control_plane.apiserver.dialing import Address, Services
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.reader import Reader
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.errors import BadRequest, InternalError, ServiceUnavailable
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.process.config import TlsFiles
from kube.process.tls import client_context

_SCHEMES: Final = ("", "http", "https")
_PORTS: Final = {"http": 80, "https": 443}
_KUBELET_PORT: Final = 10250


@dataclass(frozen=True, slots=True)
class Location:
    """Where a request goes. `tls` None: plain HTTP."""

    address: Address
    tls: ssl.SSLContext | None = None
    server_name: str | None = None      # that the certificate must be for; None: it is not checked
    headers: tuple[tuple[str, str], ...] = ()      # said besides what the client said

    @property
    def scheme(self) -> str:
        return "http" if self.tls is None else "https"


class Name(NamedTuple):
    scheme: str
    name: str
    port: str


class Locations:
    def __init__(self, reader: Reader, cache: WatchCache, services: Services, kubelet_tls: TlsFiles) -> None:
        self._reader = reader
        self._cache = cache
        self._services = services
        self._kubelet_tls = kubelet_tls
        self._kubelet_context: ssl.SSLContext | None = None

    async def of(self, call: Call) -> Location:
        """Raises NotFound, BadRequest, ServiceUnavailable, InternalError."""
        kind = call.resource.kind.lower()
        name = split_name(kind, call.name)
        obj = (await self._reader.get(replace(call, name=name.name, subresource=""))).obj
        if kind == "pod":
            return _of_pod(name, obj)
        return self._of_service(name, obj) if kind == "service" else self._of_node(name, obj)

    def _of_service(self, name: Name, service: JsonObject) -> Location:
        namespace, service_name = service["metadata"]["namespace"], service["metadata"]["name"]
        port = _port_name(service, int(name.port)) if _is_number(name.port) else name.port
        ready = self._services.ready(namespace, service_name, port, functools.partial(self._is_pod, namespace))
        if not ready:
            raise ServiceUnavailable(f'no endpoints available for service "{service_name}"')
        return _unchecked(name.scheme, random.choice(ready))

    def _is_pod(self, namespace: str, endpoint: Mapping[str, Any]) -> bool:
        """Whoever may write EndpointSlices must not lead the apiserver anywhere but to Pods."""
        target = endpoint.get("targetRef") or {}
        pods = SCHEME.for_path("", "v1", "pods")
        if pods is None or target.get("kind") != "Pod" or target.get("namespace", namespace) != namespace:
            return False
        pod = self._cache.get(pods, NamespacedName(namespace, target.get("name", "")))
        return pod is not None and endpoint["addresses"][0] in _addresses(pod.obj)

    def _of_node(self, name: Name, node: JsonObject) -> Location:
        status = node.get("status") or {}
        addresses = status.get("addresses") or []
        host = next((one["address"] for one in addresses if one.get("type") == "InternalIP"), None)
        if host is None:
            raise InternalError(f"Internal error occurred: no preferred addresses found; known addresses: {addresses}")
        kubelet_port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port") or _KUBELET_PORT
        if name.port in ("", str(kubelet_port)):
            if self._kubelet_context is None:
                self._kubelet_context = client_context(self._kubelet_tls)
            return Location(Address(host, kubelet_port), self._kubelet_context, node["metadata"]["name"])
        if not _is_allowed(host):
            raise BadRequest("address not allowed")
        return _unchecked(name.scheme, Address(host, _number(name.port)))


def split_name(kind: str, text: str) -> Name:
    """NAME, NAME:PORT or SCHEME:NAME:PORT. Raises BadRequest."""
    parts = text.split(":")
    name = Name("", parts[0], parts[1] if len(parts) == 2 else "") if len(parts) < 3 else Name(*parts) if len(parts) == 3 else None
    if name is None or not name.name or name.scheme not in _SCHEMES:
        raise BadRequest(f'invalid {kind} request "{text}"')
    return name


def _port_name(service: JsonObject, number: int) -> str:
    for port in service["spec"].get("ports") or []:
        if port["port"] == number:
            return str(port.get("name", ""))
    raise ServiceUnavailable(f'no service port {number} found for service "{service["metadata"]["name"]}"')


def _of_pod(name: Name, pod: JsonObject) -> Location:
    port = name.port or next(
        (str(container["ports"][0]["containerPort"]) for container in pod["spec"]["containers"] if container.get("ports")), "")
    host = next(iter(_addresses(pod)), "")
    if not _is_allowed(host):
        raise BadRequest("address not allowed")
    return _unchecked(name.scheme, Address(host, _number(port) if port else _PORTS[name.scheme or "http"]))


def _addresses(pod: JsonObject) -> list[str]:
    status = pod.get("status") or {}
    found = [one["ip"] for one in status.get("podIPs") or [] if one.get("ip")]
    return found or [status["podIP"]] if found or status.get("podIP") else []


def _is_allowed(host: str) -> bool:
    """Go's IsGlobalUnicast: private addresses are; loopback, link-local and multicast ones are not."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified or host == "255.255.255.255")


def _unchecked(scheme: str, address: Address) -> Location:
    """Upstream does not check the certificates of Pods either: nobody said who signs them."""
    return Location(address, _any_server() if scheme == "https" else None)


@functools.cache
def _any_server() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _number(text: str) -> int:
    if not _is_number(text):
        raise ServiceUnavailable(f"error trying to reach service: dial tcp: lookup tcp/{text}: unknown port")
    if not 0 < int(text) < 1 << 16:
        raise ServiceUnavailable(f"error trying to reach service: dial tcp: address {text}: invalid port")
    return int(text)
