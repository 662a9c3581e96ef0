"""fsGroup: whose the files of a volume are. Follows pkg/volume/volume_linux.go.

Every file and directory gets the group, `rw` for it (`r` in volumes that only the kubelet writes to), directories setgid and `x` too. So
new files have the group as well. With fsGroupChangePolicy OnRootMismatch nothing below is touched if the root fits already.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

RW_MASK, RO_MASK, EXEC_MASK = 0o660, 0o440, 0o110


def apply_fs_group(path: str, gid: int | None, *, policy: str = "", read_only: bool = False) -> int:
    """Blocks: a thread is the place for large volumes. Returns how many files were looked at. Raises OSError for the root only."""
    if gid is None:
        return 0
    mask = RO_MASK if read_only else RW_MASK
    if policy == "OnRootMismatch" and _fits(path, gid, mask):
        return 0
    root = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        count = _walk(root, gid, mask) if stat.S_ISDIR(os.fstat(root).st_mode) else 0
        os.fchown(root, -1, gid)
        os.fchmod(root, _mode(os.fstat(root).st_mode, mask))        # after what is below: then a half-done change is seen
    finally:
        os.close(root)
    return count + 1


def _walk(root: int, gid: int, mask: int) -> int:
    """By descriptors, for containers may put links in the way meanwhile."""
    count = 0
    for _, directories, files, parent in os.fwalk(dir_fd=root, topdown=False, follow_symlinks=False):
        for name in (*directories, *files):
            count += 1
            with suppress(OSError):                                 # a file that has just been deleted, or one that is immutable
                os.chown(name, -1, gid, dir_fd=parent, follow_symlinks=False)
                mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
                if stat.S_ISLNK(mode):
                    continue
                opened = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
                try:
                    os.chmod(f"/proc/self/fd/{opened}", _mode(mode, mask))
                finally:
                    os.close(opened)
    return count


def _mode(mode: int, mask: int) -> int:
    extra = stat.S_ISGID | EXEC_MASK if stat.S_ISDIR(mode) else 0
    return stat.S_IMODE(mode) | mask | extra


def _fits(path: str, gid: int, mask: int) -> bool:
    found = os.stat(path)
    wanted = mask | EXEC_MASK | stat.S_ISGID
    return stat.S_ISDIR(found.st_mode) and found.st_gid == gid and found.st_mode & wanted == wanted
