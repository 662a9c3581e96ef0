"""Claims, volumes, classes and CSI objects, as the volume plugins read them: what was decided a moment ago included."""

from __future__ import annotations

from control_plane.scheduler.pod_info import PodInfo
from control_plane.volumes.newest import Newest
from kube.api.core_v1 import PersistentVolume, PersistentVolumeClaim, Volume
from kube.api.storage_v1 import CSIDriver, CSINode, CSIStorageCapacity, StorageClass
from kube.apimachinery.meta import NamespacedName
from kube.client.claims import claim_name, is_of_pod
from kube.client.client import Client
from kube.client.informer import Informer, InformerFactory


class VolumeObjects:
    def __init__(self, client: Client, informers: InformerFactory) -> None:
        self.client = client
        self.claim_informer = informers.informer(PersistentVolumeClaim)
        self.volume_informer = informers.informer(PersistentVolume)
        self.claims = Newest(self.claim_informer)
        self.volumes = Newest(self.volume_informer)
        self._classes: Informer[StorageClass] = informers.informer(StorageClass)
        self._csi_nodes: Informer[CSINode] = informers.informer(CSINode)
        self._csi_drivers: Informer[CSIDriver] = informers.informer(CSIDriver)
        self._capacities: Informer[CSIStorageCapacity] = informers.informer(CSIStorageCapacity)

    def claim(self, namespace: str, name: str) -> PersistentVolumeClaim | None:
        return self.claims.get(NamespacedName(namespace, name))

    def volume(self, name: str) -> PersistentVolume | None:
        return self.volumes.get(NamespacedName("", name))

    def storage_class(self, name: str) -> StorageClass | None:
        return self._classes.get(NamespacedName("", name))

    def csi_node(self, node: str) -> CSINode | None:
        return self._csi_nodes.get(NamespacedName("", node))

    def csi_driver(self, name: str) -> CSIDriver | None:
        return self._csi_drivers.get(NamespacedName("", name))

    def capacities(self, class_name: str) -> list[CSIStorageCapacity]:
        return [one for one in self._capacities.store.list() if one.storage_class_name == class_name]

    def claims_of(self, pod: PodInfo) -> list[tuple[Volume, PersistentVolumeClaim | None]]:
        """Of the Pod's volumes that are claims, ephemeral ones included; None for a claim that is not there."""
        named = [(volume, claim_name(pod.pod, volume)) for volume in pod.pod.spec.volumes]
        return [(volume, self.claim(pod.key.namespace, name)) for volume, name in named if name]


def names_claim(pod: PodInfo, claim: PersistentVolumeClaim) -> bool:
    metadata = claim.metadata
    return pod.key.namespace == metadata.namespace and any(
        claim_name(pod.pod, volume) == metadata.name for volume in pod.pod.spec.volumes)


def claim_problem(pod: PodInfo, volume: Volume, claim: PersistentVolumeClaim | None) -> str:
    """Why no Node can take a Pod with this claim; "" if one may."""
    if claim is None:
        name = claim_name(pod.pod, volume)
        if volume.ephemeral is not None:
            return f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{name}"'
        return f'persistentvolumeclaim "{name}" not found'
    name = claim.metadata.name
    if claim.status.phase == "Lost":
        return f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{claim.spec.volume_name}"'
    if claim.metadata.deletion_timestamp:
        return f'persistentvolumeclaim "{name}" is being deleted'
    if volume.ephemeral is not None and not is_of_pod(claim, pod.pod):
        return f"PVC {claim.metadata.namespace}/{name} was not created for pod {pod.key} (pod is not owner)"
    return ""
