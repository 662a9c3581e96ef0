"""Which volume fits a claim best. Pure; follows component-helpers/storage/volume."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from control_plane.volumes.claims import (
    capacity_bytes,
    claim_class,
    has_access_modes,
    is_claimed_by,
    requested_bytes,
    same_attributes,
    same_mode,
    volume_class,
)
from kube.api.core_v1 import PersistentVolume, PersistentVolumeClaim, TopologySelectorTerm
from kube.apimachinery.labels import Selector, selector_from_label_selector
from kube.client.node_selector import NodePlace, reaches


def best_match(
    claim: PersistentVolumeClaim, volumes: Iterable[PersistentVolume], *, node: NodePlace | None = None,
    excluded: Collection[str] = (), delayed: bool = False,
) -> PersistentVolume | None:
    """The volume that is bound to the claim or reserved for it, else the smallest free one that fits.

    `node`: only volumes that it reaches. Without a node and with `delayed` only a reserved one: the scheduler finds the others.
    """
    selector = selector_from_label_selector(claim.spec.selector) if claim.spec.selector is not None else None
    free: list[PersistentVolume] = []
    for volume in volumes:
        if volume.metadata.name in excluded or not _could_serve(claim, volume):
            continue
        if is_claimed_by(volume, claim):
            return volume if node is None or reaches(node, volume.spec.node_affinity) else None
        if node is None and delayed:
            continue
        near = node is None or reaches(node, volume.spec.node_affinity)
        if near and volume.spec.claim_ref is None and _is_free_for(claim, volume, selector):
            free.append(volume)
    # Of equal size the one that can do least besides: upstream looks at volumes with few access modes first.
    return min(free, key=lambda one: (len(one.spec.access_modes), capacity_bytes(one)), default=None)


def mismatch(volume: PersistentVolume, claim: PersistentVolumeClaim) -> str:
    """Why a volume that the claim names cannot serve it; "" when it can."""
    if volume.metadata.deletion_timestamp:
        return f'the volume is marked for deletion "{volume.metadata.name}"'
    if capacity_bytes(volume) < requested_bytes(claim):
        return "requested PV is too small"
    if volume_class(volume) != claim_class(claim):
        return "storageClassName does not match"
    if not same_attributes(claim, volume):
        return "volumeAttributesClassName does not match"
    if not same_mode(claim, volume):
        return "incompatible volumeMode"
    return "" if has_access_modes(claim, volume) else "incompatible accessMode"


def topology_allows(terms: Iterable[TopologySelectorTerm], labels: Mapping[str, str]) -> bool:
    """A class's allowedTopologies; none: everywhere."""
    listed = tuple(terms)
    return not listed or any(
        all(labels.get(wanted.key) in wanted.values for wanted in term.match_label_expressions)
        for term in listed if term.match_label_expressions
    )


def _could_serve(claim: PersistentVolumeClaim, volume: PersistentVolume) -> bool:
    if volume.spec.claim_ref is not None and not is_claimed_by(volume, claim):
        return False
    return (
        capacity_bytes(volume) >= requested_bytes(claim) and same_mode(claim, volume) and same_attributes(claim, volume)
        and has_access_modes(claim, volume) and not volume.metadata.deletion_timestamp
    )


def _is_free_for(claim: PersistentVolumeClaim, volume: PersistentVolume, selector: Selector | None) -> bool:
    if volume.status.phase != "Available" or volume_class(volume) != claim_class(claim):
        return False
    return selector is None or selector.matches(volume.metadata.labels)
