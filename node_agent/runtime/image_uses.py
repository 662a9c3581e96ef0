"""used/: which images each node of this machine needs, so that no other node's garbage collector takes them away.

One small file per node: {"root": the node's state directory, "images": [ids]}. A node whose directory is gone needs nothing.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from node_agent.runtime.image_catalog import locked

FOLDER = "used"
YOUNG_S = 600.0


class Use(msgspec.Struct):
    root: str
    images: list[str]


class ImageUses:
    def __init__(self, images_dir: Path, root_dir: Path) -> None:
        self._images_dir = images_dir
        self._root_dir = root_dir
        self._file = images_dir / FOLDER / f"{hashlib.sha256(str(root_dir).encode()).hexdigest()[:16]}.json"
        self._noted = set(_read(self._file).images)
        self._added: dict[str, float] = {}              # when, by the monotonic clock
        self._mutex = threading.Lock()                  # of both: the collector works in a thread of its own

    def has(self, image_id: str) -> bool:
        return image_id in self._noted

    def touch(self, image_id: str) -> bool:
        """Whether it is noted already; then it stays so for some minutes, whatever `keep` is told."""
        with self._mutex:
            if image_id in self._noted:
                self._added[image_id] = time.monotonic()
            return image_id in self._noted

    def add(self, image_id: str) -> None:
        """Before the image is used; look afterwards whether it is still there. Raises OSError."""
        with locked(self._images_dir):
            with self._mutex:
                self._added[image_id] = time.monotonic()
                self._noted = self._noted | {image_id}
            try:
                self._write()
            except OSError:
                self._noted = self._noted - {image_id}
                raise

    def keep(self, image_ids: Iterable[str]) -> None:
        """These alone, and what was added just now: its container may not be there yet. The caller holds the store's lock."""
        with self._mutex:
            self._added = {image_id: at for image_id, at in self._added.items() if time.monotonic() - at < YOUNG_S}
            before, self._noted = self._noted, {*image_ids, *self._added}
        if before != self._noted:
            self._write()

    def _write(self) -> None:
        self._file.parent.mkdir(exist_ok=True)
        temporary = self._file.with_suffix(f".{os.getpid()}")
        temporary.write_bytes(msgspec.json.encode(Use(str(self._root_dir), sorted(self._noted))))
        temporary.replace(self._file)


def images_in_use(images_dir: Path) -> set[str]:
    """By any node. The caller holds the store's lock. Raises OSError, msgspec.MsgspecError: who cannot know removes nothing."""
    used: set[str] = set()
    for file in (images_dir / FOLDER).glob("*.json"):
        use = msgspec.json.decode(file.read_bytes(), type=Use)
        if Path(use.root).exists():
            used.update(use.images)
        else:
            file.unlink()
    return used


def _read(file: Path) -> Use:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Use)
    except (OSError, msgspec.MsgspecError):
        return Use("", [])
