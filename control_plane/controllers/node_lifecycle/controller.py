"""Node health: a Node whose Lease is not renewed becomes Unknown, is tainted, and its Pods are no longer Ready.

Follows upstream's node-lifecycle-controller, without polling: a renewal or a changed condition wakes its Node, and each Node's
next look is set for the instant at which its grace would end. As upstream, silence is measured by this process's own clock from
when it saw the last sign of life, and nobody is evicted while no Node at all is Ready: then the trouble is on our side.
Not taken: upstream's rate of tainted Nodes per zone.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from control_plane.controllers.indexes import BY_NODE, index_by_node
from control_plane.controllers.managed import ControllerContext, ManagedController
from control_plane.controllers.node_lifecycle.conditions import condition, ready_status, silenced
from control_plane.controllers.node_lifecycle.taints import with_taints
from control_plane.controllers.pods import is_ready
from kube.api.coordination_v1 import Lease
from kube.api.core_v1 import Node, Pod
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.objects import key_of
from kube.process.clock import to_rfc3339

LEASE_NAMESPACE: Final = "kube-node-lease"
LATE_S: Final = 0.05     # look a little after the instant, not before


class NodeLifecycleController(ManagedController[NamespacedName]):
    def __init__(self, context: ControllerContext, *, grace_s: float, startup_grace_s: float) -> None:
        super().__init__("node-lifecycle", context)
        self.events = context.events.named("node-controller")
        self._grace_s = grace_s
        self._startup_grace_s = startup_grace_s
        self._last_sign: dict[str, float] = {}
        self._any_ready = False
        self._nodes = self.informer(Node)
        self._leases = self.informer(Lease, namespace=LEASE_NAMESPACE)
        self._pods = self.informer(Pod)
        index_by_node(self._pods)
        self._nodes.add_handler(self._on_node, self._on_node_updated, self._on_node_gone)
        self._leases.add_handler(self._on_renewal, self._on_lease_updated)

    def _on_node(self, node: Node) -> None:
        name = node.metadata.name
        self._last_sign[name] = self.clock.monotonic()
        self.events.event(node, "Normal", "RegisteredNode", f"Node {name} event: Registered Node {name} in Controller")
        self._changed(node)

    def _on_node_updated(self, old: Node, new: Node) -> None:
        if _heartbeat(old) != _heartbeat(new):
            self._last_sign[new.metadata.name] = self.clock.monotonic()
        if old.status.conditions != new.status.conditions or old.spec != new.spec:
            self._changed(new)

    def _on_node_gone(self, node: Node) -> None:
        name = node.metadata.name
        self._last_sign.pop(name, None)
        self.events.event(node, "Normal", "RemovingNode", f"Node {name} event: Removing Node {name} from Controller")
        self._changed(node)

    def _changed(self, node: Node) -> None:
        self.queue.add(key_of(node))
        any_ready = any(ready_status(held) == "True" for held in self._nodes.store.list())
        if any_ready != self._any_ready:        # whether anybody is evicted changed for all
            self._any_ready = any_ready
            for held in self._nodes.store.list():
                self.queue.add(key_of(held))

    def _on_renewal(self, lease: Lease) -> None:
        self._last_sign[lease.metadata.name] = self.clock.monotonic()

    def _on_lease_updated(self, old: Lease, new: Lease) -> None:
        if old.spec.renew_time != new.spec.renew_time:
            self._on_renewal(new)

    async def reconcile(self, key: NamespacedName) -> Result:
        node = self._nodes.get(key)
        if node is None:
            return DONE
        grace_s = self._startup_grace_s if condition(node, "Ready") is None else self._grace_s
        remaining_s = self._last_sign.get(key.name, 0.0) + grace_s - self.clock.monotonic()
        if remaining_s <= 0 and (silent := silenced(node, self.clock.now())) is not node:
            self.log.info("node fell silent", node=key.name, grace_s=grace_s)
            node = await self.client.update_status(silent)
        await self._set_taints(node)
        if ready_status(node) != "True":
            await self._mark_pods_not_ready(node)
        return Result(requeue_after_s=(remaining_s if remaining_s > 0 else grace_s) + LATE_S)

    async def _set_taints(self, node: Node) -> None:
        changed = with_taints(node, evict=self._somebody_lives(), now=self.clock.now())
        if changed is not node:
            await self.client.update(changed)

    def _somebody_lives(self) -> bool:
        """Whether any Node is Ready and was heard of in time. Not the stored condition alone: when all fell silent together,
        the first to be marked must not be drained because the others are not marked yet."""
        heard_since = self.clock.monotonic() - self._grace_s
        return any(
            ready_status(held) == "True" and self._last_sign.get(held.metadata.name, 0.0) > heard_since
            for held in self._nodes.store.list())

    async def _mark_pods_not_ready(self, node: Node) -> None:
        """So that Services stop sending to them; their own kubelet, once it is back, says Ready again."""
        pods = [pod for pod in self._pods.by_index(BY_NODE, node.metadata.name) if is_ready(pod)]
        if not pods or condition(node, "Ready") is None:
            return
        name = node.metadata.name
        self.events.event(node, "Normal", "NodeNotReady", f"Node {name} status is now: NodeNotReady")
        await asyncio.gather(*(self._mark_pod_not_ready(pod) for pod in pods))

    async def _mark_pod_not_ready(self, pod: Pod) -> None:
        self.events.event(pod, "Warning", "NodeNotReady", "Node is not ready")
        now = to_rfc3339(self.clock.now())
        conditions = tuple(
            msgspec.structs.replace(held, status="False", last_transition_time=now) if held.type == "Ready" else held
            for held in pod.status.conditions)
        changed = msgspec.structs.replace(pod, status=msgspec.structs.replace(pod.status, conditions=conditions))
        try:
            await self.client.update_status(changed)
        except errors.NotFound:
            return


def _heartbeat(node: Node) -> str:
    ready = condition(node, "Ready")
    return ready.last_heartbeat_time if ready is not None else ""
