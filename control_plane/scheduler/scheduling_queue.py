"""Which Pod is next: active, backing off, or unschedulable until something changes. Follows kube-scheduler's scheduling queue.

    add ──► active ──pop──► (being decided) ──no Node fits──► unschedulable ──event that may help──► active, or backing off
              ▲                                                    │                                        │
              └──────────────── back-off over ─────────────────────┴───────── waited 5 minutes ─────────────┘

A Pod that failed waits for a change that one of the plugins that refused it has asked for and, when asked back, thinks may help (upstream's
queueing hints: a Node that loses one taint of two is no reason to try again), then for its back-off: 1 s, doubled by every try, 10 s at
most. When no Pod is active, the one whose back-off ends first is taken early, as upstream does since 1.33: the wait
protects other Pods, not the scheduler. Pods that a PreEnqueue plugin holds back stay gated until they are changed.

A decision takes no await, so no change can arrive during it; one that arrives before `failed` is remembered and judged there.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Final

from control_plane.scheduler.changes import Change, NodeChange, ObjectChange, PodChange
from control_plane.scheduler.framework import ClusterEvent, Profile
from control_plane.scheduler.pod_info import PodInfo
from kube.apimachinery.meta import Uid
from kube.process.clock import Clock

MAX_UNSCHEDULABLE_S: Final = 300.0      # DefaultPodMaxInUnschedulablePodsDuration
FLUSH_PERIOD_S: Final = 1.0
HINTS: Final[dict[type[Change], str]] = {
    NodeChange: "helped_by_node", PodChange: "helped_by_pod", ObjectChange: "helped_by_object",
}


@dataclass(frozen=True, slots=True)
class QueuedPod:
    """A waiting Pod and its history."""

    pod: PodInfo
    queued_at: float                        # when it last came into the queue
    first_seen_at: float
    attempts: int = 0
    refused_by: frozenset[str] = frozenset()   # plugins; empty after an error
    backoff_until: float = 0.0
    gated: bool = False
    taken_at: int = 0                       # the number of changes known when it was popped


class SchedulingQueue:
    """Not thread-safe; one consumer. All times are the clock's monotonic ones."""

    def __init__(self, profile: Profile, clock: Clock, *, initial_backoff_s: float = 1.0, max_backoff_s: float = 10.0) -> None:
        self._profile = profile
        self._clock = clock
        self._initial_backoff_s = initial_backoff_s
        self._max_backoff_s = max_backoff_s
        self._pre_enqueue = profile.implementing("pre_enqueue")
        sorters = profile.implementing("sort_key")
        self._sort_key: Callable[[PodInfo, float], Any] = sorters[0].sort_key
        self._events_of = {plugin.name: profile.events_of(plugin.name) for plugin in profile.plugins}
        self._hints = {
            kind: {plugin.name: getattr(plugin, method) for plugin in profile.implementing(method)} for kind, method in HINTS.items()
        }
        self._tie = count()
        self._heap: list[tuple[Any, int, Uid]] = []              # of active Pods; entries of gone ones are skipped
        self._active: dict[Uid, QueuedPod] = {}
        self._backing_off: dict[Uid, QueuedPod] = {}
        self._unschedulable: dict[Uid, QueuedPod] = {}
        self._refused_by: dict[frozenset[str], set[Uid]] = {}    # the unschedulable ones: an event skips whole sets of them
        self._in_flight: dict[Uid, QueuedPod] = {}               # in the order of their pops
        self._changes: list[Change] = []                         # since the oldest Pod in flight was popped
        self._changes_dropped = 0
        self._not_empty = asyncio.Event()

    def counts(self) -> dict[str, int]:
        """By the label values of kube-scheduler's pending_pods."""
        gated = sum(queued.gated for queued in self._unschedulable.values())
        return {
            "active": len(self._active),
            "backoff": len(self._backing_off),
            "unschedulable": len(self._unschedulable) - gated,
            "gated": gated,
        }

    # -- what the watch says --------------------------------------------------------------------------------------------------

    def add(self, pod: PodInfo) -> None:
        """A Pod without a Node has appeared."""
        now = self._clock.monotonic()
        self._enqueue(QueuedPod(pod, queued_at=now, first_seen_at=now))

    def update(self, pod: PodInfo) -> None:
        """A waiting Pod changed."""
        uid = pod.uid
        for place in (self._active, self._backing_off, self._in_flight):
            if uid in place:
                place[uid] = replace(place[uid], pod=pod)
                return
        queued = self._unschedulable.get(uid)
        if queued is None:
            self.add(pod)
        elif queued.gated or self._helped_by(PodChange(ClusterEvent.TARGET_POD_UPDATE, queued.pod, pod), pod, queued.refused_by):
            self._stop_waiting(uid)
            self._requeue(replace(queued, pod=pod))
        else:
            self._unschedulable[uid] = replace(queued, pod=pod)

    def delete(self, uid: Uid) -> None:
        for place in (self._active, self._backing_off, self._in_flight):
            place.pop(uid, None)
        self._stop_waiting(uid)
        self._trim_changes()

    def move(self, change: Change) -> None:
        """Something happened in the cluster: Pods it may help become active, or back off first."""
        if self._in_flight:
            self._changes.append(change)
        for refused_by, uids in [*self._refused_by.items()]:
            if not self._listening(change, refused_by):
                continue
            for queued in [self._unschedulable[uid] for uid in uids]:
                if not queued.gated and self._helped_by(change, queued.pod, refused_by):
                    self._stop_waiting(queued.pod.uid)
                    self._requeue(queued)

    # -- what the scheduler does ----------------------------------------------------------------------------------------------

    async def pop(self) -> QueuedPod:
        """Waits for a Pod. Every pop is answered by one `done` or `failed`."""
        while (queued := self._take()) is None:
            self._not_empty.clear()
            await self._not_empty.wait()
        queued = replace(queued, attempts=queued.attempts + 1, taken_at=self._changes_dropped + len(self._changes))
        self._in_flight[queued.pod.uid] = queued
        return queued

    def done(self, uid: Uid) -> None:
        """Bound, or gone."""
        self._in_flight.pop(uid, None)
        self._trim_changes()

    def failed(self, tried: QueuedPod, refused_by: frozenset[str]) -> None:
        """No Node fitted (`refused_by` names the plugins), or an error came in between (it is empty: try again after the back-off)."""
        uid = tried.pod.uid
        if (current := self._in_flight.pop(uid, None)) is None:
            return                          # deleted meanwhile
        now = self._clock.monotonic()
        queued = replace(
            current, attempts=tried.attempts, queued_at=now, refused_by=refused_by, backoff_until=now + self._backoff_s(tried.attempts)
        )
        missed = self._changes[tried.taken_at - self._changes_dropped:]
        self._trim_changes()
        if current.pod is not tried.pod:
            missed.append(PodChange(ClusterEvent.TARGET_POD_UPDATE, tried.pod, current.pod))
        if not refused_by or any(self._helped_by(change, queued.pod, refused_by) for change in missed):
            self._requeue(queued)
        else:
            self._wait(queued)

    def flush(self) -> None:
        """To be called about every second: ends back-offs, and gives a new try to who has waited too long."""
        now = self._clock.monotonic()
        for uid, queued in [*self._backing_off.items()]:
            if queued.backoff_until <= now:
                del self._backing_off[uid]
                self._activate(queued)
        for uid, queued in [*self._unschedulable.items()]:
            if not queued.gated and now - queued.queued_at > MAX_UNSCHEDULABLE_S:
                self._stop_waiting(uid)
                self._requeue(queued)

    # -- inside ---------------------------------------------------------------------------------------------------------------

    def _listening(self, change: Change, refused_by: frozenset[str]) -> list[str]:
        return [name for name in refused_by if change.event & self._events_of[name]]

    def _helped_by(self, change: Change, pod: PodInfo, refused_by: frozenset[str]) -> bool:
        hints = self._hints[type(change)]
        return any(name not in hints or hints[name](pod, change) for name in self._listening(change, refused_by))

    def _wait(self, queued: QueuedPod) -> None:
        uid = queued.pod.uid
        self._unschedulable[uid] = queued
        self._refused_by.setdefault(queued.refused_by, set()).add(uid)

    def _stop_waiting(self, uid: Uid) -> None:
        if (queued := self._unschedulable.pop(uid, None)) is not None:
            uids = self._refused_by[queued.refused_by]
            uids.discard(uid)
            if not uids:
                del self._refused_by[queued.refused_by]

    def _backoff_s(self, attempts: int) -> float:
        return min(self._max_backoff_s, self._initial_backoff_s * 2.0 ** min(max(0, attempts - 1), 30))

    def _requeue(self, queued: QueuedPod) -> None:
        if queued.backoff_until > self._clock.monotonic():
            self._backing_off[queued.pod.uid] = queued
            self._not_empty.set()
        else:
            self._enqueue(queued)

    def _enqueue(self, queued: QueuedPod) -> None:
        held = next((status for plugin in self._pre_enqueue if (status := plugin.pre_enqueue(queued.pod)) is not None), None)
        if held is not None:
            self._wait(replace(queued, gated=True, refused_by=frozenset({held.plugin})))
        else:
            self._activate(replace(queued, gated=False))

    def _activate(self, queued: QueuedPod) -> None:
        self._active[queued.pod.uid] = queued
        heapq.heappush(self._heap, (self._sort_key(queued.pod, queued.queued_at), next(self._tie), queued.pod.uid))
        self._not_empty.set()

    def _take(self) -> QueuedPod | None:
        while self._heap:
            _, _, uid = heapq.heappop(self._heap)
            if (queued := self._active.pop(uid, None)) is not None:
                return queued
        # After an error the back-off is served in full: it protects whoever failed.
        early = [queued for queued in self._backing_off.values() if queued.refused_by]
        if not early:
            return None
        queued = min(early, key=lambda each: each.backoff_until)
        return self._backing_off.pop(queued.pod.uid)

    def _trim_changes(self) -> None:
        """Forgets what nobody in flight has missed."""
        known = self._changes_dropped + len(self._changes)
        needed_from = next((queued.taken_at for queued in self._in_flight.values()), known)
        del self._changes[: needed_from - self._changes_dropped]
        self._changes_dropped = needed_from
