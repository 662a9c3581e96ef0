"""Images that nobody needs go when the disk is full, or when they are too old. Follows pkg/kubelet/images/image_gc_manager.go.

The store is the machine's: an image that any node uses stays, and of several nodes one collects. Built-in images stay, and those that
were loaded by hand, while they have a name: no registry could give them back.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from kube.api.core_v1 import Node
from kube.client.events import reference_to
from kube.process.log import get_logger
from node_agent.kubelet.seams import Events
from node_agent.runtime.image_catalog import ImageCatalog, locked, locked_if_free
from node_agent.runtime.image_pulls import PullRecords
from node_agent.runtime.image_removal import StoreBusyError, remove_images
from node_agent.runtime.image_uses import ImageUses, images_in_use
from node_agent.runtime.model import Image, ImagePolicy, RuntimeServiceError

FIRST_S = 60.0                  # after the start: then Pods are what matters
ALL = 1 << 62
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
log = get_logger("image gc")


@dataclass(slots=True)
class Seen:
    first: float                # seconds on any one clock
    used: float = 0.0


class GarbageError(RuntimeServiceError):
    """Not as much was freed as was needed; `reason` is an event's."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ImageCollector:
    """`in_use` gives the ids of this node's; `disk` capacity and available bytes of the store's filesystem."""

    def __init__(
        self, images_dir: Path, uses: ImageUses, in_use: Callable[[], Iterable[str]], policy: ImagePolicy, events: Events,
        node: Callable[[], Node | None], now: Callable[[], float], disk: Callable[[Path], tuple[int, int]] | None = None,
    ) -> None:
        self._images_dir = images_dir
        self._uses = uses
        self._in_use = in_use
        self._policy = policy
        self._events = events
        self._node = node
        self._now = now
        self._disk = disk or disk_of
        self._catalog = ImageCatalog(images_dir)
        self._records = PullRecords(images_dir)
        self._seen: dict[str, Seen] = {}
        self._began = now()
        self._failed = False

    async def run(self) -> None:
        policy = self._policy
        if policy.high_percent == 100 and not policy.maximum_age_s:
            return
        await asyncio.sleep(min(FIRST_S, policy.period_s))
        while True:
            await self.round()
            await asyncio.sleep(policy.period_s)

    async def round(self) -> None:
        """A failure is told from the second in a row on."""
        try:
            await asyncio.to_thread(self.collect)
            self._failed = False
        except StoreBusyError:
            log.info("images are not collected now: some are being loaded or pulled")
        except (RuntimeServiceError, OSError, msgspec.MsgspecError) as error:
            log.warning("image garbage collection failed", error=str(error))
            if isinstance(error, GarbageError):
                self._tell(error.reason, str(error))
            if self._failed:
                self._tell("ImageGCFailed", str(error))
            self._failed = True

    def collect(self) -> None:
        """Raises GarbageError, StoreBusyError, RuntimeServiceError, OSError, msgspec.MsgspecError."""
        with self._alone() as alone:
            if not alone:
                return                          # another node does it
            now, policy = self._now(), self._policy
            remove_images(self._images_dir, ())
            order = self._eviction_order(now)
            if policy.maximum_age_s and now - self._began > policy.maximum_age_s:
                order = self._free_old(order, now)
            capacity, available = self._disk(self._images_dir)
            if capacity == 0:
                raise GarbageError("InvalidDiskCapacity", "invalid capacity 0 on image filesystem")
            used_percent = 100 - min(available, capacity) * 100 // capacity
            if used_percent < policy.high_percent:
                return
            wanted = capacity * (100 - policy.low_percent) // 100 - available
            log.info("the disk is over the high threshold", used_percent=used_percent, wanted=wanted)
            freed = self._free(order, wanted, now)
            if freed < wanted:
                message = (
                    f"Insufficient free disk space on the node's image filesystem ({used_percent}% of {format_size(capacity)} used). "
                    f"Failed to free sufficient space by deleting unused images (freed {freed} bytes). "
                    "Investigate disk usage, as it could be used by active images, logs, volumes, or other data."
                )
                raise GarbageError("FreeDiskSpaceFailed", message)

    async def delete_unused(self) -> None:
        """All that may go, whatever the thresholds say: a node under disk pressure asks for it."""
        def delete() -> None:
            with self._alone() as alone:
                if alone:
                    self._free(self._eviction_order(self._now()), ALL, self._now())

        try:
            await asyncio.to_thread(delete)
        except (RuntimeServiceError, OSError, msgspec.MsgspecError) as error:
            log.warning("unused images were not all removed", error=str(error))

    def _eviction_order(self, now: float) -> list[Image]:
        """Those that may go; the one that was used longest ago first."""
        with locked(self._images_dir):
            self._uses.keep(self._in_use())
            used = images_in_use(self._images_dir)
        images, pulled = self._catalog.list(), self._records.read()
        self._seen = {image.id: self._seen.get(image.id, Seen(now)) for image in images}
        for image_id in used & self._seen.keys():
            self._seen[image_id].used = now
        free = [image for image in images if image.id not in used and (image.id in pulled or not image.tags)]
        return sorted(free, key=lambda image: (self._seen[image.id].used, self._seen[image.id].first))

    def _free_old(self, images: list[Image], now: float) -> list[Image]:
        left = []
        for image in images:
            if now - self._seen[image.id].used <= self._policy.maximum_age_s or not self._remove(image)[0]:
                left.append(image)
        return left

    def _free(self, images: Iterable[Image], wanted: int, now: float) -> int:
        freed = 0
        for image in images:
            if freed >= wanted:
                break
            if now - self._seen[image.id].first >= self._policy.minimum_age_s:
                freed += self._remove(image)[1]
        return freed

    def _remove(self, image: Image) -> tuple[bool, int]:
        gone, freed = remove_images(self._images_dir, [image.id])
        if gone:
            log.info("removed an image", image=image.reference, bytes=freed)
        return bool(gone), freed

    def _tell(self, reason: str, message: str) -> None:
        if (node := self._node()) is not None:
            self._events.event(reference_to(node), "Warning", reason, message)

    def _alone(self) -> AbstractContextManager[bool]:
        return locked_if_free(self._images_dir / ".gc")


def disk_of(path: Path) -> tuple[int, int]:
    status = os.statvfs(path)
    return status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize


def format_size(size: int) -> str:
    """As upstream's events show it: 12 B, 1.5 GiB."""
    value, unit = float(size), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.1f} {_UNITS[unit]}" if unit else f"{size} B"
