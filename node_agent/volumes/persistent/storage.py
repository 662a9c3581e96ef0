"""Everything persistent of one node, put together: what the kubelet's composition root makes and runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from kube.api.storage_v1 import CSIDriver
from kube.apimachinery import errors
from kube.client.client import Client
from kube.client.events import EventRecorder
from kube.client.informer import InformerFactory
from kube.csi.names import DRIVER, ZONE
from kube.process.log import get_logger
from node_agent.volumes.persistent.claims import ClaimReader
from node_agent.volumes.persistent.csi.in_use import VolumesInUse
from node_agent.volumes.persistent.csi.node_info import NodeInfo
from node_agent.volumes.persistent.csi.registration import Drivers
from node_agent.volumes.persistent.csi.resize import Resize
from node_agent.volumes.persistent.csi.source import CsiSource
from node_agent.volumes.persistent.local import LocalSource
from node_agent.volumes.persistent.mounted import MountedClaims
from node_agent.volumes.persistent.nfs import NfsSource
from node_agent.volumes.persistent.plugin import PersistentVolumePlugin
from node_agent.volumes.plugin import VolumeError

ZONE_WAIT_S = 15.0
RETRY_S = 5.0
SIZES_S = 10.0

log = get_logger("csi")


class PersistentStorage:
    """`labels`: those of the own Node, as they are now. `volumes_dir`: the cluster's own disks; None without them."""

    def __init__(
        self, client: Client, informers: InformerFactory, events: EventRecorder, node_name: str, root_dir: Path,
        labels: Callable[[], Mapping[str, str]], secrets: Callable[[str, str], Awaitable[Mapping[str, bytes] | None]],
        volumes_dir: Path | None,
    ) -> None:
        self._node_name = node_name
        self._root_dir = root_dir
        self._volumes_dir = volumes_dir
        self._labels = labels
        self._info = NodeInfo(client, node_name)
        self._drivers = Drivers(root_dir, self._info)
        self._wanted = asyncio.Event()
        if volumes_dir is not None:
            own = informers.informer(CSIDriver, field_selector=f"metadata.name={DRIVER}")
            own.add_handler(on_add=lambda _: self._wanted.set())
        csi = CsiSource(
            client, node_name, root_dir, self._drivers, VolumesInUse(client, node_name, root_dir), Resize(client, events, node_name),
            secrets)
        self._mounted = MountedClaims()
        sources = (LocalSource(root_dir), NfsSource(), csi)
        self.plugin = PersistentVolumePlugin(ClaimReader(client, node_name, labels), sources, self._mounted)

    async def run(self) -> None:
        """Once the Node is registered."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_lasting("csinode", self._info.ensure), name="csinode")
            tasks.create_task(_lasting("plugin registry", self._drivers.run), name="plugin registry")
            tasks.create_task(_lasting("volume sizes", self._follow_sizes), name="volume sizes")
            if (folder := self._volumes_dir) is not None:
                tasks.create_task(_lasting("block driver", lambda: self._own_driver(folder)), name="block driver")

    async def _follow_sizes(self) -> None:
        """Claims that grow while their Pods run. Nothing is asked of anybody as long as no claim is mounted."""
        while True:
            await asyncio.sleep(SIZES_S)
            for held in self._mounted:
                try:
                    await self.plugin.refresh(held.task)
                except (VolumeError, errors.ApiError, OSError) as error:
                    log.debug("volume not looked at", claim=f"{held.namespace}/{held.claim}", error=str(error))

    async def _own_driver(self, volumes_dir: Path) -> None:
        """Not even imported before the cluster asks for it."""
        await self._wanted.wait()
        await self._know_zone()
        from node_agent.volumes.persistent.csi.block_driver import run_block_driver

        await run_block_driver(self._root_dir, volumes_dir, self._node_name, self._labels)

    async def _know_zone(self) -> None:
        """The cloud gives a new Node its zone; who registers before that would have volumes made for nowhere in particular."""
        for _ in range(int(ZONE_WAIT_S / 0.1)):
            if ZONE in self._labels():
                return
            await asyncio.sleep(0.1)


async def _lasting(name: str, work: Callable[[], Awaitable[object]]) -> None:
    """Until it ends by itself: whatever goes wrong with volumes, Pods without any go on."""
    while True:
        try:
            await work()
        except Exception as error:
            log.warning("failed, trying again", what=name, error=str(error))
            await asyncio.sleep(RETRY_S)
        else:
            return
