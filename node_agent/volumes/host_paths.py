"""hostPath: a path of the node itself, and the check of what it is. Follows pkg/volume/hostpath."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable
from pathlib import Path

from kube.api.core_v1 import Volume
from node_agent.volumes.plugin import MountedVolume, VolumeError, VolumeTask


class HostPathError(VolumeError):
    """The path is not of the type asked for; the message is upstream's."""


_CHECKS: dict[str, tuple[Callable[[int], bool], str]] = {
    "Directory": (stat.S_ISDIR, "directory"),
    "File": (stat.S_ISREG, "file"),
    "Socket": (stat.S_ISSOCK, "socket file"),
    "CharDevice": (stat.S_ISCHR, "character device"),
    "BlockDevice": (stat.S_ISBLK, "block device"),
}


class HostPathPlugin:
    kinds = ()
    refreshes = False

    def supports(self, volume: Volume) -> bool:
        return volume.host_path is not None

    async def set_up(self, task: VolumeTask) -> MountedVolume:
        source = task.volume.host_path
        assert source is not None
        await prepare_host_path(source.path, source.type)
        return MountedVolume(source.path)

    async def refresh(self, task: VolumeTask) -> None:
        """Its contents are the node's."""

    async def tear_down(self, directory: Path) -> None:
        """It is left as it is."""


async def prepare_host_path(path: str, kind: str) -> None:
    """Makes what the type says may be made. Raises HostPathError.

    The empty type checks nothing; what is missing becomes a directory, which containerd makes with upstream.
    """
    await asyncio.to_thread(_prepare, path, kind)       # it may lie on a file system whose server is gone


def _prepare(path: str, kind: str) -> None:
    place = Path(path)
    if ".." in place.parts:
        raise HostPathError(f"invalid HostPath `{path}`: must not contain '..'")
    if kind in ("", "DirectoryOrCreate") and not place.exists():
        place.mkdir(mode=0o755, parents=True, exist_ok=True)
    elif kind == "FileOrCreate" and not place.exists():
        place.touch(0o644)
    if kind:
        _check(path, kind.removesuffix("OrCreate"))


def _check(path: str, kind: str) -> None:
    if kind not in _CHECKS:
        raise HostPathError(f"{kind} is an invalid volume type")
    right, wanted = _CHECKS[kind]
    complaint = f"{path} is not a {wanted}"
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        unknown = f'unable to determine its type: path "{path}" does not exist'
        raise HostPathError(f"hostPath type check failed, {complaint}, {unknown}") from None
    if not right(mode):
        found = next((name for name, (check, _) in _CHECKS.items() if check(mode)), "")
        told = f"hostPath type check failed: {complaint}"
        raise HostPathError(f"{told}, it's a {found}" if found else told)
