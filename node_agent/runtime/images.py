"""Images by name: those that were loaded into the store, and the built-in ones, which are made when first asked for.

images/
    catalog.json                    what is loaded, by name, digest and id              image_catalog.py
    layers/<24 digits>/             a loaded image's layer, by chain id                 layer_store.py
    layers/<name>-<fingerprint>/    a built-in image's layer                            builtin.py
    builtin/<quoted name>.json      an Image that was made here
    loading/                        what a loader works on; empty when none does        image_load.py
    .lock                           held while something is made or named; several kubelets, clusters and loaders share the store

Layers are used in place as lower directories of every container on every node.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from kube.process.log import get_logger
from node_agent.runtime.builtin import BuiltinImages
from node_agent.runtime.image_catalog import ImageCatalog
from node_agent.runtime.model import Image, RuntimeServiceError
from node_agent.runtime.references import parse_reference

log = get_logger("images")


class ImageStore:
    """Shared by all nodes of the machine; nothing in it belongs to one of them."""

    def __init__(self, images_dir: Path) -> None:
        self._builtin = BuiltinImages(images_dir)
        self._catalog = ImageCatalog(images_dir)
        self._made: dict[str, Image] = {}
        self._making: dict[str, asyncio.Lock] = {}

    async def find(self, text: str) -> Image | None:
        """The image as it is now: a loaded one first, else a built-in, made now if nobody has needed it yet.

        Raises InvalidImageNameError, RuntimeServiceError.
        """
        reference = parse_reference(text)
        builtin = not reference.digest and self._builtin.knows(reference.name)
        try:
            if (image := self._catalog.find(text)) is not None:
                return image
        except RuntimeServiceError as error:
            if not builtin:
                raise
            log.warning("loaded images are not known", error=str(error))
        if not builtin:
            return None
        async with self._making.setdefault(reference.name, asyncio.Lock()):
            if reference.name not in self._made:
                self._made[reference.name] = await asyncio.to_thread(self._builtin.ensure, reference.name)
        return msgspec.structs.replace(self._made[reference.name], reference=str(reference))

    def list(self) -> list[Image]:
        """The loaded ones, and which built-in ones this node has used so far."""
        try:
            loaded = self._catalog.list()
        except RuntimeServiceError as error:
            log.warning("loaded images are not known", error=str(error))
            loaded = []
        return [*loaded, *self._made.values()]
