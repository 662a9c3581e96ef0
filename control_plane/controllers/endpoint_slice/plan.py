"""The EndpointSlices of a Service: those there are against those there should be; pure.

A slice holds up to 100 endpoints with one set of ports. As few slices as possible are written: endpoints stay in the slice
they are in, gone ones leave, new ones fill what is being written anyway, then what has room, then a new slice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from control_plane.controllers.endpoint_slice.backends import Port, is_headless
from kube.api.core_v1 import Service
from kube.api.discovery_v1 import Endpoint, EndpointPort, EndpointSlice
from kube.api.meta_v1 import ObjectMeta
from kube.client.objects import controller_of, owner_reference

MAX_PER_SLICE: Final = 100
SERVICE_NAME: Final = "kubernetes.io/service-name"
MANAGED_BY: Final = "endpointslice.kubernetes.io/managed-by"
MANAGER: Final = "endpointslice-controller.k8s.io"
HEADLESS: Final = "service.kubernetes.io/headless"
RESERVED_LABELS: Final = frozenset({SERVICE_NAME, MANAGED_BY, HEADLESS})

Ports = tuple[Port, ...]


@dataclass(slots=True)
class Plan:
    create: list[EndpointSlice] = field(default_factory=list)
    update: list[EndpointSlice] = field(default_factory=list)
    delete: list[EndpointSlice] = field(default_factory=list)


def labels_of(service: Service) -> dict[str, str]:
    labels = {name: value for name, value in service.metadata.labels.items() if name not in RESERVED_LABELS}
    if is_headless(service):
        labels[HEADLESS] = ""
    return {**labels, SERVICE_NAME: service.metadata.name, MANAGED_BY: MANAGER}


def plan_slices(
    service: Service, wanted: Mapping[Ports, Sequence[Endpoint]], held: Iterable[EndpointSlice]
) -> Plan:
    plan = Plan()
    by_ports: dict[Ports, list[EndpointSlice]] = defaultdict(list)
    for slice_ in held:
        owner = controller_of(slice_)
        if slice_.address_type != "IPv4" or owner is None or owner.uid != service.metadata.uid:
            plan.delete.append(slice_)
        else:
            by_ports[_ports_of(slice_)].append(slice_)
    groups = {ports: endpoints for ports, endpoints in wanted.items() if endpoints}
    if not groups:
        groups = {(): []}       # an empty slice says: known, and nobody there
    for ports, slices in by_ports.items():
        if ports not in groups:
            plan.delete.extend(slices)
    for ports, endpoints in groups.items():
        _plan_group(plan, service, ports, endpoints, by_ports.get(ports, []))
    return plan


def _plan_group(
    plan: Plan, service: Service, ports: Ports, endpoints: Sequence[Endpoint], held: Sequence[EndpointSlice]
) -> None:
    missing = {_identity(endpoint): endpoint for endpoint in endpoints}
    content: list[list[Endpoint]] = []
    for slice_ in held:
        kept = [fresh for old in slice_.endpoints if (fresh := missing.pop(_identity(old), None)) is not None]
        content.append(kept)
    dirty = [kept != [*slice_.endpoints] or not _metadata_fits(service, slice_) for kept, slice_ in zip(content, held, strict=True)]
    left = [*missing.values()]
    for index in sorted(range(len(held)), key=lambda index: not dirty[index]):
        if not left:
            break
        if (room := MAX_PER_SLICE - len(content[index])) > 0:
            content[index].extend(left[:room])
            del left[:room]
            dirty[index] = True
    keeps_one = bool(endpoints)
    for slice_, kept, changed in zip(held, content, dirty, strict=True):
        if not kept and keeps_one:
            plan.delete.append(slice_)
        elif changed:
            plan.update.append(_filled(service, slice_, kept))
        keeps_one = keeps_one or not endpoints      # of several empty ones the first stays
    chunks = [left[at:at + MAX_PER_SLICE] for at in range(0, len(left), MAX_PER_SLICE)]
    if not endpoints and not held:
        chunks = [[]]
    plan.create.extend(_new(service, ports, chunk) for chunk in chunks)


def _identity(endpoint: Endpoint) -> tuple[str, tuple[str, ...]]:
    return (endpoint.target_ref.uid if endpoint.target_ref else "", endpoint.addresses)


def _ports_of(slice_: EndpointSlice) -> Ports:
    return tuple(sorted(Port(port.name, port.protocol, port.port or 0, port.app_protocol) for port in slice_.ports))


def _metadata_fits(service: Service, slice_: EndpointSlice) -> bool:
    return slice_.metadata.labels == labels_of(service)


def _filled(service: Service, slice_: EndpointSlice, endpoints: Sequence[Endpoint]) -> EndpointSlice:
    metadata = msgspec.structs.replace(slice_.metadata, labels=labels_of(service))
    return msgspec.structs.replace(slice_, metadata=metadata, endpoints=tuple(endpoints))


def _new(service: Service, ports: Ports, endpoints: Sequence[Endpoint]) -> EndpointSlice:
    return EndpointSlice(
        metadata=ObjectMeta(
            namespace=service.metadata.namespace, generate_name=f"{service.metadata.name}-", labels=labels_of(service),
            owner_references=(owner_reference(service),),
        ),
        address_type="IPv4",
        ports=tuple(EndpointPort(
            name=port.name, protocol=port.protocol, port=port.port, app_protocol=port.app_protocol) for port in ports),
        endpoints=tuple(endpoints),
    )
