"""Deletes Pods from Nodes with a NoExecute taint: at once, or when their tolerationSeconds are over.

Follows upstream's taint-eviction-controller. Keys are Pods; a Node's change enqueues the Pods on it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from control_plane.controllers.indexes import BY_NODE, index_by_node
from control_plane.controllers.managed import ControllerContext, ManagedController
from control_plane.controllers.node_lifecycle.taints import no_execute, toleration_s
from control_plane.controllers.pods import is_terminated
from kube.api.core_v1 import Node, Pod
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.objects import key_of
from kube.client.transport import PatchKind
from kube.process.clock import to_rfc3339


class TaintEvictionController(ManagedController[NamespacedName]):
    def __init__(self, context: ControllerContext) -> None:
        super().__init__("taint-eviction", context)
        self._marked: dict[NamespacedName, tuple[str, float]] = {}      # uid, and since when its time runs
        self._nodes = self.informer(Node)
        self._pods = self.informer(Pod)
        index_by_node(self._pods)
        self._nodes.add_handler(self._on_node, self._on_node_updated)
        self._pods.add_handler(self._on_pod, self._on_pod_updated, self._on_pod_gone)

    def _on_node(self, node: Node) -> None:
        if no_execute(node):
            self._enqueue_pods(node)

    def _on_node_updated(self, old: Node, new: Node) -> None:
        if no_execute(old) != no_execute(new):
            self._enqueue_pods(new)

    def _enqueue_pods(self, node: Node) -> None:
        for pod in self._pods.by_index(BY_NODE, node.metadata.name):
            self.queue.add(key_of(pod))

    def _on_pod(self, pod: Pod) -> None:
        node = self._nodes.get(NamespacedName("", pod.spec.node_name)) if pod.spec.node_name else None
        if node is not None and no_execute(node):
            self.queue.add(key_of(pod))

    def _on_pod_updated(self, old: Pod, new: Pod) -> None:
        if old.metadata.uid != new.metadata.uid or old.spec.node_name != new.spec.node_name or old.spec.tolerations != new.spec.tolerations:
            self._on_pod(new)

    def _on_pod_gone(self, pod: Pod) -> None:
        self._marked.pop(key_of(pod), None)

    async def reconcile(self, key: NamespacedName) -> Result:
        pod = self._pods.get(key)
        node = self._nodes.get(NamespacedName("", pod.spec.node_name)) if pod is not None else None
        if pod is None or node is None or pod.metadata.deletion_timestamp or is_terminated(pod):
            self._marked.pop(key, None)
            return DONE
        taints = no_execute(node)
        stay_s = toleration_s(pod.spec.tolerations, taints) if taints else None
        if stay_s is None:
            if self._marked.pop(key, None) is not None:
                self.events.event(pod, "Normal", "TaintManagerEviction", f"Cancelling deletion of Pod {key}")
            return DONE
        uid, since = self._marked.get(key, ("", 0.0))
        if uid != pod.metadata.uid:
            since = self.clock.monotonic()
            self._marked[key] = (pod.metadata.uid, since)
        remaining_s = since + stay_s - self.clock.monotonic()
        if remaining_s > 0:
            return Result(requeue_after_s=remaining_s)
        await self._evict(key, pod)
        return DONE

    async def _evict(self, key: NamespacedName, pod: Pod) -> None:
        self.events.event(pod, "Normal", "TaintManagerEviction", f"Marking for deletion Pod {key}")
        self.log.info("deleting pod from a tainted node", pod=str(key), node=pod.spec.node_name)
        patch = {"metadata": {"uid": pod.metadata.uid}, "status": {"conditions": [disruption_target(self.clock.now())]}}
        try:
            await self.client.patch(Pod, key, patch, kind=PatchKind.STRATEGIC, subresource="status")
            await self.client.delete(Pod, key, uid=pod.metadata.uid)
        except (errors.NotFound, errors.Conflict):
            return      # gone, or another Pod of that name
        finally:
            self._marked.pop(key, None)


def disruption_target(now: datetime) -> dict[str, Any]:
    return {
        "type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager",
        "message": "Taint manager: deleting due to NoExecute taint", "lastTransitionTime": to_rfc3339(now),
    }
