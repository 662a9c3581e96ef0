"""Collections of API objects in memory, behind the client's Transport: real informers run on it, without an apiserver.

Knows list and watch, which is all that an agent that only reads needs; selectors are not looked at.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from typing import Any, NoReturn

import msgspec

from kube.client.transport import EventType, ListQuery, Location, Page, RawEvent, WatchQuery


class Collections:
    def __init__(self) -> None:
        self._objects: dict[str, dict[tuple[str, str], Any]] = defaultdict(dict)
        self._watchers: dict[str, list[asyncio.Queue[RawEvent]]] = defaultdict(list)
        self._revision = 1

    def put(self, *objects: Any) -> None:
        """Creates or replaces, and tells the watchers."""
        for obj in objects:
            self._revision += 1
            metadata = msgspec.structs.replace(obj.metadata, resource_version=str(self._revision))
            key, held = (metadata.namespace, metadata.name), self._objects[obj.kind]
            kind = EventType.MODIFIED if key in held else EventType.ADDED
            held[key] = msgspec.structs.replace(obj, metadata=metadata)
            self._tell(kind, held[key])

    def remove(self, obj: Any) -> None:
        self._revision += 1
        self._tell(EventType.DELETED, self._objects[obj.kind].pop((obj.metadata.namespace, obj.metadata.name)))

    def _tell(self, kind: EventType, obj: Any) -> None:
        for queue in self._watchers[obj.kind]:
            queue.put_nowait(RawEvent(kind, msgspec.json.encode(obj)))

    async def list(self, at: Location, query: ListQuery) -> Page:
        items = [msgspec.json.encode(obj) for obj in self._objects[at.resource.kind].values()]
        return Page(items, str(self._revision), "")

    async def watch(self, at: Location, query: WatchQuery) -> AsyncGenerator[Sequence[RawEvent], None]:
        queue: asyncio.Queue[RawEvent] = asyncio.Queue()
        # Between a list and its watch nothing is awaited that could change a collection, but the list may be older than the watch.
        for obj in self._objects[at.resource.kind].values():
            if int(obj.metadata.resource_version) > int(query.resource_version):
                queue.put_nowait(RawEvent(EventType.MODIFIED, msgspec.json.encode(obj)))
        self._watchers[at.resource.kind].append(queue)
        try:
            while True:
                yield [await queue.get()]
        finally:
            self._watchers[at.resource.kind].remove(queue)

    async def close(self) -> None:
        """Nothing: several clients share the collections."""

    async def get(self, *_: Any) -> NoReturn:
        raise NotImplementedError("only list and watch")

    create = update = patch = delete = delete_collection = get
