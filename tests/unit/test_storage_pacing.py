"""Writes wait for a cache that is far behind them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from control_plane.storage.connection import Connection
from control_plane.storage.etcd import EtcdStore
from control_plane.storage.etcd_watch import WatchBatch
from control_plane.storage.watch_cache import FAR_BEHIND, WatchCache
from kube.apimachinery.resources import SCHEME
from tests.support.etcd import eventually
from tests.support.memory_store import MemoryStore


async def test_a_write_waits_while_the_cache_is_far_behind() -> None:
    cache = WatchCache(MemoryStore(), SCHEME)
    running = asyncio.create_task(cache.run())
    try:
        await cache.wait_ready()
        held = cache.revision
        await cache.keep_up(held + FAR_BEHIND)

        waiting = asyncio.create_task(cache.keep_up(held + FAR_BEHIND + 1))
        await asyncio.sleep(0)
        assert not waiting.done()
        cache._apply(WatchBatch([], held + FAR_BEHIND))
        await eventually(waiting.done)
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_a_store_that_went_back_in_time_is_not_waited_for() -> None:
    """etcd was restored from a backup: what was written last is old from then on."""
    revisions, told = iter([9000, 120, 121]), []

    class Restored:
        async def attempt(self, *_: Any) -> Any:
            return SimpleNamespace(succeeded=True, header=SimpleNamespace(revision=next(revisions)))

    async def keep_up(newest: int) -> None:
        told.append(newest)

    store = EtcdStore(cast(Connection, Restored()))
    store.pace_by(keep_up)
    for _ in range(3):
        await store.create("/registry/x", b"{}")

    assert told == [0, 9000, 120]
