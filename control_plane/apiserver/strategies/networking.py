"""Ingresses, IngressClasses, NetworkPolicies, IPAddresses and ServiceCIDRs."""

from __future__ import annotations

import ipaddress
from typing import Final

from control_plane.apiserver.strategies.base import OPEN_METADATA, Strategy
from control_plane.apiserver.strategies.pod_containers import PROTOCOLS, validate_port
from control_plane.apiserver.strategies.selectors import validate_label_selector
from control_plane.apiserver.strategies.workloads import immutable
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    cidr_problems,
    dns1035_problems,
    dns_subdomain_problems,
    each,
    forbidden,
    invalid,
    ip_problems,
    not_supported,
    port_name_problems,
    port_number_problems,
    required,
    wildcard_subdomain_problems,
)

PATH_TYPES: Final = ("Exact", "ImplementationSpecific", "Prefix")
_POLICY_TYPES: Final = ("Ingress", "Egress")


class IngressStrategy(Strategy):
    counts_generations = True
    status_metadata = OPEN_METADATA

    def initial_status(self, obj: JsonObject) -> JsonObject:
        return {"loadBalancer": {}}

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec = obj.get("spec") or {}
        causes: list[Cause] = []
        if not spec.get("rules") and spec.get("defaultBackend") is None:
            causes.append(invalid("spec", spec, "either `defaultBackend` or `rules` must be specified"))
        if spec.get("defaultBackend") is not None:
            causes += _validate_backend(spec["defaultBackend"], "spec.defaultBackend")
        if spec.get("ingressClassName") is not None:
            causes += each("spec.ingressClassName", spec["ingressClassName"], dns_subdomain_problems(spec["ingressClassName"]))
        for index, rule in enumerate(spec.get("rules") or ()):
            causes += _validate_rule(rule, f"spec.rules[{index}]")
        for index, entry in enumerate(spec.get("tls") or ()):
            for number, host in enumerate(entry.get("hosts") or ()):
                causes += _validate_host(host, f"spec.tls[{index}].hosts[{number}]")
        return causes


def _validate_host(host: str, path: str) -> list[Cause]:
    return each(path, host, wildcard_subdomain_problems(host) if "*" in host else dns_subdomain_problems(host))


def _validate_rule(rule: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if host := rule.get("host"):
        try:
            ipaddress.ip_address(host)
        except ValueError:
            causes += _validate_host(host, f"{path}.host")
        else:
            causes.append(invalid(f"{path}.host", host, "must be a DNS name, not an IP address"))
    http = rule.get("http")
    if http is None:
        return causes
    if not http.get("paths"):
        causes.append(required(f"{path}.http.paths"))
    for index, entry in enumerate(http.get("paths") or ()):
        causes += _validate_path(entry, f"{path}.http.paths[{index}]")
    return causes


def _validate_path(entry: JsonObject, path: str) -> list[Cause]:
    kind, value = entry.get("pathType") or "", entry.get("path") or ""
    if not kind:
        return [required(f"{path}.pathType", "pathType must be specified")]
    causes: list[Cause] = []
    if kind in {"Exact", "Prefix"}:
        if not value.startswith("/"):
            causes.append(invalid(f"{path}.path", value, "must be an absolute path"))
        for part in ("//", "/./", "/../", "%2f", "%2F"):
            if value and part in value:
                causes.append(invalid(f"{path}.path", value, f"must not contain '{part}'"))
        for part in ("/..", "/."):
            if value.endswith(part):
                causes.append(invalid(f"{path}.path", value, f"cannot end with '{part}'"))
    elif kind == "ImplementationSpecific":
        if value and not value.startswith("/"):
            causes.append(invalid(f"{path}.path", value, "must be an absolute path"))
    else:
        causes.append(not_supported(f"{path}.pathType", kind, PATH_TYPES))
    return causes + _validate_backend(entry.get("backend") or {}, f"{path}.backend")


def _validate_backend(backend: JsonObject, path: str) -> list[Cause]:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        return [invalid(path, "", "cannot set both resource and service backends")]
    if resource is not None:
        return [required(f"{path}.resource.{key}") for key in ("kind", "name") if not resource.get(key)]
    if service is None:
        return [required(path, "resource or service backend is required")]
    name = service.get("name") or ""
    causes = each(f"{path}.service.name", name, dns1035_problems(name)) if name else [required(f"{path}.service.name")]
    port = service.get("port") or {}
    at = f"{path}.service.port"
    if port.get("name") and port.get("number"):
        causes.append(invalid(at, "", "cannot set both port name & port number"))
    elif port.get("name"):
        causes += each(f"{at}.name", port["name"], port_name_problems(port["name"]))
    elif port.get("number"):
        causes += each(f"{at}.number", port["number"], port_number_problems(port["number"]))
    else:
        causes.append(required(at, "port name or number is required"))
    return causes


class IngressClassStrategy(Strategy):
    counts_generations = True

    def default(self, obj: JsonObject) -> None:
        if parameters := (obj.get("spec") or {}).get("parameters"):
            parameters.setdefault("scope", "Cluster")

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        controller = (obj.get("spec") or {}).get("controller") or ""
        if not controller:
            return [required("spec.controller")]
        return [] if "/" in controller else [
            invalid("spec.controller", controller, 'must be a domain-prefixed path (such as "acme.io/foo")')]

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return immutable(obj.get("spec") or {}, old.get("spec") or {}, "controller")


class NetworkPolicyStrategy(Strategy):
    counts_generations = True

    def default(self, obj: JsonObject) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("podSelector", {})
        if not spec.get("policyTypes"):
            spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
        for direction in ("ingress", "egress"):
            for rule in spec.get(direction) or ():
                for port in rule.get("ports") or ():
                    port["protocol"] = port.get("protocol") or "TCP"

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec = obj.get("spec") or {}
        causes = validate_label_selector(spec.get("podSelector") or {}, "spec.podSelector")
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            for index, rule in enumerate(spec.get(direction) or ()):
                at = f"spec.{direction}[{index}]"
                for number, port in enumerate(rule.get("ports") or ()):
                    causes += _validate_policy_port(port, f"{at}.ports[{number}]")
                for number, peer in enumerate(rule.get(peers) or ()):
                    causes += _validate_peer(peer, f"{at}.{peers}[{number}]")
        for index, kind in enumerate(spec.get("policyTypes") or ()):
            if kind not in _POLICY_TYPES:
                causes.append(not_supported(f"spec.policyTypes[{index}]", kind, ("Egress", "Ingress")))
        return causes


def _validate_policy_port(port: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if port.get("protocol") not in PROTOCOLS:
        causes.append(not_supported(f"{path}.protocol", port.get("protocol"), PROTOCOLS))
    number, end = port.get("port"), port.get("endPort")
    if number is not None:
        causes += validate_port(number, f"{path}.port")
    if end is not None:
        if isinstance(number, str):
            causes.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is non-numeric"))
        elif number is None:
            causes.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is not specified"))
        elif end < number:
            causes.append(invalid(f"{path}.endPort", end, "must be greater than or equal to `port`"))
    return causes


def _validate_peer(peer: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    chosen = [key for key in ("podSelector", "namespaceSelector", "ipBlock") if peer.get(key) is not None]
    for key in chosen:
        if key != "ipBlock":
            causes += validate_label_selector(peer[key], f"{path}.{key}")
    if not chosen:
        causes.append(required(path, "must specify a peer"))
    elif "ipBlock" in chosen and len(chosen) > 1:
        causes.append(forbidden(path, "may not specify both ipBlock and another peer"))
    elif chosen == ["ipBlock"]:
        causes += _validate_block(peer["ipBlock"], f"{path}.ipBlock")
    return causes


def _validate_block(block: JsonObject, path: str) -> list[Cause]:
    cidr = block.get("cidr") or ""
    if not cidr:
        return [required(f"{path}.cidr")]
    if causes := each(f"{path}.cidr", cidr, cidr_problems(cidr)):
        return causes
    outer = ipaddress.ip_network(cidr, strict=False)
    for index, part in enumerate(block.get("except") or ()):
        at = f"{path}.except[{index}]"
        if problems := each(at, part, cidr_problems(part)):
            causes += problems
            continue
        inner = ipaddress.ip_network(part, strict=False)
        within = inner.version == outer.version and int(inner[0]) >= int(outer[0]) and int(inner[-1]) <= int(outer[-1])
        if not within or inner.prefixlen <= outer.prefixlen:
            causes.append(invalid(at, part, "must be a strict subset of `cidr`"))
    return causes


class IPAddressStrategy(Strategy):
    counts_generations = True

    def name_problems(self, name: str) -> list[str]:
        return ip_problems(name)

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        parent = (obj.get("spec") or {}).get("parentRef")
        if parent is None:
            return [required("spec.parentRef")]
        return [required(f"spec.parentRef.{key}") for key in ("resource", "name") if not parent.get(key)]

    def own_fields(self, obj: JsonObject) -> dict[str, str]:
        parent = (obj.get("spec") or {}).get("parentRef") or {}
        return {f"spec.parentRef.{key}": parent.get(key, "") for key in ("group", "resource", "namespace", "name")}


class ServiceCIDRStrategy(Strategy):
    counts_generations = True

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        cidrs = (obj.get("spec") or {}).get("cidrs") or ()
        if not cidrs:
            return [required("spec.cidrs", "at least one CIDR required")]
        return [cause for index, cidr in enumerate(cidrs) for cause in each(f"spec.cidrs[{index}]", cidr, cidr_problems(cidr))]
