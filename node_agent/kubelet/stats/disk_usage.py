"""What lies below a path: bytes in blocks and inodes, counted as du does, within one filesystem; and what a filesystem has left.

Counting walks every directory. So a result is remembered for a while, the longer the more the counting took.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

MIN_AGE_S = 10.0
SHARE = 0.01                # of the time may go into counting
BLOCK = 512


class DiskUsage(NamedTuple):
    bytes: int
    inodes: int

    def plus(self, other: DiskUsage) -> DiskUsage:
        return DiskUsage(self.bytes + other.bytes, self.inodes + other.inodes)


NOTHING = DiskUsage(0, 0)


class Filesystem(NamedTuple):
    capacity_bytes: int
    available_bytes: int        # for whom is not root
    used_bytes: int
    inodes: int                 # 0: this kind of filesystem does not count them
    inodes_free: int

    @property
    def inodes_used(self) -> int:
        return self.inodes - self.inodes_free


def count(path: str) -> DiskUsage:
    """Files with several links count once; other filesystems mounted below do not. What vanishes meanwhile is passed over."""
    try:
        top = os.lstat(path)
    except OSError:
        return NOTHING
    seen: set[int] = set()
    total, inodes, waiting = top.st_blocks * BLOCK, 1, [path] if stat.S_ISDIR(top.st_mode) else []
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if status.st_dev != top.st_dev or status.st_ino in seen:
                continue
            if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
                seen.add(status.st_ino)
            total, inodes = total + status.st_blocks * BLOCK, inodes + 1
            if stat.S_ISDIR(status.st_mode):
                waiting.append(entry.path)
    return DiskUsage(total, inodes)


def filesystem(path: str) -> Filesystem | None:
    """None: there is no such path."""
    try:
        found = os.statvfs(path)
    except OSError:
        return None
    return Filesystem(
        found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize, (found.f_blocks - found.f_bfree) * found.f_frsize,
        found.f_files, found.f_ffree,
    )


class _Counted(NamedTuple):
    usage: DiskUsage
    until: float


class DiskUsages:
    """Counts, and remembers. May be used by several threads."""

    def __init__(
        self, count: Callable[[str], DiskUsage] = count, now: Callable[[], float] = time.monotonic, *, min_age_s: float = MIN_AGE_S,
    ) -> None:
        self._count = count
        self._min_age_s = min_age_s
        self._now = now
        self._held: dict[str, _Counted] = {}
        self._lock = threading.Lock()

    def get(self, path: str) -> DiskUsage:
        with self._lock:
            held, began = self._held.get(path), self._now()
            if held is not None and began < held.until:
                return held.usage
            usage = self._count(path)
            ended = self._now()
            self._held[path] = _Counted(usage, ended + max(self._min_age_s, (ended - began) / SHARE))
            self._held = {key: counted for key, counted in self._held.items() if counted.until + 600 > ended}
            return usage

    def forget(self) -> None:
        """What was counted is no longer true: something has been deleted."""
        with self._lock:
            self._held.clear()
