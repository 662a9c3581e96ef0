"""Volumes whose files come from the API: configMap, secret, downwardAPI, projected. What is in them is payloads.py's matter."""

from __future__ import annotations

from pathlib import Path

from kube.api.core_v1 import Volume
from node_agent.volumes.atomic_writer import write_payload
from node_agent.volumes.empty_dir import MemoryOf
from node_agent.volumes.nested import make_nested_mount_points
from node_agent.volumes.ownership import apply_fs_group
from node_agent.volumes.payloads import VolumeSources, volume_payload
from node_agent.volumes.plugin import MountedVolume, VolumeTask
from node_agent.volumes.tmpfs import mount_tmpfs

_KINDS = {"config_map": "configmap", "secret": "secret", "downward_api": "downward-api", "projected": "projected"}
_IN_MEMORY = ("secret", "projected", "downward-api")     # never written to a disk


class ApiFilesPlugin:
    """Mounted read-only whatever the mount says."""

    kinds = tuple(_KINDS.values())
    refreshes = True

    def __init__(self, sources: VolumeSources, memory_of: MemoryOf) -> None:
        self._sources = sources
        self._memory_of = memory_of

    def supports(self, volume: Volume) -> bool:
        return bool(_kind(volume))

    async def set_up(self, task: VolumeTask) -> MountedVolume:
        self._sources.follow(task.pod)
        payload = await volume_payload(task.pod, task.volume, self._sources)
        kind = _kind(task.volume)
        path = task.directory(kind)
        if kind in _IN_MEMORY:
            mount_tmpfs(path, size=self._memory_of(task.pod), gid=task.fs_group)
        elif not path.exists():
            path.mkdir(parents=True)
            path.chmod(0o777)
        make_nested_mount_points(task.volume.name, path, task.pod)
        write_payload(path, payload, before_shown=lambda: apply_fs_group(str(path), task.fs_group, read_only=True))
        return MountedVolume(str(path), read_only=True)

    async def refresh(self, task: VolumeTask) -> None:
        await self.set_up(task)

    async def tear_down(self, directory: Path) -> None:
        """The caller unmounts and deletes."""


def _kind(volume: Volume) -> str:
    return next((kind for attribute, kind in _KINDS.items() if getattr(volume, attribute) is not None), "")
