"""Nodes whose machine is gone are deleted, those whose machine is switched off are tainted.

Follows upstream's cloud node lifecycle controller. The cloud has no watch: it is asked every few seconds, once for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from control_plane.cloud.machines import Cloud, CloudError, Machine
from kube.api.core_v1 import Node, Taint
from kube.apimachinery import errors
from kube.client.client import Client
from kube.client.events import EventRecorder
from kube.client.informer import Informer
from kube.client.objects import key_of
from kube.process.clock import Clock
from kube.process.log import get_logger

SHUTDOWN: Final = "node.cloudprovider.kubernetes.io/shutdown"

log = get_logger("cloud-node-lifecycle")


@dataclass(frozen=True, slots=True)
class Plan:
    delete: tuple[Node, ...]
    taint: tuple[Node, ...]
    untaint: tuple[Node, ...]


def plan_nodes(nodes: Iterable[Node], machines: Mapping[str, Machine]) -> Plan:
    """Pure. A Node without provider id never had a machine of ours: it is left alone."""
    ours = [node for node in nodes if node.spec.provider_id and not node.metadata.deletion_timestamp]
    present = [(node, machines[node.metadata.name]) for node in ours if _is_on(node, machines)]
    return Plan(
        delete=tuple(node for node in ours if not _is_on(node, machines)),
        taint=tuple(node for node, machine in present if not machine.running and not _is_ready(node) and not _is_tainted(node)),
        untaint=tuple(node for node, machine in present if machine.running and _is_tainted(node)),
    )


def _is_on(node: Node, machines: Mapping[str, Machine]) -> bool:
    machine = machines.get(node.metadata.name)
    return machine is not None and machine.provider_id == node.spec.provider_id


def _is_ready(node: Node) -> bool:
    return any(held.type == "Ready" and held.status == "True" for held in node.status.conditions)


def _is_tainted(node: Node) -> bool:
    return any(taint.key == SHUTDOWN for taint in node.spec.taints)


def tainted(node: Node) -> Node:
    if _is_tainted(node):
        return node
    taints = (*node.spec.taints, Taint(key=SHUTDOWN, effect="NoSchedule"))
    return msgspec.structs.replace(node, spec=msgspec.structs.replace(node.spec, taints=taints))


def untainted(node: Node) -> Node:
    taints = tuple(taint for taint in node.spec.taints if taint.key != SHUTDOWN)
    return msgspec.structs.replace(node, spec=msgspec.structs.replace(node.spec, taints=taints))


class NodeLifecycle:
    def __init__(
        self, client: Client, nodes: Informer[Node], cloud: Cloud, events: EventRecorder, clock: Clock, period_s: float
    ) -> None:
        self._client = client
        self._nodes = nodes
        self._cloud = cloud
        self._events = events
        self._clock = clock
        self._period_s = period_s

    async def run(self) -> None:
        await self._nodes.wait_synced()
        while True:
            await self._clock.sleep(self._period_s)
            try:
                await self.check()
            except CloudError as error:
                log.warning("machines cannot be listed", error=str(error))
            except errors.ApiError as error:
                log.warning("node cannot be changed", error=str(error))

    async def check(self) -> None:
        plan = plan_nodes(self._nodes.store.list(), await self._cloud.machines())
        for node in plan.delete:
            name = node.metadata.name
            message = f"Deleting node {name} because it does not exist in the cloud provider"
            self._events.event(node, "Normal", "DeletingNode", message)
            log.info("deleting node, its machine is gone", node=name)
            try:
                await self._client.delete(Node, key_of(node), uid=node.metadata.uid)
            except errors.NotFound:
                continue
        for node in plan.taint:
            await self._client.guaranteed_update(Node, key_of(node), tainted)
        for node in plan.untaint:
            await self._client.guaranteed_update(Node, key_of(node), untainted)
