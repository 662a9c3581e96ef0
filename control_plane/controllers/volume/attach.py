"""Attaches CSI volumes to the nodes of their Pods and detaches them again: it makes and deletes VolumeAttachments, drivers' attachers do
the work. Follows upstream's attach-detach controller and the CSI attacher (pkg/controller/volume/attachdetach, pkg/volume/csi).

Keys are nodes. A volume is detached only when no Pod there needs it and the kubelet does not report it in use any more. Of a node that
is not ready nobody waits for ever; of one that is, whatever a kubelet has in use is mounted.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Final

from msgspec.structs import replace

from control_plane.controllers.indexes import BY_NODE, index_by_node
from control_plane.controllers.managed import ControllerContext, ManagedController
from control_plane.controllers.pods import is_terminated
from control_plane.volumes.attachments import volume_name
from control_plane.volumes.claims import claim_keys, is_fully_bound
from kube.api.core_v1 import AttachedVolume, CSIPersistentVolumeSource, Node, PersistentVolume, PersistentVolumeClaim, Pod
from kube.api.meta_v1 import ObjectMeta
from kube.api.storage_v1 import (
    CSIDriver,
    VolumeAttachment,
    VolumeAttachmentSource,
    VolumeAttachmentSpec,
)
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.objects import key_of
from kube.csi.names import attachment_name, unique_name

OUT_OF_SERVICE: Final = "node.kubernetes.io/out-of-service"
FORCE_S: Final = 360.0          # maxWaitForUnmountDuration: then the volumes of a node that is not ready are detached all the same
WATCH_S: Final = 2.0
_EXCLUSIVE: Final = {"ReadWriteOnce", "ReadWriteOncePod"}


class AttachDetachController(ManagedController[NamespacedName]):
    def __init__(self, context: ControllerContext) -> None:
        super().__init__("attachdetach", context, workers=1)
        self._pods = self.informer(Pod)
        index_by_node(self._pods)
        self._nodes = self.informer(Node)
        self._claims = self.informer(PersistentVolumeClaim)
        self._volumes = self.informer(PersistentVolume)
        self._drivers = self.informer(CSIDriver)
        self._attachments = self.informer(VolumeAttachment)
        self._unneeded: dict[str, float] = {}       # attachments that nobody needs, since when
        self._told: set[tuple[str, str]] = set()    # attachment and Pod uid
        self._pods.add_handler(self._on_pod, lambda _, new: self._on_pod(new), self._on_pod)
        self._claims.add_handler(self._on_claim, lambda _, new: self._on_claim(new))
        self._attachments.on_change(lambda one: self.queue.add(NamespacedName("", one.spec.node_name)))
        self._nodes.add_handler(on_update=self._on_node)

    def _on_pod(self, pod: Pod) -> None:
        if pod.spec.node_name and claim_keys(pod):
            self.queue.add(NamespacedName("", pod.spec.node_name))

    def _on_claim(self, claim: PersistentVolumeClaim) -> None:
        if is_fully_bound(claim) and (volume := self._volume(claim)) is not None and volume.spec.csi is not None:
            for pod in self._pods.store.list(claim.metadata.namespace):
                if key_of(claim) in claim_keys(pod):
                    self._on_pod(pod)

    def _on_node(self, old: Node, new: Node) -> None:
        if old.status.volumes_in_use != new.status.volumes_in_use or old.spec.taints != new.spec.taints:
            self.queue.add(key_of(new))

    async def reconcile(self, key: NamespacedName) -> Result:
        node = self._nodes.get(key)
        held = {
            one.metadata.name: one for one in self._attachments.store.list() if one.spec.node_name == key.name and _is_ours(one)}
        wanted = self._wanted(key.name) if node is not None else {}
        if not held and not wanted:
            return DONE
        waits = [await self._attach(key.name, name, volume, pods, held.get(name)) for name, (volume, pods) in wanted.items()]
        waits += [await self._detach(node, one) for name, one in held.items() if name not in wanted]
        if node is not None:
            await self._report(node, held)
        return Result(requeue_after_s=WATCH_S) if any(waits) else DONE

    def _wanted(self, node: str) -> dict[str, tuple[PersistentVolume, list[Pod]]]:
        """By the attachment's name: the volumes that the node's Pods need, and those Pods."""
        wanted: dict[str, tuple[PersistentVolume, list[Pod]]] = {}
        for pod in self._pods.by_index(BY_NODE, node):
            if is_terminated(pod):
                continue
            for key in claim_keys(pod):
                claim = self._claims.get(key)
                volume = self._volume(claim) if claim is not None and is_fully_bound(claim) else None
                if volume is not None and volume.spec.csi is not None and self._is_attachable(volume.spec.csi.driver):
                    name = attachment_name(volume.spec.csi.volume_handle, volume.spec.csi.driver, node)
                    wanted.setdefault(name, (volume, []))[1].append(pod)
        return wanted

    def _volume(self, claim: PersistentVolumeClaim) -> PersistentVolume | None:
        return self._volumes.get(NamespacedName("", claim.spec.volume_name)) if claim.spec.volume_name else None

    def _source(self, attachment: VolumeAttachment) -> CSIPersistentVolumeSource | None:
        """None: its volume is gone."""
        volume = self._volumes.get(NamespacedName("", volume_name(attachment)))
        return None if volume is None else volume.spec.csi

    def _is_attachable(self, driver: str) -> bool:
        held = self._drivers.get(NamespacedName("", driver))
        return held is None or held.spec.attach_required is not False

    # -- attach -----------------------------------------------------------------------------------------------------------------

    async def _attach(
        self, node: str, name: str, volume: PersistentVolume, pods: list[Pod], held: VolumeAttachment | None
    ) -> bool:
        """Whether to look again."""
        assert volume.spec.csi is not None
        self._unneeded.pop(name, None)
        if held is not None:
            self._tell(held, volume, pods)
            return bool(held.metadata.deletion_timestamp)
        elsewhere = any(
            one.spec.node_name != node and volume_name(one) == volume.metadata.name for one in self._attachments.store.list())
        if elsewhere and set(volume.spec.access_modes) <= _EXCLUSIVE:
            self._tell_multi(volume, pods, name)
            return True
        source = VolumeAttachmentSource(persistent_volume_name=volume.metadata.name)
        spec = VolumeAttachmentSpec(attacher=volume.spec.csi.driver, node_name=node, source=source)
        try:
            await self.client.create(VolumeAttachment(metadata=ObjectMeta(name=name), spec=spec))
        except errors.AlreadyExists:
            return True
        return False

    def _tell(self, attachment: VolumeAttachment, volume: PersistentVolume, pods: list[Pod]) -> None:
        name = volume.metadata.name
        failure = attachment.status.attach_error
        if attachment.status.attached:
            for pod in self._untold(attachment.metadata.name, pods):
                self.events.event(pod, "Normal", "SuccessfulAttachVolume", f'AttachVolume.Attach succeeded for volume "{name}" ')
        elif failure is not None:
            for pod in self._untold(f"{attachment.metadata.name} {failure.time}", pods):
                self.events.event(
                    pod, "Warning", "FailedAttachVolume", f'AttachVolume.Attach failed for volume "{name}" : {failure.message}')

    def _tell_multi(self, volume: PersistentVolume, pods: list[Pod], name: str) -> None:
        users = [
            other.metadata.name for other in self._pods.store.list()
            if other.spec.node_name and other.spec.node_name != pods[0].spec.node_name and not is_terminated(other)
            and any((claim := self._claims.get(key)) is not None and claim.spec.volume_name == volume.metadata.name
                    for key in claim_keys(other))
        ]
        why = f"Volume is already used by pod(s) {', '.join(users)}" if users else (
            "Volume is already exclusively attached to one node and can't be attached to another")
        for pod in self._untold(f"{name} multi", pods):
            self.events.event(
                pod, "Warning", "FailedAttachVolume", f'Multi-Attach error for volume "{volume.metadata.name}" {why}')

    def _untold(self, what: str, pods: list[Pod]) -> list[Pod]:
        fresh = [pod for pod in pods if (what, pod.metadata.uid) not in self._told]
        if len(self._told) > 4096:
            self._told.clear()
        self._told |= {(what, pod.metadata.uid) for pod in fresh}
        return fresh

    # -- detach -----------------------------------------------------------------------------------------------------------------

    async def _detach(self, node: Node | None, attachment: VolumeAttachment) -> bool:
        """Whether to look again."""
        name = attachment.metadata.name
        if attachment.metadata.deletion_timestamp:
            return False
        now = self.clock.monotonic()
        since = self._unneeded.setdefault(name, now)
        source = self._source(attachment)
        in_use = node is not None and source is not None and (
            unique_name(source.driver, source.volume_handle) in node.status.volumes_in_use)
        if in_use and node is not None and not _is_out_of_service(node) and (_is_ready(node) or now - since < FORCE_S):
            return True
        self._unneeded.pop(name, None)
        with suppress(errors.NotFound):
            await self.client.delete(VolumeAttachment, key_of(attachment), uid=attachment.metadata.uid)
        return False

    async def _report(self, node: Node, held: dict[str, VolumeAttachment]) -> None:
        """The Node's status says what is attached: the kubelet's and people's view."""
        attached = []
        for one in held.values():
            source = self._source(one)
            if one.status.attached and not one.metadata.deletion_timestamp and source is not None:
                attached.append(AttachedVolume(name=unique_name(source.driver, source.volume_handle), device_path=""))
        wanted = tuple(sorted(attached, key=lambda one: one.name))
        if wanted != node.status.volumes_attached:
            await self.client.update_status(replace(node, status=replace(node.status, volumes_attached=wanted)))


def _is_ours(attachment: VolumeAttachment) -> bool:
    """Made here, now or before a restart: the name tells. What others make, they delete."""
    return re.fullmatch("csi-[0-9a-f]{64}", attachment.metadata.name) is not None


def _is_out_of_service(node: Node) -> bool:
    return any(taint.key == OUT_OF_SERVICE for taint in node.spec.taints)


def _is_ready(node: Node) -> bool:
    return any(condition.type == "Ready" and condition.status == "True" for condition in node.status.conditions)
