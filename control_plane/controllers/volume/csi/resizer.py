"""Larger volumes for claims that ask for more. Follows the external-resizer of CSI drivers.

It lets the driver enlarge the volume, writes the new size into the PersistentVolume, and leaves word on the claim for the node,
which lets the file system grow: condition FileSystemResizePending, allocatedResourceStatuses storage=NodeResizePending.
"""

from __future__ import annotations

from typing import Final

import grpc
from msgspec.structs import replace

from control_plane.controllers.managed import ControllerContext
from control_plane.controllers.volume.csi.driver import CsiDriver, call
from control_plane.controllers.volume.growth import GrowthController
from control_plane.volumes import names
from control_plane.volumes.claims import capacity_bytes, requested_bytes
from kube.api.core_v1 import (
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimCondition,
    PersistentVolumeClaimStatus,
)
from kube.apimachinery.meta import NamespacedName
from kube.apimachinery.quantity import Format, Quantity
from kube.client.controller import DONE, Result
from kube.csi.names import DRIVER
from kube.process.clock import to_rfc3339

AGAIN: Final = Result(requeue_after_s=5.0)
PENDING: Final = "Waiting for user to (re-)start a pod to finish file system resize of volume on node."


class CsiResizer(GrowthController):
    def __init__(self, context: ControllerContext, driver: CsiDriver) -> None:
        super().__init__("csi-resizer", context)
        self.events = context.events.named(f"external-resizer {DRIVER}")
        self._driver = driver

    async def reconcile(self, key: NamespacedName) -> Result:
        if (found := self.growing(key)) is None:
            return DONE
        claim, volume = found
        if volume.spec.csi is None or volume.spec.csi.driver != DRIVER:
            return DONE
        if capacity_bytes(volume) >= requested_bytes(claim):
            await self._leave_word(claim)
            return DONE
        return await self._grow(claim, volume)

    async def _grow(self, claim: PersistentVolumeClaim, volume: PersistentVolume) -> Result:
        from kube.csi.calls import error_text
        from kube.csi.v1 import csi_pb2 as pb

        assert volume.spec.csi is not None
        name = volume.metadata.name
        self.events.event(claim, "Normal", "Resizing", f"External resizer is resizing volume {name}")
        claim = await self._set(claim, "ControllerResizeInProgress", PersistentVolumeClaimCondition(type="Resizing", status="True"))
        request = pb.ControllerExpandVolumeRequest(
            volume_id=volume.spec.csi.volume_handle, capacity_range=pb.CapacityRange(required_bytes=requested_bytes(claim)))
        try:
            reply = await call(await self._driver.controller(), "ControllerExpandVolume", request)
        except grpc.aio.AioRpcError as error:
            text = f'resize volume "{name}" by resizer "{DRIVER}" failed: {error_text(error)}'
            self.events.event(claim, "Warning", "VolumeResizeFailed", text)
            return AGAIN
        capacity = {**volume.spec.capacity, "storage": str(Quantity.of(reply.capacity_bytes, Format.BINARY_SI))}
        before = claim.status.capacity.get("storage") or volume.spec.capacity["storage"]
        annotations = {**volume.metadata.annotations, names.PRE_RESIZE_CAPACITY: before}
        await self.client.update(replace(
            volume, metadata=replace(volume.metadata, annotations=annotations), spec=replace(volume.spec, capacity=capacity)))
        await self._leave_word(claim)
        return DONE

    async def _leave_word(self, claim: PersistentVolumeClaim) -> None:
        if claim.status.allocated_resource_statuses.get("storage") in ("NodeResizePending", "NodeResizeInProgress"):
            return
        condition = PersistentVolumeClaimCondition(type="FileSystemResizePending", status="True", message=PENDING)
        claim = await self._set(claim, "NodeResizePending", condition)
        self.events.event(claim, "Normal", "FileSystemResizeRequired", "Require file system resize of volume on node")

    async def _set(
        self, claim: PersistentVolumeClaim, phase: str, condition: PersistentVolumeClaimCondition
    ) -> PersistentVolumeClaim:
        asked = claim.spec.resources.requests["storage"] if claim.spec.resources is not None else ""
        dated = replace(condition, last_transition_time=to_rfc3339(self.clock.now()))
        others = tuple(one for one in claim.status.conditions if one.type not in ("Resizing", "FileSystemResizePending"))
        held: PersistentVolumeClaimStatus = claim.status
        status = replace(
            held, conditions=(*others, dated), allocated_resources={**held.allocated_resources, "storage": asked},
            allocated_resource_statuses={**held.allocated_resource_statuses, "storage": phase})
        return await self.client.update_status(replace(claim, status=status))
