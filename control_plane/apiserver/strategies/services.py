"""Services. Defaults and rules; allocating addresses and node ports is the registry's.

Follows apis/core/v1/defaults.go, registry/core/service/strategy.go and ValidateService.
"""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.strategies.base import OPEN_METADATA, Strategy
from control_plane.apiserver.strategies.endpoints import validate_usable_address
from control_plane.apiserver.strategies.metadata import validate_labels
from control_plane.apiserver.strategies.pod_containers import PROTOCOLS
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    cidr_problems,
    dns1035_problems,
    dns_label_problems,
    dns_subdomain_problems,
    duplicate,
    each,
    forbidden,
    invalid,
    ip_problems,
    not_supported,
    port_name_problems,
    port_number_problems,
    range_problem,
    required,
)

TYPES: Final = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
AFFINITY_TIMEOUT_S: Final = 10800
_MAX_AFFINITY_S: Final = 86400
_TRAFFIC_POLICIES: Final = ("Cluster", "Local")
_IP_POLICIES: Final = ("SingleStack", "PreferDualStack", "RequireDualStack")
_FAMILIES: Final = ("IPv4", "IPv6")


class ServiceStrategy(Strategy):
    status_metadata = OPEN_METADATA

    def default(self, obj: JsonObject) -> None:
        spec = obj.setdefault("spec", {})
        spec["sessionAffinity"] = spec.get("sessionAffinity") or "None"
        if spec["sessionAffinity"] == "None":
            spec.pop("sessionAffinityConfig", None)
        elif spec["sessionAffinity"] == "ClientIP":
            spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {}).setdefault("timeoutSeconds", AFFINITY_TIMEOUT_S)
        kind = spec["type"] = spec.get("type") or "ClusterIP"
        for port in spec.get("ports") or ():
            port["protocol"] = port.get("protocol") or "TCP"
            if port.get("targetPort") in {None, 0, ""}:
                port["targetPort"] = port.get("port")
        if (kind in {"NodePort", "LoadBalancer"} or spec.get("externalIPs")) and not spec.get("externalTrafficPolicy"):
            spec["externalTrafficPolicy"] = "Cluster"
        if kind in {"NodePort", "LoadBalancer", "ClusterIP"}:
            spec.setdefault("internalTrafficPolicy", "Cluster")
        if kind == "LoadBalancer":
            spec.setdefault("allocateLoadBalancerNodePorts", True)
            for point in ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ():
                if point.get("ip"):
                    point.setdefault("ipMode", "VIP")
        _normalise_cluster_ips(spec)

    def initial_status(self, obj: JsonObject) -> JsonObject:
        return {"loadBalancer": {}}

    def prepare_for_create(self, obj: JsonObject) -> None:
        super().prepare_for_create(obj)
        default_families(obj["spec"])

    def align_with_old(self, obj: JsonObject, old: JsonObject) -> None:
        _keep_allocated(obj["spec"], old["spec"])
        _drop_of_other_type(obj["spec"], old["spec"])
        default_families(obj["spec"])

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec = obj.get("spec") or {}
        causes = _validate_type(spec)
        if not spec.get("ports") and not is_headless(spec) and spec.get("type") != "ExternalName":
            causes.append(required("spec.ports"))
        causes += _validate_ports(spec)
        causes += validate_labels(spec.get("selector") or {}, "spec.selector")
        causes += _validate_affinity(spec)
        causes += _validate_addresses(spec)
        return causes + _validate_policies(spec)

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        new, held = obj["spec"], old["spec"]
        if "ExternalName" in {new.get("type"), held.get("type")}:
            return []
        first, before = new.get("clusterIP") or "", held.get("clusterIP") or ""
        if before and first != before:
            return [invalid("spec.clusterIPs[0]", new.get("clusterIPs") or [], "may not change once set")]
        return []

    def name_problems(self, name: str) -> list[str]:
        return dns1035_problems(name)

    def own_fields(self, obj: JsonObject) -> dict[str, str]:
        spec = obj.get("spec") or {}
        return {"spec.clusterIP": spec.get("clusterIP", ""), "spec.type": spec.get("type", "")}


def is_headless(spec: JsonObject) -> bool:
    return spec.get("clusterIP") == "None" or spec.get("clusterIPs") == ["None"]


def default_families(spec: JsonObject) -> None:
    """Address families of a single-stack IPv4 cluster."""
    if spec.get("type") == "ExternalName":
        spec.pop("ipFamilies", None)
        spec.pop("ipFamilyPolicy", None)
        return
    if is_headless(spec) and not spec.get("selector"):
        policy = spec["ipFamilyPolicy"] = spec.get("ipFamilyPolicy") or "RequireDualStack"
        families = list(spec.get("ipFamilies") or ["IPv4"])
        if policy != "SingleStack" and len(families) == 1:
            families.append("IPv6" if families == ["IPv4"] else "IPv4")
        spec["ipFamilies"] = families
        return
    spec["ipFamilies"] = spec.get("ipFamilies") or ["IPv4"]
    spec["ipFamilyPolicy"] = spec.get("ipFamilyPolicy") or "SingleStack"


def _normalise_cluster_ips(spec: JsonObject) -> None:
    """`clusterIP` and the first of `clusterIPs` are one thing under two names; a client may know only the older."""
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    elif spec.get("clusterIPs") and "clusterIP" not in spec:
        spec["clusterIP"] = spec["clusterIPs"][0]


def _keep_allocated(new: JsonObject, old: JsonObject) -> None:
    """What was allocated stays when the client leaves it out."""
    if "ExternalName" not in {new.get("type"), old.get("type")}:
        if not new.get("clusterIP") and old.get("clusterIP"):
            new["clusterIP"] = old["clusterIP"]
            new["clusterIPs"] = list(old.get("clusterIPs") or [old["clusterIP"]])
        for key in ("ipFamilies", "ipFamilyPolicy"):
            if not new.get(key) and old.get(key):
                new[key] = old[key]
    with_ports = {"NodePort", "LoadBalancer"}
    if new.get("type") in with_ports and old.get("type") in with_ports:
        used = {port["nodePort"] for port in new.get("ports") or () if port.get("nodePort")}
        held = {(port.get("protocol"), port.get("port")): port.get("nodePort") for port in old.get("ports") or ()}
        for port in new.get("ports") or ():
            number = held.get((port.get("protocol"), port.get("port")))
            if not port.get("nodePort") and number and number not in used:
                port["nodePort"] = number
                used.add(number)
    if old.get("healthCheckNodePort") and not new.get("healthCheckNodePort") and new.get("externalTrafficPolicy") == "Local":
        new["healthCheckNodePort"] = old["healthCheckNodePort"]


def _drop_of_other_type(new: JsonObject, old: JsonObject) -> None:
    """What a change of type leaves behind goes, if the client did not touch it."""
    if new.get("type") == "ExternalName":
        for key in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if new.get(key) == old.get(key):
                new.pop(key, None)
    if new.get("type") not in {"NodePort", "LoadBalancer"} and old.get("type") in {"NodePort", "LoadBalancer"}:
        for port in new.get("ports") or ():
            port.pop("nodePort", None)
        if not new.get("externalIPs"):
            new.pop("externalTrafficPolicy", None)
        new.pop("healthCheckNodePort", None)
    if new.get("type") != "LoadBalancer" and old.get("type") == "LoadBalancer":
        for key in ("allocateLoadBalancerNodePorts", "loadBalancerClass", "loadBalancerSourceRanges"):
            new.pop(key, None)


def _validate_type(spec: JsonObject) -> list[Cause]:
    kind = spec.get("type") or ""
    if kind not in TYPES:
        return [not_supported("spec.type", kind, TYPES)] if kind else [required("spec.type")]
    if kind == "ExternalName":
        causes: list[Cause] = []
        if spec.get("clusterIPs") or spec.get("clusterIP"):
            causes.append(forbidden("spec.clusterIPs", "may not be set for ExternalName services"))
        name = (spec.get("externalName") or "").removesuffix(".")
        return [*causes, *(each("spec.externalName", name, dns_subdomain_problems(name)) if name else [required("spec.externalName")])]
    if kind in {"NodePort", "LoadBalancer"} and is_headless(spec):
        return [invalid("spec.clusterIPs[0]", "None", "may not be set to 'None' for " + kind + " services")]
    return []


def _validate_ports(spec: JsonObject) -> list[Cause]:
    ports = spec.get("ports") or ()
    causes: list[Cause] = []
    names: set[str] = set()
    keys: set[tuple[str, int]] = set()
    node_ports: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        at, protocol, number = f"spec.ports[{index}]", port.get("protocol") or "", port.get("port") or 0
        name = port.get("name") or ""
        if name:
            causes += each(f"{at}.name", name, dns_label_problems(name))
            if name in names:
                causes.append(duplicate(f"{at}.name", name))
            names.add(name)
        elif len(ports) > 1:
            causes.append(required(f"{at}.name"))
        causes += each(f"{at}.port", number, port_number_problems(number))
        if protocol not in PROTOCOLS:
            causes.append(not_supported(f"{at}.protocol", protocol, PROTOCOLS) if protocol else required(f"{at}.protocol"))
        target = port.get("targetPort")
        problems = port_name_problems(target) if isinstance(target, str) else port_number_problems(target or 0)
        causes += each(f"{at}.targetPort", target, problems)
        if (protocol, number) in keys:
            causes.append(duplicate(at, {"port": number, "protocol": protocol}))
        keys.add((protocol, number))
        causes += _validate_node_port(port, at, spec, node_ports)
    return causes


def _validate_node_port(port: JsonObject, path: str, spec: JsonObject, taken: set[tuple[str, int]]) -> list[Cause]:
    number = port.get("nodePort")
    if not number:
        return []
    if spec.get("type") not in {"NodePort", "LoadBalancer"}:
        return [forbidden(f"{path}.nodePort", f"may not be used when `type` is '{spec.get('type')}'")]
    key = (port.get("protocol") or "", number)
    causes = [duplicate(f"{path}.nodePort", number)] if key in taken else []
    taken.add(key)
    return causes


def _validate_affinity(spec: JsonObject) -> list[Cause]:
    affinity = spec.get("sessionAffinity") or ""
    if affinity not in {"ClientIP", "None"}:
        return [not_supported("spec.sessionAffinity", affinity, ("ClientIP", "None")) if affinity else required("spec.sessionAffinity")]
    timeout = ((spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}).get("timeoutSeconds")
    if affinity == "ClientIP" and (timeout is None or not 0 < timeout <= _MAX_AFFINITY_S):
        return [invalid("spec.sessionAffinityConfig.clientIP.timeoutSeconds", timeout,
                        f"must be greater than 0 and less than {_MAX_AFFINITY_S}")]
    return []


def _validate_addresses(spec: JsonObject) -> list[Cause]:
    causes: list[Cause] = []
    for index, address in enumerate(spec.get("clusterIPs") or ()):
        if address != "None":
            causes += each(f"spec.clusterIPs[{index}]", address, ip_problems(address))
    if spec.get("clusterIPs") and spec.get("clusterIP") != spec["clusterIPs"][0]:
        causes.append(invalid("spec.clusterIPs", spec["clusterIPs"], "first value must match `clusterIP`"))
    for index, address in enumerate(spec.get("externalIPs") or ()):
        at = f"spec.externalIPs[{index}]"
        # Loopback above all: every node's own traffic to 127.0.0.1 would go to the Service.
        causes += each(at, address, ip_problems(address)) or validate_usable_address(address, at)
    for index, block in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        causes += each(f"spec.loadBalancerSourceRanges[{index}]", block, cidr_problems(block))
    if spec.get("loadBalancerSourceRanges") and spec.get("type") != "LoadBalancer":
        causes.append(forbidden("spec.LoadBalancerSourceRanges", "may only be used when `type` is 'LoadBalancer'"))
    return causes


def _validate_policies(spec: JsonObject) -> list[Cause]:
    causes: list[Cause] = []
    external, internal = spec.get("externalTrafficPolicy"), spec.get("internalTrafficPolicy")
    reachable = spec.get("type") in {"NodePort", "LoadBalancer"} or bool(spec.get("externalIPs"))
    if external and not reachable:
        causes.append(invalid("spec.externalTrafficPolicy", external, "may only be set for externally-accessible services"))
    elif external and external not in _TRAFFIC_POLICIES:
        causes.append(not_supported("spec.externalTrafficPolicy", external, _TRAFFIC_POLICIES))
    if internal and internal not in _TRAFFIC_POLICIES:
        causes.append(not_supported("spec.internalTrafficPolicy", internal, _TRAFFIC_POLICIES))
    policy = spec.get("ipFamilyPolicy")
    if policy and policy not in _IP_POLICIES:
        causes.append(not_supported("spec.ipFamilyPolicy", policy, _IP_POLICIES))
    for index, family in enumerate(spec.get("ipFamilies") or ()):
        if family not in _FAMILIES:
            causes.append(not_supported(f"spec.ipFamilies[{index}]", family, _FAMILIES))
    if (health := spec.get("healthCheckNodePort")) and not 0 <= health <= 65535:
        causes.append(invalid("spec.healthCheckNodePort", health, range_problem(0, 65535)))
    return causes
