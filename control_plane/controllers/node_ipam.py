"""Gives each Node its range of Pod addresses: Node.spec.podCIDR. Follows upstream's node-ipam-controller (RangeAllocator)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from control_plane.controllers.managed import ControllerContext, ManagedController
from kube.api.core_v1 import Node
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.objects import key_of
from kube.client.transport import PatchKind


class CidrSet:
    """The ranges of one mask size within the cluster's. Hands them out in order, a freed one only after all others."""

    def __init__(self, cluster_cidr: str, mask_size: int) -> None:
        self._cluster = ipaddress.IPv4Network(cluster_cidr)
        if not self._cluster.prefixlen <= mask_size <= 30:
            raise ValueError(f"node_cidr_mask_size must be between {self._cluster.prefixlen} and 30, got {mask_size}")
        self._mask_size = mask_size
        self._count = 1 << (mask_size - self._cluster.prefixlen)
        self._used: set[int] = set()
        self._next = 0

    def occupy(self, cidr: str) -> None:
        network = ipaddress.ip_network(cidr)
        if isinstance(network, ipaddress.IPv4Network) and network.subnet_of(self._cluster):
            first = self._index(network.network_address)
            last = self._index(network.broadcast_address)
            self._used.update(range(first, last + 1))

    def release(self, cidr: str) -> None:
        network = ipaddress.ip_network(cidr)
        if isinstance(network, ipaddress.IPv4Network) and network.subnet_of(self._cluster):
            self._used.discard(self._index(network.network_address))

    def allocate(self) -> str | None:
        """None when all ranges are taken."""
        for step in range(self._count):
            index = (self._next + step) % self._count
            if index not in self._used:
                self._used.add(index)
                self._next = index + 1
                first = int(self._cluster.network_address) + (index << (32 - self._mask_size))
                return f"{ipaddress.IPv4Address(first)}/{self._mask_size}"
        return None

    def _index(self, address: ipaddress.IPv4Address) -> int:
        return (int(address) - int(self._cluster.network_address)) >> (32 - self._mask_size)


class NodeIpamController(ManagedController[NamespacedName]):
    """One worker: two Nodes must never be offered one range."""

    def __init__(self, context: ControllerContext, cluster_cidr: str, mask_size: int) -> None:
        super().__init__("node-ipam", context, workers=1)
        self._cidrs = CidrSet(cluster_cidr, mask_size)
        self._nodes = self.informer(Node)
        self._nodes.add_handler(self._on_node, lambda _old, new: self._on_node(new), self._on_deleted)

    async def wait_synced(self) -> None:
        """Occupies every range in use before the first is handed out."""
        await super().wait_synced()
        for node in self._nodes.store.list():
            self._occupy(_ranges(node))

    def _on_node(self, node: Node) -> None:
        if node.spec.pod_cidr:
            self._occupy(_ranges(node))
        else:
            self.queue.add(key_of(node))

    def _on_deleted(self, node: Node) -> None:
        for cidr in _ranges(node):
            self._cidrs.release(cidr)
        for waiting in self._nodes.store.list():
            self._on_node(waiting)

    def _occupy(self, cidrs: Iterable[str]) -> None:
        for cidr in cidrs:
            self._cidrs.occupy(cidr)

    async def reconcile(self, key: NamespacedName) -> Result:
        node = self._nodes.get(key)
        if node is None or node.spec.pod_cidr:
            return DONE
        cidr = self._cidrs.allocate()
        if cidr is None:
            self.events.event(node, "Normal", "CIDRNotAvailable", f"Node {key.name} status is now: CIDRNotAvailable")
            return DONE     # a deleted Node wakes those who wait
        patch = {"metadata": {"uid": node.metadata.uid}, "spec": {"podCIDR": cidr, "podCIDRs": [cidr]}}
        try:
            await self.client.patch(Node, key, patch, kind=PatchKind.MERGE)
        except errors.NotFound:
            self._cidrs.release(cidr)
        except errors.ApiError:
            await self._settle(key, cidr)
            raise
        else:
            self.log.info("assigned a Pod range", node=key.name, cidr=cidr)
        return DONE

    async def _settle(self, key: NamespacedName, cidr: str) -> None:
        """The patch failed, or its answer was lost: give the range back only if the Node does not hold it."""
        try:
            node = await self.client.get(Node, key)
        except errors.NotFound:
            self._cidrs.release(cidr)
        except errors.ApiError:
            return          # unknown: rather lose a range than give it twice
        else:
            if node.spec.pod_cidr != cidr:
                self._cidrs.release(cidr)


def _ranges(node: Node) -> tuple[str, ...]:
    return node.spec.pod_cidrs or ((node.spec.pod_cidr,) if node.spec.pod_cidr else ())
