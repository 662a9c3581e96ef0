"""local: a directory or a disk of this node, bound where upstream puts it. Follows pkg/volume/local."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

from kube.api.core_v1 import PersistentVolumeSpec
from node_agent.runtime.syscalls import MS_BIND, MS_RDONLY, MS_REMOUNT, mount, unmount
from node_agent.volumes.ownership import apply_fs_group
from node_agent.volumes.persistent import disks
from node_agent.volumes.persistent.source import SourceTask
from node_agent.volumes.plugin import MountedVolume, VolumeError


class LocalSource:
    kind = "local-volume"

    def __init__(self, root_dir: Path) -> None:
        self._mounts = root_dir / "plugins" / "kubernetes.io" / "local-volume" / "mounts"

    def matches(self, spec: PersistentVolumeSpec) -> bool:
        return spec.local is not None

    async def set_up(self, task: SourceTask) -> MountedVolume:
        if task.block:
            return MountedVolume(_device(task), task.read_only)
        directory = task.directory(self.kind)
        await asyncio.to_thread(self._bind, task, directory)
        if not task.read_only:
            await asyncio.to_thread(apply_fs_group, str(directory), task.task.fs_group, policy=task.task.fs_group_policy)
        return MountedVolume(str(directory), task.read_only)

    async def refresh(self, task: SourceTask) -> None:
        """Nothing changes while the Pod runs."""

    async def tear_down(self, directory: Path) -> None:
        await asyncio.to_thread(unmount, str(directory))

    def _bind(self, task: SourceTask, directory: Path) -> None:
        if disks.mounted_from(directory):
            return
        source = self._source(task)
        directory.mkdir(parents=True, exist_ok=True)
        mount(source, str(directory), flags=MS_BIND)
        if task.read_only:
            mount("", str(directory), flags=MS_BIND | MS_REMOUNT | MS_RDONLY)

    def _source(self, task: SourceTask) -> str:
        """A directory as it is; a disk gets its file system mounted once for the node."""
        assert task.spec.local is not None
        path = task.spec.local.path
        try:
            mode = os.stat(path).st_mode
        except OSError:
            raise VolumeError(f'path "{path}" does not exist') from None
        if not stat.S_ISBLK(mode):
            if not stat.S_ISDIR(mode):
                raise VolumeError(f'"{path}" is neither a directory nor a block device')
            return path
        place = self._mounts / task.name
        if not disks.mounted_from(place):
            place.mkdir(parents=True, exist_ok=True)
            fs_type = disks.format_if_empty(path, task.spec.local.fs_type or "ext4")
            disks.mount(path, str(place), fs_type, task.spec.mount_options)
        return str(place)


def _device(task: SourceTask) -> str:
    assert task.spec.local is not None
    path = task.spec.local.path
    try:
        mode = os.stat(path).st_mode
    except OSError:
        raise VolumeError(f'path "{path}" does not exist') from None
    if not stat.S_ISBLK(mode):
        raise VolumeError(f'path "{path}" is not a block device')
    return os.path.realpath(path)
