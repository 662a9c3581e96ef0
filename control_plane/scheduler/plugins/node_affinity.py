"""NodeAffinity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from control_plane.scheduler.changes import NodeChange, newly_fits
from control_plane.scheduler.framework import (
    ALL_FIT,
    ClusterEvent,
    CycleState,
    Mask,
    PreFilterResult,
    Rows,
    Scores,
    Verdict,
    default_normalize_score,
)
from control_plane.scheduler.node_table import NodeTable
from control_plane.scheduler.pod_info import PodInfo
from kube.api.core_v1 import NodeSelectorRequirement, NodeSelectorTerm, PreferredSchedulingTerm

NODE_NAME_FIELD = "metadata.name"


class NodeAffinity:
    """Nodes must match .spec.nodeSelector and one of the required affinity terms; each preferred term adds its weight.
    Follows kube-scheduler's NodeAffinity.
    """

    name: ClassVar[str] = "NodeAffinity"
    events: ClassVar[ClusterEvent] = ClusterEvent.NODE_ADD | ClusterEvent.NODE_LABEL
    reason: ClassVar[str] = "node(s) didn't match Pod's node affinity/selector"

    def pre_filter(self, state: CycleState, pod: PodInfo, nodes: NodeTable) -> PreFilterResult | None:
        terms = required_terms(pod)
        if terms is None and not pod.pod.spec.node_selector:
            return PreFilterResult(skip=True)
        names = _named_nodes(terms or ())
        if names is None:
            return None
        mask = nodes.none()
        rows = [row for name in names if (row := nodes.row_of(name)) is not None]
        mask[rows] = True
        return PreFilterResult(nodes=mask)

    def filter(self, state: CycleState, pod: PodInfo, nodes: NodeTable) -> Verdict:
        fits = matches_required(pod, nodes)
        return ALL_FIT if fits is None or fits.all() else Verdict.reject(~fits, self.reason, unresolvable=True)

    def helped_by_node(self, pod: PodInfo, change: NodeChange) -> bool:
        return newly_fits(self, pod, change)

    def pre_score(self, state: CycleState, pod: PodInfo, nodes: NodeTable, rows: Rows) -> bool:
        return bool(_preferred_terms(pod))

    def score(self, state: CycleState, pod: PodInfo, nodes: NodeTable, rows: Rows) -> Scores | None:
        total = np.zeros(nodes.size)
        for term in _preferred_terms(pod):
            if term.weight and term.preference is not None:
                total += term.weight * matches_term(term.preference, nodes)
        return total[rows]

    def normalize_score(self, scores: Scores) -> Scores:
        return default_normalize_score(scores, reverse=False)


def matches_required(pod: PodInfo, nodes: NodeTable) -> Mask | None:
    """Nodes that the node selector and the required affinity allow; None: all of them."""
    terms = required_terms(pod)
    if terms is None and not pod.pod.spec.node_selector:
        return None
    fits: Mask = ~nodes.none()
    for key, value in pod.pod.spec.node_selector.items():
        column = nodes.labels.get(key)
        fits &= nodes.none() if column is None else column.any_of((value,), nodes.size)
    if terms is not None:
        fits &= _any_term(terms, nodes)
    return fits


def required_terms(pod: PodInfo) -> Sequence[NodeSelectorTerm] | None:
    """None: no requirement. An empty sequence matches no Node."""
    affinity = pod.pod.spec.affinity
    if affinity is None or affinity.node_affinity is None:
        return None
    required = affinity.node_affinity.required_during_scheduling_ignored_during_execution
    return None if required is None else required.node_selector_terms


def _preferred_terms(pod: PodInfo) -> Sequence[PreferredSchedulingTerm]:
    affinity = pod.pod.spec.affinity
    if affinity is None or affinity.node_affinity is None:
        return ()
    return affinity.node_affinity.preferred_during_scheduling_ignored_during_execution


def _named_nodes(terms: Sequence[NodeSelectorTerm]) -> set[str] | None:
    """The Nodes' names if every term names its Nodes, as a DaemonSet's Pods do; else None."""
    names: set[str] = set()
    for term in terms:
        named: set[str] | None = None
        for field in term.match_fields:
            if field.key == NODE_NAME_FIELD and field.operator == "In":
                named = set(field.values) if named is None else named & set(field.values)
        if named is None:
            return None
        names |= named
    return names if terms else None


def _any_term(terms: Sequence[NodeSelectorTerm], nodes: NodeTable) -> Mask:
    mask = nodes.none()
    for term in terms:
        mask |= matches_term(term, nodes)
    return mask


def matches_term(term: NodeSelectorTerm, nodes: NodeTable) -> Mask:
    """All expressions and fields of a term hold; a term without any matches nothing."""
    if not term.match_expressions and not term.match_fields:
        return nodes.none()
    mask: Mask = ~nodes.none()
    for requirement in term.match_expressions:
        mask &= _matches_label(requirement, nodes)
    for requirement in term.match_fields:
        mask &= _matches_field(requirement, nodes)
    return mask


def _matches_label(requirement: NodeSelectorRequirement, nodes: NodeTable) -> Mask:
    column = nodes.labels.get(requirement.key)
    if column is None:
        absent_matches = requirement.operator in ("NotIn", "DoesNotExist")
        return ~nodes.none() if absent_matches else nodes.none()
    match requirement.operator:
        case "In":
            return column.any_of(requirement.values, nodes.size)
        case "NotIn":
            return ~column.any_of(requirement.values, nodes.size)
        case "Exists":
            return column.present(nodes.size)
        case "DoesNotExist":
            return ~column.present(nodes.size)
        case "Gt" | "Lt":
            bound = _bound(requirement.values)
            numbers = column.integers(nodes.size)
            return numbers > bound if requirement.operator == "Gt" else numbers < bound
        case _:
            return nodes.none()


def _bound(values: Sequence[str]) -> float:
    try:
        return float(int(values[0])) if len(values) == 1 else np.nan
    except ValueError:
        return np.nan


def _matches_field(requirement: NodeSelectorRequirement, nodes: NodeTable) -> Mask:
    named = nodes.none()
    if requirement.key != NODE_NAME_FIELD:
        return named
    named[[row for name in requirement.values if (row := nodes.row_of(name)) is not None]] = True
    return ~named if requirement.operator == "NotIn" else named
