"""From observations to what is to be done: thresholds met and since when, the node's conditions. Pure but for its memory.

A condition outlasts its threshold by the transition period, so that a node that swings around a threshold does not swing with it. A
threshold that has been met stays met until the minimum reclaim is there as well. Follows eviction_manager.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from node_agent.kubelet.eviction.signals import Observations
from node_agent.kubelet.eviction.thresholds import CONDITIONS, MEMORY, Threshold


def met(thresholds: Iterable[Threshold], observations: Observations, *, with_reclaim: bool = False) -> list[Threshold]:
    found = []
    for threshold in thresholds:
        observed = observations.get(threshold.signal)
        if observed is None:
            continue
        least = threshold.value.of(observed.capacity)
        if with_reclaim:
            least += threshold.minimum_reclaim.of(observed.capacity)
        if observed.available < least:
            found.append(threshold)
    return found


class Watcher:
    """`conditions`: MemoryPressure and the like, as they stand after the last look."""

    def __init__(self, thresholds: Sequence[Threshold], transition_period_s: float) -> None:
        self.thresholds = tuple(thresholds)
        self.conditions: frozenset[str] = frozenset()
        self._transition_period_s = transition_period_s
        self._first_met_at: dict[Threshold, float] = {}
        self._condition_seen_at: dict[str, float] = {}
        self._driving: list[Threshold] = []

    def look(self, observations: Observations, now: float) -> list[Threshold]:
        """Those that ask for something to be done, the most urgent first. `now`: monotonic seconds."""
        unresolved = met(self._driving, observations, with_reclaim=True)
        found = list(dict.fromkeys((*met(self.thresholds, observations), *unresolved)))
        self._first_met_at = {threshold: self._first_met_at.get(threshold, now) for threshold in found}
        self._condition_seen_at.update((CONDITIONS[threshold.signal], now) for threshold in found)
        self.conditions = frozenset(
            condition for condition, at in self._condition_seen_at.items() if at == now or now - at < self._transition_period_s)
        self._driving = [threshold for threshold, at in self._first_met_at.items() if now - at >= threshold.grace_s]
        return sorted(self._driving, key=lambda threshold: threshold.signal != MEMORY)      # the kernel does not wait for memory
