"""The volumes of the cluster's own driver: a sparse file each, which a node of this machine mounts as a disk of that size; or a folder,
which all of them mount.

    FOLDER/pvc-....img     the disk, or
    FOLDER/pvc-....dir     the folder
    FOLDER/pvc-....json    its size, where it may be used, and the one node it is attached to

Both halves of the driver share the folder: the controller service writes it, the node service reads it. Blocks, but briefly.
"""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import Final

import msgspec

VERSION: Final = "0.1.0"
MIB: Final = 1 << 20
SMALLEST_BYTES: Final = 4 * MIB      # ext4 makes nothing of less
MAX_VOLUMES_PER_NODE: Final = 128    # loop devices are the machine's, and few


class StoreError(Exception):
    """The message is for the CSI status."""


class NotThere(StoreError):
    """No such volume."""


class Unfit(StoreError):
    """It is there, but not as asked for."""


class NoRoom(StoreError):
    """More than the disk below could ever hold."""


class Attached(StoreError):
    """To another node."""


class InUse(StoreError):
    """What was asked for cannot be done while a Pod uses it."""


class BlockVolume(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    capacity_bytes: int
    topology: dict[str, str] = {}
    node: str = ""               # attached to it; "": to none
    shared: bool = False         # a folder: for any number of nodes, without a limit of its own
    expanded: bool = False       # larger than it was made: its file system may still have to follow


class BlockStore:
    """One process writes: its calls, which may come from several threads, wait for each other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._changing = threading.Lock()

    def image(self, volume_id: str) -> Path:
        """Raises NotThere, also for what is no name of a volume."""
        if not volume_id or "/" in volume_id or volume_id.startswith("."):
            raise NotThere(f"volume {volume_id!r} not found")
        return self._folder / f"{volume_id}.img"

    def folder(self, volume_id: str) -> Path:
        return self.image(volume_id).with_suffix(".dir")

    def get(self, volume_id: str) -> BlockVolume:
        try:
            return msgspec.json.decode(self.image(volume_id).with_suffix(".json").read_bytes(), type=BlockVolume)
        except FileNotFoundError:
            raise NotThere(f"volume {volume_id!r} not found") from None

    def create(
        self, volume_id: str, size_bytes: int, topology: dict[str, str], *, limit_bytes: int = 0, shared: bool = False,
    ) -> BlockVolume:
        """Idempotent: an equal one that is there is given back."""
        size_bytes = max(SMALLEST_BYTES, -(-size_bytes // MIB) * MIB)
        if limit_bytes and size_bytes > limit_bytes:
            raise Unfit(f"no volume between the sizes asked for: at least {size_bytes} bytes, at most {limit_bytes}")
        with self._changing:
            if (held := self._held(volume_id)) is not None:
                if held.capacity_bytes < size_bytes:
                    raise Unfit(f"volume {volume_id!r} is there with {held.capacity_bytes} bytes, asked for were {size_bytes}")
                return held
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._check_room(size_bytes)
            if shared:
                self.folder(volume_id).mkdir(exist_ok=True)
                self.folder(volume_id).chmod(0o777)
                return self._write(BlockVolume(id=volume_id, capacity_bytes=size_bytes, shared=True))
            with self.image(volume_id).open("wb") as file:
                file.truncate(size_bytes)
            return self._write(BlockVolume(id=volume_id, capacity_bytes=size_bytes, topology=topology))

    def delete(self, volume_id: str) -> None:
        """Idempotent. Raises Attached."""
        with self._changing:
            if (held := self._held(volume_id)) is None:
                return
            if held.node:
                raise Attached(f"volume {volume_id!r} is still attached to node {held.node}")
            if held.shared and self.folder(volume_id).exists():
                shutil.rmtree(self.folder(volume_id))
            self.image(volume_id).unlink(missing_ok=True)
            self.image(volume_id).with_suffix(".json").unlink(missing_ok=True)

    def attach(self, volume_id: str, node: str) -> BlockVolume:
        with self._changing:
            held = self.get(volume_id)
            if held.shared:
                return held
            if held.node not in ("", node):
                raise Attached(f"volume {volume_id!r} is attached to node {held.node}")
            return held if held.node else self._write(msgspec.structs.replace(held, node=node))

    def detach(self, volume_id: str, node: str) -> None:
        with self._changing:
            held = self._held(volume_id)
            if held is not None and held.node and node in ("", held.node):
                self._write(msgspec.structs.replace(held, node=""))

    def expand(self, volume_id: str, size_bytes: int) -> BlockVolume:
        """Never smaller."""
        size_bytes = -(-size_bytes // MIB) * MIB
        with self._changing:
            held = self.get(volume_id)
            if held.capacity_bytes >= size_bytes:
                return held
            self._check_room(size_bytes)
            if not held.shared:
                os.truncate(self.image(volume_id), size_bytes)
            return self._write(msgspec.structs.replace(held, capacity_bytes=size_bytes, expanded=True))

    def _held(self, volume_id: str) -> BlockVolume | None:
        try:
            return self.get(volume_id)
        except NotThere:
            return None

    def _check_room(self, size_bytes: int) -> None:
        """Sparse files may promise more than there is; but not more than there ever could be."""
        found = os.statvfs(self._folder)
        if size_bytes > found.f_blocks * found.f_frsize:
            raise NoRoom(f"{size_bytes} bytes are more than this machine's disk has ({found.f_blocks * found.f_frsize})")

    def _write(self, volume: BlockVolume) -> BlockVolume:
        path = self.image(volume.id).with_suffix(".json")
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(msgspec.json.encode(volume))
        temporary.replace(path)
        return volume
