"""NodeResourcesFit."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from control_plane.scheduler.changes import NodeChange, PodChange, fits
from control_plane.scheduler.framework import MAX_NODE_SCORE, ClusterEvent, CycleState, Rejection, Rows, Scores, Verdict
from control_plane.scheduler.node_table import NodeTable
from control_plane.scheduler.pod_info import CPU, MEMORY, NATIVE, PodInfo


class NodeResourcesFit:
    """Rejects Nodes without room for what the Pod requests; prefers the emptier ones (strategy LeastAllocated over cpu and memory).
    Follows kube-scheduler's NodeResourcesFit.
    """

    name: ClassVar[str] = "NodeResourcesFit"
    events: ClassVar[ClusterEvent] = (
        ClusterEvent.NODE_ADD
        | ClusterEvent.NODE_ALLOCATABLE
        | ClusterEvent.ASSIGNED_POD_DELETE
        | ClusterEvent.ASSIGNED_POD_SCALE_DOWN
        | ClusterEvent.TARGET_POD_UPDATE
    )

    def filter(self, state: CycleState, pod: PodInfo, nodes: NodeTable) -> Verdict:
        rejections = []
        full = nodes.pod_count + 1 > nodes.allowed_pods
        if full.any():
            rejections.append(Rejection("Too many pods", full))
        for resource, amount in pod.requests.items():
            # A Pod that asks for nothing of a native resource fits even a Node that is overcommitted in it.
            if amount == 0 and resource in NATIVE:
                continue
            allocatable = nodes.allocatable(resource)
            short = nodes.requested(resource) + amount > allocatable
            if short.any():
                rejections.append(Rejection(f"Insufficient {resource}", short, unresolvable=allocatable < amount))
        return Verdict(tuple(rejections))

    def helped_by_node(self, pod: PodInfo, change: NodeChange) -> bool:
        """The Pod would fit on the Node if it were empty, and there is more than before of something it wants."""
        before, after = change.before, change.after
        if after is None or not fits(self, pod, after):
            return False
        if before is None or after.allowed_pods[0] > before.allowed_pods[0]:
            return True
        return any(amount and after.allocatable(name)[0] > before.allocatable(name)[0] for name, amount in pod.requests.items())

    def helped_by_pod(self, pod: PodInfo, change: PodChange) -> bool:
        """A Pod that leaves always may; one scaled down, in something this one wants too."""
        if change.old is None or change.new is None:
            return change.new is None
        less = {name for name, amount in change.old.requests.items() if change.new.requests.get(name, 0) < amount}
        if change.event is ClusterEvent.TARGET_POD_UPDATE:
            return bool(less)
        return any(pod.requests.get(name) for name in less)

    def score(self, state: CycleState, pod: PodInfo, nodes: NodeTable, rows: Rows) -> Scores | None:
        total: Scores | None = None
        weights: Scores | None = None
        for resource in (CPU, MEMORY):
            capacity = nodes.allocatable(resource)[rows]
            free = capacity - nodes.scoring_requested(resource)[rows] - pod.scoring_requests.get(resource, 0)
            has_any = capacity > 0
            score = np.floor(np.maximum(free, 0) * MAX_NODE_SCORE / np.where(has_any, capacity, 1))
            total = score if total is None else total + score
            weights = has_any.astype(np.float64) if weights is None else weights + has_any
        assert total is not None
        assert weights is not None
        return np.floor(total / np.maximum(weights, 1))
