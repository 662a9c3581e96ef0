"""Where a Service is reached from the apiserver: one of its ready endpoints, chosen at random. Follows apiserver's util/proxy.

The apiserver is in a node's network, from where Pods can be reached.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.errors import ServiceUnavailable, not_found
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import ResourceType

SERVICE_LABEL = "kubernetes.io/service-name"


class Address(NamedTuple):
    host: str
    port: int


class Unreachable(Exception):
    """A Service that cannot be resolved; the text is upstream's."""


class Services:
    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache
        self._services = _row("", "services")
        self._slices = _row("discovery.k8s.io", "endpointslices")

    def service(self, namespace: str, name: str) -> JsonObject:
        """Raises NotFound."""
        held = self._cache.get(self._services, NamespacedName(namespace, name))
        if held is None:
            raise not_found(self._services.group_resource, name)
        return held.obj

    def resolve(self, namespace: str, name: str, port: int) -> Address:
        """`port`: the Service's. Raises NotFound, ServiceUnavailable ("no endpoints available"), Unreachable."""
        service = self.service(namespace, name)
        spec = service.get("spec") or {}
        if spec.get("type") == "ExternalName":
            return Address(spec.get("externalName", ""), port)
        wanted = next((one for one in spec.get("ports") or () if one.get("port") == port), None)
        if wanted is None:
            raise Unreachable(f'no service port {port} found for service "{name}"')
        if ready := self.ready(namespace, name, wanted.get("name") or ""):
            return random.choice(ready)
        address = spec.get("clusterIP")
        if address and address != "None":
            return Address(address, port)      # refused by the node's proxy, as upstream, which dials this address always
        raise ServiceUnavailable(f'no endpoints available for service "{name}"')

    def ready(
        self, namespace: str, name: str, port_name: str, is_valid: Callable[[Mapping[str, Any]], bool] = lambda _: True,
    ) -> list[Address]:
        """Every ready endpoint of the named port; `is_valid` is asked about each that is ready."""
        found: list[Address] = []
        for item in self._cache.list(self._slices, namespace)[0]:
            obj = item.obj
            if (obj["metadata"].get("labels") or {}).get(SERVICE_LABEL) != name:
                continue
            ports = [one["port"] for one in obj.get("ports") or () if (one.get("name") or "") == port_name and one.get("port")]
            for endpoint in obj.get("endpoints") or ():
                if (endpoint.get("conditions") or {}).get("ready") is not False and is_valid(endpoint):
                    found += [Address(address, port) for address in endpoint.get("addresses", ())[:1] for port in ports]
        return found


def _row(group: str, plural: str) -> ResourceType:
    row = SCHEME.for_path(group, "v1", plural)
    assert row is not None
    return row


