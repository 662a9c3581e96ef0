"""Node ports: a key per port below /registry/ranges/servicenodeports/; creating it is the claim.

Upstream keeps one bitmap object for all ports and rewrites it with every claim; with a key per port, claims do not collide,
and the key says whose the port is, which the repair needs.
"""

from __future__ import annotations

import random
from typing import Final

import msgspec

from control_plane.apiserver.allocation.errors import AlreadyAllocated, OutOfRange, RangeFull
from control_plane.storage.errors import KeyExists, RevisionMismatch
from control_plane.storage.etcd import EtcdStore
from kube.apimachinery.meta import NamespacedName

PREFIX: Final = "/registry/ranges/servicenodeports/"


class _Claim(msgspec.Struct):
    namespace: str
    name: str


class NodePorts:
    def __init__(self, store: EtcdStore, low: int, high: int) -> None:
        self._store = store
        self._low = low
        self._high = high

    async def take(self, port: int, service: NamespacedName, *, dry_run: bool = False) -> None:
        """Raises AllocationError."""
        if not self._low <= port <= self._high:
            if dry_run:         # upstream leaves the range to the allocation, which a dry run has none of
                return
            raise OutOfRange(f"provided port is not in the valid range. The range of valid ports is {self._low}-{self._high}")
        if not await self._claim(port, service, dry_run=dry_run):
            raise AlreadyAllocated("provided port is already allocated")

    async def free(self) -> list[int]:
        """Those that nobody has at this moment, in random order."""
        taken = await self.owners()
        free = [port for port in range(self._low, self._high + 1) if port not in taken]
        random.shuffle(free)
        return free

    async def take_one_of(self, candidates: list[int], service: NamespacedName, *, dry_run: bool = False) -> int:
        """The last that can be had; all that were tried are removed from the list. Raises RangeFull."""
        while candidates:
            port = candidates.pop()
            if await self._claim(port, service, dry_run=dry_run):
                return port
        raise RangeFull("range is full")

    async def give_back(self, port: int, service: NamespacedName) -> None:
        """Nothing happens when the port is another Service's."""
        key = f"{PREFIX}{port}"
        while (held := await self._store.get(key)) is not None:
            claim = msgspec.json.decode(held.value, type=_Claim)
            if (claim.namespace, claim.name) != service:
                return
            try:
                await self._store.delete(key, expected_revision=held.revision)
            except RevisionMismatch:
                continue
            return

    async def owners(self) -> dict[int, NamespacedName]:
        """Every claimed port and the Service it was claimed for."""
        found = await self._store.range(PREFIX)
        owners = {}
        for item in found.items:
            claim = msgspec.json.decode(item.value, type=_Claim)
            owners[int(item.key.removeprefix(PREFIX))] = NamespacedName(claim.namespace, claim.name)
        return owners

    async def _claim(self, port: int, service: NamespacedName, *, dry_run: bool) -> bool:
        key = f"{PREFIX}{port}"
        if dry_run:
            return await self._store.get(key) is None
        try:
            await self._store.create(key, msgspec.json.encode(_Claim(service.namespace, service.name)))
        except KeyExists:
            return False
        return True
