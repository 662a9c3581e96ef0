"""Services. Defaults and rules; allocating addresses and node ports is the registry's.

Follows apis/core/v1/defaults.go, registry/core/service/strategy.go and ValidateService.
"""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.strategies.base import OPEN_METADATA, Strategy
from control_plane.apiserver.strategies.service_rules import (
    is_headless,
    needs_health_check,
    validate_balancer,
    validate_service,
    validate_service_change,
)
from control_plane.apiserver.strategies.service_warnings import service_warnings
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import dns_label_problems

AFFINITY_TIMEOUT_S: Final = 10800


class ServiceStrategy(Strategy):
    looks_at_names_again = False
    status_metadata = OPEN_METADATA

    def default(self, obj: JsonObject) -> None:
        spec = obj.setdefault("spec", {})
        spec["sessionAffinity"] = spec.get("sessionAffinity") or "None"
        if spec["sessionAffinity"] == "None":
            spec.pop("sessionAffinityConfig", None)
        elif spec["sessionAffinity"] == "ClientIP":
            config = spec["sessionAffinityConfig"] = spec.get("sessionAffinityConfig") or {}
            client = config["clientIP"] = config.get("clientIP") or {}
            client.setdefault("timeoutSeconds", AFFINITY_TIMEOUT_S)
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
        return validate_service(obj)

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return validate_service_change(obj["spec"], old["spec"])

    def validate_status(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return validate_balancer(obj)

    def warnings(self, obj: JsonObject, old: JsonObject | None) -> list[str]:
        return service_warnings(obj)

    def name_problems(self, name: str) -> list[str]:
        return dns_label_problems(name)

    def own_fields(self, obj: JsonObject) -> dict[str, str]:
        spec = obj.get("spec") or {}
        return {"spec.clusterIP": spec.get("clusterIP", ""), "spec.type": spec.get("type", "")}


def default_families(spec: JsonObject) -> None:
    """Address families of a single-stack IPv4 cluster."""
    if spec.get("type") == "ExternalName":
        return
    if is_headless(spec) and not spec.get("selector"):
        policy = _family_policy(spec, "RequireDualStack")
        families = list(spec.get("ipFamilies") or ["IPv4"])
        if policy != "SingleStack" and len(families) == 1:
            families.append("IPv6" if families == ["IPv4"] else "IPv4")
        spec["ipFamilies"] = families
        return
    spec["ipFamilies"] = spec.get("ipFamilies") or ["IPv4"]
    _family_policy(spec, "SingleStack")


def _family_policy(spec: JsonObject, default: str) -> str:
    """An empty one is refused, not defaulted."""
    if spec.get("ipFamilyPolicy") is None:
        spec["ipFamilyPolicy"] = default
    return str(spec["ipFamilyPolicy"])


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
        for key, missing in (("ipFamilies", not new.get("ipFamilies")), ("ipFamilyPolicy", new.get("ipFamilyPolicy") is None)):
            if missing and old.get(key):
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
    if needs_health_check(old) and not needs_health_check(new) and new.get("healthCheckNodePort") == old.get("healthCheckNodePort"):
        new.pop("healthCheckNodePort", None)
    if new.get("type") != "LoadBalancer" and old.get("type") == "LoadBalancer":
        for key in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if new.get(key) == old.get(key):
                new.pop(key, None)
