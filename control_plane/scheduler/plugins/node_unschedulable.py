"""NodeUnschedulable."""

from __future__ import annotations

from typing import ClassVar

from control_plane.scheduler.changes import NodeChange, PodChange, newly_fits
from control_plane.scheduler.framework import ALL_FIT, ClusterEvent, CycleState, Verdict
from control_plane.scheduler.node_table import NodeTable
from control_plane.scheduler.pod_info import PodInfo
from control_plane.scheduler.tolerations import NO_SCHEDULE, tolerated
from kube.api.core_v1 import Taint

UNSCHEDULABLE_TAINT = Taint(key="node.kubernetes.io/unschedulable", effect=NO_SCHEDULE)


class NodeUnschedulable:
    """Rejects cordoned Nodes unless the Pod tolerates it. Follows kube-scheduler's NodeUnschedulable."""

    name: ClassVar[str] = "NodeUnschedulable"
    events: ClassVar[ClusterEvent] = ClusterEvent.NODE_ADD | ClusterEvent.NODE_TAINT | ClusterEvent.TARGET_POD_UPDATE
    reason: ClassVar[str] = "node(s) were unschedulable"

    def filter(self, state: CycleState, pod: PodInfo, nodes: NodeTable) -> Verdict:
        cordoned = nodes.unschedulable
        if not cordoned.any() or tolerated(UNSCHEDULABLE_TAINT, pod.pod.spec.tolerations):
            return ALL_FIT
        return Verdict.reject(cordoned, self.reason, unresolvable=True)

    def helped_by_node(self, pod: PodInfo, change: NodeChange) -> bool:
        return newly_fits(self, pod, change)

    def helped_by_pod(self, pod: PodInfo, change: PodChange) -> bool:
        return tolerated(UNSCHEDULABLE_TAINT, pod.pod.spec.tolerations)
