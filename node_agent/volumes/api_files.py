"""Volumes whose files come from the API: configMap, secret, downwardAPI, projected. What is in them is payloads.py's matter."""

from __future__ import annotations

import os
from pathlib import Path

from kube.api.core_v1 import Volume
from node_agent.runtime.syscalls import mount
from node_agent.volumes.atomic_writer import write_payload
from node_agent.volumes.payloads import VolumeSources, volume_payload
from node_agent.volumes.plugin import MountedVolume, VolumeTask

_KINDS = {"config_map": "configmap", "secret": "secret", "downward_api": "downward-api", "projected": "projected"}
_IN_MEMORY = ("secret", "projected", "downward-api")     # never written to a disk


class ApiFilesPlugin:
    """Mounted read-only whatever the mount says."""

    kinds = tuple(_KINDS.values())
    refreshes = True

    def __init__(self, sources: VolumeSources) -> None:
        self._sources = sources

    def supports(self, volume: Volume) -> bool:
        return bool(_kind(volume))

    async def set_up(self, task: VolumeTask) -> MountedVolume:
        payload = await volume_payload(task.pod, task.volume, self._sources)
        kind = _kind(task.volume)
        path = task.directory(kind)
        if kind in _IN_MEMORY and not os.path.ismount(path):
            path.mkdir(parents=True, exist_ok=True)
            mount("tmpfs", str(path), "tmpfs", 0, "mode=0755")
        write_payload(path, payload, gid=task.fs_group)
        return MountedVolume(str(path), read_only=True)

    async def refresh(self, task: VolumeTask) -> None:
        await self.set_up(task)

    async def tear_down(self, directory: Path) -> None:
        """The caller unmounts and deletes."""


def _kind(volume: Volume) -> str:
    return next((kind for attribute, kind in _KINDS.items() if getattr(volume, attribute) is not None), "")
