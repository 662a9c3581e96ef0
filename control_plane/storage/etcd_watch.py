"""One watch on etcd that outlives its connections: from a revision on, every event once, in order.

etcd sends the events of a revision in one response, unless that response is cut into fragments; fragments are joined before
anything is handed on. So the last revision handed on is complete, and after a broken connection the watch resumes at the next.
No use is made of progress notifications: etcd before 3.4.25 and 3.5.8 may send one ahead of the events it vouches for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from aetcd import rpc

from control_plane.storage.connection import FIRST_BACKOFF_S, LAST_BACKOFF_S, Connection, translating
from control_plane.storage.errors import Compacted, StoreUnavailable
from kube.process.log import get_logger

log = get_logger("etcd-watch")


class StoreEvent(NamedTuple):
    key: str
    value: bytes | None    # None: deleted
    revision: int
    created: bool


class WatchBatch(NamedTuple):
    """Events of whole revisions, in order; all up to `revision` have been told once this batch is taken."""

    events: list[StoreEvent]
    revision: int


async def watch_forever(connection: Connection, key: bytes, range_end: bytes, start_revision: int) -> AsyncIterator[WatchBatch]:
    """Raises Compacted when events between have been compacted away."""
    next_revision = start_revision
    backoff_s = FIRST_BACKOFF_S
    while True:
        endpoint = connection.endpoint
        request = rpc.WatchRequest(
            create_request=rpc.WatchCreateRequest(key=key, range_end=range_end, start_revision=next_revision, fragment=True)
        )
        # A member that lost its leader ends the watch, instead of keeping silent while the others go on.
        call = endpoint.watch.Watch(timeout=None, metadata=(("hasleader", "true"),))
        try:
            with translating("watch"):
                await call.write(request)
                async for batch in _batches(call):
                    next_revision = batch.revision + 1
                    backoff_s = FIRST_BACKOFF_S
                    yield batch
            raise StoreUnavailable("watch: ended by etcd")
        except StoreUnavailable as error:
            log.info("watch broken, resuming", endpoint=endpoint.target, revision=next_revision, error=str(error))
            connection.give_up_on(endpoint)
        finally:
            call.cancel()
        await asyncio.sleep(backoff_s)
        backoff_s = min(backoff_s * 2, LAST_BACKOFF_S)


async def _batches(call: Any) -> AsyncIterator[WatchBatch]:
    events: list[StoreEvent] = []
    async for response in call:
        if response.compact_revision:
            raise Compacted(response.compact_revision)
        if response.canceled:
            raise StoreUnavailable(f"watch: cancelled by etcd: {response.cancel_reason}")
        events.extend(map(_event, response.events))
        if events and not response.fragment:
            yield WatchBatch(events, events[-1].revision)
            events = []


def _event(event: Any) -> StoreEvent:
    kv = event.kv
    deleted = event.type == rpc.Event.DELETE
    return StoreEvent(
        kv.key.decode(), None if deleted else kv.value, kv.mod_revision, not deleted and kv.create_revision == kv.mod_revision
    )
