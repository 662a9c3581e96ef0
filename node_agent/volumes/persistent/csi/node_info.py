"""What the cluster is told of a node's drivers: CSINode, the Node's labels and its annotation. Follows pkg/volume/csi/nodeinfomanager."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from kube.api.core_v1 import Node
from kube.api.meta_v1 import ObjectMeta, OwnerReference
from kube.api.storage_v1 import CSINode, CSINodeDriver, CSINodeSpec, VolumeNodeResources
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.transport import PatchKind

NODE_IDS: Final = "csi.volume.kubernetes.io/nodeid"
MIGRATED: Final = (
    "kubernetes.io/aws-ebs,kubernetes.io/azure-disk,kubernetes.io/azure-file,kubernetes.io/cinder,kubernetes.io/gce-pd,"
    "kubernetes.io/portworx-volume,kubernetes.io/vsphere-volume"
)


class NodeInfo:
    def __init__(self, client: Client, node_name: str) -> None:
        self._client = client
        self._key = NamespacedName("", node_name)
        self._lock = asyncio.Lock()

    async def ensure(self) -> CSINode:
        """The node's CSINode, made if it is not there: also a node without drivers has one."""
        try:
            return await self._client.get(CSINode, self._key)
        except errors.NotFound:
            node = await self._client.get(Node, self._key)
            owner = OwnerReference(api_version="v1", kind="Node", name=self._key.name, uid=node.metadata.uid)
            metadata = ObjectMeta(
                name=self._key.name, owner_references=(owner,), annotations={"storage.alpha.kubernetes.io/migrated-plugins": MIGRATED})
            return await self._client.create(CSINode(metadata=metadata))

    async def add(self, driver: str, node_id: str, topology: Mapping[str, str], max_volumes: int) -> None:
        """Raises ApiError, ValueError when the Node has another value of a topology label."""
        async with self._lock:
            await self._label(driver, node_id, topology)
            count = VolumeNodeResources(count=max_volumes) if max_volumes else None
            entry = CSINodeDriver(name=driver, node_id=node_id, topology_keys=tuple(sorted(topology)), allocatable=count)
            await self._set(driver, entry)

    async def remove(self, driver: str) -> None:
        async with self._lock:
            await self._set(driver, None)

    async def _label(self, driver: str, node_id: str, topology: Mapping[str, str]) -> None:
        node = await self._client.get(Node, self._key)
        for key, value in topology.items():
            held = node.metadata.labels.get(key)
            if held not in (None, value):
                raise ValueError(
                    f'detected topology value collision: driver reported "{key}":"{value}" but existing label is "{key}":"{held}"')
        ids = {**json.loads(node.metadata.annotations.get(NODE_IDS) or "{}"), driver: node_id}
        labels = {key: value for key, value in topology.items() if key not in node.metadata.labels}
        patch: dict[str, Any] = {"metadata": {"annotations": {NODE_IDS: json.dumps(ids, separators=(",", ":"))}}}
        if labels:
            patch["metadata"]["labels"] = labels
        await self._client.patch(Node, self._key, patch, kind=PatchKind.MERGE)

    async def _set(self, driver: str, entry: CSINodeDriver | None) -> None:
        while True:
            held = await self.ensure()
            others = tuple(one for one in held.spec.drivers if one.name != driver)
            drivers = others if entry is None else (*others, entry)
            if drivers == held.spec.drivers:
                return
            try:
                await self._client.update(replace(held, spec=CSINodeSpec(drivers=drivers)))
            except errors.Conflict:
                continue
            return
