"""nfs: mounted by the machine's own client; without one, or without a server, the event says what mount said. Follows pkg/volume/nfs."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from kube.api.core_v1 import PersistentVolumeSpec
from node_agent.runtime.mounts import mounted_from
from node_agent.runtime.syscalls import unmount
from node_agent.volumes.persistent import disks
from node_agent.volumes.persistent.source import SourceTask
from node_agent.volumes.plugin import MountedVolume


class NfsSource:
    kind = "nfs"

    def matches(self, spec: PersistentVolumeSpec) -> bool:
        return spec.nfs is not None

    async def set_up(self, task: SourceTask) -> MountedVolume:
        assert task.spec.nfs is not None
        source, directory = task.spec.nfs, task.directory(self.kind)
        read_only = task.read_only or bool(source.read_only)
        server = f"[{source.server}]" if ":" in source.server else source.server
        options = (*task.spec.mount_options, *(("ro",) if read_only else ()))
        await asyncio.to_thread(self._mount, f"{server}:{source.path}", directory, options)
        return MountedVolume(str(directory), read_only)

    async def refresh(self, task: SourceTask) -> None:
        """Nothing changes while the Pod runs."""

    async def tear_down(self, directory: Path) -> None:
        await asyncio.to_thread(unmount, str(directory))

    def _mount(self, source: str, directory: Path, options: tuple[str, ...]) -> None:
        if mounted_from(directory):
            return
        directory.mkdir(parents=True, exist_ok=True)
        try:
            disks.mount(source, str(directory), "nfs", options)
        except disks.DiskError:
            with suppress(OSError):     # an empty folder harms nobody, and what mount said is to be told
                directory.rmdir()
            raise
