"""What goes on beside the requests outlives an etcd that does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, cast

import pytest

from control_plane.apiserver.aggregation import registration
from control_plane.apiserver.aggregation.registration import LocalServices
from control_plane.apiserver.allocation.cluster_ips import ClusterIps
from control_plane.apiserver.allocation.node_ports import NodePorts
from control_plane.apiserver.allocation.repair import Repair
from control_plane.apiserver.registry.deleter import Deleter
from control_plane.apiserver.registry.writer import Writer
from control_plane.storage.errors import StoreUnavailable
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.errors import ServiceUnavailable
from kube.apimachinery.resources import SCHEME
from kube.process.clock import Clock
from tests.support.etcd import eventually


class Away:
    """A store and cache that answer nothing."""

    def __init__(self) -> None:
        self.asked = 0

    async def fresh(self) -> int:
        self.asked += 1
        raise ServiceUnavailable("etcd is away")

    async def owners(self) -> dict[int, object]:
        self.asked += 1
        raise StoreUnavailable("etcd is away")

    async def create(self, *_: object) -> None:
        raise StoreUnavailable("etcd is away")

    def list(self, *_: object) -> tuple[list[object], int]:
        return [], 1


class Impatient:
    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


async def tries_again(work: Coroutine[Any, Any, None], away: Away) -> None:
    running = asyncio.create_task(work)
    try:
        await eventually(lambda: running.done() or away.asked > 2)
        assert not running.done(), running.exception()
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_the_registration_of_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "RETRY_S", 0.0)
    away = Away()

    await tries_again(LocalServices(cast(WatchCache, away), SCHEME, cast(Writer, away), cast(Deleter, away)).run(), away)


async def test_the_repair_of_allocations() -> None:
    away = Away()

    await tries_again(Repair(cast(WatchCache, away), cast(ClusterIps, away), cast(NodePorts, away), cast(Clock, Impatient())).run(), away)
