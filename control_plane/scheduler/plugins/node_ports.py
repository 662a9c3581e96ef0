"""NodePorts."""

from __future__ import annotations

from typing import ClassVar

from control_plane.scheduler.changes import PodChange
from control_plane.scheduler.framework import ALL_FIT, ClusterEvent, CycleState, PreFilterResult, Verdict
from control_plane.scheduler.node_table import NodeTable
from control_plane.scheduler.pod_info import PodInfo

ANY_ADDRESS = "0.0.0.0"


class NodePorts:
    """Rejects Nodes on which a host port the Pod wants is taken. Follows kube-scheduler's NodePorts."""

    name: ClassVar[str] = "NodePorts"
    events: ClassVar[ClusterEvent] = ClusterEvent.NODE_ADD | ClusterEvent.ASSIGNED_POD_DELETE
    reason: ClassVar[str] = "node(s) didn't have free ports for the requested pod ports"

    def pre_filter(self, state: CycleState, pod: PodInfo, nodes: NodeTable) -> PreFilterResult | None:
        return None if pod.host_ports else PreFilterResult(skip=True)

    def filter(self, state: CycleState, pod: PodInfo, nodes: NodeTable) -> Verdict:
        taken = [
            row
            for wanted in pod.host_ports
            for row, addresses in nodes.host_ports.get((wanted.protocol, wanted.port), {}).items()
            if any(_collide(wanted.ip, address) for address in addresses)
        ]
        if not taken:
            return ALL_FIT
        mask = nodes.none()
        mask[taken] = True
        return Verdict.reject(mask, self.reason)

    def helped_by_pod(self, pod: PodInfo, change: PodChange) -> bool:
        gone = () if change.old is None else change.old.host_ports
        return any(
            wanted[:2] == freed[:2] and _collide(wanted.ip, freed.ip) for wanted in pod.host_ports for freed in gone
        )


def _collide(first: str, second: str) -> bool:
    return first == second or ANY_ADDRESS in (first, second)
