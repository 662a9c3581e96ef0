"""A volume that has become larger: its file system follows, and the claim hears of it. Follows pkg/volume/util/operationexecutor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kube.api.core_v1 import PersistentVolumeClaim, Pod
from kube.apimachinery.meta import NamespacedName
from kube.apimachinery.quantity import parse_bytes
from kube.client.client import Client
from kube.client.events import EventRecorder
from node_agent.volumes.persistent.csi.registration import Driver
from node_agent.volumes.persistent.csi.volume_data import VolumeData
from node_agent.volumes.persistent.source import SourceTask

if TYPE_CHECKING:
    from kube.csi.v1 import csi_pb2 as pb


class Resize:
    def __init__(self, client: Client, events: EventRecorder, node_name: str) -> None:
        self._client = client
        self._events = events
        self._node_name = node_name
        self._told: set[tuple[str, str, str]] = set()       # Pod, volume, size

    async def grow(
        self, driver: Driver, task: SourceTask, data: VolumeData, path: str, staging: str, wanted: pb.VolumeCapability
    ) -> None:
        """What cannot grow now is told, once, and stays as it is: its Pod runs on."""
        from kube.csi.v1 import csi_pb2 as pb

        claim, volume = task.claim, task.volume
        if claim is None or volume is None or "EXPAND_VOLUME" not in driver.capabilities:
            return
        held, size = claim.status.capacity.get("storage"), volume.spec.capacity.get("storage", "0")
        pending = claim.status.allocated_resource_statuses.get("storage") == "NodeResizePending"
        if not held or (parse_bytes(size) <= parse_bytes(held) and not pending):
            return
        request = pb.NodeExpandVolumeRequest(
            volume_id=data.handle, volume_path=path, staging_target_path=staging, volume_capability=wanted,
            capacity_range=pb.CapacityRange(required_bytes=parse_bytes(size)))
        try:
            await driver.call("NodeExpandVolume", request)
        except Exception as error:
            self._complain(task, size, error)
            return
        await self._finish(claim, size)
        for about in (task.task.pod, claim):
            self._tell(about, volume.metadata.name)

    def _complain(self, task: SourceTask, size: str, error: Exception) -> None:
        from kube.csi.calls import error_text

        what = (task.task.pod.metadata.uid, task.name, size)
        if what not in self._told:
            self._told.add(what)
            message = f'NodeExpandVolume.NodeExpandVolume failed for volume "{task.name}" : {error_text(error)}'
            self._events.event(task.task.pod, "Warning", "VolumeResizeFailed", message)

    async def _finish(self, claim: PersistentVolumeClaim, size: str) -> None:
        def finished(held: PersistentVolumeClaim) -> PersistentVolumeClaim:
            status = held.status
            kept = tuple(one for one in status.conditions if one.type not in ("Resizing", "FileSystemResizePending"))
            statuses = {key: value for key, value in status.allocated_resource_statuses.items() if key != "storage"}
            return replace(held, status=replace(
                status, capacity={**status.capacity, "storage": size}, conditions=kept, allocated_resource_statuses=statuses))

        key = NamespacedName(claim.metadata.namespace, claim.metadata.name)
        await self._client.guaranteed_update(PersistentVolumeClaim, key, finished, subresource="status")

    def _tell(self, about: Pod | PersistentVolumeClaim, volume: str) -> None:
        message = f'MountVolume.NodeExpandVolume succeeded for volume "{volume}" {self._node_name}'
        self._events.event(about, "Normal", "FileSystemResizeSuccessful", message)
