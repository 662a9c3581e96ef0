"""The scheduling loop: pop a Pod, decide, assume, and bind while the next one is decided.

Only the decision is serial: it reads and changes the cache without an await. Binding and the reports of failures are requests, and run
in tasks of their own. Whatever fails after the decision takes the assumption back and returns the Pod to the queue.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from control_plane.scheduler import metrics
from control_plane.scheduler.cache import SchedulerCache
from control_plane.scheduler.changes import PodChange
from control_plane.scheduler.cycle import Decision, DecisionCycle, NoDecision
from control_plane.scheduler.framework import ClusterEvent, Code, CycleState, Profile, Status
from control_plane.scheduler.node_table import NodeTable
from control_plane.scheduler.pod_info import PodInfo
from control_plane.scheduler.scheduling_queue import FLUSH_PERIOD_S, QueuedPod, SchedulingQueue
from kube.api.core_v1 import Pod
from kube.apimachinery.errors import ApiError, NotFound
from kube.client.client import Client
from kube.client.events import EventRecorder
from kube.client.transport import PatchKind
from kube.process.clock import Clock, to_rfc3339
from kube.process.log import get_logger

MAX_BINDINGS: Final = 100       # in flight; more would only wait in the connection
BIND_TIMEOUT_S: Final = 100.0

log = get_logger("scheduler")


class Scheduler:
    """Owns nothing: the composition root makes its parts and feeds queue and cache from the watches."""

    def __init__(
        self,
        client: Client,
        events: EventRecorder,
        profile: Profile,
        cache: SchedulerCache,
        queue: SchedulingQueue,
        nodes: NodeTable,
        clock: Clock,
    ) -> None:
        self._client = client
        self._events = events
        self._profile = profile
        self._cache = cache
        self._queue = queue
        self._clock = clock
        self._cycle = DecisionCycle(profile, nodes)
        self._reserve = profile.implementing("reserve")
        self._permit = profile.implementing("permit")
        self._pre_bind = profile.implementing("pre_bind")
        self._bind = profile.implementing("bind")
        self._post_bind = profile.implementing("post_bind")
        self._slots = asyncio.Semaphore(MAX_BINDINGS)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._flush(), name="queue flush")
            while True:
                queued = await self._queue.pop()
                await self._slots.acquire()
                follow_up = self._schedule_one(queued)
                if follow_up is None:
                    self._slots.release()
                else:
                    tasks.create_task(self._finish(follow_up, queued), name=f"finish {queued.pod.key}")
                await asyncio.sleep(0)      # the queue never blocks while it is full: let watches and bindings run

    async def _flush(self) -> None:
        while True:
            await self._clock.sleep(FLUSH_PERIOD_S)
            self._queue.flush()
            for name, number in self._queue.counts().items():
                metrics.PENDING_PODS.labels(name).set(number)
            for kind, number in zip(("nodes", "pods", "assumed_pods"), self._cache.counts(), strict=True):
                metrics.CACHE_SIZE.labels(kind).set(number)

    def _schedule_one(self, queued: QueuedPod) -> Decision | NoDecision | Status | None:
        """Decides and assumes. None: nothing to do for this Pod any more."""
        pod = queued.pod
        if pod.pod.metadata.deletion_timestamp or self._cache.knows(pod.uid):
            self._queue.done(pod.uid)
            return None
        started = time.perf_counter()
        try:
            outcome = self._cycle.decide(pod)
        except Exception as error:
            log.exception("a plugin failed", pod=str(pod.key))
            return Status(Code.ERROR, f"running plugins: {error}")
        finally:
            metrics.ALGORITHM_S.observe(time.perf_counter() - started)
        if isinstance(outcome, NoDecision):
            return outcome
        self._cache.assume(pod, outcome.node_name)
        return self._reserved(pod, outcome) or outcome

    def _reserved(self, pod: PodInfo, decision: Decision) -> Status | None:
        for method, plugins in (("reserve", self._reserve), ("permit", self._permit)):
            for plugin in plugins:
                status: Status | None = getattr(plugin, method)(decision.state, pod, decision.node_name)
                if status is not None:
                    self._take_back(pod, decision)
                    return status
        return None

    def _take_back(self, pod: PodInfo, decision: Decision) -> None:
        for plugin in reversed(self._reserve):
            plugin.unreserve(decision.state, pod, decision.node_name)
        self._cache.forget(pod)
        self._queue.move(PodChange(ClusterEvent.ASSIGNED_POD_DELETE, old=pod))      # its room is free again

    async def _finish(self, outcome: Decision | NoDecision | Status, queued: QueuedPod) -> None:
        started = time.perf_counter()
        try:
            if isinstance(outcome, Decision):
                result = await self._bind_pod(outcome, queued)
            elif isinstance(outcome, NoDecision):
                result = await self._report_unschedulable(outcome, queued)
            else:
                result = await self._report_error(outcome, queued)
        except Exception as error:
            log.exception("pod could not be finished", pod=str(queued.pod.key))
            self._queue.failed(queued, frozenset())
            result = f"error: {error}"
        finally:
            self._slots.release()
        label = result if result in ("scheduled", "unschedulable") else "error"
        metrics.SCHEDULE_ATTEMPTS.labels(label, self._profile.scheduler_name).inc()
        metrics.SCHEDULING_ATTEMPT_S.labels(label, self._profile.scheduler_name).observe(time.perf_counter() - started)

    # -- binding --------------------------------------------------------------------------------------------------------------

    async def _bind_pod(self, decision: Decision, queued: QueuedPod) -> str:
        pod = queued.pod
        try:
            async with asyncio.timeout(BIND_TIMEOUT_S):
                status = await self._run_binding(decision.state, pod, decision.node_name)
        except TimeoutError:
            status = Status(Code.ERROR, f"binding took longer than {BIND_TIMEOUT_S:.0f} s")
        if status is not None:
            self._take_back(pod, decision)
            return await self._report_error(status, queued)
        self._queue.done(pod.uid)
        for plugin in self._post_bind:
            plugin.post_bind(decision.state, pod, decision.node_name)
        log.info(
            "bound pod to node", pod=str(pod.key), node=decision.node_name,
            evaluated_nodes=decision.evaluated, feasible_nodes=decision.feasible,
        )
        self._events.event(pod.pod, "Normal", "Scheduled", f"Successfully assigned {pod.key} to {decision.node_name}")
        metrics.POD_ATTEMPTS.observe(queued.attempts)
        attempts = str(queued.attempts) if queued.attempts < 16 else "16+"
        metrics.POD_SLI_S.labels(attempts).observe(self._clock.monotonic() - queued.first_seen_at)
        return "scheduled"

    async def _run_binding(self, state: CycleState, pod: PodInfo, node_name: str) -> Status | None:
        for plugin in self._pre_bind:
            if (status := await plugin.pre_bind(state, pod, node_name)) is not None:
                return _status(status)
        for plugin in self._bind:
            if (status := await plugin.bind(state, pod, node_name)) is not None:
                return _status(status)
        return None

    # -- failures -------------------------------------------------------------------------------------------------------------

    async def _report_unschedulable(self, outcome: NoDecision, queued: QueuedPod) -> str:
        message = outcome.diagnosis.message()
        self._queue.failed(queued, outcome.diagnosis.plugins or frozenset({"NodeName"}))     # no Nodes at all: wait for one
        log.info("unable to schedule pod; no fit; waiting", pod=str(queued.pod.key), reason=message)
        await self._write_failure(queued.pod, "Unschedulable", message)
        return "unschedulable"

    async def _report_error(self, status: Status, queued: QueuedPod) -> str:
        self._queue.failed(queued, frozenset())
        log.warning("error scheduling pod; retrying", pod=str(queued.pod.key), plugin=status.plugin, error=status.reason)
        reason = "Unschedulable" if status.code in (Code.UNSCHEDULABLE, Code.UNRESOLVABLE) else "SchedulerError"
        await self._write_failure(queued.pod, reason, status.reason)
        return "error"

    async def _write_failure(self, pod: PodInfo, reason: str, message: str) -> None:
        self._events.event(pod.pod, "Warning", "FailedScheduling", message)
        held = next((condition for condition in pod.pod.status.conditions if condition.type == "PodScheduled"), None)
        if held is not None and (held.status, held.reason, held.message) == ("False", reason, message):
            return
        condition: dict[str, Any] = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
        if held is None or held.status != "False":
            condition["lastTransitionTime"] = to_rfc3339(self._clock.now())
        patch = {"metadata": {"uid": pod.uid}, "status": {"conditions": [condition]}}
        try:
            await self._client.patch(Pod, pod.key, patch, kind=PatchKind.STRATEGIC, subresource="status")
        except NotFound:
            log.debug("pod is gone before its condition was written", pod=str(pod.key))
        except ApiError as error:
            log.warning("cannot write the pod's condition", pod=str(pod.key), error=str(error))


def _status(status: Any) -> Status:
    assert isinstance(status, Status)
    return status
