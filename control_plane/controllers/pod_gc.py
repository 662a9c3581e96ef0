"""Deletes Pods nobody will take care of any more. Follows upstream's pod-garbage-collector.

Those bound to a Node that is gone (after a while in which it may come back); those that were deleted before they were
scheduled, or on a Node that is out of service; and the oldest ended ones above a threshold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from control_plane.controllers.indexes import BY_NODE, index_by_node
from control_plane.controllers.managed import ControllerContext, ManagedController
from control_plane.controllers.node_lifecycle.conditions import ready_status
from control_plane.controllers.pods import is_terminated
from kube.api.core_v1 import Node, Pod
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.objects import key_of
from kube.client.transport import PatchKind
from kube.process.clock import to_rfc3339

QUARANTINE_S: Final = 40.0          # a Node that registers anew within it keeps its Pods
SWEEP_S: Final = 20.0
OUT_OF_SERVICE: Final = "node.kubernetes.io/out-of-service"
SWEEP: Final = NamespacedName("", "")


def excess(pods: Iterable[Pod], threshold: int) -> list[Pod]:
    """Ended Pods above the threshold, the oldest first. 0 or less: none; pure."""
    ended = sorted((pod for pod in pods if is_terminated(pod)), key=lambda pod: (pod.metadata.creation_timestamp, pod.metadata.name))
    return ended[:max(0, len(ended) - threshold)] if threshold > 0 else []


def disruption_target(node: str, now: datetime) -> dict[str, Any]:
    return {
        "type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC", "lastTransitionTime": to_rfc3339(now),
        "message": f"PodGC: node no longer exists: {node}" if node else "PodGC: node is out of service",
    }


class PodGarbageCollector(ManagedController[NamespacedName]):
    """Keys: a Pod to look at, or `SWEEP` for all ended ones."""

    def __init__(self, context: ControllerContext, terminated_threshold: int) -> None:
        super().__init__("pod-garbage-collector", context)
        self._threshold = terminated_threshold
        self._gone_since: dict[str, float] = {}
        self._nodes = self.informer(Node)
        self._pods = self.informer(Pod)
        index_by_node(self._pods)
        self._nodes.add_handler(self._on_node, lambda _old, new: self._on_node(new), self._on_node_gone)
        self._pods.add_handler(self._on_pod, lambda _old, new: self._on_pod(new))

    async def run(self) -> None:
        await self.wait_synced()
        for pod in self._pods.store.list():     # again: before the Nodes were synced, every Pod looked orphaned
            self._on_pod(pod)
        self.queue.add(SWEEP)
        await super().run()

    def _on_node(self, node: Node) -> None:
        self._gone_since.pop(node.metadata.name, None)
        if _is_out_of_service(node):
            self._enqueue_pods(node)

    def _on_node_gone(self, node: Node) -> None:
        self._enqueue_pods(node)

    def _enqueue_pods(self, node: Node) -> None:
        for pod in self._pods.by_index(BY_NODE, node.metadata.name):
            self.queue.add(key_of(pod))

    def _on_pod(self, pod: Pod) -> None:
        if pod.spec.node_name:
            orphaned = self._nodes.get(NamespacedName("", pod.spec.node_name)) is None
        else:
            orphaned = bool(pod.metadata.deletion_timestamp)
        if orphaned:
            self.queue.add(key_of(pod))

    async def reconcile(self, key: NamespacedName) -> Result:
        if key == SWEEP:
            await asyncio.gather(*(self._delete(pod) for pod in excess(self._pods.store.list(), self._threshold)))
            return Result(requeue_after_s=SWEEP_S)
        pod = self._pods.get(key)
        if pod is None:
            return DONE
        if not pod.spec.node_name:
            if pod.metadata.deletion_timestamp:
                await self._delete(pod)         # no kubelet will ever end it
            return DONE
        node = self._nodes.get(NamespacedName("", pod.spec.node_name))
        if node is None:
            return await self._orphan(pod)
        if pod.metadata.deletion_timestamp and _is_out_of_service(node) and ready_status(node) != "True":
            await self._delete(pod, disruption_target("", self.clock.now()))
        return DONE

    async def _orphan(self, pod: Pod) -> Result:
        name, now = pod.spec.node_name, self.clock.monotonic()
        remaining_s = self._gone_since.setdefault(name, now) + QUARANTINE_S - now
        if remaining_s > 0:
            return Result(requeue_after_s=remaining_s + 0.01)
        try:
            await self.client.get(Node, NamespacedName("", name))       # the cache may be late
        except errors.NotFound:
            await self._delete(pod, disruption_target(name, self.clock.now()))
        return DONE

    async def _delete(self, pod: Pod, condition: dict[str, Any] | None = None) -> None:
        self.log.info("deleting pod", pod=str(key_of(pod)), phase=pod.status.phase, node=pod.spec.node_name)
        try:
            if not is_terminated(pod) and condition is not None:
                # Ended, for whoever counts: no kubelet will say so.
                patch = {"metadata": {"uid": pod.metadata.uid}, "status": {"phase": "Failed", "conditions": [condition]}}
                await self.client.patch(Pod, key_of(pod), patch, kind=PatchKind.STRATEGIC, subresource="status")
            await self.client.delete(Pod, key_of(pod), grace_period_s=0, uid=pod.metadata.uid)
        except (errors.NotFound, errors.Conflict):
            return


def _is_out_of_service(node: Node) -> bool:
    return any(taint.key == OUT_OF_SERVICE and taint.effect == "NoExecute" for taint in node.spec.taints)
