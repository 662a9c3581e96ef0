"""What a kind of persistent storage is to the plugin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kube.api.core_v1 import PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec
from node_agent.volumes.plugin import MountedVolume, VolumeTask


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTask:
    """`name` is the PersistentVolume's, or that of the volume in the Pod if it is declared there; `volume` and `claim` are None then."""

    task: VolumeTask
    name: str
    spec: PersistentVolumeSpec
    read_only: bool = False
    volume: PersistentVolume | None = None
    claim: PersistentVolumeClaim | None = None

    @property
    def block(self) -> bool:
        """The path of what is set up is then a device's."""
        return self.spec.volume_mode == "Block"

    def directory(self, kind: str) -> Path:
        return self.task.directory(kind, self.name)


class VolumeSource(Protocol):
    """Raises what a VolumePlugin may raise."""

    @property
    def kind(self) -> str:
        """Of the folder below pods/UID/volumes; "" when nothing is made there."""

    def matches(self, spec: PersistentVolumeSpec) -> bool: ...

    async def set_up(self, task: SourceTask) -> MountedVolume: ...

    async def refresh(self, task: SourceTask) -> None:
        """While the Pod runs: what has changed of the volume."""

    async def tear_down(self, directory: Path) -> None: ...
