"""Claims that are mounted on this node: whom to ask whether they have become larger. (Their use is in stats/, with all other volumes'.)"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from kube.api.core_v1 import PersistentVolumeClaim
from node_agent.volumes.plugin import VolumeTask


class MountedClaim(NamedTuple):
    task: VolumeTask
    namespace: str
    claim: str


class MountedClaims:
    """By the folder below pods/UID/volumes."""

    def __init__(self) -> None:
        self._by_folder: dict[str, MountedClaim] = {}

    def __iter__(self) -> Iterator[MountedClaim]:
        return iter([*self._by_folder.values()])

    def add(self, task: VolumeTask, claim: PersistentVolumeClaim, path: str) -> None:
        self._by_folder[path.removesuffix("/mount")] = MountedClaim(task, claim.metadata.namespace, claim.metadata.name)

    def remove(self, folder: Path) -> None:
        self._by_folder.pop(str(folder), None)
