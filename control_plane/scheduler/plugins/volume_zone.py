"""VolumeZone."""

from __future__ import annotations

from typing import ClassVar, Final

from control_plane.scheduler.changes import ObjectChange
from control_plane.scheduler.framework import ALL_FIT, ClusterEvent, CycleState, PreFilterResult, Verdict
from control_plane.scheduler.node_table import NodeTable
from control_plane.scheduler.pod_info import PodInfo
from control_plane.scheduler.volume_objects import VolumeObjects, names_claim
from kube.api.core_v1 import PersistentVolume, PersistentVolumeClaim

_BETA: Final = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
}
LABELS: Final = (*_BETA, *_BETA.values())
Demand = tuple[str, frozenset[str]]


class VolumeZone:
    """A volume's zone and region labels must be the Node's too, if that has any. Follows kube-scheduler's VolumeZone."""

    name: ClassVar[str] = "VolumeZone"
    events: ClassVar[ClusterEvent] = (
        ClusterEvent.STORAGE_CLASS | ClusterEvent.NODE_ADD | ClusterEvent.NODE_LABEL | ClusterEvent.CLAIM_ADD | ClusterEvent.CLAIM_UPDATE
        | ClusterEvent.VOLUME
    )
    reason: ClassVar[str] = "node(s) had no available volume zone"

    def __init__(self, objects: VolumeObjects) -> None:
        self._objects = objects

    def pre_filter(self, state: CycleState, pod: PodInfo, nodes: NodeTable) -> PreFilterResult | None:
        demands: list[Demand] = []
        for _, claim in self._objects.claims_of(pod):
            volume = self._objects.volume(claim.spec.volume_name) if claim is not None and claim.spec.volume_name else None
            if volume is not None:
                demands += _demands(volume)
        if not demands:
            return PreFilterResult(skip=True)
        state.data[self.name] = demands
        return None

    def filter(self, state: CycleState, pod: PodInfo, nodes: NodeTable) -> Verdict:
        demands: list[Demand] = state.data.get(self.name) or []
        refused = nodes.none()
        for row in nodes.rows(nodes.live):
            labels = nodes.labels_of(int(row))
            refused[row] = any(key in labels for key in LABELS) and any(
                (labels[key] if key in labels else labels.get(_BETA.get(key, ""))) not in values for key, values in demands)
        return Verdict.reject(refused, self.reason, unresolvable=True) if refused.any() else ALL_FIT

    def helped_by_object(self, pod: PodInfo, change: ObjectChange) -> bool:
        return names_claim(pod, change.new) if isinstance(change.new, PersistentVolumeClaim) else True


def _demands(volume: PersistentVolume) -> list[Demand]:
    """A label may list several zones: a__b."""
    labels = volume.metadata.labels
    return [(key, frozenset(labels[key].split("__"))) for key in LABELS if key in labels]
