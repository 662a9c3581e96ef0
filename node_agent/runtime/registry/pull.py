"""From a name to an image of the store. Several nodes and clusters may want the same one at the same time: one of them gets it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from kube.process.log import get_logger
from node_agent.runtime.image_archive import ImageArchiveError, blob_name
from node_agent.runtime.image_catalog import Entry, ImageCatalog, locked, references_of
from node_agent.runtime.image_config import ConfigFile
from node_agent.runtime.image_manifest import MAX_DEPTH, Descriptor, Document, choose_manifest, decode
from node_agent.runtime.image_pulls import PullCredential, PullRecords, PullSecretId
from node_agent.runtime.image_scratch import Scratch
from node_agent.runtime.layer_store import LayerStore
from node_agent.runtime.model import Image, RuntimeServiceError
from node_agent.runtime.references import Reference, parse_reference
from node_agent.runtime.registry.access import AccessRules, NotAllowedError
from node_agent.runtime.registry.client import RepositoryClient
from node_agent.runtime.registry.endpoints import endpoints_of
from node_agent.runtime.registry.http import RegistryHttp, not_allowed
from node_agent.runtime.registry.machine import MachineNetwork
from node_agent.runtime.registry.unpack import Order, run_unpacker

PULLS: Final = ".pulls"             # a lock per image: one byte of this file, by its digest
DOWNLOADS: Final = 3                # of one image at a time; containerd's max_concurrent_downloads
LOOK_S: Final = 0.1
FLOCK: Final = "hhqqi4x"            # struct flock
log = get_logger("pull")


class Puller:
    """Of one node. The layers, the names and the locks are the machine's."""

    def __init__(
        self, images_dir: Path, rules: AccessRules, *, config_dir: Path | None = None, machine: MachineNetwork | None = None,
    ) -> None:
        self._images_dir = images_dir
        self._rules = rules
        self._config_dir = config_dir
        self._machine = machine
        self._schemes: dict[str, str] = {}
        self._catalog = ImageCatalog(images_dir)

    async def pull(self, text: str, credential: PullCredential | None = None) -> Image:
        """Asks the registry what the name stands for, and gets what the store lacks of it.

        Raises RuntimeServiceError in containerd's words. A failed or cancelled pull leaves the store as it was, whole layers apart.
        """
        reference = parse_reference(text)
        failure = f'failed to pull and unpack image "{reference}": '
        try:
            allowed = [endpoint for endpoint in endpoints_of(reference.registry, self._config_dir) if self._rules.of(endpoint.host)]
            if not allowed:
                raise NotAllowedError(not_allowed(reference.registry))
        except RuntimeServiceError as error:
            raise type(error)(f'{failure}failed to resolve reference "{reference}": {error}') from error
        secret = credential.secret if credential else None
        http = RegistryHttp(self._rules, self._machine, credential, self._schemes)
        try:
            client = RepositoryClient(http, allowed, reference)
            try:
                found = await client.resolve()
            except RuntimeServiceError as error:
                raise type(error)(f'failed to resolve reference "{reference}": {error}') from error
            async with self._alone(found.digest):
                if not await asyncio.to_thread(self._settle, reference, found.digest, secret):
                    await self._get(client, reference, found, secret)
        except (RuntimeServiceError, OSError) as error:
            kind = type(error) if isinstance(error, RuntimeServiceError) else RuntimeServiceError
            raise kind(f"{failure}{error}") from error
        finally:
            await http.close()
        image = self._catalog.find(text)
        if image is None:
            raise RuntimeServiceError(f"{failure}it was removed from the store at once")
        return image

    def _settle(self, reference: Reference, digest: str, secret: PullSecretId | None) -> bool:
        """Whether the store has it: then it has it under this name too, and notes who was given it."""
        by_digest = f"{reference.name}@{digest}"
        with locked(self._images_dir):
            image = self._catalog.find(by_digest)
            if image is None:
                return False
            PullRecords(self._images_dir).note(image.id, reference.name, secret)
            if not reference.digest and self._catalog.digest_of(reference.stored) != digest:
                bare = msgspec.structs.replace(image, layers=tuple(Path(layer).name for layer in image.layers), name="", reference="",
                                               digest="", tags=(), digests=())
                self._catalog.add([(bare, references_of([reference], Entry(image.id, digest), digest))])
        return True

    async def _get(self, client: RepositoryClient, reference: Reference, top: Descriptor, secret: PullSecretId | None) -> None:
        scratch = await self._open_scratch()
        try:
            layout = scratch.path
            (layout / "blobs/sha256").mkdir(parents=True)
            layers, config = await self._manifests(client, top, layout)
            missing = [blob for blob, there in zip(layers, self._there(config), strict=True) if not there]
            log.info("pulling", image=str(reference), digest=top.digest, layers=len(layers), missing=len(missing))
            slots = asyncio.Semaphore(DOWNLOADS)

            async def download(blob: Descriptor) -> None:
                async with slots:
                    await client.download(blob, layout / blob_name(blob.digest))

            await _all(download(blob) for blob in {blob.digest: blob for blob in missing}.values())
            (layout / "oci-layout").write_bytes(b'{"imageLayoutVersion":"1.0.0"}')
            (layout / "index.json").write_bytes(msgspec.json.encode(Document(manifests=[top])))
            await run_unpacker(Order(str(self._images_dir), str(layout), reference.stored, secret))
        finally:
            scratch.close()

    async def _open_scratch(self) -> Scratch:
        """A thread that waits for the store's lock is not cancelled: what it makes then is given back."""
        opening = asyncio.ensure_future(asyncio.to_thread(Scratch, self._images_dir))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            (await opening).close()
            raise

    async def _manifests(self, client: RepositoryClient, top: Descriptor, layout: Path) -> tuple[list[Descriptor], ConfigFile]:
        """The layers of this machine's image, and its configuration; what was read on the way is in the layout."""
        chosen = top
        for _ in range(MAX_DEPTH):
            content = await client.manifest(chosen.digest)
            (layout / blob_name(chosen.digest)).write_bytes(content)
            document = decode(content, Document)
            if document.manifests is None:
                break
            try:
                chosen = choose_manifest(document.manifests, None)
            except ImageArchiveError as error:
                raise ImageArchiveError(f"no match for platform in manifest: {error}") from error
        if document.config is None or document.layers is None:
            raise ImageArchiveError(f"{chosen.digest} is no manifest of an image")
        content = await client.document(document.config)
        (layout / blob_name(document.config.digest)).write_bytes(content)
        config = decode(content, ConfigFile)
        diff_ids = (config.rootfs.diff_ids if config.rootfs else None) or []
        if len(diff_ids) != len(document.layers):
            raise ImageArchiveError(f"its manifest has {len(document.layers)} layers, its configuration {len(diff_ids)}")
        return document.layers, config

    def _there(self, config: ConfigFile) -> list[bool]:
        return LayerStore(self._images_dir).present((config.rootfs.diff_ids if config.rootfs else None) or [])

    @asynccontextmanager
    async def _alone(self, digest: str) -> AsyncIterator[None]:
        """One pull of an image at a time on this machine; who waits looks again every 100 ms. Ends with the process."""
        self._images_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._images_dir / PULLS, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        place = int(digest.removeprefix("sha256:")[:15], 16)
        try:
            while True:
                try:
                    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, place, 1, 0))
                    break
                except BlockingIOError:
                    await asyncio.sleep(LOOK_S)
            yield
        finally:
            os.close(descriptor)


async def _all(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """The first failure ends the others, and is raised as it is."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
