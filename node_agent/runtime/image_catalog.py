"""catalog.json: which images are loaded, and under which names. One small file, replaced as a whole, so every reader sees a whole one."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from node_agent.runtime.model import Image, RuntimeServiceError
from node_agent.runtime.references import Reference, is_image_id, parse_reference

NAME = "catalog.json"


class Entry(msgspec.Struct, frozen=True):
    """What a name stands for."""

    id: str             # digest of the configuration
    digest: str         # of the manifest, or of the index that led to it


class Catalog(msgspec.Struct):
    images: dict[str, Image] = {}           # by id; layers are names below layers/
    references: dict[str, Entry] = {}       # by canonical name, with a tag or a digest


class ImageCatalog:
    """The file as it is now: looked at before each answer, read again when another process has replaced it."""

    def __init__(self, images_dir: Path) -> None:
        self._images_dir = images_dir
        self._file = images_dir / NAME
        self._stamp: tuple[int, int, int] | None = None
        self._catalog = Catalog()

    def find(self, text: str) -> Image | None:
        """By name and tag, by name and digest, or by id alone. Raises InvalidImageNameError, RuntimeServiceError."""
        catalog = self._read()
        if is_image_id(text):
            return self._image(catalog, catalog.images[text], "") if text in catalog.images else None
        reference = parse_reference(text)
        entry = catalog.references.get(reference.stored)
        if entry is None or entry.id not in catalog.images:
            return None
        return self._image(catalog, catalog.images[entry.id], reference.stored)

    def digest_of(self, stored: str) -> str:
        """What a canonical name stands for: of the manifest or the index; "" for nothing. Raises RuntimeServiceError."""
        entry = self._read().references.get(stored)
        return entry.digest if entry else ""

    def list(self) -> list[Image]:
        """Raises RuntimeServiceError."""
        catalog = self._read()
        return [self._image(catalog, image, "") for image in catalog.images.values()]

    def add(self, images: Iterable[tuple[Image, dict[str, Entry]]]) -> None:
        """All of them, with their names, or none; a name that stood for another image stands for the new one. The caller holds the lock."""
        catalog = self._read()
        merged = Catalog(dict(catalog.images), dict(catalog.references))
        for image, references in images:
            merged.images[image.id] = image
            merged.references.update(references)
        self._write(merged)

    def remove(self, image_ids: Iterable[str]) -> set[str]:
        """With all their names; returns the names of the layers that the others need. The caller holds the lock."""
        catalog, gone = self._read(), set(image_ids)
        kept = {image_id: image for image_id, image in catalog.images.items() if image_id not in gone}
        if len(kept) != len(catalog.images):
            self._write(Catalog(kept, {name: entry for name, entry in catalog.references.items() if entry.id not in gone}))
        return {layer for image in kept.values() for layer in image.layers}

    def _write(self, merged: Catalog) -> None:
        temporary = self._images_dir / f".{NAME}.{os.getpid()}"
        try:
            with temporary.open("wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(merged)))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._file)
        finally:
            temporary.unlink(missing_ok=True)

    def _read(self) -> Catalog:
        try:
            with self._file.open("rb") as file:
                status = os.fstat(file.fileno())
                stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
                if stamp != self._stamp:
                    self._catalog = msgspec.json.decode(file.read(), type=Catalog)
                    self._stamp = stamp
        except FileNotFoundError:
            self._stamp, self._catalog = None, Catalog()
        except (OSError, msgspec.MsgspecError) as error:
            raise RuntimeServiceError(f"{self._file} cannot be read: {error}; without it loaded images are not known") from error
        return self._catalog

    def _image(self, catalog: Catalog, image: Image, reference: str) -> Image:
        names = sorted(name for name, entry in catalog.references.items() if entry.id == image.id)
        tags = tuple(name for name in names if "@" not in name)
        digests = tuple(dict.fromkeys(f"{_repository(name)}@{catalog.references[name].digest}" for name in names))
        shown = reference or next(iter((*tags, *digests)), "")
        entry = catalog.references.get(shown)
        return msgspec.structs.replace(
            image, layers=tuple(str(self._images_dir / "layers" / name) for name in image.layers), reference=shown or image.id,
            name=_repository(shown), digest=entry.digest if entry else "", tags=tags, digests=digests,
        )


def references_of(names: Iterable[Reference], entry: Entry, manifest_digest: str) -> dict[str, Entry]:
    """A name with its tag, and the same by digest; an image out of several platforms by its own digest too."""
    found = {}
    for name in names:
        found[name.stored] = entry
        for digest in (entry.digest, manifest_digest):
            found[f"{name.name}@{digest}"] = entry
    return found


def _repository(name: str) -> str:
    return parse_reference(name).name if name else ""


@contextmanager
def locked(images_dir: Path) -> Iterator[None]:
    """Held while something in the store is made or named; several kubelets, clusters and loaders share it."""
    descriptor = os.open(images_dir / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def locked_if_free(file: Path) -> Iterator[bool]:
    """Whether nobody else holds the lock; then it is held while the context is open. The file is made."""
    descriptor = os.open(file, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _taken(descriptor)
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
