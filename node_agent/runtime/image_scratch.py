"""Where loaders and pulls work: directories beside the layers, gone afterwards. A lock keeps the garbage collector away meanwhile."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from node_agent.runtime.image_catalog import locked, locked_if_free

SCRATCH = "loading"
BUSY = ".busy"          # held shared by whoever makes layers that no name stands for yet


class Scratch:
    """A directory in the store's own filesystem. What killed loaders left goes first."""

    def __init__(self, images_dir: Path) -> None:
        """May wait for the store's lock. Raises OSError."""
        folder, layers = images_dir / SCRATCH, images_dir / "layers"
        folder.mkdir(parents=True, exist_ok=True)
        layers.mkdir(exist_ok=True)
        for private in (layers, folder):
            private.chmod(0o700)        # what is setuid in an image is for its containers, not for the machine's users
        self._busy = os.open(images_dir / BUSY, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._busy, fcntl.LOCK_SH)
            with locked(images_dir):
                remove_stale(images_dir)
                self.path = Path(tempfile.mkdtemp(dir=folder))
                self._held = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                fcntl.flock(self._held, fcntl.LOCK_EX)
        except BaseException:
            os.close(self._busy)
            raise

    def close(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._held)
        os.close(self._busy)


@contextmanager
def scratch(images_dir: Path) -> Iterator[Path]:
    made = Scratch(images_dir)
    try:
        yield made.path
    finally:
        made.close()


def remove_stale(images_dir: Path) -> None:
    """What killed loaders left. The caller holds the store's lock."""
    for entry in (images_dir / SCRATCH).iterdir():
        with suppress(FileNotFoundError):           # its loader has just ended
            descriptor = os.open(entry, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue                            # its loader lives
            finally:
                os.close(descriptor)
            shutil.rmtree(entry, ignore_errors=True)


def undisturbed(images_dir: Path) -> AbstractContextManager[bool]:
    """Whether nobody makes layers now; while the context is open nobody begins to."""
    return locked_if_free(images_dir / BUSY)
