"""Everything under /registry/ in memory, kept by one etcd watch.

    etcd watch -> batch of whole revisions -> ResourceCache (objects, ring) -> observers, then subscriptions
                                           -> revision moves on              -> whoever waits for it

The watch covers all of etcd, not /registry/ alone: then every revision has an event, and the cache knows that it has reached
revision N when it has seen the event of N. It needs no progress notifications for that (see etcd_watch.py).

Reading is linearizable through `fresh()`: ask etcd for its current revision, wait until the cache shows it.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections.abc import AsyncIterator
from typing import Final, NamedTuple, Protocol

from control_plane.storage.cached_object import CachedObject, forget_decoded
from control_plane.storage.errors import Compacted, StorageError, StoreUnavailable
from control_plane.storage.etcd import RangeResult
from control_plane.storage.etcd_watch import StoreEvent, WatchBatch
from control_plane.storage.field_index import ValueOf
from control_plane.storage.freshness import SharedQuestion
from control_plane.storage.keys import REGISTRY, KeyTable, resource_prefix
from control_plane.storage.resource_cache import OnEvent, OnReset, ResourceCache
from control_plane.storage.subscription import Subscription
from kube.apimachinery.errors import Cause, NotFound, ServiceUnavailable, Timeout
from kube.apimachinery.meta import NamespacedName
from kube.apimachinery.scheme import GroupResource, ResourceType, Scheme
from kube.process.log import get_logger

log = get_logger("watch-cache")

FRESH_TIMEOUT_S: Final = 3.0        # upstream's blockTimeout
FAR_BEHIND: Final = 64              # revisions
PAGE: Final = 5000                  # keys per range while loading
SWEEP_S: Final = 15.0
RETRY_S: Final = 0.5


def too_large_resource_version(wanted: int, held: int) -> Timeout:
    return Timeout(
        f"Timeout: Too large resource version: {wanted}, current: {held}",
        causes=[Cause("ResourceVersionTooLarge", "", "Too large resource version")], retry_after_s=1,
    )


class WatchedStore(Protocol):
    """What the cache needs of a store; EtcdStore has it."""

    async def range(self, prefix: str, *, revision: int = 0, limit: int = 0, start_after: str = "") -> RangeResult: ...

    def watch(self, prefix: str, *, start_revision: int) -> AsyncIterator[WatchBatch]: ...

    async def current_revision(self) -> int: ...


class _Joining(NamedTuple):
    """A resource whose objects are being read; what happens to them meanwhile."""

    cache: ResourceCache
    events: list[tuple[StoreEvent, str]]


class WatchCache:
    """Everything under /registry/, in memory, as of `revision`.

    `events_per_resource` bounds how far back a watch may resume; `queue_limit` how far a watcher may fall behind.
    """

    def __init__(self, store: WatchedStore, scheme: Scheme, *, events_per_resource: int = 1000, queue_limit: int = 10_000) -> None:
        self._store = store
        self._resources: dict[GroupResource, ResourceCache] = {}
        self._joining: dict[GroupResource, _Joining] = {}
        self._keys = KeyTable(())
        self._events_per_resource = events_per_resource
        self._queue_limit = queue_limit
        self._revision = 0
        self._ready = asyncio.Event()
        self._following: asyncio.Future[None] | None = None
        self._turned_back = False
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._tickets = 0
        self._question = SharedQuestion(store.current_revision)
        for row in scheme:
            self._add(row)

    async def run(self) -> None:
        """Loads, then follows, until cancelled. Starts over when etcd no longer has what was missed."""
        while True:
            try:
                await self._load()
                self._following = asyncio.ensure_future(self._follow())
                await self._following
            except Compacted:
                log.info("watch too old for etcd, loading again", revision=self._revision)
            except StorageError as error:
                log.warning("cannot load from etcd, trying again", error=str(error))
                await asyncio.sleep(RETRY_S)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                # Only the following was cancelled, by _start_over.

    @property
    def ready(self) -> bool:
        return self._ready.is_set()

    @property
    def revision(self) -> int:
        return self._revision

    async def wait_ready(self) -> None:
        await self._ready.wait()

    async def fresh(self) -> int:
        """Returns once the cache shows every write acknowledged before the call. Raises errors.Timeout after 3 s."""
        held = self._revision
        try:
            current = await self._question.answer()
        except StoreUnavailable as error:
            raise ServiceUnavailable(str(error)) from error
        if current < held:
            # etcd went back in time (it was restored from a backup): nothing held here is worth anything.
            log.warning("etcd's revision went back, loading again", held=held, current=current)
            self._start_over()
            try:
                async with asyncio.timeout(FRESH_TIMEOUT_S):
                    await self._ready.wait()
            except TimeoutError:
                raise ServiceUnavailable("the watch cache is being loaded", retry_after_s=1) from None
            return self._revision
        await self.wait_for(current)
        return current

    async def wait_for(self, revision: int) -> None:
        """Returns once the cache shows `revision`. Raises errors.Timeout ("Too large resource version") after 3 s."""
        if self._revision >= revision:
            return
        seen = asyncio.get_running_loop().create_future()
        self._tickets += 1
        waiting = (revision, self._tickets, seen)
        heapq.heappush(self._waiting, waiting)
        try:
            async with asyncio.timeout(FRESH_TIMEOUT_S):
                await seen
        except TimeoutError:
            raise too_large_resource_version(revision, self._revision) from None
        finally:
            if seen.cancelled():
                with contextlib.suppress(ValueError):      # woken in the same moment
                    self._waiting.remove(waiting)          # or it would stay until that revision comes, which may be never
                    heapq.heapify(self._waiting)

    async def keep_up(self, newest: int) -> None:
        """Holds up writes while this cache is far behind them; see EtcdStore.pace_by.

        Under a load of writes the event loop has an event of the watch only every few rounds, and many writes in each. The cache would
        fall behind by seconds, and everybody who asks for the newest state would time out.
        """
        if self.ready and newest - self._revision > FAR_BEHIND:
            with contextlib.suppress(Timeout):
                await self.wait_for(newest - FAR_BEHIND // 2)

    async def add(self, resource: ResourceType) -> None:
        """Holds a resource that comes at run time; returns once its objects are there. Raises StorageError."""
        identity = resource.storage_identity
        if identity in self._resources:
            return
        joining = self._joining[identity] = _Joining(self._new_cache(resource), [])
        self._keys.add(resource)
        found: dict[str, CachedObject] = {}
        prefix, last, revision = resource_prefix(resource), "", 0
        while True:
            page = await self._store.range(prefix, revision=revision, limit=PAGE, start_after=last)
            revision = revision or page.revision
            for stored in page.items:
                key = stored.key.removeprefix(prefix)
                found[key] = CachedObject(resource, key, stored.value, stored.revision)
            if not page.more:
                break
            last = page.items[-1].key
        # What the range shows beyond what this cache has seen must not be seen twice.
        while self._joining.get(identity) is joining:
            try:
                await self.wait_for(revision)
                break
            except Timeout:
                continue
        if self._joining.get(identity) is joining:      # else everything was loaded anew meanwhile
            joining.cache.reset(found, revision)
            self._resources[identity] = self._joining.pop(identity).cache
            for change, key in joining.events:
                if change.revision > revision:
                    joining.cache.apply(change, key)

    def serve_as(self, resource: ResourceType) -> None:
        """A resource that is held is described by another row from now on."""
        self._keys.add(resource)
        held = self._resources.get(resource.storage_identity)
        if held is not None and held.resource is not resource:
            held.serve_as(resource)

    def describe(self, resource: ResourceType) -> None:
        """As `serve_as` where the objects look the same as before: nobody who watches need notice."""
        if held := self._resources.get(resource.storage_identity):
            held.resource = resource

    def remove(self, resource: ResourceType) -> None:
        """Forgets a resource; its watches end."""
        self._keys.remove(resource)
        self._joining.pop(resource.storage_identity, None)
        if held := self._resources.pop(resource.storage_identity, None):
            held.close()
        forget_decoded(resource.storage_identity)

    def get(self, resource: ResourceType, key: NamespacedName) -> CachedObject | None:
        return self._of(resource).objects.get(str(key))

    def has_index(self, resource: ResourceType, field: str) -> bool:
        return self._of(resource).has_index(field)

    def list_with(
        self, resource: ResourceType, field: str, value: str, value_of: ValueOf, namespace: str = ""
    ) -> tuple[list[CachedObject], int]:
        """As `list`, of the objects for which `value_of` gives `value`; `field` names what it looks at."""
        return self._of(resource).objects_with(field, value, value_of, namespace), self._revision

    def list(self, resource: ResourceType, namespace: str = "") -> tuple[list[CachedObject], int]:
        """Sorted by key, and the revision that the answer shows."""
        return self._of(resource).sorted_objects(namespace), self._revision

    def subscribe(self, resource: ResourceType, *, since: int | None, namespace: str = "") -> Subscription:
        """Events after revision `since`; None: the present objects (`initial`), then what follows. Raises errors.Expired."""
        return self._of(resource).subscribe(since, namespace, lambda: self._revision)

    def observe(self, resource: ResourceType, on_event: OnEvent, on_reset: OnReset) -> None:
        """Calls synchronously with each event, before any subscriber sees it; for indexes.

        `on_reset` gets all objects: now, and whenever the cache is loaded (again).
        """
        self._of(resource).observe(on_event, on_reset)

    def _add(self, row: ResourceType) -> None:
        self._keys.add(row)
        if row.storage_identity not in self._resources:
            self._resources[row.storage_identity] = self._new_cache(row)

    def _new_cache(self, row: ResourceType) -> ResourceCache:
        return ResourceCache(row, events=self._events_per_resource, queue_limit=self._queue_limit)

    def _of(self, resource: ResourceType) -> ResourceCache:
        held = self._resources.get(resource.storage_identity)
        if held is None:      # a custom kind that went while the request was on its way
            raise NotFound("the server could not find the requested resource")
        return held

    def _start_over(self) -> None:
        if self._following and not self._turned_back:
            self._turned_back = True
            self._ready.clear()
            self._following.cancel()

    async def _load(self) -> None:
        held = {**self._resources, **{identity: joining.cache for identity, joining in self._joining.items()}}
        found: dict[GroupResource, dict[str, CachedObject]] = {identity: {} for identity in held}
        last, revision = "", 0
        while True:
            # All pages show one revision, so that together they are a state that existed.
            page = await self._store.range(REGISTRY, revision=revision, limit=PAGE, start_after=last)
            revision = revision or page.revision
            for stored in page.items:
                if place := self._keys.split(stored.key):
                    identity, key = place
                    if identity in held:      # else it came while the pages were read, and loads itself
                        found[identity][key] = CachedObject(held[identity].resource, key, stored.value, stored.revision)
            if not page.more:
                break
            last = page.items[-1].key
        for identity, objects in found.items():
            if identity in self._joining:
                self._resources[identity] = self._joining.pop(identity).cache
            if identity in self._resources:
                held[identity].reset(objects, revision)
        self._revision = revision
        self._turned_back = False
        self._ready.set()
        self._wake()
        log.info("loaded", objects=sum(map(len, found.values())), revision=revision)

    async def _follow(self) -> None:
        sweeping = asyncio.create_task(self._sweep(), name="forget stale events")
        try:
            async for batch in self._store.watch("", start_revision=self._revision + 1):
                self._apply(batch)
        finally:
            sweeping.cancel()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            for resource in self._resources.values():
                resource.forget_stale()

    def _apply(self, batch: WatchBatch) -> None:
        for change in batch.events:
            if place := self._keys.split(change.key):
                if (held := self._resources.get(place[0])) is not None:
                    held.apply(change, place[1])
                elif (joining := self._joining.get(place[0])) is not None:
                    joining.events.append((change, place[1]))
        self._revision = batch.revision
        self._wake()

    def _wake(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._revision:
            _, _, seen = heapq.heappop(self._waiting)
            if not seen.done():
                seen.set_result(None)


