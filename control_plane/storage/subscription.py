"""A watcher's place in the stream: what happened, in order, in a queue that cannot grow without bound."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal, NamedTuple

from control_plane.storage.cached_object import CachedObject

EventType = Literal["ADDED", "MODIFIED", "DELETED"]


class CacheEvent(NamedTuple):
    type: EventType
    object: CachedObject              # of a deletion: the last state, at the deletion's revision
    previous: CachedObject | None
    revision: int


class Subscription:
    """Iterate over events, or take what is there at once with `next_batch`.

    `initial`: with `since=None` the objects as they are when the subscription begins, else empty.
    Ends (stops iterating) when it is closed, or `dropped` because it was too slow or the cache had to start over:
    the client then watches again from the last revision it saw.
    """

    initial: list[CachedObject]
    start_revision: int
    dropped: bool

    @property
    def progress_revision(self) -> int:
        """All events up to here have been taken: the resourceVersion of a bookmark."""
        raise NotImplementedError

    async def next_batch(self) -> list[CacheEvent]:
        """Waits for events; whole revisions, never empty unless the subscription has ended."""
        raise NotImplementedError

    def __aiter__(self) -> AsyncIterator[CacheEvent]:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError
