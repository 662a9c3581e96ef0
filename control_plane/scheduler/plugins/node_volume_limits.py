"""NodeVolumeLimits."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

from control_plane.scheduler.cache import SchedulerCache
from control_plane.scheduler.changes import ObjectChange
from control_plane.scheduler.framework import ALL_FIT, ClusterEvent, CycleState, PreFilterResult, Rejection, Verdict
from control_plane.scheduler.node_table import NodeTable
from control_plane.scheduler.pod_info import PodInfo
from control_plane.scheduler.volume_objects import VolumeObjects, names_claim
from control_plane.volumes.claims import claim_class
from kube.api.core_v1 import PersistentVolumeClaim
from kube.api.storage_v1 import CSINode


class NodeVolumeLimits:
    """A Node takes no more volumes of a CSI driver than the driver says it can attach there. Follows kube-scheduler's NodeVolumeLimits."""

    name: ClassVar[str] = "NodeVolumeLimits"
    events: ClassVar[ClusterEvent] = (
        ClusterEvent.CSI_NODE | ClusterEvent.ASSIGNED_POD_DELETE | ClusterEvent.CLAIM_ADD | ClusterEvent.NODE_ADD | ClusterEvent.CSI_DRIVER
    )
    reason: ClassVar[str] = "node(s) exceed max volume count"

    def __init__(self, objects: VolumeObjects, cache: SchedulerCache) -> None:
        self._objects = objects
        self._cache = cache

    def pre_filter(self, state: CycleState, pod: PodInfo, nodes: NodeTable) -> PreFilterResult | None:
        wanted = self._volumes_of(pod)
        if not wanted:
            return PreFilterResult(skip=True)
        state.data[self.name] = wanted
        return None

    def filter(self, state: CycleState, pod: PodInfo, nodes: NodeTable) -> Verdict:
        wanted: set[tuple[str, str]] = state.data.get(self.name) or set()
        exceeded, missing = nodes.none(), {driver: nodes.none() for driver, _ in wanted if self._must_be_there(driver)}
        for row in nodes.rows(nodes.live):
            csi_node = self._objects.csi_node(nodes.names[row])
            there = {driver.name for driver in csi_node.spec.drivers} if csi_node is not None else set()
            for driver, mask in missing.items():
                mask[row] = driver not in there
            exceeded[row] = self._exceeds(wanted, nodes.names[row], csi_node)
        rejections = [
            Rejection(f"{driver} CSI driver is not installed on the node", mask) for driver, mask in missing.items() if mask.any()]
        if exceeded.any():
            rejections.append(Rejection(self.reason, exceeded))
        return Verdict(tuple(rejections)) if rejections else ALL_FIT

    def helped_by_object(self, pod: PodInfo, change: ObjectChange) -> bool:
        return names_claim(pod, change.new) if isinstance(change.new, PersistentVolumeClaim) else True

    def _exceeds(self, wanted: set[tuple[str, str]], node: str, csi_node: CSINode | None) -> bool:
        limits = {
            driver.name: driver.allocatable.count for driver in (csi_node.spec.drivers if csi_node is not None else ())
            if driver.allocatable is not None and driver.allocatable.count is not None
        }
        if not any(driver in limits for driver, _ in wanted):
            return False
        held = {volume for other in self._cache.pods_on(node) for volume in self._volumes_of(other)}
        total, new = Counter(driver for driver, _ in held | wanted), {driver for driver, _ in wanted - held}
        return any(driver in limits and total[driver] > limits[driver] for driver in new)

    def _volumes_of(self, pod: PodInfo) -> set[tuple[str, str]]:
        """(driver, handle) of each CSI volume; of a claim without a volume yet, what its class will make."""
        found = set()
        for _, claim in self._objects.claims_of(pod):
            if claim is None:
                continue
            volume = self._objects.volume(claim.spec.volume_name) if claim.spec.volume_name else None
            if volume is not None:
                if volume.spec.csi is not None:
                    found.add((volume.spec.csi.driver, volume.spec.csi.volume_handle))
            elif (held := self._objects.storage_class(claim_class(claim))) is not None:
                found.add((held.provisioner, f"{claim.metadata.namespace}/{claim.metadata.name}"))
        return found

    def _must_be_there(self, driver: str) -> bool:
        held = self._objects.csi_driver(driver)
        return held is not None and bool(held.spec.prevent_pod_scheduling_if_missing)
