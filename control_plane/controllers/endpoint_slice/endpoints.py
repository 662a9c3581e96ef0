"""The Endpoints controller: one Endpoints object per Service, for those who still read them. Follows pkg/controller/endpoint."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

import msgspec

from control_plane.controllers.endpoint_slice.backends import (
    Port,
    has_endpoints,
    hostname_in,
    is_headless,
    ports_of,
    reference,
    selected,
    should_be_listed,
)
from control_plane.controllers.endpoint_slice.plan import HEADLESS
from control_plane.controllers.endpoint_slice.services import PodsToServices
from control_plane.controllers.managed import ControllerContext, ManagedController
from control_plane.controllers.ownership import is_namespace_terminating
from control_plane.controllers.pods import is_ready
from kube.api.core_v1 import EndpointAddress, EndpointPort, Endpoints, EndpointSubset, Pod, Service
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.objects import key_of

MAX_ADDRESSES: Final = 1000
OVER_CAPACITY: Final = "endpoints.kubernetes.io/over-capacity"
MANAGED_BY: Final = "endpoints.kubernetes.io/managed-by"
MANAGER: Final = "endpoint-controller"


def plan_subsets(service: Service, pods: Iterable[Pod]) -> tuple[EndpointSubset, ...]:
    """Pods with the same ports share a subset; pure."""
    include_unready = bool(service.spec.publish_not_ready_addresses)
    ready: dict[tuple[Port, ...], list[EndpointAddress]] = defaultdict(list)
    not_ready: dict[tuple[Port, ...], list[EndpointAddress]] = defaultdict(list)
    for pod in selected(service, pods):
        if not should_be_listed(pod, include_terminating=include_unready):
            continue
        ports = tuple(sorted(ports_of(service, pod)))
        if service.spec.ports and not ports:
            continue
        address = EndpointAddress(
            ip=pod.status.pod_ip, node_name=pod.spec.node_name, hostname=hostname_in(service, pod), target_ref=reference(pod))
        (ready if include_unready or is_ready(pod) else not_ready)[ports].append(address)
    return tuple(
        EndpointSubset(
            addresses=_sorted(ready[ports]), not_ready_addresses=_sorted(not_ready[ports]),
            ports=tuple(EndpointPort(
                name=port.name, port=port.port, protocol=port.protocol, app_protocol=port.app_protocol) for port in ports),
        )
        for ports in sorted({*ready, *not_ready})
    )


def _sorted(addresses: list[EndpointAddress]) -> tuple[EndpointAddress, ...]:
    return tuple(sorted(addresses, key=lambda address: (address.ip, address.target_ref.uid if address.target_ref else "")))


def truncated(subsets: tuple[EndpointSubset, ...]) -> tuple[EndpointSubset, ...]:
    """At most 1000 addresses, ready ones first."""
    room = MAX_ADDRESSES
    kept = []
    for subset in subsets:
        addresses = subset.addresses[:room]
        room -= len(addresses)
        kept.append(msgspec.structs.replace(subset, addresses=addresses))
    result = []
    for subset in kept:
        not_ready = subset.not_ready_addresses[:room]
        room -= len(not_ready)
        result.append(msgspec.structs.replace(subset, not_ready_addresses=not_ready))
    return tuple(subset for subset in result if subset.addresses or subset.not_ready_addresses)


def _count(subsets: Iterable[EndpointSubset]) -> int:
    return sum(len(subset.addresses) + len(subset.not_ready_addresses) for subset in subsets)


class EndpointsController(ManagedController[NamespacedName]):
    def __init__(self, context: ControllerContext) -> None:
        super().__init__("endpoint", context)
        self._services = self.informer(Service)
        self._pods = self.informer(Pod)
        self._endpoints = self.informer(Endpoints)
        self._services.on_change(lambda service: self.queue.add(key_of(service)))
        self._endpoints.add_handler(on_add=self._on_orphan, on_delete=lambda held: self.queue.add(key_of(held)))
        PodsToServices(self._services, self._pods, self.queue.add)

    def _on_orphan(self, endpoints: Endpoints) -> None:
        """After a restart: one whose Service went away meanwhile."""
        if self._services.synced and self._services.get(key_of(endpoints)) is None:
            self.queue.add(key_of(endpoints))

    async def wait_synced(self) -> None:
        await super().wait_synced()
        for endpoints in self._endpoints.store.list():
            self._on_orphan(endpoints)

    async def reconcile(self, key: NamespacedName) -> Result:
        service = self._services.get(key)
        held = self._endpoints.get(key)
        if service is None:
            if held is not None and MANAGED_BY in held.metadata.labels:
                await self._delete(key, held)
            return DONE
        if not has_endpoints(service):
            return DONE
        wanted = self._wanted(service, held)
        if held is not None and _same(held, wanted):
            return DONE
        try:
            await (self.client.create(wanted) if held is None else self.client.update(wanted))
        except errors.AlreadyExists as error:
            raise errors.Conflict(str(error)) from error        # the cache is late: again
        except errors.Forbidden as error:
            if not is_namespace_terminating(error):
                raise
        return DONE

    async def _delete(self, key: NamespacedName, held: Endpoints) -> None:
        try:
            await self.client.delete(Endpoints, key, uid=held.metadata.uid)
        except errors.NotFound:
            return

    def _wanted(self, service: Service, held: Endpoints | None) -> Endpoints:
        subsets = plan_subsets(service, self._pods.store.list(service.metadata.namespace))
        metadata = ObjectMeta(namespace=service.metadata.namespace, name=service.metadata.name) if held is None else held.metadata
        labels = {**service.metadata.labels, MANAGED_BY: MANAGER}
        labels.pop(HEADLESS, None)
        if is_headless(service):
            labels[HEADLESS] = ""
        annotations = {name: value for name, value in metadata.annotations.items() if name != OVER_CAPACITY}
        if _count(subsets) > MAX_ADDRESSES:
            annotations[OVER_CAPACITY] = "truncated"
            subsets = truncated(subsets)
        return msgspec.structs.replace(
            held or Endpoints(), subsets=subsets,
            metadata=msgspec.structs.replace(metadata, labels=labels, annotations=annotations))


def _same(held: Endpoints, wanted: Endpoints) -> bool:
    if held.metadata.labels != wanted.metadata.labels or held.metadata.annotations != wanted.metadata.annotations:
        return False
    return sorted(map(_canonical, held.subsets)) == sorted(map(_canonical, wanted.subsets))


def _canonical(subset: EndpointSubset) -> bytes:
    ports = sorted(subset.ports, key=lambda port: (port.name, port.protocol, port.port or 0))
    ordered = EndpointSubset(
        addresses=_sorted([*subset.addresses]), not_ready_addresses=_sorted([*subset.not_ready_addresses]), ports=tuple(ports))
    return msgspec.json.encode(ordered, order="deterministic")
