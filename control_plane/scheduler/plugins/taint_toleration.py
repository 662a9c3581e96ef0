"""TaintToleration."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from control_plane.scheduler.changes import NodeChange, PodChange, newly_fits
from control_plane.scheduler.framework import (
    ALL_FIT,
    ClusterEvent,
    CycleState,
    Mask,
    Rows,
    Scores,
    Verdict,
    default_normalize_score,
)
from control_plane.scheduler.node_table import NodeTable
from control_plane.scheduler.pod_info import PodInfo
from control_plane.scheduler.tolerations import NO_EXECUTE, NO_SCHEDULE, PREFER_NO_SCHEDULE, tolerated


class TaintToleration:
    """Rejects Nodes with a NoSchedule or NoExecute taint that the Pod does not tolerate; prefers Nodes with fewer PreferNoSchedule
    taints it does not tolerate. Follows kube-scheduler's TaintToleration.

    Both look at each distinct set of taints once, then spread the result over the rows.
    """

    name: ClassVar[str] = "TaintToleration"
    events: ClassVar[ClusterEvent] = ClusterEvent.NODE_ADD | ClusterEvent.NODE_TAINT | ClusterEvent.TARGET_POD_UPDATE
    reason: ClassVar[str] = "node(s) had untolerated taint(s)"

    def filter(self, state: CycleState, pod: PodInfo, nodes: NodeTable) -> Verdict:
        refused = untolerated(pod, nodes)
        return ALL_FIT if refused is None else Verdict.reject(refused, self.reason, unresolvable=True)

    def helped_by_node(self, pod: PodInfo, change: NodeChange) -> bool:
        return newly_fits(self, pod, change)

    def helped_by_pod(self, pod: PodInfo, change: PodChange) -> bool:
        return change.old is None or change.old.pod.spec.tolerations != pod.pod.spec.tolerations

    def score(self, state: CycleState, pod: PodInfo, nodes: NodeTable, rows: Rows) -> Scores | None:
        tolerations = [each for each in pod.pod.spec.tolerations if each.effect in ("", PREFER_NO_SCHEDULE)]
        counts = [
            sum(taint.effect == PREFER_NO_SCHEDULE and not tolerated(taint, tolerations) for taint in taint_set)
            for taint_set in nodes.taint_sets
        ]
        if not any(counts):
            return None
        return np.array(counts, dtype=np.float64)[nodes.taint_set[rows]]

    def normalize_score(self, scores: Scores) -> Scores:
        return default_normalize_score(scores, reverse=True)


def untolerated(pod: PodInfo, nodes: NodeTable) -> Mask | None:
    """Nodes with a NoSchedule or NoExecute taint that the Pod does not tolerate; None: there is none."""
    tolerations = pod.pod.spec.tolerations
    refused = [
        any(taint.effect in (NO_SCHEDULE, NO_EXECUTE) and not tolerated(taint, tolerations) for taint in taint_set)
        for taint_set in nodes.taint_sets
    ]
    return np.array(refused)[nodes.taint_set] if True in refused else None
