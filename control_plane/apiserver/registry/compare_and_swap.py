"""The loop around every change of a stored object.

An attempt gets the newest state known (first from the watch cache, which may lag) and ends in one etcd transaction
guarded by that state's revision. When the guard fails, etcd tells the state that won, and the attempt runs again on it.
An attempt on cached state that fails by itself (a validation, a precondition) may have seen the past: it is repeated once
on what etcd holds, as upstream's GuaranteedUpdate does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from control_plane.apiserver.registry.call import Call
from control_plane.storage.cached_object import CachedObject, prepare
from control_plane.storage.errors import RevisionMismatch
from control_plane.storage.etcd import EtcdStore
from control_plane.storage.keys import object_key
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.errors import ApiError, modified, not_found

_ATTEMPTS: Final = 30     # each lost race means that another write went through

T = TypeVar("T")


class CompareAndSwap:
    def __init__(self, store: EtcdStore, cache: WatchCache) -> None:
        self._store = store
        self._cache = cache

    async def stored(self, call: Call) -> CachedObject | None:
        """What etcd itself holds."""
        found = await self._store.get(object_key(call.resource, call.key))
        return None if found is None else CachedObject.from_stored(call.resource, found, call.key)

    async def change(self, call: Call, attempt: Callable[[CachedObject], Awaitable[T]]) -> T:
        """Runs `attempt` until its transaction goes through. Raises NotFound, Conflict, and whatever the attempt raises."""
        item, from_etcd = self._cache.get(call.resource, call.key), False
        if item is None:
            item, from_etcd = await self._stored_or_not_found(call), True
        for _ in range(_ATTEMPTS):
            try:
                await prepare(call.resource, [item])
                return await attempt(item)
            except RevisionMismatch as lost:
                if lost.current is None:
                    raise not_found(call.group_resource, call.name) from lost
                item, from_etcd = CachedObject.from_stored(call.resource, lost.current, call.key), True
            except ApiError:
                if from_etcd:
                    raise
                newest = await self._stored_or_not_found(call)
                if newest.revision == item.revision:
                    raise
                item, from_etcd = newest, True
        raise modified(call.group_resource, call.name)

    async def _stored_or_not_found(self, call: Call) -> CachedObject:
        item = await self.stored(call)
        if item is None:
            raise not_found(call.group_resource, call.name)
        return item
