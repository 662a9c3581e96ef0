"""The system calls that Python 3.11 lacks, by ctypes. Each raises OSError with the kernel's errno."""

from __future__ import annotations

import ctypes
import os
import struct

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 0x1, 0x2, 0x4, 0x8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE, MS_SHARED = 0x20, 0x1000, 0x4000, 0x40000, 0x100000
MNT_DETACH, UMOUNT_NOFOLLOW = 2, 8
CLONE_FS, CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNET = 0x200, 0x20000, 0x04000000, 0x08000000, 0x40000000
IN_MOVED_TO, IN_CREATE, IN_CLOSE_WRITE, IN_MODIFY = 0x80, 0x100, 0x8, 0x2
IN_MOVED_FROM, IN_DELETE, IN_DELETE_SELF, IN_MOVE_SELF = 0x40, 0x200, 0x400, 0x800

# The same numbers on every architecture.
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE, _OPEN_TREE_CLONE = -100, 0x1000, 0x8000, 1
_MOVE_MOUNT_F_EMPTY_PATH, _MOUNT_ATTR_IDMAP = 4, 0x100000

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, *context: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), *context)
    return result


def mount(source: str, target: str, fstype: str = "", flags: int = 0, data: str = "") -> None:
    _checked(_libc.mount(source.encode(), target.encode(), fstype.encode() or None, ctypes.c_ulong(flags), data.encode() or None), target)


def unmount(target: str, *, missing_ok: bool = True) -> None:
    """Detaches the mount, even a busy one. Not mounted or not there is no error unless `missing_ok` is false."""
    try:
        _checked(_libc.umount2(target.encode(), MNT_DETACH | UMOUNT_NOFOLLOW), target)
    except OSError:
        if not missing_ok or os.path.ismount(target):
            raise


def clone_mount(source: str) -> int:
    """A descriptor of a copy of the mounts at and below `source` (open_tree(2)); nowhere attached yet."""
    return _checked(_libc.syscall(_OPEN_TREE, _AT_FDCWD, source.encode(), _OPEN_TREE_CLONE | os.O_CLOEXEC | _AT_RECURSIVE), source)


def map_ids(tree: int, user_namespace: int) -> None:
    """Shows owners in the copied mounts as the namespace's mapping has them (mount_setattr(2)). Both are descriptors."""
    attributes = struct.pack("=QQQQ", _MOUNT_ATTR_IDMAP, 0, 0, user_namespace)
    _checked(_libc.syscall(_MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH | _AT_RECURSIVE, attributes, len(attributes)))


def attach_mount(tree: int, target: str) -> None:
    _checked(_libc.syscall(_MOVE_MOUNT, tree, b"", _AT_FDCWD, target.encode(), _MOVE_MOUNT_F_EMPTY_PATH), target)


def unshare(flags: int) -> None:
    """Gives the calling thread new namespaces. Never call it in the event loop's thread."""
    _checked(_libc.unshare(flags))


def setns(fd: int, kind: int = 0) -> None:
    _checked(_libc.setns(fd, kind))


def sethostname(name: str) -> None:
    _checked(_libc.sethostname(name.encode(), len(name.encode())))


def inotify_init() -> int:
    return _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))


def inotify_add_watch(fd: int, path: str, mask: int) -> int:
    return _checked(_libc.inotify_add_watch(fd, path.encode(), mask), path)
