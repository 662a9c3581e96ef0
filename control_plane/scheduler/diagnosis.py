"""Why no Node fits, in kube-scheduler's words.

    0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. preemption: 0/3 nodes are available: ...
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from control_plane.scheduler.framework import Mask, Verdict
from control_plane.scheduler.node_table import NodeTable

NO_NODES = "no nodes available to schedule pods"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What stood in the way of one Pod. `plugins` refused it: an event they wait for may change that."""

    total_nodes: int
    reasons: Mapping[str, int] = field(default_factory=dict)    # reason -> Nodes
    plugins: frozenset[str] = frozenset()
    pre_filter_message: str = ""
    post_filter_message: str = ""

    def message(self) -> str:
        if self.total_nodes == 0:
            return NO_NODES
        if self.pre_filter_message:
            text = f"0/{self.total_nodes} nodes are available: {self.pre_filter_message}."
        else:
            text = nodes_message(self.total_nodes, self.reasons)
        return f"{text} {self.post_filter_message}" if self.post_filter_message else text


def nodes_message(total_nodes: int, reasons: Mapping[str, int]) -> str:
    """Sorted as upstream sorts them: as texts, the number included."""
    counted = sorted(f"{count} {reason}" for reason, count in reasons.items() if count)
    listed = f" {', '.join(counted)}." if counted else ""
    return f"0/{total_nodes} nodes are available:{listed}"


@dataclass(frozen=True, slots=True)
class Refusals:
    """How the filters answered, in order; made only when no Node was left."""

    reasons: dict[str, int]
    plugins: frozenset[str]
    unresolvable: Mask


def explain(
    nodes: NodeTable, candidates: Mask, excluded_by: Iterable[str], verdicts: Iterable[tuple[str, Verdict]]
) -> Refusals:
    """Counts each Node under the reasons of the first filter that refused it.

    `candidates` are the rows PreFilter left over; the others count as refused by the plugins in `excluded_by`.
    """
    reasons: dict[str, int] = {}
    plugins: set[str] = set()
    unresolvable = np.zeros(nodes.size, dtype=np.bool_)
    if excluded := sorted(excluded_by):
        left_out = nodes.live & ~candidates
        if left_out.any():
            reasons[f"node(s) didn't satisfy plugin(s) [{' '.join(excluded)}]"] = int(left_out.sum())
            unresolvable |= left_out
            plugins.update(excluded)
    remaining = nodes.live & candidates
    for name, verdict in verdicts:
        for rejection in verdict.rejections:
            hit = remaining & rejection.nodes
            if count := int(hit.sum()):
                reasons[rejection.reason] = reasons.get(rejection.reason, 0) + count
                unresolvable |= hit & rejection.unresolvable
                plugins.add(name)
        if (refused := verdict.refused()) is not None:
            remaining = remaining & ~refused
    return Refusals(reasons, frozenset(plugins), unresolvable)
