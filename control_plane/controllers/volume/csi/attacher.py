"""VolumeAttachments of the cluster's own driver become calls to it. Follows the external-attacher of CSI drivers."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

import grpc
from msgspec.structs import replace

from control_plane.controllers.managed import ControllerContext, ManagedController
from control_plane.controllers.volume.csi.driver import CsiDriver, call
from control_plane.volumes.attachments import volume_name
from kube.api.core_v1 import PersistentVolume
from kube.api.storage_v1 import CSINode, VolumeAttachment, VolumeError
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.objects import key_of
from kube.csi.names import DRIVER
from kube.process.clock import to_rfc3339

FINALIZER: Final = "external-attacher/block-csi-kubonsai-io"
AGAIN: Final = Result(requeue_after_s=2.0)


class CsiAttacher(ManagedController[NamespacedName]):
    def __init__(self, context: ControllerContext, driver: CsiDriver) -> None:
        super().__init__("csi-attacher", context, workers=2)
        self._driver = driver
        self._attachments = self.informer(VolumeAttachment)
        self._volumes = self.informer(PersistentVolume)
        self._csi_nodes = self.informer(CSINode)
        self._attachments.add_handler(self._on_attachment, lambda _, new: self._on_attachment(new))

    def _on_attachment(self, attachment: VolumeAttachment) -> None:
        if attachment.spec.attacher == DRIVER:
            self.queue.add(key_of(attachment))

    async def reconcile(self, key: NamespacedName) -> Result:
        attachment = self._attachments.get(key)
        if attachment is None:
            return DONE
        if attachment.metadata.deletion_timestamp:
            return await self._detach(attachment)
        return DONE if attachment.status.attached else await self._attach(attachment)

    async def _attach(self, attachment: VolumeAttachment) -> Result:
        from kube.csi.calls import capability, error_text
        from kube.csi.v1 import csi_pb2 as pb

        if FINALIZER not in attachment.metadata.finalizers:
            metadata = replace(attachment.metadata, finalizers=(*attachment.metadata.finalizers, FINALIZER))
            attachment = await self.client.update(replace(attachment, metadata=metadata))
        try:
            volume = await self._volume_of(attachment)
            assert volume.spec.csi is not None
            source, node_id = volume.spec.csi, self._node_id(attachment.spec.node_name)
            request = pb.ControllerPublishVolumeRequest(
                volume_id=source.volume_handle, node_id=node_id, readonly=bool(source.read_only), volume_context=source.volume_attributes,
                volume_capability=capability(
                    volume.spec.access_modes, fs_type=source.fs_type, block=volume.spec.volume_mode == "Block", multi_writer=True))
            reply = await call(await self._driver.controller(), "ControllerPublishVolume", request)
        except (grpc.aio.AioRpcError, LookupError) as error:
            return await self._note(attachment, attach_error=VolumeError(message=error_text(error), time=to_rfc3339(self.clock.now())))
        status = replace(
            attachment.status, attached=True, attachment_metadata=dict(reply.publish_context), attach_error=None, detach_error=None)
        await self.client.update_status(replace(attachment, status=status))
        return DONE

    async def _detach(self, attachment: VolumeAttachment) -> Result:
        from kube.csi.calls import error_text
        from kube.csi.v1 import csi_pb2 as pb

        if FINALIZER not in attachment.metadata.finalizers:
            return DONE
        try:
            volume = await self._volume_of(attachment)
            assert volume.spec.csi is not None
            # The driver calls nodes by their names: a node that is gone has no CSINode any more to look it up in.
            request = pb.ControllerUnpublishVolumeRequest(volume_id=volume.spec.csi.volume_handle, node_id=attachment.spec.node_name)
            await call(await self._driver.controller(), "ControllerUnpublishVolume", request)
        except grpc.aio.AioRpcError as error:
            failure = VolumeError(message=error_text(error), time=to_rfc3339(self.clock.now()))
            return await self._note(attachment, detach_error=failure)
        except LookupError:
            pass        # its volume is gone: there is nothing to detach
        kept = tuple(one for one in attachment.metadata.finalizers if one != FINALIZER)
        with suppress(errors.NotFound):
            await self.client.update(replace(attachment, metadata=replace(attachment.metadata, finalizers=kept)))
        return DONE

    async def _note(self, attachment: VolumeAttachment, **failure: Any) -> Result:
        await self.client.update_status(replace(attachment, status=replace(attachment.status, **failure)))
        return AGAIN

    async def _volume_of(self, attachment: VolumeAttachment) -> PersistentVolume:
        """Raises LookupError."""
        name = volume_name(attachment)
        volume = self._volumes.get(NamespacedName("", name))
        if volume is None:
            try:
                volume = await self.client.get(PersistentVolume, NamespacedName("", name))
            except errors.NotFound:
                raise LookupError(f'persistentvolume "{name}" not found') from None
        if volume.spec.csi is None:
            raise LookupError(f'persistentvolume "{name}" is no CSI volume')
        return volume

    def _node_id(self, node: str) -> str:
        held = self._csi_nodes.get(NamespacedName("", node))
        found = next((driver.node_id for driver in held.spec.drivers if driver.name == DRIVER), "") if held is not None else ""
        if not found:
            raise LookupError(f"CSINode {node} does not contain driver {DRIVER}")
        return found
