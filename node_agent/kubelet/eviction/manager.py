"""The loop: look, tell the conditions, end Pods beyond their own limits, then relieve the node: what nobody uses first, one Pod at most.

Follows pkg/kubelet/eviction/eviction_manager.go. Pods are measured only when a threshold is met; what they have on disk, when they
have a limit of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from kube.api.core_v1 import ObjectReference, Pod, PodCondition
from kube.process.clock import Clock, to_rfc3339
from kube.process.log import get_logger
from node_agent.kubelet.eviction import messages
from node_agent.kubelet.eviction.local_storage import excess, is_limited
from node_agent.kubelet.eviction.pressure import REASON, NodePressure
from node_agent.kubelet.eviction.ranking import rank
from node_agent.kubelet.eviction.signals import Observations, observe
from node_agent.kubelet.eviction.thresholds import RESOURCES, Threshold
from node_agent.kubelet.eviction.watcher import Watcher, met
from node_agent.kubelet.pod_state import PodState
from node_agent.kubelet.pod_status import TERMINAL
from node_agent.kubelet.pod_workers import PodWorkers
from node_agent.kubelet.resources import is_critical
from node_agent.kubelet.seams import Events
from node_agent.kubelet.stats.collector import StatsCollector

HARD_GRACE_S: Final = 1.0           # immediateEvictionGracePeriodSeconds
CLEANED_UP_WITHIN_S: Final = 30.0   # podCleanupTimeout
LOOK_AFTER_S: Final = 1.0           # podCleanupPollFreq
log = get_logger("eviction")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvictionSettings:
    node_name: str
    period_s: float
    max_grace_s: float              # evictionMaxPodGracePeriod, for soft thresholds


class EvictionManager:
    """`reclaim`: what gives disk back without ending a Pod. `tell_node`: its conditions have changed."""

    def __init__(
        self, settings: EvictionSettings, watcher: Watcher, stats: StatsCollector, workers: PodWorkers, pressure: NodePressure, *,
        events: Events, clock: Clock, reclaim: Sequence[Callable[[], Awaitable[None]]], tell_node: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._watcher = watcher
        self._stats = stats
        self._workers = workers
        self._pressure = pressure
        self._events = events
        self._clock = clock
        self._reclaim = reclaim
        self._tell_node = tell_node
        self._signals = frozenset(threshold.signal for threshold in watcher.thresholds)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                evicted = await self.step()
            except Exception:
                log.exception("eviction step failed")
                evicted = []
            if evicted:
                await self._cleaned_up(evicted)
            else:
                await self._clock.sleep(self._settings.period_s)

    async def step(self) -> list[str]:
        """The uids of Pods that have to go."""
        observations = await asyncio.to_thread(observe, self._stats, self._signals)
        driving = self._watcher.look(observations, self._clock.monotonic())
        if self._watcher.conditions != self._pressure.conditions:
            log.info("node conditions changed", now=" ".join(sorted(self._watcher.conditions)) or "none")
            self._pressure.conditions = self._watcher.conditions
            self._tell_node()
        return await self._end_excessive() or (await self._relieve(driving, observations) if driving else [])

    async def _end_excessive(self) -> list[str]:
        limited = {state.uid: state.pod for state in self._active() if is_limited(state.pod)}
        if not limited:
            return []
        usage, storage = await self._stats.of(set(limited))
        evicted = []
        for pod in usage.pods:
            found = excess(pod, storage)
            if found is not None and self._evict(pod.source.pod, found.message, HARD_GRACE_S, None):
                self._pressure.evictions[found.limit] += 1
                evicted.append(pod.source.pod.metadata.uid)
        return evicted

    async def _relieve(self, driving: list[Threshold], observations: Observations) -> list[str]:
        first = driving[0]
        resource = RESOURCES[first.signal]
        log.warning("attempting to reclaim", resource=resource, signal=first.signal)
        name = self._settings.node_name
        self._events.event(
            ObjectReference(kind="Node", name=name, uid=name), "Warning", "EvictionThresholdMet", f"Attempting to reclaim {resource}")
        if resource in ("ephemeral-storage", "inodes") and await self._reclaimed():
            log.info("able to reduce pressure without evicting pods", resource=resource)
            return []
        active = {state.uid: state.pod for state in self._active()}
        usage, storage = await self._stats.of(set(active))
        usages = {pod.source.pod.metadata.uid: pod for pod in usage.pods}
        for pod in rank(first.signal, list(active.values()), usages, storage):
            uid = pod.metadata.uid
            message = messages.node_low(resource, driving, observations, pod, usages.get(uid), storage)
            condition = PodCondition(
                type="DisruptionTarget", status="True", reason="TerminationByKubelet", message=message,
                observed_generation=pod.metadata.generation, last_transition_time=to_rfc3339(self._clock.now()),
            )
            if self._evict(pod, message, self._grace_s(first, pod), condition):
                self._pressure.evictions[first.signal] += 1
                return [uid]
        log.warning("unable to evict any pods from the node", resource=resource)
        return []

    async def _reclaimed(self) -> bool:
        for reclaim in self._reclaim:
            try:
                await reclaim()
            except Exception as error:
                log.warning("nothing reclaimed", error=str(error))
        self._stats.disks.forget()
        observations = await asyncio.to_thread(observe, self._stats, self._signals)
        return not met(self._watcher.thresholds, observations, with_reclaim=True)

    def _grace_s(self, threshold: Threshold, pod: Pod) -> float:
        if threshold.hard:
            return HARD_GRACE_S
        own = pod.spec.termination_grace_period_seconds
        return self._settings.max_grace_s if own is None else min(self._settings.max_grace_s, float(own))

    def _evict(self, pod: Pod, message: str, grace_s: float, condition: PodCondition | None) -> bool:
        if is_critical(pod):
            log.error("cannot evict a critical pod", pod=f"{pod.metadata.namespace}/{pod.metadata.name}")
            return False
        log.warning("evicting pod", pod=f"{pod.metadata.namespace}/{pod.metadata.name}", why=message)
        self._events.event(pod, "Warning", REASON, message)
        self._workers.evict(pod.metadata.uid, REASON, message, grace_s, condition)
        return True

    def _active(self) -> list[PodState]:
        """Who has something on the node that an eviction would give back."""
        return [
            state for state in self._workers.states()
            if not state.failed and not state.stopping.is_set() and state.pod.status.phase not in TERMINAL
        ]

    async def _cleaned_up(self, uids: Sequence[str]) -> None:
        deadline = self._clock.monotonic() + CLEANED_UP_WITHIN_S
        while self._clock.monotonic() < deadline and not all(map(self._workers.is_down, uids)):
            await self._clock.sleep(LOOK_AFTER_S)
        self._stats.disks.forget()
