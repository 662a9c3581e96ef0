"""Cluster IPs: an IPAddress object per address; creating it is the claim. Follows ipallocator of the ServiceCIDR design."""

from __future__ import annotations

import ipaddress
import random
import uuid
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from control_plane.apiserver.allocation.errors import AlreadyAllocated, OutOfRange, RangeFull
from control_plane.storage.cached_object import encode_value
from control_plane.storage.errors import KeyExists, RevisionMismatch
from control_plane.storage.etcd import EtcdStore
from control_plane.storage.keys import object_key
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import ResourceType
from kube.process.clock import Clock, to_rfc3339

_FAMILY_LABEL: Final = "ipaddress.kubernetes.io/ip-family"
_MANAGER_LABEL: Final = "ipaddress.kubernetes.io/managed-by"
_MANAGER: Final = "ipallocator.k8s.io"
_GUESSES: Final = 64      # random addresses tried before the range is walked


def ip_addresses() -> ResourceType:
    row = SCHEME.for_path("networking.k8s.io", "v1", "ipaddresses")
    assert row is not None
    return row


class ClusterIps:
    def __init__(self, store: EtcdStore, cache: WatchCache, clock: Clock, network: str) -> None:
        self._store = store
        self._cache = cache
        self._clock = clock
        self._network = ipaddress.ip_network(network)
        self._resource = ip_addresses()

    @property
    def first(self) -> str:
        """Of Service default/kubernetes."""
        return str(self._network[1])

    async def take(self, address: str, service: NamespacedName, *, dry_run: bool = False) -> None:
        """Raises AllocationError."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            parsed = None
        if parsed is None or parsed not in self._network or parsed == self._network.network_address:
            raise OutOfRange(
                f"the provided IP ({address}) is not in the valid range. The range of valid IPs is {self._network}"
            )
        if not await self._claim(str(parsed), service, dry_run=dry_run):
            raise AlreadyAllocated("provided IP is already allocated")

    async def take_any(self, service: NamespacedName, *, dry_run: bool = False) -> str:
        """A free address, from above the band that upstream keeps for addresses chosen by hand."""
        for address in self._candidates():
            if self._cache.get(self._resource, NamespacedName("", address)) is None and await self._claim(
                address, service, dry_run=dry_run
            ):
                return address
        raise RangeFull("range is full")

    async def give_back(self, address: str, service: NamespacedName) -> None:
        """Nothing happens when the address is another Service's."""
        key = self._key(address)
        while (held := await self._store.get(key)) is not None:
            if owner_of(held.value) != service:
                return
            try:
                await self._store.delete(key, expected_revision=held.revision)
            except RevisionMismatch:
                continue
            return

    async def _claim(self, address: str, service: NamespacedName, *, dry_run: bool) -> bool:
        if dry_run:
            return await self._store.get(self._key(address)) is None
        try:
            await self._store.create(self._key(address), encode_value(self._resource, self._object(address, service)))
        except KeyExists:
            return False
        return True

    def _candidates(self) -> Iterator[str]:
        size = self._network.num_addresses
        band = min(max(16, size // 16), 256) if size > 16 else 1
        low, high = band + 1, size - (2 if self._network.version == 4 else 1)
        for _ in range(_GUESSES):
            if low <= high:
                yield str(self._network[random.randint(low, high)])
        for offset in (*range(low, high + 1), *range(1, low)):
            yield str(self._network[offset])

    def _key(self, address: str) -> str:
        return object_key(self._resource, NamespacedName("", address))

    def _object(self, address: str, service: NamespacedName) -> JsonObject:
        family = f"IPv{self._network.version}"
        metadata: dict[str, Any] = {
            "name": address, "uid": str(uuid.uuid4()), "creationTimestamp": to_rfc3339(self._clock.now()), "generation": 1,
            "labels": {_FAMILY_LABEL: family, _MANAGER_LABEL: _MANAGER},
        }
        reference = {"group": "", "resource": "services", "namespace": service.namespace, "name": service.name}
        return {
            "kind": "IPAddress", "apiVersion": self._resource.api_version, "metadata": metadata, "spec": {"parentRef": reference},
        }


def owner_of(value: bytes) -> NamespacedName:
    reference = msgspec.json.decode(value).get("spec", {}).get("parentRef") or {}
    return NamespacedName(reference.get("namespace", ""), reference.get("name", ""))
