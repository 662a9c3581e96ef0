"""Rules for Services: their kind, ports, addresses and traffic. Follows ValidateService and what it calls."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any, Final

from control_plane.apiserver.strategies.endpoints import validate_usable_address
from control_plane.apiserver.strategies.metadata import validate_labels
from control_plane.apiserver.strategies.pod_containers import PROTOCOLS
from control_plane.apiserver.strategies.pod_probes import validate_port
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    cidr_problems,
    dns_label_problems,
    dns_subdomain_problems,
    duplicate,
    each,
    forbidden,
    invalid,
    ip_problems,
    not_supported,
    port_number_problems,
    qualified_name_problems,
    required,
)

TYPES: Final = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
TRAFFIC_DISTRIBUTIONS: Final = ("PreferClose", "PreferSameZone", "PreferSameNode")
HINTS: Final = "service.kubernetes.io/topology-aware-hints"
TOPOLOGY_MODE: Final = "service.kubernetes.io/topology-mode"
_SOURCE_RANGES: Final = "service.beta.kubernetes.io/load-balancer-source-ranges"
_MAX_AFFINITY_S: Final = 86400
_TRAFFIC_POLICIES: Final = ("Cluster", "Local")
_FAMILY_POLICIES: Final = ("PreferDualStack", "RequireDualStack", "SingleStack")
_FAMILIES: Final = ("IPv4", "IPv6")
_ONLY_BALANCER: Final = "may only be used when `type` is 'LoadBalancer'"


def is_headless(spec: JsonObject) -> bool:
    return spec.get("clusterIP") == "None" or spec.get("clusterIPs") == ["None"]


def _externally_accessible(spec: JsonObject) -> bool:
    kind = spec.get("type")
    return kind in {"LoadBalancer", "NodePort"} or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def needs_health_check(spec: JsonObject) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def validate_service(obj: JsonObject) -> list[Cause]:
    spec, annotations = obj.get("spec") or {}, (obj.get("metadata") or {}).get("annotations") or {}
    causes: list[Cause] = []
    mode, hints = annotations.get(TOPOLOGY_MODE), annotations.get(HINTS)
    if mode is not None and hints is not None and mode != hints:
        causes.append(invalid(f"metadata.annotations[{TOPOLOGY_MODE}]", mode, f"must match annotations[{HINTS}] when both are specified"))
    if not spec.get("ports") and not is_headless(spec) and spec.get("type") != "ExternalName":
        causes.append(required("spec.ports"))
    causes += _validate_kind(spec)
    causes += _validate_ports(spec.get("ports") or ())
    causes += validate_labels(spec.get("selector") or {}, "spec.selector")
    causes += _validate_affinity(spec)
    if spec.get("type") != "ExternalName":
        causes += _validate_cluster_addresses(spec)
    for index, address in enumerate(spec.get("externalIPs") or ()):
        at = f"spec.externalIPs[{index}]"
        # Loopback above all: every node's own traffic to 127.0.0.1 would go to the Service.
        causes += each(at, address, ip_problems(address)) or validate_usable_address(address, at)
    kind = spec.get("type") or ""
    if kind not in TYPES:
        causes.append(not_supported("spec.type", kind, TYPES) if kind else required("spec.type"))
    causes += _validate_port_pairs(spec)
    causes += _validate_sources(spec, annotations)
    return causes + _validate_balancing(spec) + _validate_traffic(spec)


def _validate_kind(spec: JsonObject) -> list[Cause]:
    kind = spec.get("type")
    if kind in {"LoadBalancer", "NodePort"} and is_headless(spec):
        return [invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services")]
    if kind != "ExternalName":
        return []
    causes = [forbidden(f"spec.{key}", "may not be set for ExternalName services")
              for key, given in (("clusterIPs", spec.get("clusterIPs") or spec.get("clusterIP")), ("ipFamilies", spec.get("ipFamilies")),
                                 ("ipFamilyPolicy", spec.get("ipFamilyPolicy") is not None)) if given]
    name = (spec.get("externalName") or "").removesuffix(".")
    return causes + (each("spec.externalName", name, dns_subdomain_problems(name)) if name else [required("spec.externalName")])


def _validate_ports(ports: Sequence[JsonObject]) -> list[Cause]:
    causes: list[Cause] = []
    names: set[str] = set()
    for index, port in enumerate(ports):
        at, protocol, name = f"spec.ports[{index}]", port.get("protocol") or "", port.get("name") or ""
        if name:
            causes += each(f"{at}.name", name, dns_label_problems(name))
            if name in names:
                causes.append(duplicate(f"{at}.name", name))
            names.add(name)
        elif len(ports) > 1:
            causes.append(required(f"{at}.name"))
        causes += each(f"{at}.port", port.get("port") or 0, port_number_problems(port.get("port") or 0))
        if protocol not in PROTOCOLS:
            causes.append(not_supported(f"{at}.protocol", protocol, PROTOCOLS) if protocol else required(f"{at}.protocol"))
        causes += validate_port(port.get("targetPort"), f"{at}.targetPort")
        if (application := port.get("appProtocol")) is not None:
            causes += each(f"{at}.appProtocol", application, qualified_name_problems(application))
    return causes


def _validate_port_pairs(spec: JsonObject) -> list[Cause]:
    """A port is one of its protocol, at the Service's address and at the nodes'."""
    ports = spec.get("ports") or ()
    causes: list[Cause] = []
    if spec.get("type") == "ClusterIP":
        causes += [forbidden(f"spec.ports[{index}].nodePort", "may not be used when `type` is 'ClusterIP'")
                   for index, port in enumerate(ports) if port.get("nodePort")]
    taken: set[tuple[Any, Any]] = set()
    for index, port in enumerate(ports):
        key = (port.get("protocol"), port.get("nodePort") or 0)
        if key[1] and key in taken:
            causes.append(duplicate(f"spec.ports[{index}].nodePort", key[1]))
        taken.add(key)
    taken.clear()
    for index, port in enumerate(ports):
        protocol, number = port.get("protocol") or "", port.get("port") or 0
        if (protocol, number) in taken:
            shown = {"Name": "", "Protocol": protocol, "AppProtocol": None, "Port": number, "TargetPort": 0, "NodePort": 0}
            causes.append(duplicate(f"spec.ports[{index}]", shown))
        taken.add((protocol, number))
    return causes


def _validate_affinity(spec: JsonObject) -> list[Cause]:
    affinity, config = spec.get("sessionAffinity") or "", spec.get("sessionAffinityConfig")
    path = "spec.sessionAffinityConfig"
    if affinity not in {"ClientIP", "None"}:
        return [not_supported("spec.sessionAffinity", affinity, ("ClientIP", "None")) if affinity else required("spec.sessionAffinity")]
    if affinity == "None":
        return [] if config is None else [forbidden(path, "must not be set when session affinity is None")]
    timeout = ((config or {}).get("clientIP") or {}).get("timeoutSeconds")
    if timeout is None:
        return [required(f"{path}.clientIP.timeoutSeconds", "when session affinity type is ClientIP")]
    wrong = not 0 < timeout <= _MAX_AFFINITY_S
    return [invalid(f"{path}.clientIP.timeoutSeconds", timeout, f"must be greater than 0 and less than {_MAX_AFFINITY_S}")] if wrong else []


def _validate_cluster_addresses(spec: JsonObject) -> list[Cause]:
    first, addresses, families = spec.get("clusterIP") or "", spec.get("clusterIPs") or [], spec.get("ipFamilies") or []
    path = "spec.clusterIPs"
    causes: list[Cause] = []
    if first and not addresses:
        causes.append(required(path))
    elif first and addresses[0] != first:
        causes.append(invalid(path, addresses, "first value must match `clusterIP`"))
    elif addresses and not first:
        causes.append(invalid(path, addresses, "must be empty when `clusterIP` is not specified"))
    for index, family in enumerate(families):
        if family not in _FAMILIES:
            causes.append(not_supported(f"spec.ipFamilies[{index}]", family, _FAMILIES))
        if family in families[:index]:
            causes.append(duplicate(f"spec.ipFamilies[{index}]", family))
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in _FAMILY_POLICIES:
        causes.append(not_supported("spec.ipFamilyPolicy", policy, _FAMILY_POLICIES))
    wrong: list[Cause] = []
    if addresses and addresses[0] == "None" and len(addresses) > 1:
        wrong.append(invalid(path, addresses, "'None' must be the first and only value"))
    for index, address in enumerate(addresses):
        if index or address != "None":
            wrong += each(f"{path}[{index}]", address, ip_problems(address))
    if len(addresses) > 2:
        causes.append(invalid(path, addresses, "may only hold up to 2 values"))
    return causes + (wrong or _validate_families(addresses, families, path))


def _validate_families(addresses: Sequence[str], families: Sequence[str], path: str) -> list[Cause]:
    if list(addresses) in ([], ["None"]):
        return []
    found = [f"IPv{ipaddress.ip_address(address).version}" for address in addresses]
    causes: list[Cause] = []
    if len(found) > 1 and len(set(found)) < 2:
        causes.append(invalid(path, list(addresses), "may specify no more than one IP for each IP family"))
    for index, (family, wanted) in enumerate(zip(found, families, strict=False)):
        if wanted in _FAMILIES and family != wanted:
            causes.append(invalid(f"{path}[{index}]", addresses[index],
                                  f"expected an {wanted} value as indicated by `ipFamilies[{index}]`"))
    return causes


def _validate_sources(spec: JsonObject, annotations: JsonObject) -> list[Cause]:
    balanced = spec.get("type") == "LoadBalancer"
    if blocks := spec.get("loadBalancerSourceRanges"):
        path = "spec.LoadBalancerSourceRanges"
        causes = [] if balanced else [forbidden(path, _ONLY_BALANCER)]
        return causes + [cause for index, block in enumerate(blocks)
                         for cause in each(f"{path}[{index}]", block.strip(), cidr_problems(block.strip()))]
    if (listed := annotations.get(_SOURCE_RANGES)) is None:
        return []
    path = f"metadata.annotations[{_SOURCE_RANGES}]"
    causes = [] if balanced else [forbidden(path, _ONLY_BALANCER)]
    parts = [part.strip() for part in listed.split(",")] if listed.strip() else []
    return causes + [cause for part in parts for cause in each(path, part, cidr_problems(part))]


def _validate_balancing(spec: JsonObject) -> list[Cause]:
    balanced, kind = spec.get("type") == "LoadBalancer", spec.get("loadBalancerClass")
    causes: list[Cause] = []
    if spec.get("allocateLoadBalancerNodePorts") is not None and not balanced:
        causes.append(forbidden("spec.allocateLoadBalancerNodePorts", _ONLY_BALANCER))
    if kind is not None:
        causes += each("spec.loadBalancerClass", kind, qualified_name_problems(kind)) if balanced else [
            forbidden("spec.loadBalancerClass", _ONLY_BALANCER)]
    return causes


def _validate_traffic(spec: JsonObject) -> list[Cause]:
    causes: list[Cause] = []
    external, internal, health = (spec.get(key) for key in ("externalTrafficPolicy", "internalTrafficPolicy", "healthCheckNodePort"))
    if not _externally_accessible(spec):
        if external:
            causes.append(invalid("spec.externalTrafficPolicy", external, "may only be set for externally-accessible services"))
    elif external not in _TRAFFIC_POLICIES:
        causes.append(not_supported("spec.externalTrafficPolicy", external, _TRAFFIC_POLICIES) if external else
                      required("spec.externalTrafficPolicy"))
    if health and not needs_health_check(spec):
        causes.append(invalid("spec.healthCheckNodePort", health,
                              "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"))
    elif health:
        causes += each("spec.healthCheckNodePort", health, port_number_problems(health))
    if internal is None:
        causes += [required("spec.internalTrafficPolicy")] if spec.get("type") in {"ClusterIP", "LoadBalancer", "NodePort"} else []
    elif internal not in _TRAFFIC_POLICIES:
        causes.append(not_supported("spec.internalTrafficPolicy", internal, _TRAFFIC_POLICIES))
    distribution = spec.get("trafficDistribution")
    if distribution is not None and distribution not in TRAFFIC_DISTRIBUTIONS:
        causes.append(not_supported("spec.trafficDistribution", distribution, TRAFFIC_DISTRIBUTIONS))
    return causes


def validate_service_change(new: JsonObject, old: JsonObject) -> list[Cause]:
    causes: list[Cause] = []
    if "ExternalName" not in {new.get("type"), old.get("type")}:
        if not (is_headless(new) and is_headless(old)):
            causes += _validate_moves(new, old, "clusterIPs", "clusterIP")
        if not is_headless(new) and not is_headless(old):
            causes += _validate_moves(new, old, "ipFamilies", "ipFamily")
    if new.get("type") == old.get("type") == "LoadBalancer":
        kind = new.get("loadBalancerClass")
        causes += [invalid("spec.loadBalancerClass", kind, "may not change once set")] if kind != old.get("loadBalancerClass") else []
    if needs_health_check(new) and needs_health_check(old) and new.get("healthCheckNodePort") != old.get("healthCheckNodePort"):
        causes.append(forbidden("spec.healthCheckNodePort", "field is immutable"))
    return causes


def _validate_moves(new: JsonObject, old: JsonObject, key: str, one: str) -> list[Cause]:
    """The first address (or family) stays; a second may come, and go if the policy says so."""
    now, before, path = new.get(key) or [], old.get(key) or [], f"spec.{key}"
    causes: list[Cause] = []
    if len(now) == len(before):
        return [invalid(f"{path}[{index if key == 'clusterIPs' else 0}]", now, "may not change once set")
                for index, value in enumerate(before) if value != now[index]]
    if len(now) < len(before) and not now:
        causes.append(invalid(f"{path}[0]", now, f"primary {one} can not be unset"))
    if before and now and now[0] != before[0]:
        causes.append(invalid(f"{path}[0]", now, "may not change once set"))
    if len(before) > len(now) == 1 and new.get("ipFamilyPolicy") != "SingleStack":
        causes.append(invalid("spec.ipFamilyPolicy", new.get("ipFamilyPolicy"),
                              f"must be set to 'SingleStack' when releasing the secondary {one}"))
    return causes


def validate_balancer(obj: JsonObject) -> list[Cause]:
    """The load balancer's addresses in the status."""
    spec, causes = obj.get("spec") or {}, []
    points = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    if points and spec.get("type") != "LoadBalancer":
        return [forbidden("status.loadBalancer.ingress", "may only be used when `spec.type` is 'LoadBalancer'")]
    for index, point in enumerate(points):
        at, address, mode, name = f"status.loadBalancer.ingress[{index}]", point.get("ip"), point.get("ipMode"), point.get("hostname")
        causes += each(f"{at}.ip", address, ip_problems(address)) if address else []
        if mode is None and address:
            causes.append(required(f"{at}.ipMode", "must be specified when `ip` is set"))
        elif mode is not None and not address:
            causes.append(forbidden(f"{at}.ipMode", "may not be specified when `ip` is not set"))
        elif mode not in {None, "Proxy", "VIP"}:
            causes.append(not_supported(f"{at}.ipMode", mode, ("Proxy", "VIP")))
        if name:
            causes += each(f"{at}.hostname", name, dns_subdomain_problems(name))
            causes += [] if ip_problems(name) else [invalid(f"{at}.hostname", name, "must be a DNS name, not an IP address")]
    return causes
