"""How much there is of what a node may run short of, and how much is left. A few small files, read every ten seconds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from node_agent.kubelet.eviction import thresholds
from node_agent.kubelet.stats.collector import StatsCollector
from node_agent.kubelet.stats.disk_usage import Filesystem, filesystem
from node_agent.kubelet.stats.node_facts import available_memory, processes


class Observation(NamedTuple):
    capacity: int
    available: int


Observations = Mapping[str, Observation]        # by signal


def observe(stats: StatsCollector, wanted: Collection[str]) -> dict[str, Observation]:
    """Of the signals `wanted`, those that can be seen."""
    node = stats.node
    found: dict[str, Observation] = {}
    if thresholds.MEMORY in wanted:
        available = available_memory(node, stats.node_usage() if node.own_memory else None)
        if available is not None:
            found[thresholds.MEMORY] = Observation(node.memory_bytes, available)
    if {thresholds.NODE_FS, thresholds.NODE_INODES} & set(wanted):
        found |= _disk(stats.node_filesystem(), thresholds.NODE_FS, thresholds.NODE_INODES)
    if {thresholds.IMAGE_FS, thresholds.IMAGE_INODES} & set(wanted):
        found |= _disk(filesystem(node.images_dir), thresholds.IMAGE_FS, thresholds.IMAGE_INODES)
    if thresholds.PIDS in wanted and (counts := processes()) is not None:
        found[thresholds.PIDS] = Observation(counts.limit, counts.limit - counts.running)
    return found


def _disk(found: Filesystem | None, space: str, inodes: str) -> dict[str, Observation]:
    if found is None:
        return {}
    seen = {space: Observation(found.capacity_bytes, found.available_bytes)}
    if found.inodes:            # some kinds of filesystem have no fixed number
        seen[inodes] = Observation(found.inodes, found.inodes_free)
    return seen
