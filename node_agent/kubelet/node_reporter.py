"""Registers the Node, keeps its status and its Lease fresh. Follows pkg/kubelet/kubelet_node_status.go and client-go's lease controller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import msgspec

from kube.api.coordination_v1 import Lease, LeaseSpec
from kube.api.core_v1 import Node, NodeStatus
from kube.api.meta_v1 import ObjectMeta, OwnerReference
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.events import EventRecorder
from kube.client.transport import PatchKind
from kube.process.clock import Clock, to_rfc3339_micro
from kube.process.log import get_logger
from node_agent.kubelet.config import KubeletConfig
from node_agent.kubelet.node_status import Machine, changed, initial_node, node_addresses, node_status
from node_agent.runtime.model import Image

LEASE_NAMESPACE = "kube-node-lease"
RETRY_S = 0.2
MAX_RETRY_S = 7.0
TAKEOVER_S = 5.0
CONDITION_EVENTS: Final = {
    ("Ready", "True"): "NodeReady", ("Ready", "False"): "NodeNotReady",
    ("MemoryPressure", "False"): "NodeHasSufficientMemory", ("MemoryPressure", "True"): "NodeHasInsufficientMemory",
    ("DiskPressure", "False"): "NodeHasNoDiskPressure", ("DiskPressure", "True"): "NodeHasDiskPressure",
    ("PIDPressure", "False"): "NodeHasSufficientPID", ("PIDPressure", "True"): "NodeHasInsufficientPID",
}
CORDON, SCHEDULABLE, NOT_SCHEDULABLE = "cordon", "NodeSchedulable", "NodeNotSchedulable"
log = get_logger("node")


def _is_ready(status: NodeStatus) -> bool:
    return any(condition.type == "Ready" and condition.status == "True" for condition in status.conditions)


def _cordon(node: Node) -> str:
    return NOT_SCHEDULABLE if node.spec.unschedulable else SCHEDULABLE


class NodeReporter:
    def __init__(
        self, config: KubeletConfig, client: Client, clock: Clock, machine: Machine, pod_cidr: Callable[[], str],
        images: Callable[[], Sequence[Image]], events: EventRecorder, pressure: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self._config = config
        self._client = client
        self._clock = clock
        self._machine = machine
        self._pod_cidr = pod_cidr                          # "": the network is not ready
        self._images = images
        self._events = events
        self._pressure = pressure                          # MemoryPressure ...: what the node is short of
        self._told: dict[str, str] = {}                    # status by condition, as events have said it
        self._now_please = asyncio.Event()
        self._key = NamespacedName("", config.node_name)
        self._node: Node | None = None
        self._sent = NodeStatus()
        self._sent_at: datetime | None = None

    async def register(self) -> Node:
        """Creates the Node or takes the existing one over; tries until the apiserver answers."""
        retry_s = RETRY_S
        while True:
            try:
                self._node = await self._create_or_get()
            except errors.ApiError as error:
                log.info("node not registered yet", error=str(error))
                await self._clock.sleep(retry_s)
                retry_s = min(retry_s * 2, MAX_RETRY_S)
                continue
            self._sent = self._node.status
            log.info("registered node", node=self._config.node_name)
            self._events.event(self._node, "Normal", "Starting", "Starting kubelet.")
            if self._sent_at is None:                      # it was there before us, and so was what it says
                self._told = {condition.type: condition.status for condition in self._sent.conditions}
                self._told[CORDON] = _cordon(self._node)
            self._tell(self._node)
            return self._node

    def report_soon(self) -> None:
        """Something changed that the Node should say at once."""
        self._now_please.set()

    def on_node(self, node: Node) -> None:
        """The Node as the informer has it."""
        if node.metadata.name == self._config.node_name:
            self._node = node
            self._tell_cordon(node)

    def on_deleted(self) -> None:
        """Someone deleted our Node: it is registered again at once."""
        self._sent_at = None
        self._now_please.set()

    async def run_status(self) -> None:
        """Every period, or at once when asked; sends only what differs, and all of it from time to time."""
        if _is_ready(self._sent) and not self._pod_cidr():
            # We restarted on a node that works. Its network stands, we have only not taken it over yet: that is no outage.
            with suppress(TimeoutError):
                async with asyncio.timeout(TAKEOVER_S):
                    await self._now_please.wait()
        while True:
            self._now_please.clear()
            try:
                await self._report()
            except errors.NotFound:
                await self.register()
                self._now_please.set()
            except errors.ApiError as error:
                log.warning("node status not sent", error=str(error))
            try:
                async with asyncio.timeout(self._config.node_status_update_s):
                    await self._now_please.wait()
            except TimeoutError:
                pass

    async def run_lease(self) -> None:
        lease: Lease | None = None
        retry_s = RETRY_S
        while True:
            try:
                lease = await self._renew(lease)
                retry_s = RETRY_S
                await self._clock.sleep(self._config.lease_renew_s)
            except errors.ApiError as error:
                log.warning("lease not renewed", error=str(error))
                lease = None
                await self._clock.sleep(retry_s)
                retry_s = min(retry_s * 2, MAX_RETRY_S)

    async def _create_or_get(self) -> Node:
        try:
            # A Node that was deleted under running Pods gets its range back, which their addresses are of.
            created = await self._client.create(initial_node(self._config, self._status(NodeStatus()), self._pod_cidr()))
            self._sent_at = self._clock.now()
            return created
        except errors.AlreadyExists:
            node = await self._client.get(Node, self._key)
        return await self._take_over(node)

    async def _take_over(self, node: Node) -> Node:
        """The Node of our former life: says at once where we are now, for routes to our Pods are made from it."""
        wanted = initial_node(self._config, NodeStatus(), "").metadata
        labels = {name: value for name, value in wanted.labels.items() if node.metadata.labels.get(name) != value}
        annotations = {name: value for name, value in wanted.annotations.items() if node.metadata.annotations.get(name) != value}
        if labels or annotations:
            node = await self._client.patch(Node, self._key, {"metadata": {"labels": labels, "annotations": annotations}})
        if (addresses := node_addresses(self._config, node.status)) != node.status.addresses:
            status = msgspec.structs.replace(node.status, addresses=addresses)
            patch = _patch(node.status, status)
            node = await self._client.patch(Node, self._key, patch, kind=PatchKind.STRATEGIC, subresource="status")
            log.info("changed node addresses", node=self._config.node_name, address=self._config.node_ip)
        return node

    def _status(self, held: NodeStatus) -> NodeStatus:
        return node_status(
            self._config, self._machine, held, network_ready=bool(self._pod_cidr()), runtime_error="", images=self._images(),
            now=self._clock.now(), pressure=self._pressure(),
        )

    async def _report(self) -> None:
        held = self._node.status if self._node is not None else self._sent
        status, now = self._status(held), self._clock.now()
        due = self._sent_at is None or (now - self._sent_at).total_seconds() >= self._config.node_status_report_s
        if not due and not changed(self._sent, status) and held.addresses == status.addresses:
            return
        self._node = await self._client.patch(Node, self._key, _patch(held, status), kind=PatchKind.STRATEGIC, subresource="status")
        self._sent, self._sent_at = self._node.status, now
        self._tell(self._node)

    def _tell(self, node: Node) -> None:
        """An event per condition that has changed."""
        for condition in node.status.conditions:
            reason = CONDITION_EVENTS.get((condition.type, condition.status))
            before = self._told.get(condition.type, "False" if condition.type == "Ready" else "")      # a new Node is not ready, no news
            if reason and before != condition.status:
                self._events.event(node, "Normal", reason, f"Node {node.metadata.name} status is now: {reason}")
            self._told[condition.type] = condition.status

    def _tell_cordon(self, node: Node) -> None:
        if _cordon(node) != self._told.get(CORDON, SCHEDULABLE):
            self._events.event(node, "Normal", _cordon(node), f"Node {node.metadata.name} status is now: {_cordon(node)}")
        self._told[CORDON] = _cordon(node)

    async def _renew(self, lease: Lease | None) -> Lease:
        now = to_rfc3339_micro(self._clock.now())
        if lease is not None:
            return await self._client.update(msgspec.structs.replace(lease, spec=msgspec.structs.replace(lease.spec, renew_time=now)))
        spec = LeaseSpec(holder_identity=self._config.node_name, lease_duration_seconds=self._config.lease_duration_s, renew_time=now)
        key = NamespacedName(LEASE_NAMESPACE, self._config.node_name)
        try:
            held = await self._client.get(Lease, key)
        except errors.NotFound:
            owners: tuple[OwnerReference, ...] = ()
            if self._node is not None and self._node.metadata.uid:
                owner = OwnerReference(api_version="v1", kind="Node", name=self._config.node_name, uid=self._node.metadata.uid)
                owners = (owner,)
            metadata = ObjectMeta(namespace=key.namespace, name=key.name, owner_references=owners)
            return await self._client.create(Lease(metadata=metadata, spec=spec))
        return await self._client.update(msgspec.structs.replace(held, spec=spec))


def _patch(held: NodeStatus, status: NodeStatus) -> dict[str, Any]:
    """What differs; conditions and addresses merge by type."""
    before, after = msgspec.to_builtins(held), msgspec.to_builtins(status)
    return {"status": {name: value for name, value in after.items() if before.get(name) != value}}
