"""One decision: the Pod, the node table, the profile in; a Node or a diagnosis out. No clock, no I/O, no await."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import reduce

import numpy as np

from control_plane.scheduler.diagnosis import Diagnosis, explain
from control_plane.scheduler.framework import CycleState, Mask, Profile, Rows, Scores, Verdict
from control_plane.scheduler.node_table import NodeTable
from control_plane.scheduler.pod_info import PodInfo


@dataclass(frozen=True, slots=True)
class Decision:
    node_name: str
    state: CycleState
    evaluated: int          # Nodes looked at
    feasible: int


@dataclass(frozen=True, slots=True)
class NoDecision:
    diagnosis: Diagnosis
    nominated_node: str = ""


class DecisionCycle:
    """Sorts the profile's plugins by extension point once, then decides Pod after Pod."""

    def __init__(self, profile: Profile, nodes: NodeTable, *, random_source: random.Random | None = None) -> None:
        self._nodes = nodes
        self._random = random_source or random.Random()
        self._weights = profile.weights
        self._pre_filters = profile.implementing("pre_filter")
        self._filters = profile.implementing("filter")
        self._post_filters = profile.implementing("post_filter")
        self._pre_scores = profile.implementing("pre_score")
        self._scores = profile.implementing("score")
        self._normalizers = frozenset(plugin.name for plugin in profile.implementing("normalize_score"))

    def decide(self, pod: PodInfo) -> Decision | NoDecision:
        nodes = self._nodes
        if len(nodes) == 0:
            return NoDecision(Diagnosis(0))
        state = CycleState()
        candidates = nodes.live
        excluded_by: set[str] = set()
        for plugin in self._pre_filters:
            if (result := plugin.pre_filter(state, pod, nodes)) is None:
                continue
            if result.rejected:
                return self._rejected(state, pod, plugin.name, result.rejected)
            if result.skip:
                state.skipped_filters.add(plugin.name)
            if result.nodes is not None:
                candidates = candidates & result.nodes
                excluded_by.add(plugin.name)
        feasible, verdicts = self._filter(state, pod, candidates)
        count = int(np.count_nonzero(feasible))
        if count == 0:
            return self._post_filter(state, pod, candidates, excluded_by, verdicts)
        node_name = self._select(state, pod, feasible, count)
        return Decision(node_name, state, evaluated=int(np.count_nonzero(candidates)), feasible=count)

    def _rejected(self, state: CycleState, pod: PodInfo, plugin: str, message: str) -> NoDecision:
        """No Node can do: nor could one without its Pods."""
        results = [each.post_filter(state, pod, self._nodes, self._nodes.live) for each in self._post_filters]
        after = ", ".join(result.message for result in results)
        return NoDecision(
            Diagnosis(len(self._nodes), plugins=frozenset({plugin}), pre_filter_message=message, post_filter_message=after))

    def _filter(self, state: CycleState, pod: PodInfo, candidates: Mask) -> tuple[Mask, list[tuple[str, Verdict]]]:
        feasible = candidates
        verdicts: list[tuple[str, Verdict]] = []
        for plugin in self._filters:
            if plugin.name in state.skipped_filters:
                continue
            verdict = plugin.filter(state, pod, self._nodes)
            if (refused := verdict.refused()) is not None:
                feasible = feasible & ~refused
                verdicts.append((plugin.name, verdict))
        return feasible, verdicts

    def _post_filter(
        self, state: CycleState, pod: PodInfo, candidates: Mask, excluded_by: set[str], verdicts: list[tuple[str, Verdict]]
    ) -> NoDecision:
        refusals = explain(self._nodes, candidates, excluded_by, verdicts)
        messages = []
        for plugin in self._post_filters:
            result = plugin.post_filter(state, pod, self._nodes, refusals.unresolvable)
            if result.nominated_node:
                diagnosis = Diagnosis(len(self._nodes), refusals.reasons, refusals.plugins)
                return NoDecision(diagnosis, result.nominated_node)
            messages.append(result.message)
        return NoDecision(Diagnosis(len(self._nodes), refusals.reasons, refusals.plugins, post_filter_message=", ".join(messages)))

    def _select(self, state: CycleState, pod: PodInfo, feasible: Mask, count: int) -> str:
        nodes = self._nodes
        if count == 1:
            return nodes.names[int(feasible.argmax())]
        everywhere = count == nodes.size
        rows: Rows = slice(0, nodes.size) if everywhere else np.flatnonzero(feasible)
        total = self._score(state, pod, rows)
        best = np.arange(count) if total is None else np.flatnonzero(total == total.max())
        position = int(best[self._random.randrange(len(best))])       # equals share the load
        return nodes.names[position if isinstance(rows, slice) else int(rows[position])]

    def _score(self, state: CycleState, pod: PodInfo, rows: Rows) -> Scores | None:
        """Weighted sum of all plugins; None when no plugin tells the Nodes apart."""
        skipped = {plugin.name for plugin in self._pre_scores if not plugin.pre_score(state, pod, self._nodes, rows)}
        columns: list[Scores] = []
        for plugin in self._scores:
            if plugin.name in skipped or (scores := plugin.score(state, pod, self._nodes, rows)) is None:
                continue
            if plugin.name in self._normalizers:
                scores = plugin.normalize_score(scores)
            weight = self._weights.get(plugin.name, 1)
            columns.append(scores if weight == 1 else scores * weight)
        return reduce(np.add, columns) if columns else None
