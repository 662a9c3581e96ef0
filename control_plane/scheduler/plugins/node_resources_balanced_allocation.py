"""NodeResourcesBalancedAllocation."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from control_plane.scheduler.framework import MAX_NODE_SCORE, CycleState, Rows, Scores
from control_plane.scheduler.node_table import NodeTable
from control_plane.scheduler.pod_info import CPU, MEMORY, PodInfo


class NodeResourcesBalancedAllocation:
    """Prefers Nodes whose cpu and memory would be used to a similar degree. Follows kube-scheduler's NodeResourcesBalancedAllocation.

    Pods that request neither are left alone: they would all go to the same Node.
    """

    name: ClassVar[str] = "NodeResourcesBalancedAllocation"

    def pre_score(self, state: CycleState, pod: PodInfo, nodes: NodeTable, rows: Rows) -> bool:
        return bool(pod.requests.get(CPU) or pod.requests.get(MEMORY))

    def score(self, state: CycleState, pod: PodInfo, nodes: NodeTable, rows: Rows) -> Scores | None:
        cpu, has_cpu = _fraction(pod, nodes, rows, CPU)
        memory, has_memory = _fraction(pod, nodes, rows, MEMORY)
        deviation = np.abs(cpu - memory) / 2 * (has_cpu & has_memory)     # of one fraction alone it is zero
        return np.floor((1 - deviation) * MAX_NODE_SCORE)


def _fraction(pod: PodInfo, nodes: NodeTable, rows: Rows, resource: str) -> tuple[Scores, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    capacity = nodes.allocatable(resource)[rows]
    has_any = capacity > 0
    wanted = nodes.requested(resource)[rows] + pod.requests.get(resource, 0)
    return np.minimum(wanted / np.where(has_any, capacity, 1), 1.0), has_any
