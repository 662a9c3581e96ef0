"""Binds claims to volumes and keeps their phases. Follows upstream's persistentvolume-binder (pkg/controller/volume/persistentvolume).

One worker: two claims must never choose the same volume at the same time. A binding is written volume first; whatever is half written
is completed, or taken back, by the next look at either of the two.
"""

from __future__ import annotations

import asyncio
from typing import Final, Literal, NamedTuple

from control_plane.controllers.managed import ControllerContext, ManagedController
from control_plane.controllers.pods import is_terminated
from control_plane.controllers.volume.bind_steps import BindSteps
from control_plane.controllers.volume.reclaim import reclaim
from control_plane.volumes import names
from control_plane.volumes.claims import (
    claim_class,
    claim_keys,
    default_class,
    has_class,
    is_claimed_by,
    same_mode,
    waits_for_consumer,
)
from control_plane.volumes.matching import best_match, mismatch
from control_plane.volumes.newest import Newest
from kube.api.core_v1 import PersistentVolume, PersistentVolumeClaim, Pod
from kube.api.storage_v1 import StorageClass
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.objects import key_of

RESYNC_S: Final = 15.0          # PVClaimBinderSyncPeriod; here only for claims and volumes that wait for something
BY_CLAIM: Final = "by claim"
NO_VOLUME: Final = "no persistent volumes available for this claim and no storage class is set"
WAITING: Final = "waiting for first consumer to be created before binding"
EXTERNAL: Final = (
    "Waiting for a volume to be created either by the external provisioner '{}' or manually by the system administrator. If volume "
    "creation is delayed, please verify that the provisioner is running and correctly registered."
)
LATER: Final = Result(requeue_after_s=RESYNC_S)


class Item(NamedTuple):
    kind: Literal["claim", "volume"]
    key: NamespacedName


class PersistentVolumeBinder(ManagedController[Item]):
    def __init__(self, context: ControllerContext) -> None:
        super().__init__("persistentvolume-binder", context, workers=1)
        self.events = context.events.named("persistentvolume-controller")
        claims, volumes = self.informer(PersistentVolumeClaim), self.informer(PersistentVolume)
        self._claims, self._volumes = Newest(claims), Newest(volumes)
        self._steps = BindSteps(self.client, self._claims, self._volumes)
        self._classes = self.informer(StorageClass)
        self._pods = self.informer(Pod)
        self._pods.add_index(BY_CLAIM, lambda pod: [str(key) for key in claim_keys(pod)])
        claims.add_handler(self._on_claim, lambda _, new: self._on_claim(new), self._on_claim_gone)
        volumes.add_handler(self._on_volume, lambda _, new: self._on_volume(new), self._on_volume_gone)
        self._classes.add_handler(lambda _: self._on_class(), lambda _old, _new: self._on_class())
        self._pods.add_handler(self._on_pod, None, self._on_pod)

    # -- what changed -----------------------------------------------------------------------------------------------------------

    def _on_claim(self, claim: PersistentVolumeClaim) -> None:
        self.queue.add(Item("claim", key_of(claim)))

    def _on_claim_gone(self, claim: PersistentVolumeClaim) -> None:
        if claim.spec.volume_name:
            self.queue.add(Item("volume", NamespacedName("", claim.spec.volume_name)))

    def _on_volume(self, volume: PersistentVolume) -> None:
        self.queue.add(Item("volume", key_of(volume)))
        if volume.status.phase == "Available":
            reference = volume.spec.claim_ref
            self._wake_pending(None if reference is None else NamespacedName(reference.namespace, reference.name))

    def _on_volume_gone(self, volume: PersistentVolume) -> None:
        if (reference := volume.spec.claim_ref) is not None:
            self.queue.add(Item("claim", NamespacedName(reference.namespace, reference.name)))

    def _on_class(self) -> None:
        self._wake_pending(None)

    def _on_pod(self, pod: Pod) -> None:
        for key in claim_keys(pod):
            claim = self._claims.get(key)
            if claim is not None and names.BIND_COMPLETED not in claim.metadata.annotations:
                self.queue.add(Item("claim", key))

    def _wake_pending(self, only: NamespacedName | None) -> None:
        for claim in self._claims.list():
            if names.BIND_COMPLETED not in claim.metadata.annotations and only in (None, key_of(claim)):
                self.queue.add(Item("claim", key_of(claim)))

    # -- claims -----------------------------------------------------------------------------------------------------------------

    async def reconcile(self, key: Item) -> Result:
        try:
            if key.kind == "volume":
                volume = self._volumes.get(key.key)
                return DONE if volume is None else await self._sync_volume(volume)
            claim = self._claims.get(key.key)
            if claim is None:
                return DONE
            bound = names.BIND_COMPLETED in claim.metadata.annotations
            return await (self._sync_bound(claim) if bound else self._sync_unbound(claim))
        except errors.NotFound:
            return DONE         # gone meanwhile; its watch event brings whom that concerns

    async def _sync_unbound(self, claim: PersistentVolumeClaim) -> Result:
        if claim.spec.volume_name:
            return await self._sync_named(claim, claim.spec.volume_name)
        delayed = waits_for_consumer(claim, self._class)
        volume = best_match(claim, self._volumes.list(), delayed=delayed)
        if volume is not None:
            await self._steps.bind(volume, claim)
            return DONE
        if not has_class(claim) and (default := default_class(self._classes.store.list())) is not None:
            await self._steps.set_class(claim, default.metadata.name)
            return DONE
        if delayed and names.SELECTED_NODE not in claim.metadata.annotations:
            self._tell_waiting(claim)
        elif claim_class(claim):
            claim = await self._ask_provisioner(claim)
        else:
            self.events.event(claim, "Normal", "FailedBinding", NO_VOLUME)
        await self._steps.set_claim_status(claim, "Pending", None)
        return LATER

    async def _sync_named(self, claim: PersistentVolumeClaim, name: str) -> Result:
        volume = self._volumes.get(NamespacedName("", name))
        if volume is None:
            await self._steps.set_claim_status(claim, "Pending", None)
            return LATER
        if volume.spec.claim_ref is not None and not is_claimed_by(volume, claim):
            self.events.event(claim, "Warning", "FailedBinding", f'volume "{name}" already bound to a different claim.')
            await self._steps.set_claim_status(claim, "Pending", None)
            return LATER
        if volume.spec.claim_ref is None and (why := mismatch(volume, claim)):
            self.events.event(claim, "Warning", "VolumeMismatch", f'Cannot bind to requested volume "{name}": {why}')
            await self._steps.set_claim_status(claim, "Pending", None)
            return LATER
        await self._steps.bind(volume, claim)
        return DONE

    async def _sync_bound(self, claim: PersistentVolumeClaim) -> Result:
        if not claim.spec.volume_name:
            return await self._lose(claim, "ClaimLost", "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!")
        volume = self._volumes.get(NamespacedName("", claim.spec.volume_name))
        if volume is None:
            return await self._lose(claim, "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!")
        if volume.spec.claim_ref is None or volume.spec.claim_ref.uid == claim.metadata.uid:
            await self._steps.bind(volume, claim)
            return DONE
        return await self._lose(
            claim, "ClaimMisbound", "Two claims are bound to the same volume, this one is bound incorrectly")

    async def _lose(self, claim: PersistentVolumeClaim, reason: str, message: str) -> Result:
        if claim.status.phase != "Lost":
            written = await self._steps.set_claim_status(claim, "Lost", None)
            self.events.event(written, "Warning", reason, message)
        return DONE

    def _tell_waiting(self, claim: PersistentVolumeClaim) -> None:
        pods = self._pods.by_index(BY_CLAIM, str(key_of(claim)))
        waiting = [pod.metadata.name for pod in pods if not pod.spec.node_name and not is_terminated(pod)]
        if waiting:
            named = f"pod {waiting[0]}" if len(waiting) == 1 else f"pods {','.join(waiting)}"
            self.events.event(claim, "Normal", "WaitForPodScheduled", f"waiting for {named} to be scheduled")
        else:
            self.events.event(claim, "Normal", "WaitForFirstConsumer", WAITING)

    async def _ask_provisioner(self, claim: PersistentVolumeClaim) -> PersistentVolumeClaim:
        """Says on the claim whose work it is; that one makes a volume, which then is found as reserved for the claim."""
        name = claim_class(claim)
        held = self._class(name)
        if held is None:
            self.events.event(claim, "Warning", "ProvisioningFailed", f'storageclass.storage.k8s.io "{name}" not found')
            return claim
        provisioner = names.MIGRATED.get(held.provisioner, held.provisioner)
        if provisioner.startswith(names.IN_TREE_PREFIX):
            self.events.event(claim, "Warning", "ProvisioningFailed", f"no volume plugin matched name: {provisioner}")
            return claim
        claim = await self._steps.annotate_claim(
            claim, {names.STORAGE_PROVISIONER: provisioner, names.BETA_STORAGE_PROVISIONER: provisioner})
        self.events.event(claim, "Normal", "ExternalProvisioning", EXTERNAL.format(provisioner))
        return claim

    def _class(self, name: str) -> StorageClass | None:
        return self._classes.get(NamespacedName("", name))

    # -- volumes ----------------------------------------------------------------------------------------------------------------

    async def _sync_volume(self, volume: PersistentVolume) -> Result:
        reference = volume.spec.claim_ref
        if reference is None or not reference.uid:
            await self._steps.set_phase(volume, "Available")
            return DONE
        claim = await self._claim_of(volume)
        if claim is None:
            return await self._release(volume)
        if not claim.spec.volume_name:
            if not same_mode(claim, volume):
                self._tell_modes(volume, claim)
            else:
                self.queue.add(Item("claim", key_of(claim)))
            return DONE
        if claim.spec.volume_name == volume.metadata.name:
            await self._steps.set_phase(volume, "Bound")
            return DONE
        dynamic = names.PROVISIONED_BY in volume.metadata.annotations
        if dynamic and volume.spec.persistent_volume_reclaim_policy == "Delete":
            return await self._release(volume)      # the claim found another one meanwhile
        await self._steps.unbind(volume)
        return DONE

    async def _claim_of(self, volume: PersistentVolume) -> PersistentVolumeClaim | None:
        """The claim it is bound to, None once that is gone; asked of the server before a volume is given up."""
        reference = volume.spec.claim_ref
        assert reference is not None
        key = NamespacedName(reference.namespace, reference.name)
        claim = self._claims.get(key)
        if claim is not None and claim.metadata.uid == reference.uid:
            return claim
        if claim is None and volume.status.phase in ("Released", "Failed"):
            return None
        try:
            claim = await self.client.get(PersistentVolumeClaim, key)
        except errors.NotFound:
            return None
        return claim if claim.metadata.uid == reference.uid else None

    async def _release(self, volume: PersistentVolume) -> Result:
        if volume.status.phase not in ("Released", "Failed"):
            volume = await self._steps.set_phase(volume, "Released")
        done = await asyncio.to_thread(reclaim, volume)
        if done.deleted:
            await self.client.delete(PersistentVolume, key_of(volume), uid=volume.metadata.uid)
        elif done.reason:
            if volume.status.phase != "Failed":
                volume = await self._steps.set_phase(volume, "Failed", done.message)
                self.events.event(volume, "Warning", done.reason, done.message)
            return LATER
        return DONE

    def _tell_modes(self, volume: PersistentVolume, claim: PersistentVolumeClaim) -> None:
        about_volume = (
            f'Cannot bind PersistentVolume to requested PersistentVolumeClaim "{claim.metadata.name}" due to incompatible volumeMode.')
        about_claim = (
            f'Cannot bind PersistentVolume "{volume.metadata.name}" to requested PersistentVolumeClaim due to incompatible volumeMode.')
        self.events.event(volume, "Warning", "VolumeMismatch", about_volume)
        self.events.event(claim, "Warning", "VolumeMismatch", about_claim)
