"""Archives that hold images, whatever they come as: a tar file (compressed or not), a stream, a directory. Here they are named bytes."""

from __future__ import annotations

import hashlib
import io
import posixpath
import re
import shutil
import stat
import subprocess
import tarfile
import threading
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from node_agent.runtime.model import RuntimeServiceError

CHUNK = 1 << 20
GZIP_STEP = 1 << 15             # may grow a thousandfold
MAX_DOCUMENT = 8 << 20          # a manifest, an index, a configuration
GZIP, ZSTD, BZIP2, XZ = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh", b"\xfd7zXZ"
MAX_LINKS = 8
_DIGEST = re.compile("sha256:([0-9a-f]{64})")


class ImageArchiveError(RuntimeServiceError):
    """What was given is no archive of images, or a broken one."""


class Archive(Protocol):
    """Files by relative name."""

    def has(self, name: str) -> bool: ...
    def size(self, name: str) -> int: ...
    def open(self, name: str) -> BinaryIO:
        """Raises ImageArchiveError if it is not there."""


class DirectoryArchive:
    def __init__(self, top: Path) -> None:
        self._top = top

    def has(self, name: str) -> bool:
        return self._path(name) is not None

    def size(self, name: str) -> int:
        return self._existing(name).stat().st_size

    def open(self, name: str) -> BinaryIO:
        return self._existing(name).open("rb")

    def _existing(self, name: str) -> Path:
        path = self._path(name)
        if path is None:
            raise ImageArchiveError(f"{name} is missing from the directory")
        return path

    def _path(self, name: str) -> Path | None:
        clean = posixpath.normpath(name)
        if clean.startswith(("/", "..")):
            raise ImageArchiveError(f"{name!r} leads out of the directory")
        path = self._top / clean
        return path if path.exists() and stat.S_ISREG(path.stat().st_mode) else None


class TarArchive:
    def __init__(self, file: BinaryIO) -> None:
        self._tar = tarfile.open(fileobj=file, mode="r:")       # noqa: SIM115 - as long as the file
        self._members = {posixpath.normpath(member.name): member for member in self._tar}

    def has(self, name: str) -> bool:
        return self._member(name) is not None

    def size(self, name: str) -> int:
        return self._existing(name).size

    def open(self, name: str) -> BinaryIO:
        file = self._tar.extractfile(self._existing(name))
        assert file is not None
        return cast(BinaryIO, file)

    def _existing(self, name: str) -> tarfile.TarInfo:
        member = self._member(name)
        if member is None:
            raise ImageArchiveError(f"{name} is missing from the archive")
        return member

    def _member(self, name: str) -> tarfile.TarInfo | None:
        """Docker wrote a layer that two images share as a symbolic link to it."""
        name = posixpath.normpath(name)
        for _ in range(MAX_LINKS):
            member = self._members.get(name)
            if member is None or member.isreg():
                return member
            if not (member.issym() or member.islnk()):
                return None
            name = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname) if member.issym() else member.linkname)
        return None


@contextmanager
def open_archive(source: Path | BinaryIO, scratch: Path) -> Iterator[Archive]:
    """What cannot be read here and there (a stream, a compressed file) is copied to `scratch` first. Raises ImageArchiveError, OSError."""
    if isinstance(source, Path):
        if source.is_dir():
            yield DirectoryArchive(source)
            return
        with source.open("rb") as file:
            yield from _open_tar(file, scratch)
    else:
        yield from _open_tar(source, scratch)


def _open_tar(file: BinaryIO, scratch: Path) -> Iterator[Archive]:
    if file.seekable():
        magic = file.read(6)
        file.seek(0)
        if not magic.startswith((GZIP, ZSTD, BZIP2, XZ)):
            yield _tar(file)
            return
    spool = scratch / "archive.tar"
    with spool.open("wb") as copy:
        for chunk in decompressed(chunks_of(file)):
            copy.write(chunk)
    with spool.open("rb") as file:
        yield _tar(file)


def _tar(file: BinaryIO) -> TarArchive:
    try:
        return TarArchive(file)
    except tarfile.TarError as error:
        raise ImageArchiveError(f"it is no tar archive, or a truncated one: {error}") from error


def read_document(archive: Archive, name: str, digest: str = "") -> bytes:
    """A small file, compared with its digest where there is one. Raises ImageArchiveError."""
    if archive.size(name) > MAX_DOCUMENT:
        raise ImageArchiveError(f"{name} is larger than any manifest should be")
    with archive.open(name) as file:
        content = file.read()
    if digest and (found := sha256_of(content)) != digest:
        raise ImageArchiveError(f"{name} is damaged: its digest is {found}")
    return content


def blob_name(digest: str) -> str:
    """Where a layout keeps it. Raises ImageArchiveError for what is no digest."""
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise ImageArchiveError(f"{digest!r} is no sha256 digest")
    return f"blobs/sha256/{match[1]}"


def sha256_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def chunks_of(file: BinaryIO) -> Iterator[bytes]:
    """As they come: a `read` that waits for a whole chunk from a pipe would not hear of a signal between two parts of it."""
    read = file.read1 if isinstance(file, io.BufferedReader) else file.read
    while chunk := read(CHUNK):
        yield chunk


def decompressed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Told by the first bytes, not by what a media type claims. Reads `chunks` to the end. Raises ImageArchiveError."""
    chunks = iter(chunks)
    first = b""
    while len(first) < len(XZ) and (more := next(chunks, b"")):
        first += more
    if first.startswith(GZIP):
        return _gunzip(first, chunks)
    if first.startswith(ZSTD):
        return _unzstd(first, chunks)
    if first.startswith((BZIP2, XZ)):
        raise ImageArchiveError("it is compressed with bzip2 or xz; gzip and zstd are understood")
    return _chain(first, chunks)


def _chain(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from chunks


def _gunzip(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """One member after the other, as pigz and bgzip write them."""
    decoder: zlib._Decompress | None = None
    try:
        for chunk in _chain(first, chunks):
            rest = memoryview(chunk)
            while rest:
                data, rest = bytes(rest[:GZIP_STEP]), rest[GZIP_STEP:]
                while data:
                    if decoder is None:
                        data = data.lstrip(b"\0")       # padding after the last member
                        if not data:
                            break
                        decoder = zlib.decompressobj(wbits=31)
                    if output := decoder.decompress(data):
                        yield output
                    data = b""
                    if decoder.eof:
                        data, decoder = decoder.unused_data, None
    except zlib.error as error:
        raise ImageArchiveError(f"broken gzip: {error}") from error
    if decoder is not None:
        raise ImageArchiveError("truncated gzip: it ends in the middle")


def _unzstd(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    program = shutil.which("zstd")
    if program is None:
        raise ImageArchiveError("it is compressed with zstd, which is not installed (apt-get install zstd)")
    failures: list[BaseException] = []

    def feed(pipe: BinaryIO) -> None:
        try:
            with pipe:
                for chunk in _chain(first, chunks):
                    pipe.write(chunk)
        except BrokenPipeError:
            pass                                    # it gave up, and says why
        except BaseException as error:              # raised again by the reader
            failures.append(error)

    command = [program, "--decompress", "--stdout", "--quiet", "--no-progress"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        pipes = cast(tuple[BinaryIO, BinaryIO, BinaryIO], (process.stdin, process.stdout, process.stderr))
        feeder = threading.Thread(target=feed, args=(pipes[0],), daemon=True)
        feeder.start()
        try:
            yield from chunks_of(pipes[1])
            complaint = pipes[2].read().decode(errors="replace").strip()
        finally:
            process.kill()
            feeder.join()
            process.stdin = None                    # the feeder has closed it
        process.wait()
    if failures:
        raise failures[0]
    if complaint:
        raise ImageArchiveError(f"broken zstd: {complaint}")
