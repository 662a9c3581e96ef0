"""One worker per Pod uid: woken by changes of the object, ends of containers, probe verdicts and its own timer; does one step at a time.

    syncing ──> (deleted, vanished, given up) terminating ──> final status ──> network, volumes, namespaces gone ──> object deleted
       └──────> (all containers ended for good) finished: the same, but records and object stay until the Pod is deleted
"""

from __future__ import annotations

import asyncio
import shutil
from datetime import timedelta
from typing import Protocol

from kube.api.core_v1 import Pod, PodCondition
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.process.clock import from_rfc3339
from kube.process.log import Logger, get_logger
from kube.process.tasks import run_until
from node_agent.kubelet import event_names as names
from node_agent.kubelet.pod_admission import refusal_of
from node_agent.kubelet.pod_fit import misfit, victims
from node_agent.kubelet.pod_state import PodState, Services
from node_agent.kubelet.pod_status import TERMINAL
from node_agent.kubelet.pod_sync import sync_pod
from node_agent.kubelet.termination import grace_period_s, own_grace_s, stop_pod

RETRY_S = 2.0


class Others(Protocol):
    """The other Pods of the node, as one that is to begin sees them."""

    def admitted(self) -> list[Pod]:
        """What the node's resources are promised to."""

    def preempt(self, pod: Pod) -> None:
        """Its place is a critical Pod's."""


class PodWorker:
    """`pod` is the newest object; `gone` once the API has it no more."""

    def __init__(self, services: Services, client: Client, pod: Pod, others: Others, *, static: bool = False) -> None:
        self.state = PodState(pod, static=static)
        if pod.status.phase not in TERMINAL:
            self.state.pod = services.allocations.recall(pod)
        self.gone = False
        self.busy = False
        self._services = services
        self._client = client
        self._others = others
        self._wake = asyncio.Event()
        self._grace_changed = asyncio.Event()
        self._down = False                       # sandbox, volumes and network are gone
        self._log: Logger = get_logger("pods", pod=str(NamespacedName(pod.metadata.namespace, pod.metadata.name)), uid=pod.metadata.uid)

    def update(self, pod: Pod) -> None:
        before, old = grace_period_s(self.state.pod, gone=self.gone), self.state.wanted
        self.state.wanted, self.state.pod = pod, self._services.allocations.apply(pod)
        if (old.metadata.labels, old.metadata.annotations) != (pod.metadata.labels, pod.metadata.annotations):
            self.state.refreshed_at = 0.0        # downward API volumes show them; changed ConfigMaps come along
        if pod.metadata.deletion_timestamp:
            self.state.stopping.set()
            if grace_period_s(pod, gone=self.gone) < before:
                self._grace_changed.set()
        if _substance(old) != _substance(pod):
            self._wake.set()

    def vanish(self) -> None:
        """The object is gone from the API, whether we were done or not."""
        self.gone = True
        self.state.stopping.set()
        self._grace_changed.set()
        self._wake.set()

    def wake(self) -> None:
        self._wake.set()

    def evict(self, reason: str, message: str, grace_s: float, disruption: PodCondition | None) -> None:
        state = self.state
        state.failed, state.reason, state.message = True, reason, message
        state.evicted_grace_s, state.disruption = grace_s, disruption
        state.stopping.set()
        self._grace_changed.set()
        self._wake.set()

    @property
    def down(self) -> bool:
        """Nothing of the Pod runs, or is mounted."""
        return self._down

    async def run(self) -> None:
        """Ends when nothing of the Pod is left and the API has no object of it."""
        while True:
            self._wake.clear()
            self.busy = True
            try:
                delay_s = await self._step()
            except Exception:
                self._log.exception("step failed")
                delay_s = RETRY_S
            self.busy = False
            if self.gone and self._down:
                return await self._forget()
            try:
                async with asyncio.timeout(delay_s):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _step(self) -> float | None:
        state, services = self.state, self._services
        if state.pod.metadata.deletion_timestamp:
            state.stopping.set()
        self._check_deadline()
        if not self._check_admission():
            return RETRY_S
        if self.gone or state.stopping.is_set() or state.failed:
            return await self._terminate()
        if state.pod.status.phase in TERMINAL:
            await self._stop_containers()            # none, unless another has ended the Pod in the API
            await self._take_down()
            return None
        state.pod = services.allocations.consider(state.wanted)
        finished, delay_s = await sync_pod(services, state)
        if finished:
            state.stopping.set()
            await stop_pod(services, state, own_grace_s(state.pod))
            state.ended = not state.static
            state.publish(services)
            await self._take_down()
            return None
        return _earlier(delay_s, self._deadline_in_s())

    async def _terminate(self) -> float | None:
        await self._stop_containers()
        self.state.ended = not self.state.static
        if not self.gone:
            self.state.publish(self._services)
        await self._take_down()
        if self.gone:
            return None
        await self._services.statuses.flush(self.state.uid)
        if self.state.pod.metadata.deletion_timestamp:
            return await self._delete_object()
        return None

    async def _stop_containers(self) -> None:
        """A later, shorter grace period (a second delete, --force) overtakes the first."""
        while True:
            self._grace_changed.clear()
            grace_s = grace_period_s(self.state.pod, gone=self.gone and not self.state.static)
            if self.state.evicted_grace_s is not None:
                grace_s = min(grace_s, self.state.evicted_grace_s)
            if await run_until(self._grace_changed, stop_pod(self._services, self.state, grace_s), name="stop pod"):
                return

    async def _take_down(self) -> None:
        """Idempotent. Records of containers stay, for logs and status, as long as the object does."""
        if self._down:
            return
        services, uid = self._services, self.state.uid
        for record in services.runtime.containers(uid):
            services.probes.forget(record.id)
        await services.host_ports.remove(uid)
        await services.network.remove(uid)
        services.objects.forget(uid)
        await services.volumes.tear_down(uid)
        await services.runtime.stop_sandbox(uid)
        services.allocations.release(uid)
        self._down = True
        if not self.gone and self._services.runtime.containers(uid):
            self.state.publish(services)         # PodReadyToStartContainers is False now

    async def _delete_object(self) -> float | None:
        metadata = self.state.pod.metadata
        try:
            key = NamespacedName(metadata.namespace, metadata.name)
            await self._services.statuses.flush(metadata.uid)
            await self._client.delete(Pod, key, grace_period_s=0, uid=metadata.uid)
        except (errors.NotFound, errors.Conflict):
            pass                                 # the watch will say so
        except errors.ApiError as error:
            self._log.warning("pod not deleted, trying again", error=str(error))
            return RETRY_S
        return None

    async def _forget(self) -> None:
        services, uid = self._services, self.state.uid
        await services.runtime.remove_pod(uid)
        await asyncio.to_thread(shutil.rmtree, services.paths(self.state.pod).directory, ignore_errors=True)
        services.objects.forget(uid)
        services.statuses.forget(uid)
        services.allocations.release(uid)
        services.restarts.forget(uid)
        services.images.forget(uid)

    def _deadline_in_s(self) -> float | None:
        seconds, start = self.state.pod.spec.active_deadline_seconds, self._start_time()
        if seconds is None or not start:
            return None
        ends = from_rfc3339(start) + timedelta(seconds=seconds)
        return max(0.0, (ends - self._services.clock.now()).total_seconds())

    def _check_deadline(self) -> None:
        if self.state.failed or self._deadline_in_s() != 0.0:
            return
        self.state.failed = True
        self.state.reason = names.DEADLINE_EXCEEDED
        self.state.message = "Pod was active on the node longer than the specified deadline"
        self._services.events.event(self.state.pod, "Normal", names.DEADLINE_EXCEEDED, self.state.message)

    def _check_admission(self) -> bool:
        """False: to be asked again."""
        state, services = self.state, self._services
        if state.admitted or state.failed or state.stopping.is_set() or state.pod.status.phase in TERMINAL:
            return True
        if services.runtime.containers(state.uid):
            state.admitted = True
            return True
        refusal = refusal_of(state.pod, services.config.allowed_unsafe_sysctls) or services.pressure.refusal(state.pod)
        if refusal is None and (node := services.own_node()) is not None:
            others = self._others.admitted()
            refusal = misfit(state.pod, others, node, services.allocatable, static=state.static)
            if refusal is not None and (chosen := victims(state.pod, others, node, services.allocatable, static=state.static)):
                for victim in chosen:
                    self._others.preempt(victim)
                return False
            if refusal is not None and refusal.reason == "NodeAffinity" and not state.looked_again:
                state.looked_again = True            # the Node's labels may be newer than what we have seen of them
                return False
        if refusal is None:
            state.admitted = True
            return True
        state.failed, state.reason, state.message = True, refusal.reason, f"Pod was rejected: {refusal.message}"
        services.events.event(state.pod, "Warning", refusal.reason, refusal.message)
        return True

    def _start_time(self) -> str:
        status = self._services.statuses.get(self.state.uid)
        return self.state.pod.status.start_time or (status.start_time if status else "")


def _substance(pod: Pod) -> tuple[object, ...]:
    """What a step reads. Of the status only what others write: the echo of our own word is no news."""
    metadata, gates = pod.metadata, {gate.condition_type for gate in pod.spec.readiness_gates}
    asked_for = [(condition.type, condition.status) for condition in pod.status.conditions if condition.type in gates]
    ends = (metadata.deletion_timestamp, metadata.deletion_grace_period_seconds, pod.status.phase in TERMINAL)
    return (pod.spec, metadata.labels, metadata.annotations, ends, asked_for)


def _earlier(*delays: float | None) -> float | None:
    return min((delay for delay in delays if delay is not None), default=None)
