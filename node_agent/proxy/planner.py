"""One Service as facts. Pure: in go the Service, its EndpointSlices and what this node is; no clock, no kernel, no memory."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, cast

from kube.api.core_v1 import Service, ServicePort
from kube.api.discovery_v1 import EndpointSlice
from node_agent.proxy.endpoints import Backends, backends, is_ipv4, local_addresses
from node_agent.proxy.facts import NOTHING, Pick, Route, ServiceFacts, Vip

DEFAULT_AFFINITY_S = 10800               # ClientIPConfig.timeoutSeconds


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a plan must know of this node."""

    name: str
    addresses: tuple[str, ...]           # where node ports answer


class _Policies(NamedTuple):
    affinity_s: int
    internal_local: bool
    external_local: bool
    sources: tuple[str, ...] | None


def plan_service(service: Service, slices: Iterable[EndpointSlice], node: NodeFacts) -> ServiceFacts:
    """Nothing for a Service without a cluster IP (headless, ExternalName) or in another proxy's care."""
    spec = service.spec
    if not is_proxied(service):
        return NOTHING
    slices = tuple(slices)
    policies = _policies(service)
    cluster_ips = _ipv4(spec.cluster_ips or (spec.cluster_ip,))
    routes: dict[Vip, Route] = {}
    found = []
    for port in spec.ports:
        behind = backends(port, slices, node.name)
        found.append(behind)
        internal, external = _internal(behind, policies), _external(behind, policies)
        for address in cluster_ips:
            routes[_vip(address, port)] = internal
        for address in _ipv4(spec.external_ips):
            routes[_vip(address, port)] = external
        for address in _ipv4(_load_balancer_ips(service)):
            routes[_vip(address, port)] = external._replace(sources=policies.sources)
        if port.node_port:
            for address in node.addresses:
                routes[_vip(address, port, port.node_port)] = external
    return ServiceFacts(routes, cluster_ips, local_addresses(found))


def is_proxied(service: Service) -> bool:
    return (
        service.spec.type != "ExternalName"
        and service.spec.cluster_ip not in ("", "None")
        and "service.kubernetes.io/service-proxy-name" not in service.metadata.labels
    )


def _policies(service: Service) -> _Policies:
    spec = service.spec
    affinity_s = 0
    if spec.session_affinity == "ClientIP":
        config = spec.session_affinity_config
        affinity_s = (config and config.client_ip and config.client_ip.timeout_seconds) or DEFAULT_AFFINITY_S
    return _Policies(
        affinity_s,
        spec.internal_traffic_policy == "Local",
        spec.external_traffic_policy == "Local",
        _sources(spec.load_balancer_source_ranges) if spec.type == "LoadBalancer" else None,
    )


def _internal(behind: Backends, policies: _Policies) -> Route:
    if not policies.internal_local:
        return Route(Pick(behind.cluster, policies.affinity_s))
    return Route(Pick(behind.local, policies.affinity_s, _if_none(behind)))


def _external(behind: Backends, policies: _Policies) -> Route:
    everywhere = Pick(behind.cluster, policies.affinity_s)
    if not policies.external_local:
        return Route(everywhere)
    return Route(everywhere, Pick(behind.local, policies.affinity_s, _if_none(behind)))


def _if_none(behind: Backends) -> Literal["refuse", "drop"]:
    # Dropped where another node could have answered: the sender is to try there. Refused where nobody can.
    return "drop" if behind.cluster else "refuse"


def _vip(address: str, port: ServicePort, number: int | None = None) -> Vip:
    protocol = cast(Literal["tcp", "udp", "sctp"], (port.protocol or "TCP").lower())
    return Vip(address, protocol, number or port.port or 0)


def _load_balancer_ips(service: Service) -> list[str]:
    status = service.status.load_balancer
    # ipMode Proxy: the balancer answers for itself, also for clients in the cluster.
    return [ingress.ip for ingress in status.ingress if ingress.ip_mode in ("", "VIP")] if status else []


def _ipv4(addresses: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(address for address in addresses if is_ipv4(address)))


def _sources(ranges: Sequence[str]) -> tuple[str, ...] | None:
    networks = [ipaddress.IPv4Network(text.strip(), strict=False) for text in ranges if ":" not in text]
    # Overlapping ranges are an error to nftables, and everybody is no restriction.
    merged = tuple(str(network) for network in ipaddress.collapse_addresses(networks))
    return merged if ranges and "0.0.0.0/0" not in merged else None
