"""A Node's addresses stay its machine's: a machine may come back with others.

Follows UpdateNodeStatus of upstream's cloud node controller, which looks every five minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from control_plane.cloud.machines import Cloud, CloudError, Machine
from kube.api.core_v1 import Node, NodeAddress
from kube.apimachinery import errors
from kube.client.client import Client
from kube.client.informer import Informer
from kube.client.objects import key_of
from kube.client.transport import PatchKind
from kube.process.clock import Clock
from kube.process.log import get_logger

UNINITIALIZED: Final = "node.cloudprovider.kubernetes.io/uninitialized"
PROVIDED_IP: Final = "alpha.kubernetes.io/provided-node-ip"

log = get_logger("cloud-node-addresses")


def addresses_of(machine: Machine) -> tuple[NodeAddress, ...]:
    return NodeAddress(type="InternalIP", address=machine.address), NodeAddress(type="Hostname", address=machine.name)


async def set_addresses(client: Client, node: Node, machine: Machine) -> None:
    """Raises ApiError."""
    if {*node.status.addresses} != {*addresses_of(machine)}:
        patch = {"status": {"addresses": msgspec.to_builtins(addresses_of(machine))}}
        await client.patch(Node, key_of(node), patch, kind=PatchKind.MERGE, subresource="status")


def contradiction(node: Node, machine: Machine) -> str:
    """Why the machine's address must not be written: its kubelet says that it has another, and that is where it answers. "": it may."""
    provided = node.metadata.annotations.get(PROVIDED_IP, "")
    if provided in ("", machine.address):
        return ""
    return f"failed to get node address from cloud provider that matches ip: {provided}"


def outdated(nodes: Iterable[Node], machines: Mapping[str, Machine]) -> Iterator[tuple[Node, Machine]]:
    """Pure. A Node that is not initialised yet gets its addresses with all the rest."""
    for node in nodes:
        machine = machines.get(node.metadata.name)
        if machine is None or machine.provider_id != node.spec.provider_id or any(taint.key == UNINITIALIZED for taint in node.spec.taints):
            continue
        if {*node.status.addresses} != {*addresses_of(machine)}:
            yield node, machine


class NodeAddresses:
    def __init__(self, client: Client, nodes: Informer[Node], cloud: Cloud, clock: Clock, period_s: float) -> None:
        self._client = client
        self._nodes = nodes
        self._cloud = cloud
        self._clock = clock
        self._period_s = period_s

    async def run(self) -> None:
        await self._nodes.wait_synced()
        while True:
            try:
                await self.check()
            except CloudError as error:
                log.warning("machines cannot be listed", error=str(error))
            await self._clock.sleep(self._period_s)

    async def check(self) -> None:
        """Raises CloudError."""
        for node, machine in outdated(self._nodes.store.list(), await self._cloud.machines()):
            name = node.metadata.name
            if reason := contradiction(node, machine):
                log.warning("node addresses not changed", node=name, address=machine.address, error=reason)
                continue
            try:
                await set_addresses(self._client, node, machine)
            except errors.ApiError as error:
                log.warning("node addresses not changed", node=name, error=str(error))
            else:
                log.info("changed node addresses", node=name, address=machine.address)
