"""What is mounted in this mount namespace, and how mounts spread from there."""

from __future__ import annotations

import os
from dataclasses import dataclass

from node_agent.runtime.syscalls import MS_BIND, MS_REC, MS_SHARED, mount


@dataclass(frozen=True, slots=True)
class MountPoint:
    path: str
    shared: bool
    slave: bool


class MountTable:
    """As the kernel told it at one moment; later mounts cover earlier ones."""

    def __init__(self, points: list[MountPoint]) -> None:
        self.points = points

    @classmethod
    def read(cls) -> MountTable:
        with open("/proc/thread-self/mountinfo", "rb") as file:
            return cls([_point(line.split()) for line in file])

    def holding(self, path: str) -> MountPoint:
        """The mount that a path lies in, links followed."""
        real = os.path.realpath(path)
        found = MountPoint("/", shared=False, slave=False)
        for point in self.points:
            inside = point.path == "/" or real == point.path or real.startswith(point.path + "/")
            if inside and len(point.path) >= len(found.path):
                found = point
        return found


def make_shared(directory: str) -> bool:
    """So that mounts below it can spread between containers: on a machine whose mounts are private it becomes a mount of its own.

    False if it is shared already. Raises OSError. Follows MakeRShared of pkg/volume/util/hostutil.
    """
    if MountTable.read().holding(directory).shared:
        return False
    mount(directory, directory, flags=MS_BIND | MS_REC)
    mount("none", directory, flags=MS_SHARED | MS_REC)
    return True


def _point(fields: list[bytes]) -> MountPoint:
    path = fields[4].decode("unicode_escape").encode("latin-1").decode("utf-8", "surrogateescape")      # \\040 is a space
    tags = fields[6:fields.index(b"-", 6)]
    return MountPoint(
        path, shared=any(tag.startswith(b"shared:") for tag in tags), slave=any(tag.startswith(b"master:") for tag in tags))
