"""Taking images out of the store. What a node uses stays, and what is built in; layers go with the last image that has them."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from node_agent.runtime.image_catalog import ImageCatalog, locked
from node_agent.runtime.image_pulls import PullRecords
from node_agent.runtime.image_scratch import SCRATCH, undisturbed
from node_agent.runtime.image_uses import images_in_use
from node_agent.runtime.layer_store import NAME_DIGITS
from node_agent.runtime.model import RuntimeServiceError

ORPHAN_AGE_S = 3600.0
_LAYER = re.compile(f"[0-9a-f]{{{NAME_DIGITS}}}")


class StoreBusyError(RuntimeServiceError):
    """Somebody loads or pulls an image: layers without a name may be theirs."""


def remove_images(images_dir: Path, image_ids: Iterable[str]) -> tuple[list[str], int]:
    """Which of them were removed, and the bytes that went with them. Raises StoreBusyError, RuntimeServiceError, OSError.

    Names go first, then layers: who is interrupted leaves layers that a later call removes. So do loads and pulls that failed; an hour
    is theirs to be tried again.
    """
    with undisturbed(images_dir) as alone:
        if not alone:
            raise StoreBusyError("images are being loaded or pulled")
        with locked(images_dir):
            used = images_in_use(images_dir)
            gone = [image_id for image_id in image_ids if image_id not in used]
            (images_dir / SCRATCH).mkdir(exist_ok=True)
            catalog = ImageCatalog(images_dir)
            due = {Path(layer).name for image in catalog.list() if image.id in gone for layer in image.layers}
            kept = catalog.remove(gone)
            PullRecords(images_dir).forget(gone)
            moved, freed = _move_layers_away(images_dir, kept, due)
    for layer in moved:
        shutil.rmtree(layer, ignore_errors=True)
    return gone, freed


def _move_layers_away(images_dir: Path, kept: set[str], due: set[str]) -> tuple[list[Path], int]:
    """Layers without a name become what a killed loader might have left, which whoever comes next removes."""
    moved, freed = [], 0
    layers = images_dir / "layers"
    for layer in layers.iterdir() if layers.is_dir() else ():
        orphan = _LAYER.fullmatch(layer.name) and layer.name not in kept
        if orphan and (layer.name in due or time.time() - layer.lstat().st_ctime > ORPHAN_AGE_S):
            size = Path(f"{layer}.size")
            freed += int(size.read_text()) if size.exists() else 0
            target = images_dir / SCRATCH / f"gone-{layer.name}-{os.getpid()}"
            layer.rename(target)
            size.unlink(missing_ok=True)
            moved.append(target)
        elif layer.suffix == ".size" and _LAYER.fullmatch(layer.stem) and not layer.with_suffix("").is_dir():
            layer.unlink(missing_ok=True)
    return moved, freed
