"""emptyDir: made with the Pod, gone with it; on disk, in memory or in huge pages. Follows pkg/volume/emptydir."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from kube.api.core_v1 import Pod, Volume
from kube.apimachinery.quantity import Quantity
from node_agent.runtime.syscalls import mount
from node_agent.volumes.ownership import apply_fs_group
from node_agent.volumes.plugin import MountedVolume, VolumeError, VolumeTask
from node_agent.volumes.tmpfs import mount_tmpfs

KIND = "empty-dir"
HUGE_PAGES = "HugePages"

# Bytes that a Pod may have in memory: the sum of its limits, or what the node can allocate. 0: not known.
MemoryOf = Callable[[Pod], int]


class EmptyDirPlugin:
    kinds = (KIND,)
    refreshes = False

    def __init__(self, memory_of: MemoryOf) -> None:
        self._memory_of = memory_of

    def supports(self, volume: Volume) -> bool:
        return volume.empty_dir is not None

    async def set_up(self, task: VolumeTask) -> MountedVolume:
        source = task.volume.empty_dir
        assert source is not None
        path = task.directory(KIND)
        if source.medium == "Memory":
            mount_tmpfs(path, size=memory_size(source.size_limit, self._memory_of(task.pod)), gid=task.fs_group)
        elif source.medium.startswith(HUGE_PAGES):
            _mount_huge_pages(path, huge_page_size(source.medium, task.pod), task.fs_group)
        elif source.medium:
            raise VolumeError(f'unknown storage medium "{source.medium}"')
        elif not path.exists():
            _make(path, task.fs_group)
        return MountedVolume(str(path))

    async def refresh(self, task: VolumeTask) -> None:
        """Its contents are the containers'."""

    async def tear_down(self, directory: Path) -> None:
        """The caller unmounts and deletes."""


def memory_size(size_limit: str, ceiling: int) -> int:
    """Bytes of a tmpfs: the smaller of the volume's limit and what its Pod may have at all; 0 if neither is known."""
    limit = Quantity.parse(size_limit).value() if size_limit else 0
    return min((value for value in (limit, ceiling) if value > 0), default=0)


def huge_page_size(medium: str, pod: Pod) -> str:
    """For hugetlbfs: of HugePages-2Mi that, of HugePages the only size that the Pod asks for. Raises VolumeError."""
    containers = (*pod.spec.init_containers, *pod.spec.containers)
    asked = {
        name.removeprefix("hugepages-")
        for container in containers if container.resources is not None
        for name in (*container.resources.requests, *container.resources.limits) if name.startswith("hugepages-")
    }
    wanted = medium.removeprefix(HUGE_PAGES).removeprefix("-")
    if not wanted and len(asked) > 1:
        raise VolumeError(f"medium: {medium} can't be used if container requests multiple huge page sizes")
    sizes = asked if not wanted else {size for size in asked if Quantity.parse(size) == Quantity.parse(wanted)}
    if not sizes:
        raise VolumeError(f"medium {medium}: hugePages storage requested, but there is no resource request for huge pages")
    return sizes.pop()


def _make(path: Path, gid: int | None) -> None:
    """Shown under its name only when it is as it shall be: a kubelet that is killed leaves no half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.parent / f"..{secrets.token_hex(8)}"
    fresh.mkdir()
    fresh.chmod(0o777)
    apply_fs_group(str(fresh), gid)
    fresh.rename(path)


def _mount_huge_pages(path: Path, size: str, gid: int | None) -> None:
    if os.path.ismount(path):
        return
    path.mkdir(parents=True, exist_ok=True)
    options = f"pagesize={Quantity.parse(size).value()},mode={0o777 if gid is None else 0o2777:o}"
    mount("nodev", str(path), "hugetlbfs", 0, options if gid is None else f"{options},gid={gid}")
