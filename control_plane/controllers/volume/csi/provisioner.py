"""Makes volumes for claims, and takes them away again. Follows the external-provisioner of CSI drivers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import grpc
from msgspec.structs import replace

from control_plane.controllers.managed import ControllerContext, ManagedController
from control_plane.controllers.volume.csi.driver import CsiDriver, call
from control_plane.volumes import names
from control_plane.volumes.attachments import volume_name
from control_plane.volumes.claims import claim_class, requested_bytes, waits_for_consumer
from kube.api.core_v1 import (
    CSIPersistentVolumeSource,
    Node,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeSpec,
    VolumeNodeAffinity,
)
from kube.api.meta_v1 import ObjectMeta
from kube.api.storage_v1 import CSIDriver, CSIDriverSpec, CSINode, StorageClass, VolumeAttachment
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.apimachinery.quantity import Format, Quantity
from kube.client.controller import DONE, Result
from kube.client.events import reference_to
from kube.client.objects import key_of
from kube.client.transport import PatchKind
from kube.csi.names import DRIVER, SHARED_FOLDER, TYPE

if TYPE_CHECKING:
    from kube.csi.v1 import csi_pb2 as pb

FS_TYPE: Final = "csi.storage.k8s.io/fstype"
AGAIN: Final = Result(requeue_after_s=5.0)
SOON: Final = Result(requeue_after_s=0.1)
DRIVER_WAIT_S: Final = 30.0     # for a node to register the driver; then the volume is made for anywhere


class Item(NamedTuple):
    kind: Literal["claim", "volume"]
    key: NamespacedName


class CsiProvisioner(ManagedController[Item]):
    def __init__(self, context: ControllerContext, driver: CsiDriver) -> None:
        super().__init__("csi-provisioner", context, workers=2)
        self.events = context.events.named(DRIVER)
        self._driver = driver
        self._claims = self.informer(PersistentVolumeClaim)
        self._volumes = self.informer(PersistentVolume)
        self._classes = self.informer(StorageClass)
        self._nodes = self.informer(Node)
        self._csi_nodes = self.informer(CSINode)
        self._attachments = self.informer(VolumeAttachment)
        self._since: dict[NamespacedName, float] = {}       # claims that wait for a node to register the driver
        self._claims.add_handler(self._on_claim, lambda _, new: self._on_claim(new), lambda one: self._since.pop(key_of(one), None))
        self._volumes.add_handler(self._on_volume, lambda _, new: self._on_volume(new))

    def _on_claim(self, claim: PersistentVolumeClaim) -> None:
        if not claim.spec.volume_name and claim.metadata.annotations.get(names.STORAGE_PROVISIONER) == DRIVER:
            self.queue.add(Item("claim", key_of(claim)))

    def _on_volume(self, volume: PersistentVolume) -> None:
        if _is_ours(volume) and volume.spec.persistent_volume_reclaim_policy == "Delete" and (
            volume.status.phase == "Released" or volume.metadata.deletion_timestamp
        ):
            self.queue.add(Item("volume", key_of(volume)))

    async def reconcile(self, key: Item) -> Result:
        if key.kind == "volume":
            volume = self._volumes.get(key.key)
            return DONE if volume is None else await self._delete(volume)
        claim = self._claims.get(key.key)
        held = self._classes.get(NamespacedName("", claim_class(claim))) if claim is not None else None
        if claim is None or held is None or held.provisioner != DRIVER or claim.spec.volume_name or claim.metadata.deletion_timestamp:
            return DONE
        node_name = claim.metadata.annotations.get(names.SELECTED_NODE, "")
        if not node_name and waits_for_consumer(claim, lambda name: self._classes.get(NamespacedName("", name))):
            return DONE
        return await self._provision(claim, held, node_name)

    # -- making -----------------------------------------------------------------------------------------------------------------

    async def _provision(self, claim: PersistentVolumeClaim, held: StorageClass, node_name: str) -> Result:
        from kube.csi.calls import error_text

        name = f"pvc-{claim.metadata.uid}"
        if self._volumes.get(NamespacedName("", name)) is not None:
            return DONE
        await self._announce()
        if node_name and not self._is_registered(node_name):
            since = self._since.setdefault(key_of(claim), self.clock.monotonic())
            if self.clock.monotonic() - since < DRIVER_WAIT_S:
                return SOON
        self._since.pop(key_of(claim), None)
        self.events.event(claim, "Normal", "Provisioning", f'External provisioner is provisioning volume for claim "{key_of(claim)}"')
        try:
            request = self._request(claim, held, name, node_name)
            reply = await call(await self._driver.controller(), "CreateVolume", request)
        except grpc.aio.AioRpcError as error:
            return await self._refused(claim, held, error_text(error), error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED)
        try:
            await self.client.create(_volume(claim, held, name, reply.volume))
        except errors.AlreadyExists:
            return DONE
        self.events.event(claim, "Normal", "ProvisioningSucceeded", f"Successfully provisioned volume {name}")
        return DONE

    def _is_registered(self, node: str) -> bool:
        held = self._csi_nodes.get(NamespacedName("", node))
        return held is not None and any(driver.name == DRIVER for driver in held.spec.drivers)

    def _request(self, claim: PersistentVolumeClaim, held: StorageClass, name: str, node_name: str) -> pb.CreateVolumeRequest:
        from kube.csi.calls import capability
        from kube.csi.v1 import csi_pb2 as pb

        wanted = capability(
            claim.spec.access_modes, fs_type=_fs_type(held), mount_flags=held.mount_options, block=claim.spec.volume_mode == "Block",
            multi_writer=True)
        return pb.CreateVolumeRequest(
            name=name, capacity_range=pb.CapacityRange(required_bytes=requested_bytes(claim)), volume_capabilities=[wanted],
            parameters={key: value for key, value in held.parameters.items() if not key.startswith("csi.storage.k8s.io/")},
            accessibility_requirements=self._places(held, node_name),
        )

    def _places(self, held: StorageClass, node_name: str) -> pb.TopologyRequirement:
        """Where the chosen node is; without one, wherever the class and the nodes that have the driver allow."""
        from kube.csi.v1 import csi_pb2 as pb

        places: list[dict[str, str]] = []
        for csi_node in self._csi_nodes.store.list():
            node = self._nodes.get(NamespacedName("", csi_node.metadata.name))
            keys = next((driver.topology_keys for driver in csi_node.spec.drivers if driver.name == DRIVER), ())
            if node is None or not keys or node_name not in ("", csi_node.metadata.name):
                continue
            segments = {key: node.metadata.labels[key] for key in keys if key in node.metadata.labels}
            if segments and segments not in places and _allowed(held, segments):
                places.append(segments)
        return pb.TopologyRequirement(requisite=[pb.Topology(segments=one) for one in places])

    async def _refused(self, claim: PersistentVolumeClaim, held: StorageClass, text: str, elsewhere: bool) -> Result:
        """`elsewhere`: another node might do, so the scheduler is asked again."""
        message = f'failed to provision volume with StorageClass "{held.metadata.name}": {text}'
        self.events.event(claim, "Warning", "ProvisioningFailed", message)
        if elsewhere and names.SELECTED_NODE in claim.metadata.annotations:
            patch = {"metadata": {
                "resourceVersion": claim.metadata.resource_version, "annotations": {names.SELECTED_NODE: None}}}
            await self.client.patch(PersistentVolumeClaim, key_of(claim), patch, kind=PatchKind.MERGE)
        return AGAIN

    async def _announce(self) -> None:
        """The driver's object: nodes start their half of the driver when they see it."""
        try:
            await self.client.get(CSIDriver, NamespacedName("", DRIVER))
        except errors.NotFound:
            spec = CSIDriverSpec(
                attach_required=True, pod_info_on_mount=False, fs_group_policy="File", volume_lifecycle_modes=("Persistent",))
            try:
                await self.client.create(CSIDriver(metadata=ObjectMeta(name=DRIVER), spec=spec))
            except errors.AlreadyExists:
                return

    # -- taking away ------------------------------------------------------------------------------------------------------------

    async def _delete(self, volume: PersistentVolume) -> Result:
        if names.PROVISIONER_FINALIZER not in volume.metadata.finalizers or volume.spec.persistent_volume_reclaim_policy != "Delete":
            return DONE
        if volume.status.phase == "Bound":
            return DONE
        from kube.csi.calls import error_text
        from kube.csi.v1 import csi_pb2 as pb

        assert volume.spec.csi is not None
        if any(volume_name(one) == volume.metadata.name for one in self._attachments.store.list()):
            return SOON
        try:
            await call(await self._driver.controller(), "DeleteVolume", pb.DeleteVolumeRequest(volume_id=volume.spec.csi.volume_handle))
        except grpc.aio.AioRpcError as error:
            self.events.event(volume, "Warning", "VolumeFailedDelete", error_text(error))
            return AGAIN
        try:
            if not volume.metadata.deletion_timestamp:
                await self.client.delete(PersistentVolume, key_of(volume), uid=volume.metadata.uid)
                volume = await self.client.get(PersistentVolume, key_of(volume))
            kept = tuple(one for one in volume.metadata.finalizers if one != names.PROVISIONER_FINALIZER)
            await self.client.update(replace(volume, metadata=replace(volume.metadata, finalizers=kept)))
        except errors.NotFound:
            pass
        return DONE


def _fs_type(held: StorageClass) -> str:
    """ "" for folders: they are the machine's."""
    return held.parameters.get(FS_TYPE, "" if held.parameters.get(TYPE) == SHARED_FOLDER else "ext4")


def _is_ours(volume: PersistentVolume) -> bool:
    return volume.spec.csi is not None and volume.spec.csi.driver == DRIVER and names.PROVISIONED_BY in volume.metadata.annotations


def _allowed(held: StorageClass, segments: dict[str, str]) -> bool:
    terms = held.allowed_topologies
    return not terms or any(
        all(segments.get(wanted.key) in wanted.values for wanted in term.match_label_expressions if wanted.key in segments)
        for term in terms
    )


def _volume(claim: PersistentVolumeClaim, held: StorageClass, name: str, made: Any) -> PersistentVolume:
    terms = tuple(
        NodeSelectorTerm(match_expressions=tuple(
            NodeSelectorRequirement(key=key, operator="In", values=(value,)) for key, value in sorted(place.segments.items())))
        for place in made.accessible_topology
    )
    block = claim.spec.volume_mode == "Block"
    spec = PersistentVolumeSpec(
        access_modes=claim.spec.access_modes,
        capacity={"storage": str(Quantity.of(made.capacity_bytes, Format.BINARY_SI))},
        claim_ref=reference_to(claim),
        csi=CSIPersistentVolumeSource(
            driver=DRIVER, volume_handle=made.volume_id, fs_type="" if block else _fs_type(held),
            volume_attributes={"storage.kubernetes.io/csiProvisionerIdentity": DRIVER, **made.volume_context}),
        mount_options=held.mount_options,
        node_affinity=VolumeNodeAffinity(required=NodeSelector(node_selector_terms=terms)) if terms else None,
        persistent_volume_reclaim_policy=held.reclaim_policy or "Delete",
        storage_class_name=held.metadata.name,
        volume_attributes_class_name=claim.spec.volume_attributes_class_name,
        volume_mode=claim.spec.volume_mode,
    )
    finalizers = (names.PROVISIONER_FINALIZER,) if spec.persistent_volume_reclaim_policy == "Delete" else ()
    return PersistentVolume(
        metadata=ObjectMeta(name=name, annotations={names.PROVISIONED_BY: DRIVER}, finalizers=finalizers), spec=spec)
