"""PodTopologySpread."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from control_plane.scheduler.changes import NodeChange, PodChange
from control_plane.scheduler.framework import (
    MAX_NODE_SCORE,
    ClusterEvent,
    CycleState,
    Mask,
    PreFilterResult,
    Rejection,
    Rows,
    Scores,
    Verdict,
)
from control_plane.scheduler.label_columns import ABSENT
from control_plane.scheduler.node_table import NodeTable
from control_plane.scheduler.plugins.node_affinity import matches_required
from control_plane.scheduler.plugins.taint_toleration import untolerated
from control_plane.scheduler.pod_info import PodInfo
from control_plane.scheduler.spread_constraints import HOSTNAME, SpreadConstraint, system_defaults
from kube.api.core_v1 import Node, Pod
from kube.apimachinery.labels import Selector

IGNORED = -1.0      # the score of a Node that lacks one of the topology keys


class PodTopologySpread:
    """Keeps a Pod off the Nodes where its kind would outnumber the emptiest domain by more than maxSkew (DoNotSchedule), or prefers the
    emptier domains (ScheduleAnyway). Follows kube-scheduler's PodTopologySpread.

    A Pod without constraints gets the system's defaults, over the Pods of the same Services and controller.
    """

    name: ClassVar[str] = "PodTopologySpread"
    events: ClassVar[ClusterEvent] = (
        ClusterEvent.NODE_ADD
        | ClusterEvent.NODE_DELETE
        | ClusterEvent.NODE_LABEL
        | ClusterEvent.NODE_TAINT
        | ClusterEvent.ASSIGNED_POD_ADD
        | ClusterEvent.ASSIGNED_POD_LABEL
        | ClusterEvent.ASSIGNED_POD_DELETE
        | ClusterEvent.TARGET_POD_UPDATE
    )
    reason: ClassVar[str] = "node(s) didn't match pod topology spread constraints"
    reason_no_label: ClassVar[str] = f"{reason} (missing required label)"

    def __init__(self, default_selector: Callable[[Pod], Selector]) -> None:
        self._default_selector = default_selector

    def pre_filter(self, state: CycleState, pod: PodInfo, nodes: NodeTable) -> PreFilterResult | None:
        return None if _required(pod) else PreFilterResult(skip=True)

    def filter(self, state: CycleState, pod: PodInfo, nodes: NodeTable) -> Verdict:
        constraints = _required(pod)
        domains = _Domains(pod, nodes, nodes.live & _carries_all(constraints, nodes))
        undecided = nodes.live
        unlabelled, skewed = nodes.none(), nodes.none()
        for constraint in constraints:
            ids = _domain_ids(constraint, nodes)
            unlabelled |= undecided & (ids == ABSENT)
            undecided = undecided & (ids != ABSENT)
            too_many = undecided & (domains.skew(constraint, ids) > constraint.max_skew)
            skewed |= too_many
            undecided = undecided & ~too_many
        found = (Rejection(self.reason_no_label, unlabelled, unresolvable=True), Rejection(self.reason, skewed))
        return Verdict(tuple(rejection for rejection in found if rejection.nodes.any()))

    def pre_score(self, state: CycleState, pod: PodInfo, nodes: NodeTable, rows: Rows) -> bool:
        if pod.spread_constraints:
            constraints = tuple(each for each in pod.spread_constraints if not each.required)
        else:
            selector = self._default_selector(pod.pod)
            constraints = () if selector.everything else system_defaults(selector)
        state.data[self.name] = constraints
        return bool(constraints)

    def score(self, state: CycleState, pod: PodInfo, nodes: NodeTable, rows: Rows) -> Scores | None:
        """Matching Pods, a domain of many weighing more than one of few; to be turned round by `normalize_score`."""
        constraints: tuple[SpreadConstraint, ...] = state.data[self.name]
        scored, counted = _mask_of(rows, nodes), nodes.live
        # The defaults do not ask for all labels: where no Node has a zone, hosts are told apart all the same.
        if pod.spread_constraints:
            complete = _carries_all(constraints, nodes)
            scored, counted = scored & complete, counted & complete
        domains = _Domains(pod, nodes, counted)
        total = np.zeros(nodes.size)
        for constraint in constraints:
            ids = _domain_ids(constraint, nodes)
            if constraint.topology_key == HOSTNAME:
                number, held = np.count_nonzero(scored), domains.matching_pods(constraint)
            else:
                number, held = np.count_nonzero(np.bincount(ids[scored] + 1)), domains.matching_pods_per_domain(constraint, ids)[ids]
            points = held * math.log(number + 2) + (constraint.max_skew - 1)
            total += np.where(ids == ABSENT, 0.0, points)
        rounded: Scores = np.where(scored, np.floor(total + 0.5), IGNORED)[rows]
        return rounded

    def normalize_score(self, scores: Scores) -> Scores:
        ignored = scores == IGNORED
        most = scores.max(initial=0.0)
        if most == 0:
            return np.where(ignored, 0.0, MAX_NODE_SCORE)
        least = scores.min(initial=np.inf, where=~ignored)
        return np.where(ignored, 0.0, np.floor(MAX_NODE_SCORE * (most + least - scores) / most))

    def helped_by_pod(self, pod: PodInfo, change: PodChange) -> bool:
        constraints = _required(pod)
        old, new = change.old, change.new
        if any(each is not None and each.key.namespace != pod.key.namespace for each in (old, new)):
            return False
        if old is None or new is None:
            return any(each.selector.matches(one.pod.metadata.labels) for each in constraints for one in (old, new) if one is not None)
        is_own = change.event is ClusterEvent.TARGET_POD_UPDATE
        if is_own and old.pod.spec.tolerations != new.pod.spec.tolerations and any(each.honors_taints for each in constraints):
            return True
        before, after = old.pod.metadata.labels, new.pod.metadata.labels
        return before != after and any(each.selector.matches(before) != each.selector.matches(after) for each in constraints)

    def helped_by_node(self, pod: PodInfo, change: NodeChange) -> bool:
        constraints, old, new = _required(pod), change.old, change.new
        was_domain, is_domain = _has_all_keys(old, constraints), _has_all_keys(new, constraints)
        if old is None or new is None or was_domain != is_domain:
            return was_domain or is_domain
        if not is_domain:
            return False
        before, after = old.metadata.labels, new.metadata.labels
        return old.spec.taints != new.spec.taints or any(before[each.topology_key] != after[each.topology_key] for each in constraints)


@dataclass(frozen=True)
class _Domains:
    """Counts of matching Pods in the domains of one decision. `rows`: Nodes that carry the labels to be counted at all."""

    pod: PodInfo
    nodes: NodeTable
    rows: Mask

    def skew(self, constraint: SpreadConstraint, ids: NDArray[np.int32]) -> Scores:
        """Per row, should the Pod go there; meaningless where the label is absent."""
        eligible = self._eligible(constraint)
        present = np.bincount(ids[eligible], minlength=1) > 0
        held = self.matching_pods_per_domain(constraint, ids)
        enough = np.count_nonzero(present) >= constraint.min_domains
        least = held[: len(present)][present].min() if enough else 0.0
        own = 1 if constraint.selector.matches(self.pod.pod.metadata.labels) else 0
        return held[ids] + own - least

    def matching_pods(self, constraint: SpreadConstraint) -> Scores:
        """Per row. An empty selector counts nobody, as upstream."""
        if constraint.selector.everything:
            return np.zeros(self.nodes.size)
        return self.nodes.pods.matching(self.pod.key.namespace, constraint.selector, self.nodes.size)

    def matching_pods_per_domain(self, constraint: SpreadConstraint, ids: NDArray[np.int32]) -> Scores:
        """By the id of the topology key's value; ABSENT, as the last index, finds a zero."""
        eligible = self._eligible(constraint) & (ids != ABSENT)
        number = int(ids.max(initial=ABSENT)) + 2
        return np.bincount(ids[eligible], weights=self.matching_pods(constraint)[eligible], minlength=number).astype(np.float64, copy=False)

    def _eligible(self, constraint: SpreadConstraint) -> Mask:
        eligible = self.rows
        if constraint.honors_affinity and self._allowed is not None:
            eligible = eligible & self._allowed
        if constraint.honors_taints and self._untolerated is not None:
            eligible = eligible & ~self._untolerated
        return eligible

    @cached_property
    def _allowed(self) -> Mask | None:
        return matches_required(self.pod, self.nodes)

    @cached_property
    def _untolerated(self) -> Mask | None:
        return untolerated(self.pod, self.nodes)


def _required(pod: PodInfo) -> tuple[SpreadConstraint, ...]:
    return tuple(each for each in pod.spread_constraints if each.required)


def _domain_ids(constraint: SpreadConstraint, nodes: NodeTable) -> NDArray[np.int32]:
    column = nodes.labels.get(constraint.topology_key)
    return np.full(nodes.size, ABSENT, dtype=np.int32) if column is None else column.ids(nodes.size)


def _carries_all(constraints: Sequence[SpreadConstraint], nodes: NodeTable) -> Mask:
    mask: Mask = ~nodes.none()
    for constraint in constraints:
        mask &= _domain_ids(constraint, nodes) != ABSENT
    return mask


def _has_all_keys(node: Node | None, constraints: Sequence[SpreadConstraint]) -> bool:
    return node is not None and all(each.topology_key in node.metadata.labels for each in constraints)


def _mask_of(rows: Rows, nodes: NodeTable) -> Mask:
    mask = nodes.none()
    mask[rows] = True
    return mask
