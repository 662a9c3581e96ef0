"""A watcher's place in the stream: what happened, in order, in a queue that cannot grow without bound.

The cache puts all events of an etcd revision into the queues in one go, without yielding to the event loop. A reader that takes
what is there therefore always takes whole revisions.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Literal, NamedTuple

from control_plane.storage.cached_object import CachedObject

EventType = Literal["ADDED", "MODIFIED", "DELETED"]


class CacheEvent(NamedTuple):
    type: EventType
    object: CachedObject              # of a deletion: the last state, at the deletion's revision
    previous: CachedObject | None
    revision: int


class Subscription:
    """Iterate over events, or take what is there at once with `next_batch`. Close it, or use it as a context manager.

    `initial`: with `since=None` the objects as they are when the subscription begins, else empty.
    Ends (stops iterating) when it is closed, or `dropped` because it was too slow or the cache had to start over:
    the client then watches again from the last revision it saw.
    """

    def __init__(
        self, start_revision: int, initial: list[CachedObject], history: list[CacheEvent], *, namespace: str, limit: int,
        head: Callable[[], int], on_close: Callable[[Subscription], None],
    ) -> None:
        self.initial = initial
        self.start_revision = start_revision
        self.dropped = False
        self._prefix = f"{namespace}/" if namespace else ""
        self._head = head
        self._on_close = on_close
        self._closed = False
        self._queue: deque[CacheEvent] = deque()
        self._wake: asyncio.Future[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_rang = False
        self._taken_revision = start_revision
        self._queue.extend(event for event in history if event.object.key.startswith(self._prefix))
        self._limit = len(self._queue) + limit      # history is bounded already; the limit is for what follows it

    @property
    def progress_revision(self) -> int:
        """All events up to here have been taken: the resourceVersion of a bookmark."""
        if self._closed:
            return self._taken_revision
        if self._queue:
            return max(self._taken_revision, min(self._queue[0].revision - 1, self._head()))
        return max(self._taken_revision, self._head())

    def offer(self, event: CacheEvent) -> None:
        """For the cache, which then rings its bell. Drops the whole subscription when its reader is too slow."""
        if event.revision <= self.start_revision or self._closed:
            return
        if not event.object.key.startswith(self._prefix):
            return
        if len(self._queue) >= self._limit:
            self.drop()
            return
        self._queue.append(event)

    def wake(self) -> None:
        """For the bell."""
        if self._queue:
            self._notify()

    def drop(self) -> None:
        """Ends it at once: what is still queued would be delivered to a client that is behind for good."""
        self.dropped = True
        self.close()

    def close(self) -> None:
        if not self._closed:
            self._taken_revision = self.progress_revision
            self._closed = True
            self._queue.clear()
            if self._alarm is not None:
                self._alarm.cancel()
            self._on_close(self)
            self._notify()

    async def next_batch(self, until: float | None = None) -> list[CacheEvent]:
        """Waits for events; whole revisions, empty only when the subscription has ended.

        Raises TimeoutError when there is none at the event loop's time `until`. One alarm serves all calls with the same `until`.
        """
        while not self._queue and not self._closed:
            loop = asyncio.get_running_loop()
            if until is not None:
                if loop.time() >= until:
                    raise TimeoutError
                self._set_alarm(loop, until)
            self._wake = loop.create_future()
            await self._wake
        batch = list(self._queue)
        self._queue.clear()
        if batch:
            self._taken_revision = batch[-1].revision
        return batch

    async def __aiter__(self) -> AsyncIterator[CacheEvent]:
        while batch := await self.next_batch():
            for event in batch:
                yield event

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _set_alarm(self, loop: asyncio.AbstractEventLoop, until: float) -> None:
        if self._alarm is not None:
            if self._alarm.when() == until and not self._alarm_rang:
                return
            self._alarm.cancel()
        self._alarm_rang = False
        self._alarm = loop.call_at(until, self._ring_alarm)

    def _ring_alarm(self) -> None:
        self._alarm_rang = True
        self._notify()

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
