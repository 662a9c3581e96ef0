"""The claim that a Pod names and the volume it is bound to, checked as the kubelet's volume manager checks them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kube.api.core_v1 import PersistentVolume, PersistentVolumeClaim, Pod, Volume
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.claims import claim_name, is_of_pod
from kube.client.client import Client
from kube.client.node_selector import NodePlace, reaches
from node_agent.volumes.plugin import VolumeError, VolumeStepError, VolumeUnknownError


class ClaimReader:
    """Reads by name: the Node authorizer allows no more. `labels`: the Node's, as they are now."""

    def __init__(self, client: Client, node_name: str, labels: Callable[[], Mapping[str, str]]) -> None:
        self._client = client
        self._node_name = node_name
        self._labels = labels

    async def read(self, pod: Pod, volume: Volume) -> tuple[PersistentVolumeClaim, PersistentVolume]:
        """Raises VolumeError, with the claim's name in it."""
        key = NamespacedName(pod.metadata.namespace, claim_name(pod, volume))
        try:
            claim = await self._claim(key)
            if volume.ephemeral is not None and not is_of_pod(claim, pod):
                raise VolumeError(f"PVC {key} was not created for pod {pod.metadata.namespace}/{pod.metadata.name} (pod is not owner)")
            if claim.status.phase != "Bound" or not claim.spec.volume_name:
                raise VolumeError("PVC is not bound")
            return claim, await self._volume(claim)
        except VolumeStepError:
            raise
        except VolumeError as error:
            raise VolumeUnknownError(f"error processing PVC {key}: {error}") from error

    async def _claim(self, key: NamespacedName) -> PersistentVolumeClaim:
        try:
            return await self._client.get(PersistentVolumeClaim, key)
        except errors.ApiError as error:
            raise VolumeError(f"failed to fetch PVC from API server: {error}") from error

    async def _volume(self, claim: PersistentVolumeClaim) -> PersistentVolume:
        name = claim.spec.volume_name
        try:
            held = await self._client.get(PersistentVolume, NamespacedName("", name))
        except errors.ApiError as error:
            raise VolumeError(f"failed to fetch PV {name} from API server: {error}") from error
        reference = held.spec.claim_ref
        if reference is None or reference.uid != claim.metadata.uid:
            raise VolumeError(f"PersistentVolume {name} is bound to another claim")
        if not reaches(NodePlace(self._node_name, self._labels()), held.spec.node_affinity):
            raise VolumeStepError("MountVolume.NodeAffinity check", name, "no matching NodeSelectorTerms")
        return held
