"""Questions about one claim, volume or class. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from control_plane.volumes import names
from kube.api.core_v1 import PersistentVolume, PersistentVolumeClaim, Pod
from kube.api.storage_v1 import StorageClass
from kube.apimachinery.meta import NamespacedName
from kube.apimachinery.quantity import parse_bytes
from kube.client.claims import claim_name

ClassByName = Callable[[str], StorageClass | None]


def claim_class(claim: PersistentVolumeClaim) -> str:
    """ "" for none: neither asked for nor defaulted."""
    beta = claim.metadata.annotations.get(names.BETA_STORAGE_CLASS)
    return beta if beta is not None else claim.spec.storage_class_name or ""


def has_class(claim: PersistentVolumeClaim) -> bool:
    """An explicit "" counts: such a claim never gets the default."""
    return names.BETA_STORAGE_CLASS in claim.metadata.annotations or claim.spec.storage_class_name is not None


def volume_class(volume: PersistentVolume) -> str:
    beta = volume.metadata.annotations.get(names.BETA_STORAGE_CLASS)
    return beta if beta is not None else volume.spec.storage_class_name


def requested_bytes(claim: PersistentVolumeClaim) -> int:
    asked = claim.spec.resources.requests.get("storage") if claim.spec.resources is not None else None
    return parse_bytes(asked) if asked else 0


def wants_more(claim: PersistentVolumeClaim) -> bool:
    """It is bound, and asks for more than it has."""
    held = claim.status.capacity.get("storage")
    return claim.status.phase == "Bound" and held is not None and requested_bytes(claim) > parse_bytes(held)


def capacity_bytes(volume: PersistentVolume) -> int:
    held = volume.spec.capacity.get("storage")
    return parse_bytes(held) if held else 0


def same_mode(claim: PersistentVolumeClaim, volume: PersistentVolume) -> bool:
    return (claim.spec.volume_mode or "Filesystem") == (volume.spec.volume_mode or "Filesystem")


def same_attributes(claim: PersistentVolumeClaim, volume: PersistentVolume) -> bool:
    return (claim.spec.volume_attributes_class_name or "") == (volume.spec.volume_attributes_class_name or "")


def has_access_modes(claim: PersistentVolumeClaim, volume: PersistentVolume) -> bool:
    return set(claim.spec.access_modes) <= set(volume.spec.access_modes)


def is_claimed_by(volume: PersistentVolume, claim: PersistentVolumeClaim) -> bool:
    """Bound to the claim, or reserved for it by name."""
    reference = volume.spec.claim_ref
    if reference is None or (reference.namespace, reference.name) != (claim.metadata.namespace, claim.metadata.name):
        return False
    return reference.uid in ("", claim.metadata.uid)


def is_fully_bound(claim: PersistentVolumeClaim) -> bool:
    return bool(claim.spec.volume_name) and names.BIND_COMPLETED in claim.metadata.annotations


def waits_for_consumer(claim: PersistentVolumeClaim, class_by_name: ClassByName) -> bool:
    """Its class is there and of mode WaitForFirstConsumer."""
    name = claim_class(claim)
    held = class_by_name(name) if name else None
    return held is not None and held.volume_binding_mode == names.WAIT_FOR_FIRST_CONSUMER


def default_class(classes: Iterable[StorageClass]) -> StorageClass | None:
    """Of several the newest, as admission chooses; of equally old ones the first by name."""
    marked = [
        one for one in classes
        if "true" in (one.metadata.annotations.get(names.DEFAULT_CLASS), one.metadata.annotations.get(names.BETA_DEFAULT_CLASS))
    ]
    by_name = sorted(marked, key=lambda one: one.metadata.name)
    return max(by_name, key=lambda one: one.metadata.creation_timestamp, default=None)


def claim_keys(pod: Pod) -> list[NamespacedName]:
    return [NamespacedName(pod.metadata.namespace, name) for volume in pod.spec.volumes if (name := claim_name(pod, volume))]
