"""A store in memory behind a real watch cache, for rules that read objects and do not care where they are kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from control_plane.storage.cached_object import encode_value
from control_plane.storage.errors import StoredValue
from control_plane.storage.etcd import RangeResult
from control_plane.storage.etcd_watch import StoreEvent, WatchBatch
from control_plane.storage.keys import object_key
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupVersionKind, ResourceType


def resource_of(obj: JsonObject) -> ResourceType:
    found = SCHEME.for_kind(GroupVersionKind.of(obj["apiVersion"], obj["kind"]))
    assert found is not None
    return found


class MemoryStore:
    def __init__(self) -> None:
        self._values: dict[str, StoredValue] = {}
        self._events: list[StoreEvent] = []
        self._changed = asyncio.Condition()
        self._revision = 1

    async def put(self, *objects: JsonObject) -> None:
        for obj in objects:
            resource = resource_of(obj)
            await self._write(object_key(resource, NamespacedName.of(obj)), encode_value(resource, obj))

    async def remove(self, obj: JsonObject) -> None:
        await self._write(object_key(resource_of(obj), NamespacedName.of(obj)), None)

    async def range(self, prefix: str, *, revision: int = 0, limit: int = 0, start_after: str = "") -> RangeResult:
        items = [self._values[key] for key in sorted(self._values) if key.startswith(prefix) and key > start_after]
        return RangeResult(items, self._revision, False, len(items))

    async def watch(self, prefix: str, *, start_revision: int) -> AsyncIterator[WatchBatch]:
        told = 0
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: len(self._events) > told)      # noqa: B023
            event = self._events[told]
            told += 1
            if event.revision >= start_revision:
                yield WatchBatch([event], event.revision)

    async def current_revision(self) -> int:
        return self._revision

    async def _write(self, key: str, value: bytes | None) -> None:
        self._revision += 1
        created = key not in self._values
        if value is None:
            del self._values[key]
        else:
            self._values[key] = StoredValue(key, value, self._revision)
        async with self._changed:
            self._events.append(StoreEvent(key, value, self._revision, created))
            self._changed.notify_all()


@asynccontextmanager
async def memory_cache(*objects: JsonObject) -> AsyncIterator[tuple[MemoryStore, WatchCache]]:
    store = MemoryStore()
    await store.put(*objects)
    cache = WatchCache(store, SCHEME)
    running = asyncio.create_task(cache.run())
    try:
        await cache.wait_ready()
        yield store, cache
    finally:
        running.cancel()
        await asyncio.wait([running])
