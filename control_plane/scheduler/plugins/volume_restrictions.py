"""VolumeRestrictions."""

from __future__ import annotations

from typing import ClassVar

from control_plane.scheduler.cache import SchedulerCache
from control_plane.scheduler.changes import ObjectChange, PodChange
from control_plane.scheduler.framework import ALL_FIT, ClusterEvent, CycleState, PreFilterResult, Rejection, Verdict
from control_plane.scheduler.node_table import NodeTable
from control_plane.scheduler.pod_info import PodInfo
from control_plane.scheduler.volume_objects import VolumeObjects, names_claim
from control_plane.volumes.claims import claim_keys
from kube.api.core_v1 import PersistentVolumeClaim, Volume


class VolumeRestrictions:
    """A ReadWriteOncePod claim serves one Pod of the cluster; a disk named in the Pod itself serves one Pod of a Node. Follows
    kube-scheduler's VolumeRestrictions.
    """

    name: ClassVar[str] = "VolumeRestrictions"
    events: ClassVar[ClusterEvent] = ClusterEvent.ASSIGNED_POD_DELETE | ClusterEvent.NODE_ADD | ClusterEvent.CLAIM_ADD
    one_pod: ClassVar[str] = (
        "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod")
    one_disk: ClassVar[str] = "node(s) had no available disk"

    def __init__(self, objects: VolumeObjects, cache: SchedulerCache) -> None:
        self._objects = objects
        self._cache = cache

    def pre_filter(self, state: CycleState, pod: PodInfo, nodes: NodeTable) -> PreFilterResult | None:
        taken = False
        for volume in pod.pod.spec.volumes:
            if volume.persistent_volume_claim is None:
                continue
            name = volume.persistent_volume_claim.claim_name
            claim = self._objects.claim(pod.key.namespace, name)
            if claim is None:
                return PreFilterResult(rejected=f'persistentvolumeclaim "{name}" not found')
            taken |= "ReadWriteOncePod" in claim.spec.access_modes and self._is_used(claim)
        if not taken and not any(map(_disk, pod.pod.spec.volumes)):
            return PreFilterResult(skip=True)
        state.data[self.name] = taken
        return None

    def filter(self, state: CycleState, pod: PodInfo, nodes: NodeTable) -> Verdict:
        rejections = []
        if disks := {disk for volume in pod.pod.spec.volumes if (disk := _disk(volume))}:
            held = nodes.none()
            for row in nodes.rows(nodes.live):
                held[row] = any(_collide(disks, other) for other in self._cache.pods_on(nodes.names[row]))
            rejections.append(Rejection(self.one_disk, held))
        if state.data.get(self.name):
            rejections.append(Rejection(self.one_pod, nodes.live.copy()))
        return Verdict(tuple(rejections)) if rejections else ALL_FIT

    def helped_by_pod(self, pod: PodInfo, change: PodChange) -> bool:
        if change.old is None or change.old.key.namespace != pod.key.namespace:
            return False
        disks = {disk for volume in pod.pod.spec.volumes if (disk := _disk(volume))}
        return bool({*claim_keys(pod.pod)} & {*claim_keys(change.old.pod)}) or _collide(disks, change.old)

    def helped_by_object(self, pod: PodInfo, change: ObjectChange) -> bool:
        return isinstance(change.new, PersistentVolumeClaim) and names_claim(pod, change.new)

    def _is_used(self, claim: PersistentVolumeClaim) -> bool:
        return any(names_claim(other, claim) for other in self._cache.pods())


def _disk(volume: Volume) -> tuple[str, str, bool] | None:
    """Kind, name, and whether it may be shared because it is only read."""
    if volume.gce_persistent_disk is not None:
        return "gce", volume.gce_persistent_disk.pd_name, bool(volume.gce_persistent_disk.read_only)
    if volume.aws_elastic_block_store is not None:
        return "aws", volume.aws_elastic_block_store.volume_id, False
    if volume.iscsi is not None:
        return "iscsi", volume.iscsi.iqn, bool(volume.iscsi.read_only)
    if volume.rbd is not None:
        return "rbd", f"{volume.rbd.pool}/{volume.rbd.image}", bool(volume.rbd.read_only)
    return None


def _collide(disks: set[tuple[str, str, bool]], other: PodInfo) -> bool:
    held = {disk for volume in other.pod.spec.volumes if (disk := _disk(volume))}
    return any(mine[:2] == theirs[:2] and not (mine[2] and theirs[2]) for mine in disks for theirs in held)
