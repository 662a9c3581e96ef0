"""Services, endpoints, namespaces and Pods, indexed as names and addresses ask for them.

Every change names its tags to the listeners, and every answer names the tags it came from: that is how a cached answer learns that it
is out of date. Tags exist for what does not (yet) exist, too, so that "no such name" is forgotten when the name appears.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple, TypeVar

from addons.coredns.kubernetes.objects import (
    EndpointSlice,
    Namespace,
    Pod,
    Service,
    ServiceKey,
    ServiceRecord,
    SliceRecord,
)
from kube.apimachinery.meta import NamespacedName

K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Hashable)


class ServiceTag(NamedTuple):
    namespace: str
    name: str


class NamespaceTag(NamedTuple):
    namespace: str


class AddressTag(NamedTuple):
    address: str
    of: str = "address"         # keeps it apart from a NamespaceTag, which is a tuple of one text as well


class KubernetesStore:
    """Filled by the watch (or by hand, in tests) through the set and remove methods."""

    def __init__(self) -> None:
        self.synced = False
        self.serial = int(time.time())                                  # of the SOA record: when something last changed
        self._listeners: list[Callable[[Hashable], None]] = []
        self._namespaces: set[str] = set()
        self._services: dict[ServiceKey, ServiceRecord] = {}
        self._slices: dict[NamespacedName, SliceRecord] = {}
        self._slices_of: dict[ServiceKey, set[NamespacedName]] = {}
        self._services_by_address: dict[str, set[ServiceKey]] = {}
        self._slices_by_address: dict[str, set[NamespacedName]] = {}
        self._pods: dict[NamespacedName, str] = {}
        self._pods_by_address: dict[str, set[NamespacedName]] = {}

    def add_listener(self, listener: Callable[[Hashable], None]) -> None:
        """Called with each tag whose answers are out of date."""
        self._listeners.append(listener)

    def remove_listener(self, listener: Callable[[Hashable], None]) -> None:
        self._listeners.remove(listener)

    # -- reading --------------------------------------------------------------------------------------------------------------

    def has_namespace(self, name: str) -> bool:
        return name in self._namespaces

    def service(self, key: ServiceKey) -> ServiceRecord | None:
        return self._services.get(key)

    def slices(self, key: ServiceKey) -> list[SliceRecord]:
        """In the order of their names, so that two servers answer alike."""
        return [self._slices[name] for name in sorted(self._slices_of.get(key, ()))]

    def services_with(self, address: str) -> list[ServiceKey]:
        return sorted(self._services_by_address.get(address, ()))

    def slices_with(self, address: str) -> list[SliceRecord]:
        return [self._slices[name] for name in sorted(self._slices_by_address.get(address, ()))]

    def has_pod(self, address: str, namespace: str) -> bool:
        return any(key.namespace == namespace for key in self._pods_by_address.get(address, ()))

    # -- changing -------------------------------------------------------------------------------------------------------------

    def set_namespace(self, namespace: Namespace) -> None:
        name = namespace.metadata.name
        if name not in self._namespaces:
            self._namespaces.add(name)
            self._changed([NamespaceTag(name)])

    def remove_namespace(self, name: str) -> None:
        if name in self._namespaces:
            self._namespaces.discard(name)
            self._changed([NamespaceTag(name)])

    def set_service(self, service: Service) -> None:
        record = ServiceRecord.of(service)
        old = self._services.get(record.key)
        if record == old:
            return
        if old is not None:
            self._forget_service(old)
        self._services[record.key] = record
        for address in record.cluster_ips:
            self._services_by_address.setdefault(address, set()).add(record.key)
        self._changed(_service_tags(record, old))

    def remove_service(self, key: ServiceKey) -> None:
        if (old := self._services.pop(key, None)) is not None:
            self._forget_service(old)
            self._changed(_service_tags(old))

    def set_slice(self, endpoint_slice: EndpointSlice) -> None:
        key = NamespacedName(endpoint_slice.metadata.namespace, endpoint_slice.metadata.name)
        record = SliceRecord.of(endpoint_slice)
        old = self._slices.get(key)
        if record == old:
            return
        if old is not None:
            self._forget_slice(key, old)
        self._slices[key] = record
        self._slices_of.setdefault(record.service, set()).add(key)
        for endpoint in record.endpoints:
            self._slices_by_address.setdefault(endpoint.address, set()).add(key)
        self._changed(_slice_tags(record, old))

    def remove_slice(self, key: NamespacedName) -> None:
        if (old := self._slices.pop(key, None)) is not None:
            self._forget_slice(key, old)
            self._changed(_slice_tags(old))

    def set_pod(self, pod: Pod) -> None:
        key = NamespacedName(pod.metadata.namespace, pod.metadata.name)
        if self._pods.get(key) != pod.status.pod_ip:
            self.remove_pod(key)
            self._pods[key] = pod.status.pod_ip
            self._pods_by_address.setdefault(pod.status.pod_ip, set()).add(key)
            self._changed([AddressTag(pod.status.pod_ip)])

    def remove_pod(self, key: NamespacedName) -> None:
        if (address := self._pods.pop(key, None)) is not None:
            _discard(self._pods_by_address, address, key)
            self._changed([AddressTag(address)])

    # -- inside ---------------------------------------------------------------------------------------------------------------

    def _forget_service(self, record: ServiceRecord) -> None:
        for address in record.cluster_ips:
            _discard(self._services_by_address, address, record.key)

    def _forget_slice(self, key: NamespacedName, record: SliceRecord) -> None:
        _discard(self._slices_of, record.service, key)
        for address in {endpoint.address for endpoint in record.endpoints}:
            _discard(self._slices_by_address, address, key)

    def _changed(self, tags: Iterable[Hashable]) -> None:
        self.serial = int(time.time())
        for tag in tags:
            for listener in self._listeners:
                listener(tag)


def _discard(index: dict[K, set[V]], value: K, key: V) -> None:
    keys = index[value]
    keys.discard(key)
    if not keys:
        del index[value]


def _service_tags(*records: ServiceRecord | None) -> set[Hashable]:
    tags: set[Hashable] = set()
    for record in records:
        if record is not None:
            tags.add(ServiceTag(*record.key))
            tags.update(AddressTag(address) for address in record.cluster_ips)
    return tags


def _slice_tags(*records: SliceRecord | None) -> set[Hashable]:
    tags: set[Hashable] = set()
    for record in records:
        if record is not None:
            tags.add(ServiceTag(*record.service))
            tags.update(AddressTag(endpoint.address) for endpoint in record.endpoints)
    return tags
