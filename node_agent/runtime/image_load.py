"""`kubonsai load`: an archive becomes images of the store. Needs the store's directory and root, no cluster."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from node_agent.runtime.image_archive import ImageArchiveError, open_archive
from node_agent.runtime.image_catalog import Entry, ImageCatalog, locked, references_of
from node_agent.runtime.image_manifest import FoundImage, find_images
from node_agent.runtime.image_pulls import PullRecords
from node_agent.runtime.image_scratch import scratch
from node_agent.runtime.layer_store import LayerStore
from node_agent.runtime.model import Image, RuntimeServiceError
from node_agent.runtime.platforms import Platform
from node_agent.runtime.references import InvalidImageNameError, parse_reference


class LoadError(RuntimeServiceError):
    """An archive could not be loaded; the message names it. The store is as it was."""


def load_images(source: Path | BinaryIO, images_dir: Path, *, platform: Platform | None = None, name: str = "") -> list[Image]:
    """All images of an archive, of one platform each (None: this machine's). `name` replaces the name of an only one.

    Layers appear when they are whole, names when all images are there. `tags` of what is returned are those of this archive.
    Raises LoadError.
    """
    shown = str(source) if isinstance(source, Path) else "standard input"
    try:
        with scratch(images_dir) as folder, open_archive(source, folder) as archive:
            found = find_images(archive, platform, _base_name(source) if isinstance(source, Path) else "")
            layers = LayerStore(images_dir)
            unpacked = [(image, *layers.unpack(archive, image.layers, folder)) for image in found]
            with locked(images_dir):
                PullRecords(images_dir).forget(image.id for image in found)        # it is everybody's now
                catalog = ImageCatalog(images_dir)
                catalog.add([_named(image, names, size, _names(found, image, name)) for image, names, size in unpacked])
            return [_stored(catalog, image, _names(found, image, name)) for image in found]
    except (RuntimeServiceError, OSError) as error:
        raise LoadError(f"{shown}: {error}") from error
    except tarfile.TarError as error:
        raise LoadError(f"{shown}: the archive is broken: {error}") from error


def _named(image: FoundImage, layers: Sequence[str], size: int, names: Sequence[str]) -> tuple[Image, dict[str, Entry]]:
    entry = Entry(image.id, image.digest)
    references = references_of([parse_reference(name) for name in names], entry, image.manifest_digest)
    return Image(id=image.id, name="", layers=tuple(layers), config=image.config, size=size), references


def _stored(catalog: ImageCatalog, image: FoundImage, names: Sequence[str]) -> Image:
    found = catalog.find(names[0] if names else image.id)
    assert found is not None
    return msgspec.structs.replace(found, tags=tuple(names))


def _names(all_found: Sequence[FoundImage], image: FoundImage, name: str) -> tuple[str, ...]:
    if not name:
        return image.names
    if len({other.id for other in all_found}) > 1:
        raise ImageArchiveError(f"it holds {len(all_found)} images, which cannot all be named {name!r}")
    reference = parse_reference(name)
    if reference.digest:
        raise InvalidImageNameError(f"{name!r}: a digest is what an image has, not what it is given")
    return (reference.stored,)


def _base_name(path: Path) -> str:
    """What a tag without a name belongs to: the file's name, as far as it can be one."""
    stem = re.sub(r"(\.(tar|tgz|gz|zst|oci|docker))+$", "", path.resolve().name.lower())
    try:
        return parse_reference(stem).name
    except InvalidImageNameError:
        return ""
