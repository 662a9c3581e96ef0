"""Endpoints and EndpointSlices."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any, Final

from control_plane.apiserver.strategies.base import Strategy
from control_plane.apiserver.strategies.pod_containers import PROTOCOLS
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    FIELD_IMMUTABLE,
    dns_label_problems,
    dns_subdomain_problems,
    duplicate,
    each,
    forbidden,
    invalid,
    ip_problems,
    label_value_problems,
    not_supported,
    port_number_problems,
    qualified_name_problems,
    required,
    too_many,
)

ADDRESS_TYPES: Final = ("FQDN", "IPv4", "IPv6")
_MAX_HINTS: Final = 8
_MAX_ENDPOINTS: Final = 1000
_MAX_PORTS: Final = 20000
_MAX_ADDRESSES: Final = 100


class EndpointsStrategy(Strategy):
    def default(self, obj: JsonObject) -> None:
        for subset in obj.get("subsets") or ():
            for port in subset.get("ports") or ():
                port["protocol"] = port.get("protocol") or "TCP"

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        causes: list[Cause] = []
        for index, subset in enumerate(obj.get("subsets") or ()):
            at = f"subsets[{index}]"
            if not subset.get("addresses") and not subset.get("notReadyAddresses"):
                causes.append(required(at, "must specify `addresses` or `notReadyAddresses`"))
            for key in ("addresses", "notReadyAddresses"):
                for number, address in enumerate(subset.get(key) or ()):
                    causes += _validate_address(address, f"{at}.{key}[{number}]")
            causes += _validate_ports(subset.get("ports") or (), f"{at}.ports")
        return causes


def _validate_address(address: JsonObject, path: str) -> list[Cause]:
    value = address.get("ip") or ""
    causes = each(f"{path}.ip", value, ip_problems(value))
    if address.get("hostname"):
        causes += each(f"{path}.hostname", address["hostname"], dns_label_problems(address["hostname"]))
    if (node := address.get("nodeName")) is not None:
        causes += each(f"{path}.nodeName", node, dns_subdomain_problems(node))
    return causes or validate_usable_address(value, f"{path}.ip")


def validate_usable_address(value: str, path: str) -> list[Cause]:
    """An endpoint is some other machine: not loopback, link-local, multicast or nothing at all."""
    address = ipaddress.ip_address(value)
    if address.is_unspecified:
        return [invalid(path, value, f"may not be unspecified ({value})")]
    if address.is_loopback:
        return [invalid(path, value, "may not be in the loopback range (127.0.0.0/8, ::1/128)")]
    if address.is_link_local:
        return [invalid(path, value, "may not be in the link-local range (169.254.0.0/16, fe80::/10)")]
    if address.is_multicast:
        return [invalid(path, value, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")]
    return []


def _validate_ports(ports: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, port in enumerate(ports):
        at = f"{path}[{index}]"
        if port.get("name"):
            causes += each(f"{at}.name", port["name"], dns_label_problems(port["name"]))
        elif len(ports) > 1:
            causes.append(required(f"{at}.name"))
        causes += each(f"{at}.port", port.get("port", 0), port_number_problems(port.get("port", 0)))
        causes += _validate_protocol(port.get("protocol"), f"{at}.protocol")
        if (application := port.get("appProtocol")) is not None:
            causes += each(f"{at}.appProtocol", application, qualified_name_problems(application))
    return causes


def _validate_protocol(protocol: str | None, path: str) -> list[Cause]:
    if not protocol:
        return [required(path)]
    return [] if protocol in PROTOCOLS else [not_supported(path, protocol, PROTOCOLS)]


class EndpointSliceStrategy(Strategy):
    counts_generations = True

    def default(self, obj: JsonObject) -> None:
        for port in obj.get("ports") or ():
            port.setdefault("name", "")
            port.setdefault("protocol", "TCP")

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        kind = obj.get("addressType") or ""
        causes: list[Cause] = []
        if kind not in ADDRESS_TYPES:
            causes.append(not_supported("addressType", kind, ADDRESS_TYPES) if kind else required("addressType"))
        endpoints, ports = obj.get("endpoints") or (), obj.get("ports") or ()
        if len(endpoints) > _MAX_ENDPOINTS:
            return [*causes, too_many("endpoints", len(endpoints), _MAX_ENDPOINTS)]
        if len(ports) > _MAX_PORTS:
            return [*causes, too_many("ports", len(ports), _MAX_PORTS)]
        for index, endpoint in enumerate(endpoints):
            causes += _validate_endpoint(endpoint, f"endpoints[{index}]", kind)
        names: set[Any] = set()
        for index, port in enumerate(ports):
            at, name = f"ports[{index}]", port.get("name") or ""
            if name:
                causes += each(f"{at}.name", name, dns_label_problems(name))
            if name in names:
                causes.append(duplicate(f"{at}.name", name))
            names.add(name)
            causes += _validate_protocol(port.get("protocol"), f"{at}.protocol")
            if (application := port.get("appProtocol")) is not None:
                causes += each(f"{at}.appProtocol", application, qualified_name_problems(application))
        return causes

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return [] if obj.get("addressType") == old.get("addressType") else [invalid("addressType", None, FIELD_IMMUTABLE)]


def _validate_hints(hints: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for key, rule in (("forZones", label_value_problems), ("forNodes", dns_subdomain_problems)):
        named = hints.get(key) or ()
        if len(named) > _MAX_HINTS:
            causes.append(too_many(f"{path}.{key}", len(named), _MAX_HINTS))
            continue
        seen: set[str] = set()
        for index, one in enumerate(named):
            at, name = f"{path}.{key}[{index}].name", one.get("name") or ""
            causes += [duplicate(at, name)] if name in seen else []
            seen.add(name)
            causes += each(at, name, rule(name))
    return causes


def _validate_endpoint(endpoint: JsonObject, path: str, kind: str) -> list[Cause]:
    addresses = endpoint.get("addresses") or ()
    causes: list[Cause] = []
    if not addresses:
        causes.append(required(f"{path}.addresses"))
    elif len(addresses) > _MAX_ADDRESSES:
        causes.append(too_many(f"{path}.addresses", len(addresses), _MAX_ADDRESSES))
    for index, address in enumerate(addresses):
        at = f"{path}.addresses[{index}]"
        if kind == "FQDN":
            causes += each(at, address, dns_subdomain_problems(address))
            continue
        problems = each(at, address, ip_problems(address))
        version = {"IPv4": 4, "IPv6": 6}.get(kind)
        if not problems and version and ipaddress.ip_address(address).version != version:
            problems.append(invalid(at, address, f"must be an {kind} address"))
        causes += problems or validate_usable_address(address, at)
    if (node := endpoint.get("nodeName")) is not None:
        causes += each(f"{path}.nodeName", node, dns_subdomain_problems(node))
    if (host := endpoint.get("hostname")) is not None:
        causes += each(f"{path}.hostname", host, dns_label_problems(host))
    causes += _validate_hints(endpoint.get("hints") or {}, f"{path}.hints")
    if "kubernetes.io/hostname" in (endpoint.get("deprecatedTopology") or {}):
        causes.append(forbidden(f"{path}.deprecatedTopology.kubernetes.io/hostname", "may not set node name in deprecatedTopology"))
    return causes
