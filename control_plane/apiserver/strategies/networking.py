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
    FIELD_IMMUTABLE,
    cidr_problems,
    dns_label_problems,
    dns_subdomain_problems,
    domain_path_problems,
    each,
    forbidden,
    invalid,
    ip_problems,
    not_supported,
    path_segment_problems,
    port_name_problems,
    port_number_problems,
    required,
    too_long,
    wildcard_subdomain_problems,
)

PATH_TYPES: Final = ("Exact", "ImplementationSpecific", "Prefix")
CLASS_ANNOTATION: Final = "kubernetes.io/ingress.class"
_CONTROLLER_LENGTH: Final = 250
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
            causes.append(invalid("spec", spec.get("rules") or [], "either `defaultBackend` or `rules` must be specified"))
        if spec.get("defaultBackend") is not None:
            causes += _validate_backend(spec["defaultBackend"], "spec.defaultBackend")
        for index, rule in enumerate(spec.get("rules") or ()):
            causes += _validate_rule(rule, f"spec.rules[{index}]")
        for index, entry in enumerate(spec.get("tls") or ()):
            for number, host in enumerate(entry.get("hosts") or ()):
                causes += _validate_host(host, f"spec.tls[{index}].hosts[{number}]")
            if secret := entry.get("secretName"):
                causes += each(f"spec.tls[{index}].secretName", secret, dns_subdomain_problems(secret))
        name, annotation = spec.get("ingressClassName"), ((obj.get("metadata") or {}).get("annotations") or {}).get(CLASS_ANNOTATION)
        if name is not None:
            causes += each("spec.ingressClassName", name, dns_subdomain_problems(name))
            if old is None and annotation is not None and annotation != name:
                causes.append(invalid(f"annotations.{CLASS_ANNOTATION}", annotation,
                                      "must match `ingressClassName` when both are specified"))
        return causes

    def validate_status(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        causes: list[Cause] = []
        for index, point in enumerate(((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()):
            at, address, name = f"status.loadBalancer.ingress[{index}]", point.get("ip"), point.get("hostname")
            causes += each(f"{at}.ip", address, ip_problems(address)) if address else []
            if name:
                causes += each(f"{at}.hostname", name, dns_subdomain_problems(name))
                causes += [] if ip_problems(name) else [invalid(f"{at}.hostname", name, "must be a DNS name, not an IP address")]
        return causes

    def warnings(self, obj: JsonObject, old: JsonObject | None) -> list[str]:
        if old is not None or CLASS_ANNOTATION not in (obj["metadata"].get("annotations") or {}):
            return []
        return [f"annotation \"{CLASS_ANNOTATION}\" is deprecated, please use 'spec.ingressClassName' instead"]


def _validate_host(host: str, path: str) -> list[Cause]:
    return each(path, host, wildcard_subdomain_problems(host) if "*" in host else dns_subdomain_problems(host))


def _validate_rule(rule: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if host := rule.get("host"):
        try:
            ipaddress.ip_address(host)
        except ValueError:
            pass
        else:
            causes.append(invalid(f"{path}.host", host, "must be a DNS name, not an IP address"))
        causes += _validate_host(host, f"{path}.host")
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
        return _validate_reference(resource, f"{path}.resource")
    if service is None:
        return [invalid(path, "", "resource or service backend is required")]
    name = service.get("name") or ""
    causes = each(f"{path}.service.name", name, dns_label_problems(name)) if name else [required(f"{path}.service.name")]
    port = service.get("port") or {}
    at = f"{path}.service.port"
    if port.get("name") and port.get("number"):
        causes.append(invalid(path, "", "cannot set both port name & port number"))
    elif port.get("name"):
        causes += each(f"{at}.name", port["name"], port_name_problems(port["name"]))
    elif port.get("number"):
        causes += each(f"{at}.number", port["number"], port_number_problems(port["number"]))
    else:
        causes.append(required(path, "port name or number is required"))
    return causes


def _validate_reference(reference: JsonObject, path: str) -> list[Cause]:
    group = reference.get("apiGroup")
    causes = [] if group is None else each(f"{path}.apiGroup", group, dns_subdomain_problems(group))
    for key in ("kind", "name"):
        value = reference.get(key) or ""
        causes += each(f"{path}.{key}", value, path_segment_problems(value)) if value else [required(f"{path}.{key}")]
    return causes


class IngressClassStrategy(Strategy):
    counts_generations = True

    def default(self, obj: JsonObject) -> None:
        if (parameters := (obj.get("spec") or {}).get("parameters")) and parameters.get("scope") is None:       # shown as null by its type
            parameters["scope"] = "Cluster"

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec = obj.get("spec") or {}
        controller, parameters = spec.get("controller") or "", spec.get("parameters")
        if not controller:
            causes = [required("spec.controller")]
        else:
            causes = [too_long("spec.controller", _CONTROLLER_LENGTH)] if len(controller) > _CONTROLLER_LENGTH else []
            causes += each("spec.controller", controller, domain_path_problems(controller))
        if parameters is None:
            return causes
        path, scope, namespace = "spec.parameters", parameters.get("scope"), parameters.get("namespace")
        causes += _validate_reference(parameters, path)
        if scope not in {"Cluster", "Namespace"}:
            return [*causes, not_supported(f"{path}.scope", scope or "", ("Cluster", "Namespace"))]
        if scope == "Namespace":
            causes += each(f"{path}.namespace", namespace, dns_label_problems(namespace)) if namespace is not None else [
                required(f"{path}.namespace", "`parameters.scope` is set to 'Namespace'")]
        elif namespace is not None:
            causes.append(forbidden(f"{path}.namespace", "`parameters.scope` is set to 'Cluster'"))
        return causes

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return immutable(obj.get("spec") or {}, old.get("spec") or {}, "controller")


class NetworkPolicyStrategy(Strategy):
    looks_at_names_again = False
    counts_generations = True

    def default(self, obj: JsonObject) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("podSelector", {})
        if not spec.get("policyTypes"):
            spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
        for direction in ("ingress", "egress"):
            for rule in spec.get(direction) or ():
                for port in rule.get("ports") or ():
                    if port.get("protocol") is None:        # an empty one is refused
                        port["protocol"] = "TCP"

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
        kinds = spec.get("policyTypes") or ()
        if len(kinds) > len(_POLICY_TYPES):
            return [*causes, invalid("spec.policyTypes", kinds, "may not specify more than two policyTypes")]
        for index, kind in enumerate(kinds):
            if kind not in _POLICY_TYPES:
                causes.append(not_supported(f"spec.policyTypes[{index}]", kind, _POLICY_TYPES))
        return causes


def _validate_policy_port(port: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if port.get("protocol") not in PROTOCOLS:
        causes.append(not_supported(f"{path}.protocol", port.get("protocol"), ("TCP", "UDP", "SCTP")))
    number, end = port.get("port"), port.get("endPort")
    if number is not None:
        causes += validate_port(number, f"{path}.port")
    if end is not None:
        if isinstance(number, str):
            causes.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is non-numeric"))
        elif number is None:
            causes.append(invalid(f"{path}.endPort", end, "may not be specified when `port` is not specified"))
        else:
            causes += [invalid(f"{path}.endPort", end, "must be greater than or equal to `port`")] if end < number else []
            causes += each(f"{path}.endPort", end, port_number_problems(end))
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

    def name_problems(self, name: str) -> list[str]:
        return ip_problems(name)

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        parent = (obj.get("spec") or {}).get("parentRef")
        if parent is None:
            return [required("spec.parentRef")]
        group = parent.get("group") or ""
        causes = each("spec.parentRef.group", group, dns_subdomain_problems(group)) if group else []
        for key in ("resource", "name", "namespace"):
            value, path = parent.get(key) or "", f"spec.parentRef.{key}"
            if value:
                causes += each(path, value, path_segment_problems(value))
            elif key != "namespace":
                causes.append(required(path))
        return causes

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        new, held = ((one.get("spec") or {}).get("parentRef") for one in (obj, old))
        return [] if new == held else [invalid("spec.parentRef", None, FIELD_IMMUTABLE)]


class ServiceCIDRStrategy(Strategy):
    looks_at_names_again = False

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        cidrs = (obj.get("spec") or {}).get("cidrs") or ()
        if not cidrs:
            return [required("spec.cidrs", "at least one CIDR required")]
        if len(cidrs) > 2:
            return [invalid("spec.cidrs", obj["spec"], "may only hold up to 2 values")]
        causes = [cause for index, cidr in enumerate(cidrs) for cause in each(f"spec.cidrs[{index}]", cidr, cidr_problems(cidr))]
        if len(cidrs) == 2 and not causes and len({ipaddress.ip_network(cidr, strict=False).version for cidr in cidrs}) < 2:
            causes.append(invalid("spec.cidrs", cidrs, "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and "
                                                       "2001:db8::/64"))
        return causes

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        """A second family may be added."""
        now, before = ((one.get("spec") or {}).get("cidrs") or [] for one in (obj, old))
        if len(now) != len(before) and (len(before), len(now)) != (1, 2):
            return [invalid("spec.cidrs", now, FIELD_IMMUTABLE)]
        return [invalid(f"spec.cidrs[{index}]", now[index], FIELD_IMMUTABLE) for index, cidr in enumerate(before) if now[index] != cidr]
