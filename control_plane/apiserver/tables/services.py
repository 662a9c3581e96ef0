"""Services and what stands behind and before them: Endpoints, EndpointSlices, Ingresses, NetworkPolicies, addresses."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from control_plane.apiserver.tables.printer import AGE, NAME, Column, Table, wide
from control_plane.apiserver.tables.text import NONE, age, clipped, labels_text, name_of, selector_text
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupResource


def _balancer(status: JsonObject) -> str:
    points = (status.get("loadBalancer") or {}).get("ingress") or ()
    return ",".join(sorted({point.get("ip") or point.get("hostname") or "" for point in points} - {""}))


def _external(spec: JsonObject, status: JsonObject) -> str:
    kind, addresses = spec.get("type"), list(spec.get("externalIPs") or ())
    if kind == "ExternalName":
        return spec.get("externalName") or ""
    if kind == "LoadBalancer":
        balancer = _balancer(status)
        return ",".join(([balancer] if balancer else []) + addresses) or "<pending>"
    return ",".join(addresses) or NONE


def _service(obj: JsonObject, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    ports = ",".join(
        f"{port.get('port')}{':' + str(port['nodePort']) if port.get('nodePort') else ''}/{port.get('protocol')}"
        for port in spec.get("ports") or ())
    addresses = spec.get("clusterIPs") or [spec.get("clusterIP") or NONE]
    return [name_of(obj), spec.get("type") or "", addresses[0], _external(spec, obj.get("status") or {}), ports or NONE, age(obj, now),
            labels_text(spec.get("selector"))]


def _endpoints(obj: JsonObject, now: datetime) -> list[Any]:
    targets: list[str] = []
    for subset in obj.get("subsets") or ():
        addresses = [address.get("ip") or "" for address in subset.get("addresses") or ()]
        if not subset.get("ports"):
            targets += addresses
        for port in subset.get("ports") or ():
            targets += [f"[{ip}]:{port.get('port')}" if ":" in ip else f"{ip}:{port.get('port')}" for ip in addresses]
    return [name_of(obj), clipped(targets, empty="" if obj.get("subsets") else NONE), age(obj, now)]


def _endpoint_slice(obj: JsonObject, now: datetime) -> list[Any]:
    ports = [str(port["port"]) if port.get("port") is not None else port.get("name", "*") for port in obj.get("ports") or ()]
    addresses = [address for endpoint in obj.get("endpoints") or () for address in endpoint.get("addresses") or ()]
    return [name_of(obj), obj.get("addressType") or "", clipped(ports), clipped(addresses), age(obj, now)]


def _ingress(obj: JsonObject, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    rules = spec.get("rules") or ()
    hosts = [rule["host"] for rule in rules if rule.get("host")]
    text = "*" if not hosts else clipped(hosts, len(rules) if len(hosts) > 3 else len(hosts))
    ports = "80, 443" if spec.get("tls") else "80"
    return [name_of(obj), spec.get("ingressClassName") or NONE, text, _balancer(obj.get("status") or {}), ports, age(obj, now)]


def _ingress_class(obj: JsonObject, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    text, parameters = NONE, spec.get("parameters")
    if parameters is not None:
        group = f".{parameters['apiGroup']}" if parameters.get("apiGroup") else ""
        text = f"{parameters.get('kind', '')}{group}/{parameters.get('name', '')}"
    return [name_of(obj), spec.get("controller") or "", text, age(obj, now)]


def _network_policy(obj: JsonObject, now: datetime) -> list[Any]:
    return [name_of(obj), selector_text((obj.get("spec") or {}).get("podSelector") or {}), age(obj, now)]


def _service_cidr(obj: JsonObject, now: datetime) -> list[Any]:
    return [name_of(obj), ",".join((obj.get("spec") or {}).get("cidrs") or ()), age(obj, now)]


def _ip_address(obj: JsonObject, now: datetime) -> list[Any]:
    parent, text = (obj.get("spec") or {}).get("parentRef"), NONE
    if parent is not None:
        resource = str(GroupResource(parent.get("group") or "", parent.get("resource") or "")).lower()
        text = "/".join(part for part in (resource, parent.get("namespace") or "", parent.get("name") or "") if part)
    return [name_of(obj), text, age(obj, now)]


SERVICE: Final = Table((
    NAME, Column("Type", "@spec.type"), Column("Cluster-IP", "@spec.clusterIP"), Column("External-IP", "@spec.externalIPs"),
    Column("Port(s)", "@spec.ports"), AGE, wide("Selector", "@spec.selector"),
), _service)
ENDPOINTS: Final = Table((NAME, Column("Endpoints", "@subsets"), AGE), _endpoints)
ENDPOINT_SLICE: Final = Table((
    NAME, Column("AddressType", "@addressType"), Column("Ports", "@ports"), Column("Endpoints", "@endpoints"), AGE,
), _endpoint_slice)
INGRESS: Final = Table((
    NAME, Column("Class", "The name of the IngressClass resource that should be used for additional configuration"),
    Column("Hosts", "Hosts that incoming requests are matched against before the ingress rule"),
    Column("Address", "Address is a list containing ingress points for the load-balancer"),
    Column("Ports", "Ports of TLS configurations that open"), AGE,
), _ingress)
INGRESS_CLASS: Final = Table((
    NAME, Column("Controller", "Controller that is responsible for handling this class"),
    Column("Parameters", "A reference to a resource with additional parameters"), AGE,
), _ingress_class)
NETWORK_POLICY: Final = Table((NAME, Column("Pod-Selector", "@spec.podSelector"), AGE), _network_policy)
SERVICE_CIDR: Final = Table((NAME, Column("CIDRs", "@spec.cidrs"), AGE), _service_cidr)
IP_ADDRESS: Final = Table((NAME, Column("ParentRef", "@spec.parentRef"), AGE), _ip_address)
