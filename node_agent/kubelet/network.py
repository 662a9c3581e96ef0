"""Pod networking on this node: routed, an address from the node's range, a tunnel to the other nodes.

    network = PodNetwork(kernel, node_ip="172.30.0.11", root_dir=...)
    await network.setup("10.244.1.0/24", peers_of(nodes, "node1"))     # when the Node has its podCIDR; again after a restart
    address = await network.add(pod_uid, netns_path)                   # the namespace exists and is the caller's
    await network.remove(pod_uid)
    await network.set_peers(peers_of(nodes, "node1"))                  # whenever Nodes change

Everything may be called again with the same arguments and then changes nothing, so that a kubelet that restarts says it all
once more and no Pod notices. All of it happens on the one kernel thread: calls never run at the same time.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from kube.api.core_v1 import Node
from kube.process.log import get_logger
from netns import overlay, sandbox_link, sysctl
from netns.kernel import KernelThread
from netns.overlay import Peer
from netns.sandbox_link import SandboxLink
from node_agent.kubelet.network_addresses import AddressPool

FIRST_INDEX = 1000          # of Pods' interfaces: the range's n-th address has 1000 + n; the node's own are far below


class NetworkNotReadyError(Exception):
    """The node has no Pod range yet."""


class PodNetwork:
    def __init__(self, kernel: KernelThread, *, node_ip: str, root_dir: str | Path, mtu: int = 1450) -> None:
        self._kernel = kernel
        self._node_ip = node_ip
        self._folder = Path(root_dir) / "network"
        self._mtu = mtu
        self._pool: AddressPool | None = None
        self._log = get_logger("network")

    @property
    def ready(self) -> bool:
        """True after `setup`."""
        return self._pool is not None

    @property
    def pod_cidr(self) -> str:
        """The range that Pods here have addresses of; "" before `setup`."""
        return self._pool.cidr if self._pool else ""

    async def setup(self, pod_cidr: str, peers: Iterable[Peer] | None = ()) -> None:
        """The node's part: settings, the tunnel's device, a dead end for addresses of the range that no Pod has.

        Peers None: not known yet, those that are there stay; unless the node has another address than its device, which is made anew then.
        """
        await self._kernel.run_in(None, partial(self._setup, pod_cidr, None if peers is None else tuple(peers)))
        self._log.info("pod network is ready", pod_cidr=pod_cidr)

    async def set_peers(self, peers: Iterable[Peer]) -> None:
        """The other nodes: routes to their Pods."""
        await self._kernel.run_in(None, partial(overlay.set_peers, self._others(peers)))

    async def add(self, pod_uid: str, netns_path: str) -> str:
        """Wires the Pod's namespace and gives its address, the same one whenever this Pod asks."""
        return await self._kernel.run_in(None, partial(self._add, pod_uid, netns_path))

    async def remove(self, pod_uid: str) -> None:
        """Takes the Pod's link away and frees its address."""
        await self._kernel.run_in(None, partial(self._remove, pod_uid))

    async def remove_all_but(self, known: Callable[[], Iterable[str]]) -> None:
        """After a restart: what is held for Pods that are no more. `known` is asked after what is held has been read."""
        held = await self._kernel.run_in(None, self._held)
        for pod_uid in set(held).difference(known()):
            await self.remove(pod_uid)

    def address_of(self, pod_uid: str) -> str | None:
        """The address that the Pod holds."""
        return self._pool.address_of(pod_uid) if self._pool else None

    def _setup(self, pod_cidr: str, peers: tuple[Peer, ...] | None) -> None:
        sysctl.apply(sysctl.MACHINE)
        sandbox_link.set_blackhole(pod_cidr)
        overlay.create(Peer(self._node_ip, pod_cidr), mtu=self._mtu)
        if peers is not None:
            overlay.set_peers(self._others(peers))
        if self._pool is None or self._pool.cidr != pod_cidr:
            self._pool = AddressPool(self._folder, pod_cidr)

    def _others(self, peers: Iterable[Peer]) -> tuple[Peer, ...]:
        # Who is said to be where we are has not yet said where it went. A packet for its Pods would come back to us, again and again.
        return tuple(peer for peer in peers if peer.machine != self._node_ip)

    def _add(self, pod_uid: str, netns_path: str) -> str:
        if self._pool is None:
            raise NetworkNotReadyError("the node has no Pod range (spec.podCIDR) yet")
        address = self._pool.hold(pod_uid)
        index = FIRST_INDEX + int(ipaddress.IPv4Address(address)) - int(ipaddress.IPv4Network(self._pool.cidr).network_address)
        link = SandboxLink(host_ifname=host_veth_name(pod_uid), index=index, address=address, mtu=self._mtu)
        sandbox_link.attach(link, netns_path)
        return address

    def _remove(self, pod_uid: str) -> None:
        # The link first: an address must not be given out while a route still leads to its last holder.
        sandbox_link.detach(host_veth_name(pod_uid))
        if self._pool is not None:
            self._pool.release(pod_uid)

    def _held(self) -> list[str]:
        return self._pool.holders() if self._pool else []


def host_veth_name(pod_uid: str) -> str:
    """Stable per Pod; hashed because the kernel allows 15 bytes for an interface's name."""
    return "veth" + hashlib.sha256(pod_uid.encode()).hexdigest()[:11]


def peers_of(nodes: Iterable[Node], own_name: str) -> list[Peer]:
    """The other nodes that can be reached: those with a Pod range and an internal address."""
    peers = []
    for node in nodes:
        addresses = [address.address for address in node.status.addresses if address.type == "InternalIP" and ":" not in address.address]
        if node.metadata.name != own_name and node.spec.pod_cidr and addresses:
            peers.append(Peer(addresses[0], node.spec.pod_cidr))
    return peers
