"""hostPath: a path of the node itself, and the check of what it is. Follows pkg/volume/hostpath."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

from kube.api.core_v1 import Volume
from node_agent.volumes.plugin import MountedVolume, VolumeError, VolumeTask


class HostPathError(VolumeError):
    """The path is not of the type asked for; the message is upstream's."""


_CHECKS: dict[str, tuple[Callable[[int], bool], str]] = {
    "Directory": (stat.S_ISDIR, "is not a directory"),
    "File": (stat.S_ISREG, "is not a file"),
    "Socket": (stat.S_ISSOCK, "is not a socket file"),
    "CharDevice": (stat.S_ISCHR, "is not a character device"),
    "BlockDevice": (stat.S_ISBLK, "is not a block device"),
}


def prepare_host_path(path: str, kind: str) -> None:
    """Makes what the type says may be made. Raises HostPathError. The empty type checks nothing; the runtime then makes a directory."""
    place = Path(path)
    if kind == "DirectoryOrCreate":
        place.mkdir(mode=0o755, parents=True, exist_ok=True)
        kind = "Directory"
    elif kind == "FileOrCreate":
        if not place.exists():
            place.touch(0o644)
        kind = "File"
    elif not kind:
        if not place.exists():
            place.mkdir(mode=0o755, parents=True)
        return
    if kind not in _CHECKS:
        raise HostPathError(f"{kind} is an invalid volume type")
    check, complaint = _CHECKS[kind]
    try:
        mode = place.stat().st_mode
    except OSError:
        mode = 0
    if not check(mode):
        raise HostPathError(f"hostPath type check failed: {path} {complaint}")


class HostPathPlugin:
    kinds = ()
    refreshes = False

    def supports(self, volume: Volume) -> bool:
        return volume.host_path is not None

    async def set_up(self, task: VolumeTask) -> MountedVolume:
        source = task.volume.host_path
        assert source is not None
        prepare_host_path(source.path, source.type)
        return MountedVolume(source.path)

    async def refresh(self, task: VolumeTask) -> None:
        """Its contents are the node's."""

    async def tear_down(self, directory: Path) -> None:
        """It is left as it is."""
