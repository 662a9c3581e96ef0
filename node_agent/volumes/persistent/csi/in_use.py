"""Node.status.volumesInUse: what is, or is about to be, staged here. Nothing of it is detached while it stands there."""

from __future__ import annotations

import asyncio
from pathlib import Path

from kube.api.core_v1 import Node
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.transport import PatchKind
from kube.csi.names import unique_name
from node_agent.volumes.persistent.csi.volume_data import VolumeData, staged


class VolumesInUse:
    def __init__(self, client: Client, node_name: str, root_dir: Path) -> None:
        self._client = client
        self._key = NamespacedName("", node_name)
        self._root_dir = root_dir
        self._names: set[str] | None = None         # None: not looked yet what an earlier kubelet has left
        self._reported: set[str] | None = None
        self._lock = asyncio.Lock()

    async def add(self, data: VolumeData) -> None:
        """Written before anything is mounted."""
        await self._change({unique_name(data.driver, data.handle)}, set())

    async def remove(self, data: VolumeData) -> None:
        await self._change(set(), {unique_name(data.driver, data.handle)})

    async def _change(self, added: set[str], removed: set[str]) -> None:
        async with self._lock:
            if self._names is None:
                self._names = {unique_name(data.driver, data.handle) for data in staged(self._root_dir)}
            self._names = (self._names | added) - removed
            if self._names != self._reported:
                patch = {"status": {"volumesInUse": sorted(self._names)}}
                await self._client.patch(Node, self._key, patch, kind=PatchKind.MERGE, subresource="status")
                self._reported = set(self._names)
