"""TaintToleration."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from control_plane.scheduler.framework import (
    ALL_FIT,
    ClusterEvent,
    CycleState,
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
        tolerations = pod.pod.spec.tolerations
        refused = [
            any(taint.effect in (NO_SCHEDULE, NO_EXECUTE) and not tolerated(taint, tolerations) for taint in taint_set)
            for taint_set in nodes.taint_sets
        ]
        if True not in refused:
            return ALL_FIT
        return Verdict.reject(np.array(refused)[nodes.taint_set], self.reason, unresolvable=True)

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
