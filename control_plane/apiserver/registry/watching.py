"""watch: from the cache's subscription to the events one watcher is told.

A selector sees objects come and go that were never created or deleted: one that begins to match is ADDED, one that
ceases to match is DELETED (told in its last matching state, at the new resourceVersion). Events come in batches, as the
subscription has them, so that a door writes what is there in one go.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final, Literal

from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.options import ListOptions, parse_resource_version
from control_plane.apiserver.registry.reader import Predicate, predicate
from control_plane.storage.cached_object import CachedObject, prepare
from control_plane.storage.subscription import CacheEvent, Subscription
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.errors import ApiError, InternalError
from kube.apimachinery.meta import JsonObject

WatchEventType = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]
_SHARED: Final = 4      # batches; watchers that are woken together take the same one
INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"


@dataclass(frozen=True, slots=True)
class Watched:
    """One event for one watcher. A BOOKMARK or ERROR has `body` (the object, or a Status) instead of `item`."""

    type: WatchEventType
    item: CachedObject | None = None
    body: JsonObject | None = None


def translate(event: CacheEvent, chosen: Predicate | None) -> Watched | None:
    """What a watcher with this selector is told of a change; None when it does not concern it."""
    if chosen is None:
        return Watched(event.type, event.object)
    matched = event.previous is not None and chosen(event.previous)
    if event.type == "DELETED":
        return Watched("DELETED", event.object) if matched or chosen(event.object) else None
    if chosen(event.object):
        return Watched("MODIFIED" if matched else "ADDED", event.object)
    if matched:
        assert event.previous is not None
        return Watched("DELETED", event.previous.at_revision(event.revision))
    return None


class SharedBatch(list[Watched]):
    """The same list for several watchers."""


class SharedBatches:
    """What watchers without a selector are told: one list for all that take the same events, so that doors may encode it once."""

    def __init__(self) -> None:
        self._latest: dict[tuple[int, int, int], tuple[list[CacheEvent], SharedBatch]] = {}

    def told(self, events: list[CacheEvent]) -> SharedBatch:
        # Each watcher's events are all of a resource (or namespace) in a stretch, so its ends and its length tell which. The ids cannot
        # be another's, since what is kept keeps the events alive.
        key = id(events[0]), id(events[-1]), len(events)
        found = self._latest.get(key)
        if found is None:
            if len(self._latest) >= _SHARED:
                self._latest.pop(next(iter(self._latest)))
            found = self._latest[key] = events, SharedBatch(Watched(event.type, event.object) for event in events)
        return found[1]


class Watcher:
    """One open watch: iterate over `batches`, then `close`."""

    def __init__(
        self, call: Call, subscription: Subscription, chosen: Predicate | None, options: ListOptions, *,
        timeout_s: float, bookmark_interval_s: float, on_close: Callable[[Subscription], None], shared: SharedBatches,
    ) -> None:
        self._call = call
        self._subscription = subscription
        self._chosen = chosen
        self._options = options
        self._deadline_s = timeout_s
        self._on_close = on_close
        self._shared = shared
        self._bookmark_interval_s = bookmark_interval_s

    def close(self) -> None:
        self._subscription.close()
        self._on_close(self._subscription)

    async def batches(self) -> AsyncIterator[list[Watched]]:
        try:
            async for batch in self._batches():
                yield batch
        except InternalError as error:      # a conversion that failed
            yield [error_event(error)]

    async def _batches(self) -> AsyncIterator[list[Watched]]:
        resource = self._call.resource
        await prepare(resource, self._subscription.initial)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._deadline_s
        if initial := self._initial():
            yield initial
        next_bookmark = loop.time() + self._bookmark_interval_s
        while loop.time() < deadline:
            try:
                events = await self._subscription.next_batch(min(deadline, next_bookmark) if self._options.allow_bookmarks else deadline)
            except TimeoutError:
                if self._options.allow_bookmarks:
                    next_bookmark = loop.time() + self._bookmark_interval_s
                    yield [self._bookmark()]
                continue
            if not events:
                return
            if resource.custom is not None:
                await prepare(resource, [held for event in events for held in (event.object, event.previous) if held is not None])
            if self._chosen is None:
                yield self._shared.told(events)
            elif batch := [told for event in events if (told := translate(event, self._chosen))]:
                yield batch

    def _initial(self) -> list[Watched]:
        batch = [
            Watched("ADDED", item) for item in self._subscription.initial if self._chosen is None or self._chosen(item)
        ]
        if self._options.send_initial_events and self._options.allow_bookmarks:
            batch.append(self._bookmark({INITIAL_EVENTS_END: "true"}))
        return batch

    def _bookmark(self, annotations: dict[str, str] | None = None) -> Watched:
        metadata: JsonObject = {"resourceVersion": str(self._subscription.progress_revision)}
        if annotations:
            metadata["annotations"] = annotations
        resource = self._call.resource
        return Watched("BOOKMARK", body={"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata})


class Watching:
    """Opens watches."""

    def __init__(self, cache: WatchCache, *, min_timeout_s: float, bookmark_interval_s: float) -> None:
        self._cache = cache
        self._min_timeout_s = min_timeout_s
        self._bookmark_interval_s = bookmark_interval_s
        self._open: set[Subscription] = set()
        self._shared = SharedBatches()

    def close_all(self) -> None:
        """The apiserver ends: every watch ends in an orderly way, and its client watches again elsewhere."""
        for subscription in list(self._open):
            subscription.close()

    async def open(self, call: Call, options: ListOptions) -> Watcher:
        """Raises BadRequest for what cannot be asked; `Expired` is for the caller to tell as an ERROR event."""
        chosen = predicate(call.resource, options)
        wanted = parse_resource_version(options.resource_version)
        since: int | None = wanted or None
        if options.send_initial_events:
            since = None
            if options.resource_version != "0":
                await (self._cache.wait_for(wanted) if wanted else self._cache.fresh())
        elif options.send_initial_events is False and not wanted:
            since = await self._cache.fresh()
        elif options.resource_version == "":
            await self._cache.fresh()
        subscription = self._cache.subscribe(call.resource, since=since, namespace=call.namespace)
        self._open.add(subscription)
        # Spread over time, so that the watches of a restarted apiserver do not all end at once.
        timeout_s = options.timeout_s or self._min_timeout_s * (1.0 + random.random())
        return Watcher(
            call, subscription, chosen, options, timeout_s=timeout_s, bookmark_interval_s=self._bookmark_interval_s,
            on_close=self._open.discard, shared=self._shared,
        )


def error_event(error: ApiError) -> Watched:
    return Watched("ERROR", body=error.to_status())
