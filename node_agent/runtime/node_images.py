"""The machine's images as one node has them: what it may run, what it fetches, what it needs kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kube.process.log import get_logger
from node_agent.runtime.image_catalog import locked
from node_agent.runtime.image_pulls import Access, PullCredential, PullRecords, PullSecretId
from node_agent.runtime.image_uses import ImageUses
from node_agent.runtime.images import ImageStore
from node_agent.runtime.model import Image, ImageMissingError
from node_agent.runtime.registry.access import AccessRules, RegistrySettings

if TYPE_CHECKING:
    from node_agent.runtime.registry.machine import MachineNetwork
    from node_agent.runtime.registry.pull import Puller

log = get_logger("images")


class NodeImages:
    def __init__(self, images_dir: Path, root_dir: Path, registries: RegistrySettings) -> None:
        self.images_dir = images_dir
        self.store = ImageStore(images_dir)
        self.uses = ImageUses(images_dir, root_dir)
        self._records = PullRecords(images_dir)
        self._registries = registries
        self._rules = AccessRules(registries.listed, registries.local_networks)
        self._machine = _machine_network() if registries.needs_machine else None
        self._puller: Puller | None = None

    def close(self) -> None:
        if self._machine is not None:
            self._machine.close()

    async def pull(self, reference: str, credential: PullCredential | None) -> Image:
        """Raises RuntimeServiceError."""
        if self._puller is None:
            from node_agent.runtime.registry.pull import Puller  # with the HTTP client: not every node pulls

            config_dir = Path(self._registries.config_dir) if self._registries.config_dir else None
            self._puller = Puller(self.images_dir, self._rules, config_dir=config_dir, machine=self._machine)
        return await self._puller.pull(reference, credential)

    async def use(self, image: Image) -> None:
        """From now on no node's garbage collector takes it away. Raises ImageMissingError if one just has, RuntimeServiceError, OSError."""
        if image.builtin or self.uses.touch(image.id):
            return
        await asyncio.to_thread(self.uses.add, image.id)
        if await self.store.find(image.id) is None:
            raise ImageMissingError(f"image {image.reference} was removed from the store just now")

    def access(self, image_id: str) -> Mapping[str, Access] | None:
        """Who may run an image, by repository; None: it was not pulled, everybody may. Raises RuntimeServiceError."""
        return self._records.read().get(image_id)

    async def grant(self, image_id: str, repository: str, secret: PullSecretId) -> None:
        """A Secret that is as good as one that is known."""
        def note() -> None:
            with locked(self.images_dir):
                self._records.note(image_id, repository, secret)

        await asyncio.to_thread(note)


def _machine_network() -> MachineNetwork | None:
    from node_agent.runtime.registry.machine import MachineNetwork

    try:
        return MachineNetwork()
    except OSError as error:
        log.warning("the machine's network cannot be entered; registries there are out of reach", error=str(error))
        return None
