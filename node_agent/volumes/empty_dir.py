"""emptyDir: made with the Pod, gone with it; on disk or in memory. Follows pkg/volume/emptydir."""

from __future__ import annotations

import os
from pathlib import Path

from kube.api.core_v1 import Volume
from kube.apimachinery.quantity import Quantity
from node_agent.runtime.syscalls import mount
from node_agent.volumes.ownership import apply_fs_group
from node_agent.volumes.plugin import MountedVolume, VolumeTask

KIND = "empty-dir"


class EmptyDirPlugin:
    kinds = (KIND,)
    refreshes = False

    def supports(self, volume: Volume) -> bool:
        return volume.empty_dir is not None

    async def set_up(self, task: VolumeTask) -> MountedVolume:
        source = task.volume.empty_dir
        assert source is not None
        path = task.directory(KIND)
        in_memory = source.medium == "Memory"
        if not path.exists() or (in_memory and not os.path.ismount(path)):
            path.mkdir(parents=True, exist_ok=True)
            if in_memory:
                limit = Quantity.parse(source.size_limit).value() if source.size_limit else 0
                mount("tmpfs", str(path), "tmpfs", 0, f"mode=0777,size={limit}" if limit else "mode=0777")
            path.chmod(0o777)
            apply_fs_group(str(path), task.fs_group)
        return MountedVolume(str(path))

    async def refresh(self, task: VolumeTask) -> None:
        """Its contents are the containers'."""

    async def tear_down(self, directory: Path) -> None:
        """The caller unmounts and deletes."""
