"""One resource in memory: its objects, sorted; its latest events, to resume from; who is watching, who keeps an index."""

from __future__ import annotations

import time
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from control_plane.storage.bell import Bell
from control_plane.storage.cached_object import CachedObject
from control_plane.storage.etcd_watch import StoreEvent
from control_plane.storage.field_index import FieldIndex, ValueOf
from control_plane.storage.subscription import CacheEvent, Subscription
from kube.apimachinery.errors import Expired
from kube.apimachinery.scheme import ResourceType
from kube.process.log import get_logger

log = get_logger("watch-cache")
OnEvent = Callable[[CacheEvent], None]
OnReset = Callable[[Iterable[CachedObject]], None]


FRESH_S: Final = 75.0       # upstream's eventFreshDuration: a bookmark a minute lets every watcher resume within it
KEPT_EVENTS: Final = 100    # whatever their age


class ResourceCache:
    """`events` bounds the ring; of a large one, what is no longer fresh is forgotten too: each event holds an object or two."""

    def __init__(
        self, resource: ResourceType, *, events: int, queue_limit: int, now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.resource = resource
        self._now = now
        self._times: deque[float] = deque()      # when each event of the ring came
        self.objects: dict[str, CachedObject] = {}
        self._sorted: list[str] = []
        self._ring: deque[CacheEvent] = deque()
        self._ring_size = events
        self._floor = 0                     # events at and before this revision are not in the ring
        self._queue_limit = queue_limit
        self._subscriptions: set[Subscription] = set()
        self._indexes: dict[str, FieldIndex] = {}
        self._bell = Bell(lambda: self._subscriptions)
        self._observers: list[tuple[OnEvent, OnReset]] = []

    def observe(self, on_event: OnEvent, on_reset: OnReset) -> None:
        self._observers.append((on_event, on_reset))
        on_reset(self.objects.values())

    def reset(self, objects: dict[str, CachedObject], revision: int) -> None:
        """Starts over with what a range at `revision` found. Watchers are dropped: what they missed is not known."""
        self.objects = objects
        self._sorted = sorted(objects)
        self._indexes.clear()
        self._ring.clear()
        self._times.clear()
        self._floor = revision
        for subscription in list(self._subscriptions):
            subscription.drop()
        for _, on_reset in self._observers:
            self._begin_anew(on_reset)

    def _begin_anew(self, on_reset: OnReset) -> None:
        try:
            on_reset(self.objects.values())
        except Exception:
            log.exception("an index could not take all objects", resource=str(self.resource.group_resource))

    def serve_as(self, resource: ResourceType) -> None:
        """Goes on with what another row says of the same objects (a changed schema). Watchers are dropped: they saw them otherwise."""
        self.resource = resource
        self.reset({key: held.served_as(resource) for key, held in self.objects.items()}, self._newest())

    def close(self) -> None:
        """The resource is gone, and with it everybody who watches."""
        for subscription in list(self._subscriptions):
            subscription.close()

    def _newest(self) -> int:
        return self._ring[-1].revision if self._ring else self._floor

    def apply(self, change: StoreEvent, key: str) -> None:
        event = self._changed(change, key)
        if event is None:
            return
        if len(self._ring) >= self._ring_size:
            self._forget_oldest()
        self._ring.append(event)
        self._times.append(self._now())
        for on_event, on_reset in self._observers:
            try:
                on_event(event)
            except Exception:      # something wrote to etcd what no client could; one index must not take the server down for it
                log.exception("an index could not take an event, beginning anew", resource=str(self.resource.group_resource), key=key)
                self._begin_anew(on_reset)
        for subscription in tuple(self._subscriptions):
            subscription.offer(event)
        if self._subscriptions:
            self._bell.ring()

    def forget_stale(self) -> None:
        """From time to time."""
        stale = self._now() - FRESH_S
        while len(self._ring) > KEPT_EVENTS and self._times[0] < stale:
            self._forget_oldest()

    def sorted_objects(self, namespace: str) -> list[CachedObject]:
        keys = self._sorted
        if namespace:
            first = bisect_left(keys, f"{namespace}/")
            keys = keys[first:bisect_left(keys, f"{namespace}0", first)]      # "0" follows "/"
        objects = self.objects
        return [objects[key] for key in keys]

    def has_index(self, field: str) -> bool:
        return field in self._indexes

    def objects_with(self, field: str, value: str, value_of: ValueOf, namespace: str) -> list[CachedObject]:
        """As `sorted_objects`, of those with that value; the first question about a field makes an index."""
        index = self._indexes.get(field)
        if index is None:
            index = self._indexes[field] = FieldIndex(value_of, self.objects.values())
        prefix = f"{namespace}/" if namespace else ""
        return [self.objects[key] for key in index.keys(value) if key.startswith(prefix)]

    def subscribe(self, since: int | None, namespace: str, head: Callable[[], int]) -> Subscription:
        if since is not None and since < self._floor:
            raise Expired(f"too old resource version: {since} ({self._floor})")
        start = head() if since is None else since
        subscription = Subscription(
            start, self.sorted_objects(namespace) if since is None else [], self._since(start),
            namespace=namespace, limit=self._queue_limit, head=head, on_close=self._subscriptions.discard,
        )
        self._subscriptions.add(subscription)
        return subscription

    def _since(self, revision: int) -> list[CacheEvent]:
        found: list[CacheEvent] = []
        for event in reversed(self._ring):
            if event.revision <= revision:
                break
            found.append(event)
        found.reverse()
        return found

    def _changed(self, change: StoreEvent, key: str) -> CacheEvent | None:
        previous = self.objects.get(key)
        if change.value is not None:
            held = CachedObject(self.resource, key, change.value, change.revision)
            self.objects[key] = held
            for index in self._indexes.values():
                index.change(previous, held)
            if previous is None:
                insort(self._sorted, key)
            return CacheEvent("ADDED" if previous is None else "MODIFIED", held, previous, change.revision)
        if previous is None:
            return None
        del self.objects[key]
        for index in self._indexes.values():
            index.change(previous, None)
        del self._sorted[bisect_left(self._sorted, key)]
        return CacheEvent("DELETED", previous.at_revision(change.revision), previous, change.revision)

    def _forget_oldest(self) -> None:
        # Events of one revision go together, so that no watch resumes in the middle of one.
        self._floor = self._ring[0].revision
        while self._ring and self._ring[0].revision == self._floor:
            self._ring.popleft()
            self._times.popleft()
