"""Unpacks one layer of an image, in a process of its own; needs the standard library only.

    python -I -S unpack_layer.py DIRECTORY [LOWER...] < tar          DIRECTORY is empty; LOWER: the layers below, topmost first

DIRECTORY becomes the root of this process before the first name is read. So whatever names, links and `..` a tar holds, the kernel
keeps them inside; links within the layer still lead where they would in the image. What the layer takes away (`.wh.NAME`,
`.wh..wh..opq`) becomes what overlayfs understands: a device 0/0, `trusted.overlay.opaque`. A directory that the tar does not name itself
takes owner, mode and attributes from the layer below, as a copy-up would. Prints the bytes in files; on failure one line on standard error.
"""

from __future__ import annotations

import errno
import os
import posixpath
import resource
import shutil
import stat
import sys
import tarfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import BinaryIO

WHITEOUT, OPAQUE, AUFS = ".wh.", ".wh..wh..opq", ".wh..wh."
OVERLAY_OPAQUE = "trusted.overlay.opaque"
XATTR_PREFIX = "SCHILY.xattr."
OVERLAY_XATTRS = ("trusted.overlay.", "user.overlay.")      # an image must not tell overlayfs to look elsewhere
MAX_MEMORY = 1 << 30                                        # a header may say that it is as long as it likes
MAX_ID = (1 << 32) - 2
CHUNK = 1 << 20
DIRECTORY_MODE = 0o755                                      # of one that no tar and no layer below describes


class BrokenLayer(Exception):
    """The tar cannot be unpacked; the message says what is wrong with it."""


class ForwardReader:
    """A pipe as tarfile wants it: seeks forward only. `last` is what was read last: at the end of a whole tar, zeros or nothing."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._position = 0
        self.last = b""

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> bytes:
        self.last = self._raw.read(size)
        self._position += len(self.last)
        return self.last

    def seek(self, position: int) -> None:
        if position < self._position:
            raise BrokenLayer("broken tar: an entry begins before the end of the last")
        while self._position < position and self.read(min(CHUNK, position - self._position)):
            pass

    def drain(self) -> None:
        while self._raw.read(CHUNK):
            pass


class LowerLayers:
    """The layers below, as one sees them through overlayfs. Opened before the root is changed; never followed through a link."""

    def __init__(self, directories: Iterable[str]) -> None:
        self._roots = [os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) for directory in directories]

    def exists(self, path: str) -> bool:
        found: list[bool] = []
        self._look(path, lambda parent, name: found.append(True))
        return bool(found)

    def directory(self, path: str) -> tuple[os.stat_result, dict[str, bytes]] | None:
        """Status and attributes of a directory; None if there is none at that place."""
        found: list[tuple[os.stat_result, dict[str, bytes]]] = []

        def read(parent: int, name: str) -> None:
            with suppress(NotADirectoryError, OSError):
                opened = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
                try:
                    names = [key for key in os.listxattr(opened) if not key.startswith(OVERLAY_XATTRS)]
                    found.append((os.fstat(opened), {key: os.getxattr(opened, key) for key in names}))
                finally:
                    os.close(opened)

        self._look(path, read)
        return found[0] if found else None

    def _look(self, path: str, visit: Callable[[int, str], None]) -> None:
        """Calls `visit` with the place in the topmost layer that has something there, unless a layer above hides it."""
        parts = [part for part in path.split("/") if part] or ["."]
        for root in self._roots:
            if self._look_in(root, parts, visit):
                return

    def _look_in(self, root: int, parts: list[str], visit: Callable[[int, str], None]) -> bool:
        """True if this layer has the last word."""
        current, opened, opaque = root, [], _is_opaque(root)
        try:
            for i, part in enumerate(parts):
                try:
                    status = os.stat(part, dir_fd=current, follow_symlinks=False)
                except FileNotFoundError:
                    return opaque
                if is_whiteout(status):
                    return True
                if i == len(parts) - 1:
                    visit(current, part)
                    return True
                if not stat.S_ISDIR(status.st_mode):
                    return True
                current = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=current)
                opened.append(current)
                opaque = opaque or _is_opaque(current)
            return False
        finally:
            for descriptor in opened:
                os.close(descriptor)


def is_whiteout(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def _is_opaque(descriptor: int) -> bool:
    try:
        return os.getxattr(descriptor, OVERLAY_OPAQUE) == b"y"
    except OSError:
        return False


class Unpacker:
    """Places the entries of one tar below /."""

    def __init__(self, reader: ForwardReader, lower: LowerLayers) -> None:
        self._reader = reader
        self._lower = lower
        self._opaque: set[str] = set()
        self._times: dict[str, float] = {}          # directories, set at the end: what is put into them changes them
        self._resolved = ("/", "/")                 # the last entry's parent: as named, and where it is
        self.size = 0

    def run(self) -> None:
        """Raises BrokenLayer, OSError."""
        self._inherit("/")
        try:
            tar = tarfile.TarFile(fileobj=self._reader, mode="r", encoding="utf-8", errors="surrogateescape")   # type: ignore[arg-type]
        except tarfile.ReadError:
            if self._reader.tell() == 0:
                return                              # no entry, and no end either: some write an empty layer so
            raise
        while (member := tar.next()) is not None:
            try:
                self._place(tar, member)
            except (OSError, ValueError, OverflowError) as error:
                if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
                    raise
                raise BrokenLayer(f"{member.name!r}: {getattr(error, 'strerror', None) or error}") from error
            tar.members.clear()                     # type: ignore[attr-defined]  # it would keep them all
        if self._reader.last.strip(b"\0") or len(self._reader.last) % tarfile.BLOCKSIZE:
            raise BrokenLayer("broken tar: the header of an entry is damaged")
        self._finish()

    def _place(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        name = _inside(member.name)
        parts = name.split("/")
        if any(part.startswith(AUFS) and part != OPAQUE for part in parts):
            return                                  # aufs's own files
        base = parts[-1]
        if name == "/":
            if not member.isdir():
                raise BrokenLayer(f"{member.name!r} stands for the root and is no directory")
            self._attributes(member, "/")
            return
        path = posixpath.join(self._parent(posixpath.dirname(name)), base)
        if base == OPAQUE:
            self._opaque.add(posixpath.dirname(path))
        elif base.startswith(WHITEOUT):
            self._hide(posixpath.dirname(path), base.removeprefix(WHITEOUT))
        elif member.islnk():
            self._link(path, member)
        elif member.ischr() and member.devmajor == member.devminor == 0:
            self._hide(posixpath.dirname(path), base)
        else:
            self._make(tar, member, path)

    def _make(self, tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
        hidden = self._clear(path, for_directory=member.isdir())
        if member.isdir():
            with suppress(FileExistsError):
                os.mkdir(path)
            if hidden:
                self._opaque.add(path)
        elif member.isreg():
            self._write(tar, member, path)
        elif member.issym():
            os.symlink(member.linkname, path)
        elif member.ischr() or member.isblk():
            kind = stat.S_IFCHR if member.ischr() else stat.S_IFBLK
            os.mknod(path, kind | 0o600, os.makedev(member.devmajor, member.devminor))
        elif member.isfifo():
            os.mkfifo(path, 0o600)
        else:
            raise BrokenLayer(f"{member.name!r}: entries of type {member.type!r} are unknown")
        self._attributes(member, path)

    def _write(self, tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
        source = tar.extractfile(member)
        assert source is not None
        with source, open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb", buffering=0) as file:
            shutil.copyfileobj(source, file, CHUNK)
        self.size += member.size

    def _link(self, path: str, member: tarfile.TarInfo) -> None:
        target = _inside(member.linkname)
        target = posixpath.join(os.path.realpath(posixpath.dirname(target)), posixpath.basename(target))
        if target == path:
            return
        if not os.path.lexists(target):
            raise BrokenLayer(f"{member.name!r} is a hard link to {member.linkname!r}, which is not there")
        self._clear(path, for_directory=False)
        os.link(target, path, follow_symlinks=False)

    def _hide(self, parent: str, name: str) -> None:
        """A whiteout hides what the layers below have; what this layer has at the same place stays, and stands alone."""
        if name in ("", ".", ".."):
            raise BrokenLayer(f"{posixpath.join(parent, WHITEOUT + name)!r} hides nothing that could be")
        path = posixpath.join(parent, name)
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            if self._lower.exists(path):            # where there is nothing below, overlayfs might show the device itself
                os.mknod(path, stat.S_IFCHR, 0)
            return
        if stat.S_ISDIR(status.st_mode):
            self._opaque.add(path)

    def _clear(self, path: str, *, for_directory: bool) -> bool:
        """Takes away what is there, but a directory for a directory. True if it was a whiteout."""
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return False
        if stat.S_ISDIR(status.st_mode):
            if not for_directory:
                self._resolved = ("/", "/")
                shutil.rmtree(path)
                gone = [other for other in {*self._opaque, *self._times} if other == path or other.startswith(path + "/")]
                self._opaque.difference_update(gone)
                for other in gone:
                    self._times.pop(other, None)
            return False
        self._resolved = ("/", "/")
        os.unlink(path)
        return is_whiteout(status)

    def _parent(self, name: str) -> str:
        """The directory, links followed; made if need be."""
        if self._resolved[0] != name:
            path = os.path.realpath(name)
            if not os.path.isdir(path):
                self._make_directories(path)
            self._resolved = (name, path)
        return self._resolved[1]

    def _make_directories(self, path: str) -> None:
        parts = path.split("/")[1:]
        for i in range(1, len(parts) + 1):
            place = "/" + "/".join(parts[:i])
            try:
                status = os.lstat(place)
            except FileNotFoundError:
                os.mkdir(place)
                self._inherit(place)
                continue
            if is_whiteout(status):
                os.unlink(place)
                os.mkdir(place)
                os.chmod(place, DIRECTORY_MODE)
                self._opaque.add(place)

    def _inherit(self, path: str) -> None:
        below = self._lower.directory(path)
        if below is None:
            os.chmod(path, DIRECTORY_MODE)
            return
        status, attributes = below
        os.chown(path, status.st_uid, status.st_gid)
        os.chmod(path, stat.S_IMODE(status.st_mode))
        for name, value in attributes.items():
            _set_attribute(path, name, value)
        self._times[path] = status.st_mtime

    def _attributes(self, member: tarfile.TarInfo, path: str) -> None:
        if not (0 <= member.uid <= MAX_ID and 0 <= member.gid <= MAX_ID):
            raise BrokenLayer(f"{member.name!r}: nobody has the number {member.uid}:{member.gid}")
        os.chown(path, member.uid, member.gid, follow_symlinks=False)
        if not member.issym():
            os.chmod(path, member.mode & 0o7777)    # after chown, which takes setuid away
        for key, value in member.pax_headers.items():
            name = key.removeprefix(XATTR_PREFIX)
            if name != key and not name.startswith(OVERLAY_XATTRS):
                _set_attribute(path, name, value.encode("utf-8", "surrogateescape"))
        if member.isdir():
            self._times[path] = member.mtime
        else:
            _set_time(path, member.mtime)

    def _finish(self) -> None:
        for path in self._opaque:
            if os.path.isdir(path) and not os.path.islink(path):
                os.setxattr(path, OVERLAY_OPAQUE, b"y")
                _remove_whiteouts(path)             # below it nothing is hidden, and they would be seen
        for path, when in sorted(self._times.items(), reverse=True):
            with suppress(FileNotFoundError):
                _set_time(path, when)


def _inside(name: str) -> str:
    """The name as an absolute path. Raises BrokenLayer if it leads out of the root."""
    path = posixpath.normpath(name.lstrip("/") or ".")
    if path == ".." or path.startswith("../"):
        raise BrokenLayer(f"{name!r} leads out of the image")
    return "/" if path == "." else "/" + path


def _set_attribute(path: str, name: str, value: bytes) -> None:
    try:
        os.setxattr(path, name, value, follow_symlinks=False)
    except OSError as error:
        # security.selinux where there is no SELinux; user.* on what cannot have any
        if error.errno != errno.ENOTSUP and not (error.errno == errno.EPERM and name.startswith("user.")):
            raise


def _set_time(path: str, seconds: float) -> None:
    clipped = int(max(-(1 << 31), min(seconds, 1 << 34)) * 1e9)
    os.utime(path, ns=(clipped, clipped), follow_symlinks=False)


def _remove_whiteouts(top: str) -> None:
    for directory, _, names in os.walk(top):
        for name in names:
            path = posixpath.join(directory, name)
            if is_whiteout(os.lstat(path)):
                os.unlink(path)


def main(arguments: list[str]) -> int:
    target, *lower = arguments
    reader = ForwardReader(sys.stdin.buffer)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
        os.umask(0)
        layers = LowerLayers(lower)
        os.chroot(target)
        os.chdir("/")
        unpacker = Unpacker(reader, layers)
        unpacker.run()
        reader.drain()
    except (BrokenLayer, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except (tarfile.TarError, ValueError, RecursionError) as error:
        sys.stderr.write(f"broken tar: {error}\n")
        return 1
    except MemoryError:
        sys.stderr.write("broken tar: an entry's header is larger than any should be\n")
        return 1
    sys.stdout.write(f"{unpacker.size}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
