"""What is mounted in this mount namespace, and how mounts spread from there; binding, and taking down all below a directory."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from node_agent.runtime.syscalls import MS_BIND, MS_RDONLY, MS_REC, MS_REMOUNT, MS_SHARED, mount, unmount

TABLE = "/proc/thread-self/mountinfo"
_ESCAPED = {ord(character): f"\\{ord(character):03o}" for character in " \t\n\\"}         # as the kernel writes them


@dataclass(frozen=True, slots=True)
class MountPoint:
    path: str
    source: str = ""        # a device, or what the kind of filesystem says instead
    shared: bool = False
    slave: bool = False


class MountTable:
    """As the kernel told it at one moment; later mounts cover earlier ones."""

    def __init__(self, points: list[MountPoint]) -> None:
        self.points = points

    @classmethod
    def read(cls) -> MountTable:
        with open(TABLE, "rb") as file:
            return cls([_point(line.split()) for line in file])

    def holding(self, path: str) -> MountPoint:
        """The mount that a path lies in, links followed."""
        real = os.path.realpath(path)
        found = MountPoint("/")
        for point in self.points:
            inside = point.path == "/" or real == point.path or real.startswith(point.path + "/")
            if inside and len(point.path) >= len(found.path):
                found = point
        return found


def mounted_from(path: Path | str) -> str:
    """The source of what is mounted on the path itself; "" for nothing. Unlike os.path.ismount it sees binds within one filesystem."""
    real = os.path.realpath(path)
    return next((point.source for point in reversed(MountTable.read().points) if point.path == real), "")


def bind(source: str, target: str, *, read_only: bool = False) -> None:
    """Shows `source` at `target` too, which is there. Idempotent: what was interrupted half-way is finished. Raises OSError."""
    if not mounted_from(target):
        mount(source, target, flags=MS_BIND)
    if read_only:
        mount("", target, flags=MS_BIND | MS_REMOUNT | MS_RDONLY)


def make_shared(directory: str) -> bool:
    """So that mounts below it can spread between containers: on a machine whose mounts are private it becomes a mount of its own.

    False if it is shared already. Raises OSError. Follows MakeRShared of pkg/volume/util/hostutil.
    """
    if MountTable.read().holding(directory).shared:
        return False
    mount(directory, directory, flags=MS_BIND | MS_REC)
    mount("none", directory, flags=MS_SHARED | MS_REC)
    return True


def unmount_below(directory: str) -> None:
    """Detaches every mount below the directory (not on it), the innermost first. Raises OSError if one stays."""
    for point in sorted(_mounts_below(directory), key=len, reverse=True):
        unmount(point)
    if left := _mounts_below(directory):
        raise OSError(errno.EBUSY, "still mounted", left[0])


def _mounts_below(directory: str) -> list[str]:
    with open(TABLE, "rb") as file:
        table = file.read()
    if directory.translate(_ESCAPED).encode() + b"/" not in table:      # mostly so, and a node with many Pods has many mounts
        return []
    points = [_text(line.split()[4]) for line in table.splitlines()]
    return [point for point in points if point.startswith(directory + "/")]


def _point(fields: list[bytes]) -> MountPoint:
    end = fields.index(b"-", 6)         # of the optional fields; then come kind, source, options
    tags = fields[6:end]
    return MountPoint(
        _text(fields[4]), _text(fields[end + 2]), shared=any(tag.startswith(b"shared:") for tag in tags),
        slave=any(tag.startswith(b"master:") for tag in tags))


def _text(field: bytes) -> str:
    return field.decode("unicode_escape").encode("latin-1").decode("utf-8", "surrogateescape")      # \\040 is a space
