"""Paths that somebody else can change while they are looked at: in an image's root, in a volume that containers write to.

Nothing here asks about a path and then uses it; each part is opened below the one before, and what was opened is what is used.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

MAX_LINKS = 40                  # the kernel's own limit
MAX_READ = 1 << 20


def open_parts(root: str, parts: Sequence[str], *, make_mode: int | None = None) -> int:
    """A descriptor (O_PATH) of root/parts..., no part of which may be a symbolic link. Missing directories are made if a mode is given."""
    current = os.open(root, os.O_PATH | os.O_CLOEXEC)
    try:
        for part in parts:
            following = _open_part(current, part, make_mode)
            os.close(current)
            current = following
            if stat.S_ISLNK(os.fstat(current).st_mode):
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), part)
        return current
    except BaseException:
        os.close(current)
        raise


def _open_part(parent: int, part: str, make_mode: int | None) -> int:
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(part, flags, dir_fd=parent)
    except FileNotFoundError:
        if make_mode is None:
            raise
    with suppress(FileExistsError):
        os.mkdir(part, dir_fd=parent)
        made = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        os.fchmod(made, make_mode)          # whatever the umask is
        os.close(made)
    return os.open(part, flags, dir_fd=parent)


def read_in_root(root: Path, name: str) -> str:
    """A regular file as a process would see it whose root this is: links lead nowhere else. Raises OSError."""
    opened = _open_in_root(str(root), name)
    try:
        if not stat.S_ISREG(os.fstat(opened).st_mode):      # a fifo would wait for ever, /dev/zero would never end
            raise OSError(errno.EINVAL, "not a regular file", name)
        with open(f"/proc/self/fd/{opened}", "rb") as file:
            return file.read(MAX_READ).decode(errors="replace")
    finally:
        os.close(opened)


def _open_in_root(root: str, name: str) -> int:
    trail = [os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)]
    todo, links = deque(name.split("/")), 0
    try:
        while todo:
            part = todo.popleft()
            if part in ("", "."):
                continue
            if part == "..":
                if len(trail) > 1:
                    os.close(trail.pop())
                continue
            found = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=trail[-1])
            trail.append(found)
            if stat.S_ISLNK(os.fstat(found).st_mode):
                links += 1
                if links > MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
                target = os.readlink("", dir_fd=found)
                for held in trail[1 if target.startswith("/") else -1:]:
                    os.close(held)
                    trail.remove(held)
                todo.extendleft(reversed(target.split("/")))
        return os.dup(trail[-1])
    finally:
        for held in trail:
            os.close(held)
