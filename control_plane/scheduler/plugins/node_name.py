"""NodeName."""

from __future__ import annotations

from typing import ClassVar

from control_plane.scheduler.framework import ALL_FIT, ClusterEvent, CycleState, Verdict
from control_plane.scheduler.node_table import NodeTable
from control_plane.scheduler.pod_info import PodInfo


class NodeName:
    """Lets a Pod that names its Node go to no other. Follows kube-scheduler's NodeName."""

    name: ClassVar[str] = "NodeName"
    events: ClassVar[ClusterEvent] = ClusterEvent.NODE_ADD
    reason: ClassVar[str] = "node(s) didn't match the requested node name"

    def filter(self, state: CycleState, pod: PodInfo, nodes: NodeTable) -> Verdict:
        wanted = pod.pod.spec.node_name
        if not wanted:
            return ALL_FIT
        others = ~nodes.none()
        if (row := nodes.row_of(wanted)) is not None:
            others[row] = False
        return Verdict.reject(others, self.reason, unresolvable=True)
