"""The claims of a Pod's volumes: what they are called, and whose they are."""

from __future__ import annotations

from kube.api.core_v1 import PersistentVolumeClaim, Pod, Volume
from kube.client.objects import controller_of


def claim_name(pod: Pod, volume: Volume) -> str:
    """ "" for a volume without a claim."""
    if volume.persistent_volume_claim is not None:
        return volume.persistent_volume_claim.claim_name
    return f"{pod.metadata.name}-{volume.name}" if volume.ephemeral is not None else ""


def is_of_pod(claim: PersistentVolumeClaim, pod: Pod) -> bool:
    """Made for an ephemeral volume of this very Pod."""
    owner = controller_of(claim)
    return owner is not None and owner.uid == pod.metadata.uid
