"""All Pods of a node: starts a worker (pod_worker.py) per Pod uid, and routes news to it."""

from __future__ import annotations

import asyncio

from kube.api.core_v1 import Pod, PodCondition
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.process.clock import to_rfc3339
from node_agent.kubelet.pod_state import PodState, Services
from node_agent.kubelet.pod_status import TERMINAL
from node_agent.kubelet.pod_worker import PodWorker
from node_agent.kubelet.seams import Mirrors
from node_agent.kubelet.static_manifests import MIRROR
from node_agent.kubelet.termination import own_grace_s


class PodWorkers:
    """Starts a worker per uid and routes news to it. Handlers are called by the informer, in its order."""

    def __init__(self, services: Services, client: Client) -> None:
        self._services = services
        self._client = client
        self._workers: dict[str, PodWorker] = {}
        self._uid_by_key: dict[NamespacedName, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._static_next: dict[NamespacedName, Pod] = {}        # waits for the end of the one before
        self.mirrors: Mirrors | None = None

    def on_pod(self, pod: Pod) -> None:
        """Added or changed. Another uid under a known name: the old one vanished between two looks. Mirror Pods only show others."""
        if MIRROR in pod.metadata.annotations:
            if self.mirrors is not None:
                self.mirrors.on_mirror(pod)
            return
        key, uid = NamespacedName(pod.metadata.namespace, pod.metadata.name), pod.metadata.uid
        held = self._uid_by_key.get(key)
        if held is not None and held != uid and held in self._workers:
            self._workers[held].vanish()
        self._uid_by_key[key] = uid
        worker = self._workers.get(uid)
        if worker is not None:
            self._services.statuses.observe(pod)
            worker.update(pod)
            return
        self._start(PodWorker(self._services, self._client, pod, self))

    def on_deleted(self, pod: Pod) -> None:
        if MIRROR in pod.metadata.annotations:
            if self.mirrors is not None:
                self.mirrors.on_mirror_gone(pod)
            return
        key, uid = NamespacedName(pod.metadata.namespace, pod.metadata.name), pod.metadata.uid
        if self._uid_by_key.get(key) == uid:
            del self._uid_by_key[key]
        if (worker := self._workers.get(uid)) is not None:
            worker.vanish()

    def start_static(self, pod: Pod) -> None:
        """At once, or when the one of this name has ended."""
        key = NamespacedName(pod.metadata.namespace, pod.metadata.name)
        held = self._workers.get(self._uid_by_key.get(key, ""))
        if held is None:
            self._uid_by_key[key] = pod.metadata.uid
            self._start(PodWorker(self._services, self._client, pod, self, static=True))
        elif held.gone or held.state.uid != pod.metadata.uid:
            self._static_next[key] = pod
            held.vanish()

    def end_static(self, pod_uid: str) -> None:
        self._static_next = {key: pod for key, pod in self._static_next.items() if pod.metadata.uid != pod_uid}
        if (worker := self._workers.get(pod_uid)) is not None:
            worker.vanish()

    def wake(self, pod_uid: str) -> None:
        if (worker := self._workers.get(pod_uid)) is not None:
            worker.wake()

    def probed(self, pod_uid: str) -> None:
        """A verdict has changed. Hooks and grace periods may take long: readiness is shown meanwhile, Services go by it."""
        if (worker := self._workers.get(pod_uid)) is not None:
            worker.wake()
            if worker.busy and not worker.gone and self._services.statuses.get(pod_uid) is not None:
                worker.state.publish(self._services)

    def refresh_volumes(self, pod_uid: str) -> None:
        """What they are made of has changed."""
        if (worker := self._workers.get(pod_uid)) is not None:
            worker.state.refreshed_at = 0.0
            worker.wake()

    def wake_all(self) -> None:
        for worker in self._workers.values():
            worker.wake()

    def uids(self) -> set[str]:
        return set(self._workers)

    def pods(self) -> list[Pod]:
        return [worker.state.pod for worker in self._workers.values()]

    def evict(self, pod_uid: str, reason: str, message: str, grace_s: float, disruption: PodCondition | None = None) -> None:
        """Ends the Pod as Failed, at the latest after `grace_s`. Its object stays."""
        if (worker := self._workers.get(pod_uid)) is not None:
            worker.evict(reason, message, grace_s, disruption)

    def admitted(self) -> list[Pod]:
        """What the node's resources are promised to."""
        return [
            worker.state.pod for worker in self._workers.values()
            if worker.state.admitted and not (worker.gone or worker.down or worker.state.pod.status.phase in TERMINAL)
        ]

    def preempt(self, pod: Pod) -> None:
        """Its place is a critical Pod's; it gets its grace period."""
        worker = self._workers.get(pod.metadata.uid)
        if worker is None or worker.state.failed:
            return
        message = "Preempted in order to admit critical pod"
        self._services.events.event(pod, "Warning", "Preempting", message)
        worker.evict("Preempting", message, own_grace_s(pod), PodCondition(
            type="DisruptionTarget", status="True", reason="TerminationByKubelet",
            message="Pod was preempted by Kubelet to accommodate a critical pod.", observed_generation=pod.metadata.generation,
            last_transition_time=to_rfc3339(self._services.clock.now()),
        ))

    def is_down(self, pod_uid: str) -> bool:
        """Whether nothing of the Pod is left on the node but its records."""
        worker = self._workers.get(pod_uid)
        return worker is None or worker.down

    def states(self) -> list[PodState]:
        return [worker.state for worker in self._workers.values()]

    def find(self, namespace: str, name: str) -> PodState | None:
        worker = self._workers.get(self._uid_by_key.get(NamespacedName(namespace, name), ""))
        return worker.state if worker else None

    async def close(self) -> None:
        """Workers end where they are; containers live on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, worker: PodWorker) -> None:
        uid = worker.state.uid
        self._workers[uid] = worker
        task = asyncio.create_task(worker.run(), name=f"pod {worker.state.pod.metadata.name}")
        self._tasks.add(task)

        def done(finished: asyncio.Task[None]) -> None:
            self._tasks.discard(finished)
            if self._workers.get(uid) is worker:
                del self._workers[uid]
            if worker.state.static and not finished.cancelled():
                self._after_static(worker)

        task.add_done_callback(done)

    def _after_static(self, worker: PodWorker) -> None:
        key = NamespacedName(worker.state.pod.metadata.namespace, worker.state.pod.metadata.name)
        if self._uid_by_key.get(key) == worker.state.uid:
            del self._uid_by_key[key]
        if (following := self._static_next.pop(key, None)) is not None:
            self.start_static(following)
        if self.mirrors is not None:
            self.mirrors.on_static_ended()
