"""What a client should know of a Service that is valid nevertheless. Follows pkg/api/service/warnings.go."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Final

from control_plane.apiserver.strategies.service_rules import HINTS, TOPOLOGY_MODE, is_headless
from kube.apimachinery.meta import JsonObject

_LATER: Final = "will be considered invalid in a future Kubernetes release"


def service_warnings(obj: JsonObject) -> list[str]:
    spec, said = obj["spec"], []
    if HINTS in (obj["metadata"].get("annotations") or {}):
        said.append(f"annotation {HINTS} is deprecated, please use {TOPOLOGY_MODE} instead")
    kind, headless = spec.get("type"), is_headless(spec)
    external = spec.get("externalIPs") or ()
    for index, address in enumerate(() if headless else spec.get("clusterIPs") or ()):
        said += address_warnings(address, f"spec.clusterIPs[{index}]")
    if headless and kind == "ClusterIP":
        said += [f"spec.{key} is ignored for headless services" for key in ("loadBalancerIP", "externalIPs") if spec.get(key)]
        if spec.get("sessionAffinity") != "None":
            said.append("spec.SessionAffinity is ignored for headless services")
    for index, address in enumerate(external):
        said += address_warnings(address, f"spec.externalIPs[{index}]")
    if external and not headless and kind != "ExternalName":
        said.append("spec.externalIPs is deprecated and may no longer be implemented in some clusters")
    if address := spec.get("loadBalancerIP"):
        said += address_warnings(address, "spec.loadBalancerIP")
    for index, block in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        said += block_warnings(block, f"spec.loadBalancerSourceRanges[{index}]")
    if kind == "ExternalName" and external:
        said.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if kind != "ExternalName" and spec.get("externalName"):
        said.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if spec.get("trafficDistribution") == "PreferClose":
        said.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    return said


def address_warnings(value: str, path: str) -> Iterator[str]:
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        yield f'{path}: non-standard IP address "{value}" {_LATER}: use "{address.ipv4_mapped}"'
    elif address.version == 6 and str(address) != value:
        yield f'{path}: IPv6 address "{value}" should be in RFC 5952 canonical format ("{address}")'


def block_warnings(value: str, path: str) -> Iterator[str]:
    """Of a CIDR: bits of a host in it, or an IPv6 one that is not written as it should be."""
    try:
        block = ipaddress.ip_interface(value)
    except ValueError:
        return
    if block.ip != block.network.network_address:
        yield (f'{path}: CIDR value "{value}" is ambiguous in this context '
               f'(should be "{block.network}" or "{block.ip}/{block.max_prefixlen}"?)')
    elif block.version == 6 and str(block.network) != value:
        yield f'{path}: IPv6 CIDR value "{value}" should be in RFC 5952 canonical format ("{block.network}")'
