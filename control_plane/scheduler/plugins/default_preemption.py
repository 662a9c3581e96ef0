"""DefaultPreemption: the seam, and the words."""

from __future__ import annotations

from typing import ClassVar

from control_plane.scheduler.cache import SchedulerCache
from control_plane.scheduler.diagnosis import nodes_message
from control_plane.scheduler.framework import CycleState, Mask, PostFilterResult
from control_plane.scheduler.node_table import NodeTable
from control_plane.scheduler.pod_info import PodInfo

NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"


class DefaultPreemption:
    """Says on which Nodes the removal of Pods could have helped. Follows kube-scheduler's DefaultPreemption as far as the choice
    of victims, which is not made yet: no Pod is evicted.
    """

    name: ClassVar[str] = "DefaultPreemption"

    def __init__(self, cache: SchedulerCache) -> None:
        self._cache = cache

    def post_filter(self, state: CycleState, pod: PodInfo, nodes: NodeTable, unresolvable: Mask) -> PostFilterResult:
        if pod.pod.spec.preemption_policy == "Never":
            return PostFilterResult(message="preemption: not eligible due to preemptionPolicy=Never.")
        hopeless = int((unresolvable & nodes.live).sum())
        reasons = {NOT_HELPFUL: hopeless, NO_VICTIMS: len(nodes) - hopeless}
        return PostFilterResult(message="preemption: " + nodes_message(len(nodes), reasons))
