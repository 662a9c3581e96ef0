"""Layers of loaded images, unpacked: one directory per chain id, used in place by every container on every node of the machine.

The chain id names a layer together with all below it, so equal layers on equal ground exist once, and a layer may take the owner and the
mode of a directory from what is below. A layer is unpacked beside its place and renamed when its bytes are what the digests say.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from node_agent.runtime import unpack_layer
from node_agent.runtime.image_archive import Archive, ImageArchiveError, chunks_of, decompressed
from node_agent.runtime.image_manifest import LayerBlob

NAME_DIGITS = 24        # of the chain id's 64: the names of 127 layers must fit into the one page that mount(2) takes
EMPTY = "empty"         # below an image without layers


class LayerStore:
    def __init__(self, images_dir: Path) -> None:
        self._layers = images_dir / "layers"

    def unpack(self, archive: Archive, blobs: Sequence[LayerBlob], scratch: Path) -> tuple[list[str], int]:
        """Names below layers/, topmost first, and the bytes in their files. Raises ImageArchiveError, OSError."""
        names: list[str] = []
        chain = ""
        for number, blob in enumerate(blobs, 1):
            chain = chain_id(chain, blob.diff_id)
            place = self._layers / chain.removeprefix("sha256:")[:NAME_DIGITS]
            if not place.is_dir():
                try:
                    self._unpack_one(archive, blob, [self._layers / name for name in names], place, scratch)
                except ImageArchiveError as error:
                    raise ImageArchiveError(f"layer {number} of {len(blobs)}, {blob.diff_id[:19]}: {error}") from error
            names.insert(0, place.name)
        if not names:
            (self._layers / EMPTY).mkdir(mode=0o755, exist_ok=True)
            return [EMPTY], 0
        return names, sum(int(self._size_file(self._layers / name).read_text()) for name in names)

    def present(self, diff_ids: Sequence[str]) -> list[bool]:
        """Which layers of an image, the lowest first, are there already."""
        found, chain = [], ""
        for diff_id in diff_ids:
            chain = chain_id(chain, diff_id)
            found.append((self._layers / chain.removeprefix("sha256:")[:NAME_DIGITS]).is_dir())
        return found

    def path(self, name: str) -> str:
        return str(self._layers / name)

    def _unpack_one(self, archive: Archive, blob: LayerBlob, lower: Sequence[Path], place: Path, scratch: Path) -> None:
        temporary = Path(tempfile.mkdtemp(dir=scratch))
        compressed = hashlib.sha256()
        plain = hashlib.sha256()
        with archive.open(blob.name) as file:
            size = _run_unpacker(_hashed(decompressed(_hashed(chunks_of(file), compressed)), plain), temporary, lower)
        for what, expected, found in (("compressed", blob.digest, compressed), ("unpacked", blob.diff_id, plain)):
            if expected and expected != f"sha256:{found.hexdigest()}":
                raise ImageArchiveError(f"it is damaged: its digest, {what}, is sha256:{found.hexdigest()}, and should be {expected}")
        note = scratch / f"{place.name}.size"
        note.write_text(str(size))
        note.rename(self._size_file(place))
        try:
            temporary.rename(place)
        except OSError:
            if not place.is_dir():          # another loader was faster
                raise
            shutil.rmtree(temporary)

    @staticmethod
    def _size_file(place: Path) -> Path:
        return Path(f"{place}.size")


def chain_id(below: str, diff_id: str) -> str:
    return "sha256:" + hashlib.sha256(f"{below} {diff_id}".encode()).hexdigest() if below else diff_id


def _hashed(chunks: Iterator[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def _run_unpacker(chunks: Iterator[bytes], target: Path, lower: Sequence[Path]) -> int:
    """Bytes in files. The bytes are read to their end even if the tar in them ends earlier: their digest is of all."""
    command = [sys.executable, "-I", "-S", "-X", "utf8", str(Path(unpack_layer.__file__)), str(target), *map(str, lower)]
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints) as process,
    ):
        pipe, answer = cast(tuple[BinaryIO, BinaryIO], (process.stdin, process.stdout))
        try:
            _feed(chunks, pipe)
        except tarfile.TarError as error:
            process.kill()
            raise ImageArchiveError(f"the archive is truncated: {error}") from error
        except BaseException:
            process.kill()
            raise
        output = answer.read()
        if process.wait() != 0:
            complaints.seek(0)
            lines = complaints.read().decode(errors="replace").strip().splitlines()
            raise ImageArchiveError(lines[-1] if lines else f"the unpacker ended with {process.returncode}")
    return int(output)


def _feed(chunks: Iterator[bytes], pipe: BinaryIO) -> None:
    try:
        with pipe:
            for chunk in chunks:
                pipe.write(chunk)
    except BrokenPipeError:         # the unpacker has given up, and says why
        os.sched_yield()
