"""Writes wait for a cache that is far behind them."""

from __future__ import annotations

import asyncio

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
