"""The writes of a binding: volume, its phase, claim, its status; each only if it changes something. Any may be the last before a crash."""

from __future__ import annotations

from msgspec.structs import replace

from control_plane.volumes import names
from control_plane.volumes.claims import is_claimed_by
from control_plane.volumes.newest import Newest
from kube.api.core_v1 import PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimStatus
from kube.client.client import Client
from kube.client.events import reference_to


def bound_to(volume: PersistentVolume, claim: PersistentVolumeClaim) -> PersistentVolume:
    """The volume as it looks when bound to the claim; the same object when it is."""
    reference = volume.spec.claim_ref
    if reference is not None and is_claimed_by(volume, claim) and reference.uid == claim.metadata.uid:
        return volume
    annotations = volume.metadata.annotations
    if not is_claimed_by(volume, claim):
        annotations = {**annotations, names.BOUND_BY_CONTROLLER: "yes"}
    return replace(
        volume, metadata=replace(volume.metadata, annotations=annotations), spec=replace(volume.spec, claim_ref=reference_to(claim)))


class BindSteps:
    def __init__(self, client: Client, claims: Newest[PersistentVolumeClaim], volumes: Newest[PersistentVolume]) -> None:
        self._client = client
        self._claims = claims
        self._volumes = volumes

    async def bind(self, volume: PersistentVolume, claim: PersistentVolumeClaim) -> None:
        """Raises ApiErrors; to be tried again from the start."""
        wanted = bound_to(volume, claim)
        if wanted is not volume:
            volume = self._volumes.wrote(await self._client.update(wanted))
        volume = await self.set_phase(volume, "Bound")
        claim = await self._name_volume(claim, volume)
        await self.set_claim_status(claim, "Bound", volume)

    async def unbind(self, volume: PersistentVolume) -> None:
        """What we bound becomes free; what was reserved by a user stays reserved, for the name alone."""
        reference, annotations = volume.spec.claim_ref, dict(volume.metadata.annotations)
        assert reference is not None
        kept = None if annotations.pop(names.BOUND_BY_CONTROLLER, None) is not None else replace(reference, uid="")
        metadata = replace(volume.metadata, annotations=annotations)
        updated = await self._client.update(replace(volume, metadata=metadata, spec=replace(volume.spec, claim_ref=kept)))
        await self.set_phase(self._volumes.wrote(updated), "Available")

    async def set_phase(self, volume: PersistentVolume, phase: str, message: str = "") -> PersistentVolume:
        if volume.status.phase == phase:
            return volume
        status = replace(volume.status, phase=phase, message=message)
        return self._volumes.wrote(await self._client.update_status(replace(volume, status=status)))

    async def set_claim_status(
        self, claim: PersistentVolumeClaim, phase: str, volume: PersistentVolume | None
    ) -> PersistentVolumeClaim:
        status = claim_status(claim, phase, volume)
        if status == claim.status:
            return claim
        return self._claims.wrote(await self._client.update_status(replace(claim, status=status)))

    async def annotate_claim(self, claim: PersistentVolumeClaim, added: dict[str, str]) -> PersistentVolumeClaim:
        annotations = {**claim.metadata.annotations, **added}
        if annotations == claim.metadata.annotations:
            return claim
        return self._claims.wrote(await self._client.update(replace(claim, metadata=replace(claim.metadata, annotations=annotations))))

    async def set_class(self, claim: PersistentVolumeClaim, name: str) -> None:
        self._claims.wrote(await self._client.update(replace(claim, spec=replace(claim.spec, storage_class_name=name))))

    async def _name_volume(self, claim: PersistentVolumeClaim, volume: PersistentVolume) -> PersistentVolumeClaim:
        annotations, spec = dict(claim.metadata.annotations), claim.spec
        if spec.volume_name != volume.metadata.name:
            spec = replace(spec, volume_name=volume.metadata.name)
            annotations.setdefault(names.BOUND_BY_CONTROLLER, "yes")
        annotations.setdefault(names.BIND_COMPLETED, "yes")
        if spec is claim.spec and annotations == claim.metadata.annotations:
            return claim
        metadata = replace(claim.metadata, annotations=annotations)
        return self._claims.wrote(await self._client.update(replace(claim, metadata=metadata, spec=spec)))


def claim_status(
    claim: PersistentVolumeClaim, phase: str, volume: PersistentVolume | None
) -> PersistentVolumeClaimStatus:
    """Capacity is taken over when the claim becomes bound, not later: a file system may be smaller than its volume while it grows."""
    held = claim.status
    if volume is None:
        return replace(held, phase=phase, access_modes=(), capacity={}, current_volume_attributes_class_name=None)
    status = replace(held, phase=phase, access_modes=volume.spec.access_modes)
    if held.phase != phase:
        before = volume.metadata.annotations.get(names.PRE_RESIZE_CAPACITY)
        status = replace(status, capacity={**held.capacity, "storage": before} if before else dict(volume.spec.capacity))
    if held.phase in ("", "Pending") and phase == "Bound":
        status = replace(status, current_volume_attributes_class_name=volume.spec.volume_attributes_class_name)
    return status
