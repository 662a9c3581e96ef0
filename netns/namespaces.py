"""Named network namespaces, kept where `ip netns` keeps them, so that its commands work on ours.

A name is an empty file with the namespace bind-mounted on it; the mount keeps the namespace alive. The folder is a shared mount, exactly as
iproute2 makes it: a name made inside a machine's mount namespace then shows on the host as well. For that, `share_folder` must have run on
the host before the machine's mount namespace is unshared, and the machine must not make its mounts private.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from netns.errors import translating
from netns.kernel import THREAD_NETNS, check, libc, returning, unshare_network

FOLDER = Path("/run/netns")

MS_BIND, MS_REC, MS_SHARED = 0x1000, 0x4000, 0x100000
MNT_DETACH = 2


def path_of(name: str) -> str:
    return str(FOLDER / name)


def create_named(name: str) -> str:
    """Makes an empty network namespace with that name, unless it exists, and gives its path."""
    share_folder()
    path = path_of(name)
    with translating(f"create network namespace {name}"):
        if exists(name):
            return path
        os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o444))
        try:
            with returning():
                unshare_network()
                _mount(THREAD_NETNS, path, MS_BIND)
        except OSError:
            os.unlink(path)
            raise
    return path


def delete_named(name: str) -> None:
    """Takes the name away, if it exists. The namespace itself goes when no process or socket is left in it."""
    path = path_of(name)
    with translating(f"delete network namespace {name}"):
        if exists(name):
            with _tolerating(errno.EINVAL, errno.ENOENT):
                check(libc().umount2(path.encode(), MNT_DETACH))
        with suppress(FileNotFoundError):
            os.unlink(path)


def exists(name: str) -> bool:
    """False also for the empty file that is left of a name after the machine restarted."""
    try:
        return os.stat(path_of(name)).st_dev != os.stat(FOLDER).st_dev
    except FileNotFoundError:
        return False


def list_named(prefix: str = "") -> list[str]:
    """The names that begin with the prefix, sorted; left-over empty files included, so that a clean-up meets them too."""
    try:
        return sorted(entry.name for entry in os.scandir(FOLDER) if entry.name.startswith(prefix))
    except FileNotFoundError:
        return []


def share_folder() -> None:
    """Makes the folder of names a shared mount, once."""
    with translating(f"share {FOLDER}"):
        FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
        if _is_shared_mount(FOLDER):
            return
        with _locked(FOLDER):
            if _is_shared_mount(FOLDER):
                return
            try:
                _mount("", str(FOLDER), MS_SHARED | MS_REC)
            except OSError as error:
                if error.errno != errno.EINVAL:      # it is no mount point yet
                    raise
                _mount(str(FOLDER), str(FOLDER), MS_BIND | MS_REC)
                _mount("", str(FOLDER), MS_SHARED | MS_REC)


def _is_shared_mount(folder: Path) -> bool:
    for line in Path("/proc/thread-self/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[4] == str(folder) and any(field.startswith("shared:") for field in fields[6 : fields.index("-")]):
            return True
    return False


def _mount(source: str, target: str, flags: int) -> None:
    check(libc().mount(source.encode(), target.encode(), b"none", flags, None))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    # iproute2 takes the same lock: two who mount the folder on itself at once would hide each other's names.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _tolerating(*numbers: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in numbers:
            raise
