"""local: a directory or a disk of this node, bound where upstream puts it. Follows pkg/volume/local.

    plugins/kubernetes.io/local-volume/mounts/NAME             a disk's file system, for all Pods of the node
    pods/UID/volumes/kubernetes.io~local-volume/NAME           that, or the directory itself, bound for one Pod
"""

from __future__ import annotations

import asyncio
import os
import stat
from contextlib import suppress
from pathlib import Path

from kube.api.core_v1 import PersistentVolumeSpec
from node_agent.runtime.mounts import bind, mounted_from
from node_agent.runtime.syscalls import unmount
from node_agent.volumes.ownership import apply_fs_group
from node_agent.volumes.persistent import disks
from node_agent.volumes.persistent.locks import KeyedLocks
from node_agent.volumes.persistent.source import SourceTask
from node_agent.volumes.plugin import PREFIX, MountedVolume, VolumeError


class LocalSource:
    kind = "local-volume"

    def __init__(self, root_dir: Path) -> None:
        self._pods = root_dir / "pods"
        self._mounts = root_dir / "plugins" / "kubernetes.io" / "local-volume" / "mounts"
        self._locks = KeyedLocks()

    def matches(self, spec: PersistentVolumeSpec) -> bool:
        return spec.local is not None

    async def set_up(self, task: SourceTask) -> MountedVolume:
        if task.block:
            return MountedVolume(await asyncio.to_thread(_device, _path(task)), task.read_only)
        directory = task.directory(self.kind)
        async with self._locks.holding(task.name):
            await asyncio.to_thread(self._bind, task, directory)
        if not task.read_only:
            await asyncio.to_thread(apply_fs_group, str(directory), task.task.fs_group, policy=task.task.fs_group_policy)
        return MountedVolume(str(directory), task.read_only)

    async def refresh(self, task: SourceTask) -> None:
        """Nothing changes while the Pod runs."""

    async def tear_down(self, directory: Path) -> None:
        async with self._locks.holding(directory.name):
            await asyncio.to_thread(self._let_go, directory)

    def _bind(self, task: SourceTask, directory: Path) -> None:
        source = self._source(task)
        directory.mkdir(parents=True, exist_ok=True)
        bind(source, str(directory), read_only=task.read_only)

    def _source(self, task: SourceTask) -> str:
        """A directory as it is; a disk gets its file system mounted once for the node."""
        assert task.spec.local is not None
        path = _path(task)
        mode = _mode(path)
        if stat.S_ISDIR(mode):
            return path
        if not stat.S_ISBLK(mode):
            raise VolumeError(f'"{path}" is neither a directory nor a block device')
        place = self._mounts / task.name
        if not mounted_from(place):
            place.mkdir(parents=True, exist_ok=True)
            fs_type = disks.format_if_empty(path, task.spec.local.fs_type or "ext4")
            disks.mount(path, str(place), fs_type, task.spec.mount_options)
        return str(place)

    def _let_go(self, directory: Path) -> None:
        """The disk itself goes with the last Pod that has it."""
        unmount(str(directory))
        if any(map(mounted_from, self._pods.glob(f"*/volumes/{PREFIX}{self.kind}/{directory.name}"))):
            return
        place = self._mounts / directory.name
        unmount(str(place))
        with suppress(FileNotFoundError):       # a directory's volume has none
            place.rmdir()


def _path(task: SourceTask) -> str:
    assert task.spec.local is not None
    return task.spec.local.path


def _device(path: str) -> str:
    """Links followed. Raises VolumeError."""
    if not stat.S_ISBLK(_mode(path)):
        raise VolumeError(f'path "{path}" is not a block device')
    return os.path.realpath(path)


def _mode(path: str) -> int:
    """Raises VolumeError."""
    try:
        return os.stat(path).st_mode
    except OSError:
        raise VolumeError(f'path "{path}" does not exist') from None
