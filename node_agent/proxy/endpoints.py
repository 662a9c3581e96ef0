"""Which endpoints of a Service count. Follows kube-proxy's CategorizeEndpoints (KEP-1669, KEP-2086).

Ready endpoints. If there is none at all, those that still serve while they terminate: the last Pods of a Service go on answering until they
end. The same again among the endpoints of this node, for the traffic policy Local.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kube.api.core_v1 import ServicePort
from kube.api.discovery_v1 import EndpointConditions, EndpointSlice
from node_agent.proxy.facts import Endpoint

SERVICE_NAME_LABEL = "kubernetes.io/service-name"

_READY = EndpointConditions()


class Backends(NamedTuple):
    """The endpoints behind one port: of the whole cluster, and of this node. Sorted, without duplicates."""

    cluster: tuple[Endpoint, ...]
    local: tuple[Endpoint, ...]


class _Found(NamedTuple):
    ready: bool
    last_resort: bool         # terminating, but still serving
    local: bool


def backends(port: ServicePort, slices: Iterable[EndpointSlice], node_name: str) -> Backends:
    found: dict[Endpoint, _Found] = {}
    for endpoint_slice in slices:
        if endpoint_slice.address_type != "IPv4" or (number := _number(port, endpoint_slice)) is None:
            continue
        for endpoint in endpoint_slice.endpoints:
            state = _state(endpoint.conditions or _READY, local=endpoint.node_name == node_name)
            # An endpoint that moves from slice to slice may stand in two for a moment: the better state counts.
            if endpoint.addresses and is_ipv4(address := endpoint.addresses[0]):
                key = Endpoint(address, number)
                found[key] = max(found.get(key, state), state)
    return Backends(_chosen(found.items()), _chosen((endpoint, state) for endpoint, state in found.items() if state.local))


def _chosen(candidates: Iterable[tuple[Endpoint, _Found]]) -> tuple[Endpoint, ...]:
    candidates = list(candidates)
    ready = [endpoint for endpoint, state in candidates if state.ready]
    return tuple(sorted(ready or (endpoint for endpoint, state in candidates if state.last_resort)))


def _state(conditions: EndpointConditions, *, local: bool) -> _Found:
    ready = conditions.ready is not False
    serving = ready if conditions.serving is None else conditions.serving
    return _Found(ready, serving and conditions.terminating is True, local)


def _number(port: ServicePort, endpoint_slice: EndpointSlice) -> int | None:
    for offered in endpoint_slice.ports:
        if offered.name == port.name and (offered.protocol or "TCP") == (port.protocol or "TCP"):
            return offered.port
    return None


def is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def local_addresses(found: Sequence[Backends]) -> frozenset[str]:
    return frozenset(endpoint.address for backend in found for endpoint in backend.local)
