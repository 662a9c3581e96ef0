"""subPath: a part of a volume, bound to a place that only the kubelet can change.

A container that shares the volume may put a link in the way at any moment, also between a check and the mount. So the part is opened
step by step, without following links, and what was opened is what gets mounted. Follows pkg/volume/util/subpath.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from node_agent.runtime.safe_paths import open_parts
from node_agent.runtime.syscalls import MS_BIND, mount, unmount


class SubPathError(Exception):
    """The message is for the container's status."""


def bind_sub_path(volume: str, sub_path: str, place: Path) -> str:
    """Mounts volume/sub_path on `place` (made here) and returns what to mount into the container. Missing directories are made."""
    root = os.path.realpath(volume)
    resolved = os.path.realpath(os.path.join(root, sub_path))       # links within the volume are welcome
    if resolved == root:
        return volume
    if os.path.commonpath((root, resolved)) != root:
        raise SubPathError(f"subPath {sub_path!r} leaves the volume")
    opened = open_parts(root, os.path.relpath(resolved, root).split("/"), make_mode=stat.S_IMODE(os.stat(root).st_mode))
    try:
        _prepare(place, directory=stat.S_ISDIR(os.fstat(opened).st_mode))
        mount(f"/proc/self/fd/{opened}", str(place), flags=MS_BIND)
    finally:
        os.close(opened)
    return str(place)


def _prepare(place: Path, *, directory: bool) -> None:
    """An empty file or directory to mount on; what an earlier container had there is taken away, it keeps its own mount."""
    unmount(str(place))
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists() and place.is_dir() != directory:
        place.rmdir() if place.is_dir() else place.unlink()
    if directory:
        place.mkdir(exist_ok=True)
    else:
        place.touch()
