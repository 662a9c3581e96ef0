"""Claims that are mounted on this node: their use as metrics, and whom to ask whether they have become larger."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from kube.api.core_v1 import PersistentVolumeClaim
from node_agent.volumes.plugin import VolumeTask

_FAMILIES = (
    ("capacity_bytes", "Capacity in bytes of the volume"), ("available_bytes", "Number of available bytes in the volume"),
    ("used_bytes", "Number of used bytes in the volume"), ("inodes", "Maximum number of inodes in the volume"),
    ("inodes_free", "Number of free inodes in the volume"), ("inodes_used", "Number of used inodes in the volume"),
)


class MountedClaim(NamedTuple):
    task: VolumeTask
    namespace: str
    claim: str
    path: str


class MountedClaims(Collector):
    """Below pods/UID/volumes only: what is looked at by statvfs is a mount of its own."""

    def __init__(self) -> None:
        self._by_folder: dict[str, MountedClaim] = {}
        REGISTRY.register(self)

    def __iter__(self) -> Iterator[MountedClaim]:
        return iter([*self._by_folder.values()])

    def __bool__(self) -> bool:
        return bool(self._by_folder)

    def add(self, task: VolumeTask, claim: PersistentVolumeClaim, path: str) -> None:
        folder = path.removesuffix("/mount")
        self._by_folder[folder] = MountedClaim(task, claim.metadata.namespace, claim.metadata.name, path)

    def remove(self, folder: Path) -> None:
        self._by_folder.pop(str(folder), None)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        families = [
            GaugeMetricFamily(f"kubelet_volume_stats_{name}", text, labels=("namespace", "persistentvolumeclaim"))
            for name, text in _FAMILIES
        ]
        seen: set[tuple[str, str]] = set()
        for held in self:
            if (held.namespace, held.claim) in seen or (values := _usage(held.path)) is None:
                continue
            seen.add((held.namespace, held.claim))
            for family, value in zip(families, values, strict=True):
                family.add_metric((held.namespace, held.claim), value)
        yield from families


def _usage(path: str) -> tuple[int, ...] | None:
    try:
        found = os.statvfs(path)
    except OSError:
        return None
    size, free, block = found.f_blocks, found.f_bfree, found.f_frsize
    return (size * block, found.f_bavail * block, (size - free) * block, found.f_files, found.f_ffree, found.f_files - found.f_ffree)
