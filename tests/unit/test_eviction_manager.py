"""The loop of eviction: what is done when, to whom, and what is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from kube.api.core_v1 import Pod, PodCondition, PodStatus
from kube.process.clock import SystemClock
from node_agent.kubelet.eviction import thresholds as names
from node_agent.kubelet.eviction.manager import EvictionManager, EvictionSettings
from node_agent.kubelet.eviction.pressure import NodePressure
from node_agent.kubelet.eviction.reclaim import remove_dead_containers
from node_agent.kubelet.eviction.thresholds import Amount, Threshold
from node_agent.kubelet.eviction.watcher import Watcher
from node_agent.kubelet.pod_state import PodState
from node_agent.kubelet.pod_workers import PodWorkers
from node_agent.kubelet.seams import PodRuntime
from node_agent.kubelet.stats.cgroup_usage import UnifiedReader
from node_agent.kubelet.stats.collector import StatsCollector
from node_agent.kubelet.stats.disk_usage import DiskUsages
from node_agent.kubelet.stats.sources import NodeSource, PodSource
from tests.support.pods import pod, record

MIB = 1 << 20


@dataclass
class Node:
    """A node of 100 MiB memory and 1 MiB disk, whose control groups are files."""

    folder: Path
    pods: dict[str, Pod] = field(default_factory=dict)
    evicted: dict[str, tuple[str, float, PodCondition | None]] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    reclaimed: list[str] = field(default_factory=list)
    reclaims: Callable[[], None] = lambda: None

    def use(self, group: str, memory_bytes: int) -> None:
        place = self.folder / "cgroup" / group
        place.mkdir(parents=True, exist_ok=True)
        (place / "cpu.stat").write_text("usage_usec 1\n")
        (place / "memory.current").write_text(str(memory_bytes))

    def add(self, name: str, memory_bytes: int = 0, **spec: Any) -> None:
        made = pod(**spec)
        self.pods[name] = msgspec.structs.replace(made, metadata=msgspec.structs.replace(made.metadata, name=name, uid=name))
        self.use(f"node/{name}", memory_bytes)

    def manager(self, *thresholds: Threshold) -> EvictionManager:
        root = self.folder / "root"
        root.mkdir(exist_ok=True)
        source = NodeSource("node1", "/node", "", 100 * MIB, "1", str(root), str(root), MIB, own_memory=True)
        stats = StatsCollector(source, self._sources, UnifiedReader(self.folder / "cgroup"), DiskUsages())
        workers = SimpleNamespace(states=lambda: [PodState(each) for each in self.pods.values()], evict=self._evict, is_down=lambda _: True)
        events = SimpleNamespace(event=lambda about, kind, reason, message: self.told.append(f"{kind} {reason}: {message}"))
        self.pressure = NodePressure()
        return EvictionManager(
            EvictionSettings(node_name="node1", period_s=1.0, max_grace_s=20.0), Watcher(thresholds, 300.0), stats,
            cast(PodWorkers, workers), self.pressure, events=cast(Any, events), clock=SystemClock(), reclaim=(self._reclaim,),
            tell_node=lambda: self.told.append("node"),
        )

    def fill(self, size: int) -> None:
        (self.folder / "root/file").write_bytes(b"x" * size)

    def _sources(self) -> list[PodSource]:
        return [PodSource(each, f"/node/{name}", 0.0, (), {}, "", "", str(self.folder / name)) for name, each in self.pods.items()]

    def _evict(self, uid: str, reason: str, message: str, grace_s: float, condition: PodCondition | None) -> None:
        self.evicted[uid] = message, grace_s, condition

    async def _reclaim(self) -> None:
        self.reclaimed.append("dead containers")
        self.reclaims()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    made = Node(tmp_path)
    made.use("node", 10 * MIB)
    return made


HARD = Threshold(names.MEMORY, Amount(20 * MIB))


async def test_nothing_is_done_while_there_is_enough(node: Node) -> None:
    node.add("a", 5 * MIB)
    manager = node.manager(HARD)

    assert await manager.step() == []
    assert (node.evicted, node.told, node.pressure.conditions) == ({}, [], frozenset())


async def test_one_pod_at_a_time_the_greediest_first(node: Node) -> None:
    node.use("node", 95 * MIB)
    node.add("small", 5 * MIB)
    node.add("big", 60 * MIB)
    manager = node.manager(HARD)

    assert await manager.step() == ["big"]

    message, grace_s, condition = node.evicted["big"]
    assert message == "The node was low on resource: memory. Threshold quantity: 20Mi, available: 5Mi. "
    assert grace_s == 1.0
    assert condition is not None
    assert (condition.type, condition.reason, condition.message) == ("DisruptionTarget", "TerminationByKubelet", message)
    assert node.told == ["node", "Warning EvictionThresholdMet: Attempting to reclaim memory", f"Warning Evicted: {message}"]
    assert node.pressure.conditions == {"MemoryPressure"}
    assert node.pressure.evictions == {"memory.available": 1}


async def test_critical_pods_are_spared(node: Node) -> None:
    node.use("node", 95 * MIB)
    node.add("critical", 60 * MIB, priority=2_000_000_000)
    node.add("small", 5 * MIB)

    assert await node.manager(HARD).step() == ["small"]


async def test_a_soft_threshold_leaves_time(node: Node) -> None:
    node.use("node", 95 * MIB)
    node.add("slow", 60 * MIB, termination_grace_period_seconds=15)
    manager = node.manager(Threshold(names.MEMORY, Amount(20 * MIB), grace_s=0.05))

    assert await manager.step() == []
    await asyncio.sleep(0.06)
    assert await manager.step() == ["slow"]
    assert node.evicted["slow"][1] == 15.0


async def test_of_disk_what_nobody_uses_goes_first(node: Node) -> None:
    node.add("writer")
    manager = node.manager(Threshold(names.NODE_FS, Amount(share=0.5)))
    node.fill(700_000)
    node.reclaims = lambda: node.fill(10)

    assert await manager.step() == []

    assert node.reclaimed == ["dead containers"]
    assert node.evicted == {}
    assert node.pressure.conditions == {"DiskPressure"}


async def test_if_that_does_not_help_a_pod_goes(node: Node) -> None:
    node.add("writer")
    manager = node.manager(Threshold(names.NODE_FS, Amount(share=0.5)))
    node.fill(700_000)

    assert await manager.step() == ["writer"]
    assert node.evicted["writer"][0].startswith("The node was low on resource: ephemeral-storage. Threshold quantity: 512Ki, available: ")


async def test_dead_containers_are_those_nobody_asks_for_again() -> None:
    removed: list[str] = []
    records = [record(attempt=0, state="exited"), record(attempt=1, state="exited"), record(attempt=2)]

    async def remove(container_id: str) -> None:
        removed.append(container_id)

    runtime = cast(PodRuntime, SimpleNamespace(containers=lambda _: records, remove_container=remove))
    running = PodState(pod())
    await remove_dead_containers(runtime, [running])
    assert removed == ["main-0", "main-1"]

    removed.clear()
    records = records[:2]
    await remove_dead_containers(runtime, [PodState(pod(status=PodStatus(phase="Failed")))])
    assert removed == ["main-0", "main-1"]
