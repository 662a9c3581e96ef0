"""Unpacks what was pulled, in a process of its own: it can be ended at any time, and what it needs of memory goes with it.

    python -m node_agent.runtime.registry.unpack < Order as JSON        on failure one line on standard error
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tarfile
from contextlib import suppress
from pathlib import Path

import msgspec

from node_agent.runtime.image_archive import DirectoryArchive
from node_agent.runtime.image_catalog import Entry, ImageCatalog, locked, references_of
from node_agent.runtime.image_manifest import find_images
from node_agent.runtime.image_pulls import PullRecords, PullSecretId
from node_agent.runtime.image_scratch import remove_stale, scratch
from node_agent.runtime.layer_store import LayerStore
from node_agent.runtime.model import Image, RuntimeServiceError
from node_agent.runtime.processes import reap, spawn
from node_agent.runtime.references import parse_reference

PROJECT = Path(__file__).resolve().parents[3]


class Order(msgspec.Struct, frozen=True):
    images_dir: str
    layout: str                 # a directory: an OCI layout of one image, without the blobs of layers that the store has
    name: str                   # what it was pulled as, canonical
    secret: PullSecretId | None


def carry_out(order: Order) -> None:
    """The image is in the store, with its names and the record of who may run it, or the store is as it was. Raises RuntimeServiceError."""
    images_dir, reference = Path(order.images_dir), parse_reference(order.name)
    archive = DirectoryArchive(Path(order.layout))
    (found,) = find_images(archive, None, "")
    with scratch(images_dir) as folder:
        layers, size = LayerStore(images_dir).unpack(archive, found.layers, folder)
        references = references_of([reference], Entry(found.id, found.digest), found.manifest_digest)
        image = Image(id=found.id, name="", layers=tuple(layers), config=found.config, size=size)
        with locked(images_dir):
            PullRecords(images_dir).note(found.id, reference.name, order.secret)     # before the name: nobody runs it who may not
            ImageCatalog(images_dir).add([(image, references)])


async def run_unpacker(order: Order) -> None:
    """Starts the process and waits for it; when cancelled, ends it and removes what it has left. Raises RuntimeServiceError, OSError."""
    order_file, complaint_file = (Path(order.layout, name) for name in ("order", "complaint"))
    order_file.write_bytes(msgspec.json.encode(order))
    with order_file.open("rb") as given, complaint_file.open("wb") as complaint:
        descriptors = {0: given.fileno(), 1: complaint.fileno(), 2: complaint.fileno()}
        command = (sys.executable, "-P", "-m", __name__)
        pid = spawn(command, {**os.environ, "PYTHONPATH": str(PROJECT)}, descriptors, own_group=True)
    ending = asyncio.ensure_future(reap(pid))
    try:
        code = await asyncio.shield(ending)
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        await ending
        await asyncio.to_thread(_clean_up, Path(order.images_dir))
        raise
    if code != 0:
        lines = complaint_file.read_text(errors="replace").strip().splitlines()
        await asyncio.to_thread(_clean_up, Path(order.images_dir))
        raise RuntimeServiceError(lines[-1] if lines else f"the unpacker ended with {code}")


def _clean_up(images_dir: Path) -> None:
    with locked(images_dir):
        remove_stale(images_dir)


def main() -> int:
    try:
        carry_out(msgspec.json.decode(sys.stdin.buffer.read(), type=Order))
    except (RuntimeServiceError, OSError, tarfile.TarError) as error:
        print(str(error).replace("\n", " "), file=sys.stderr)       # noqa: T201 - the answer
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
