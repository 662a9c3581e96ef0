"""Images by name: those whose layers lie unpacked in the store, and the built-in ones, which are made when first asked for.

images/
    names/<quoted canonical name>.json    an Image; its layers are directories below layers/
    layers/<name>-<fingerprint>/          unpacked, used in place as lower directories of every container on every node
    .lock                                 held while an image is made; several kubelets and clusters share the store
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import NamedTuple

from node_agent.runtime.builtin import BuiltinImages
from node_agent.runtime.model import Image, RuntimeServiceError

DEFAULT_REGISTRY = "docker.io"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<name>(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?{_COMPONENT}(?:/{_COMPONENT})*)(?::(?P<tag>\w[\w.-]{{0,127}}))?(?:@(?P<digest>[a-z0-9+._-]+:[0-9a-fA-F]{{32,}}))?"
)


class InvalidImageNameError(RuntimeServiceError):
    """A reference that no registry could serve."""


class Reference(NamedTuple):
    """registry/repository:tag@digest; `str()` is the canonical form."""

    registry: str
    repository: str
    tag: str
    digest: str

    @property
    def name(self) -> str:
        return f"{self.registry}/{self.repository}"

    def __str__(self) -> str:
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def parse_reference(text: str) -> Reference:
    """As Docker reads it: "busybox" is docker.io/library/busybox:latest. Raises InvalidImageNameError."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise InvalidImageNameError(f"couldn't parse image name {text!r}: invalid reference format")
    name, tag, digest = match["name"], match["tag"] or "", match["digest"] or ""
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, repository = first, rest
    else:
        registry, repository = DEFAULT_REGISTRY, name
    if registry == DEFAULT_REGISTRY and "/" not in repository:
        repository = "library/" + repository
    return Reference(registry, repository, tag or ("" if digest else "latest"), digest)


class ImageStore:
    """Shared by all nodes of the machine; nothing in it belongs to one of them."""

    def __init__(self, images_dir: Path) -> None:
        self._builtin = BuiltinImages(images_dir)
        self._known: dict[str, Image] = {}
        self._making: dict[str, asyncio.Lock] = {}

    async def find(self, text: str) -> Image | None:
        """The image, made now if it is a built-in that nobody has needed yet. Raises InvalidImageNameError, RuntimeServiceError."""
        reference = parse_reference(text)
        name = reference.name
        if (image := self._known.get(name)) is not None:
            return image
        if reference.digest or not self._builtin.knows(name):
            return None
        async with self._making.setdefault(name, asyncio.Lock()):
            if name not in self._known:
                self._known[name] = await asyncio.to_thread(self._builtin.ensure, name)
        return self._known[name]

    def list(self) -> list[Image]:
        """What this node has used so far."""
        return list(self._known.values())
