"""Measures a node and its Pods, in a thread, when asked. Nothing runs in between."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from node_agent.kubelet.stats.cgroup_usage import CgroupUsage, UsageReader, cpu_time_ns, proportional_memory
from node_agent.kubelet.stats.disk_usage import DiskUsage, DiskUsages, Filesystem, filesystem
from node_agent.kubelet.stats.network_usage import InterfaceUsage, default_interface, read_interfaces
from node_agent.kubelet.stats.sources import ContainerSource, NodeSource, PodSource

FIRST_WINDOW_S = 0.1        # a rate takes two looks; whoever is the first to ask waits so long for the second
MIN_WINDOW_S = 1.0
MAX_WINDOW_S = 120.0        # an older look says nothing about now


class Rated(NamedTuple):
    usage: CgroupUsage
    nano_cores: int | None  # since an earlier look; None: there was none


class ContainerUsage(NamedTuple):
    source: ContainerSource
    rated: Rated


class PodUsage(NamedTuple):
    source: PodSource
    rated: Rated | None
    containers: tuple[ContainerUsage, ...]


class NodeUsage(NamedTuple):
    source: NodeSource
    started_at: float
    rated: Rated | None
    systems: dict[str, Rated]           # "pods", "kubelet"
    pods: tuple[PodUsage, ...]


@dataclass(frozen=True, slots=True)
class Storage:
    """What of files and the network is told beside CPU and memory."""

    node: Filesystem | None
    images: Filesystem | None
    counted: dict[str, DiskUsage] = field(default_factory=dict)            # by path
    filesystems: dict[str, Filesystem] = field(default_factory=dict)       # by volume's path
    mounted: frozenset[str] = frozenset()                                  # volumes that are filesystems of their own
    interfaces: dict[str, InterfaceUsage] = field(default_factory=dict)
    uplink: str = ""


class StatsCollector:
    """`pods` gives what is to be measured, in the event loop."""

    def __init__(
        self, node: NodeSource, pods: Callable[[], list[PodSource]], reader: UsageReader, disks: DiskUsages,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.node = node
        self.disks = disks
        self._pods = pods
        self._reader = reader
        self._now = now
        self._rates = CpuRates()
        self._started_at = now()
        self._lock = threading.Lock()

    async def usage(self) -> NodeUsage:
        """CPU and memory."""
        return await asyncio.to_thread(self._measure, self._pods(), pressure=False)

    async def whole(self) -> tuple[NodeUsage, Storage]:
        """With rates, files and the network."""
        pods = self._pods()
        found = await asyncio.to_thread(self._measure, pods)
        if found.rated is not None and found.rated.nano_cores is None:
            await asyncio.sleep(FIRST_WINDOW_S)
            found = await asyncio.to_thread(self._measure, pods)
        return found, await asyncio.to_thread(self.storage, pods)

    async def of(self, pod_uids: Collection[str]) -> tuple[NodeUsage, Storage]:
        """The same of these Pods, without rates."""
        pods = [pod for pod in self._pods() if pod.pod.metadata.uid in pod_uids]
        return await asyncio.to_thread(self._measure, pods), await asyncio.to_thread(self.storage, pods)

    def node_usage(self) -> CgroupUsage | None:
        return self._node_usage(self._now())

    def _node_usage(self, at: float) -> CgroupUsage | None:
        node = self.node
        return self._reader.read(node.whole_cgroup, at) if node.whole_cgroup else self._reader.node(node.cgroup, at)

    def storage(self, pods: Sequence[PodSource]) -> Storage:
        volumes = {path for pod in pods for path in pod.volumes.values()}
        mounted = frozenset(path for path in volumes if Path(path).is_mount())
        counted = {path: self.disks.get(path) for path in volumes - mounted}
        for pod in pods:
            counted[pod.logs] = self.disks.get(pod.logs)
            for container in pod.containers:
                counted.update({path: self.disks.get(path) for path in (container.layer, container.logs)})
        return Storage(
            node=self.node_filesystem(), images=filesystem(self.node.images_dir), counted=counted,
            filesystems={path: found for path in volumes if (found := filesystem(path)) is not None}, mounted=mounted,
            interfaces=read_interfaces(), uplink=default_interface(),
        )

    def node_filesystem(self) -> Filesystem | None:
        """With a budget of its own a node has what that leaves, and no more than there is."""
        found = filesystem(self.node.root_dir)
        if found is None or not self.node.disk_bytes:
            return found
        used = self.disks.get(self.node.root_dir)
        free = max(0, self.node.disk_bytes - used.bytes)
        return found._replace(
            capacity_bytes=self.node.disk_bytes, used_bytes=used.bytes, available_bytes=min(free, found.available_bytes))

    def _measure(self, pods: Sequence[PodSource], *, pressure: bool = True) -> NodeUsage:
        def rated_at(path: str) -> Rated | None:
            usage = self._reader.read(path, at, pressure=pressure)
            return None if usage is None else self._rates.rated(path, usage)

        with self._lock:
            at, node = self._now(), self.node
            systems = {"pods": rated_at(f"{node.cgroup}/kubepods"), "kubelet": self._agent("kubelet", at)}
            measured = []
            for pod in pods:
                containers = (ContainerUsage(source, rated) for source in pod.containers if (rated := rated_at(source.cgroup)))
                measured.append(PodUsage(pod, rated_at(pod.cgroup), tuple(containers)))
            usage = self._node_usage(at)
            rated = self._rates.rated(node.cgroup, usage) if usage is not None else None
            self._rates.forget_before(at - MAX_WINDOW_S)
            known = {name: found for name, found in systems.items() if found is not None}
            return NodeUsage(node, self._started_at, rated, known, tuple(measured))

    def _agent(self, name: str, at: float) -> Rated | None:
        path, pids = f"{self.node.cgroup}/{name}", self._reader.agents(self.node.cgroup).get(name)
        if not pids:
            return None
        usage = self._reader.read(path, at)
        if usage is None:                   # v1 has it in the hierarchy that tracks, and in no other
            memory = sum(map(proportional_memory, pids))
            usage = CgroupUsage(at, sum(map(cpu_time_ns, pids)), memory, memory, memory, 0, 0, None, len(pids), 0, {})
        return self._rates.rated(path, usage)


class CpuRates:
    """From counters of CPU time to cores, between now and an earlier look of at least MIN_WINDOW_S ago if there is one."""

    def __init__(self) -> None:
        self._looks: dict[str, tuple[CgroupUsage, CgroupUsage]] = {}       # an older one, and the newest

    def rated(self, path: str, usage: CgroupUsage) -> Rated:
        held = self._looks.get(path)
        if held is None or usage.cpu_ns < held[1].cpu_ns:        # new, or begun anew
            self._looks[path] = usage, usage
            return Rated(usage, None)
        older, newest = held
        if usage.at - newest.at >= MIN_WINDOW_S:
            older = newest
        self._looks[path] = older, usage if usage.at - older.at >= MIN_WINDOW_S else newest
        window_s = usage.at - older.at
        return Rated(usage, int((usage.cpu_ns - older.cpu_ns) / window_s) if window_s > 0 else None)

    def forget_before(self, at: float) -> None:
        self._looks = {path: looks for path, looks in self._looks.items() if looks[1].at >= at}
