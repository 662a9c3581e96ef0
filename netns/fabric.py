"""The fabric: the wire between machines. A bridge in a namespace of its own; each machine hangs on it by a veth pair.

                 fabric namespace                       machine's namespace
    fabric0 (bridge, 172.30.0.1/24) --- NAME ======== eth0 (172.30.0.11/24, default via 172.30.0.1)

The bridge has an address because a machine needs a default route: without one, a process of the machine that opens a connection to a
Service address fails before any rule can redirect it. Nothing is forwarded further unless someone connects the fabric namespace to a world.

Synchronous: call from a thread without a running event loop, or through KernelThread.
"""

from __future__ import annotations

import errno
import hashlib
import ipaddress
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netns import namespaces, sysctl
from netns.errors import KernelError
from netns.kernel import inside
from netns.rtnetlink import mac_of

if TYPE_CHECKING:
    from netns.iproute import IPRoute  # imported where the fabric is changed: it takes 45 ms, and most who know a fabric never do

BRIDGE = "fabric0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Uplink:
    """How a machine hangs on the fabric."""

    name: str                    # of its port in the fabric's namespace: at most 15 bytes, unique on the fabric
    address: str                 # "172.30.0.11/24"
    gateway: str = ""            # "172.30.0.1"; "" gives no default route
    ifname: str = "eth0"         # inside the machine
    mtu: int = 1500

    @property
    def mac(self) -> str:
        """Fixed by the address, so that neighbours' caches stay right when a machine is made again."""
        return mac_of(str(ipaddress.ip_interface(self.address).ip))


def port_name(machine: str) -> str:
    """The machine's name where an interface may have it (15 bytes), else a short form of it."""
    return machine if len(machine) <= 15 else f"{machine[:8]}-{hashlib.sha256(machine.encode()).hexdigest()[:6]}"


def create_fabric(fabric_ns: str, address: str, *, mtu: int = 1500) -> None:
    """Makes or completes the fabric: the namespace of that name, with a bridge that has the address ("172.30.0.1/24")."""
    fabric_path = namespaces.create_named(fabric_ns)
    with inside(fabric_path):
        sysctl.apply(sysctl.FABRIC)
    with _network(fabric_path) as route:
        route.link("set", index=1, state="up")
        if not route.link_lookup(ifname=BRIDGE):
            route.link("add", ifname=BRIDGE, kind="bridge", address=mac_of(address.partition("/")[0]), mtu=mtu, br_forward_delay=0)
        (bridge,) = route.link_lookup(ifname=BRIDGE)
        route.addr("replace", index=bridge, address=address.partition("/")[0], prefixlen=int(address.partition("/")[2]))
        route.link("set", index=bridge, state="up")


def delete_fabric(fabric_ns: str) -> None:
    """Takes the fabric away; machines lose their uplink with it. Idempotent."""
    with _network_if_exists(fabric_ns) as route:
        if route is not None:                        # the kernel cleans a namespace up some time later; machines lose their links now
            for bridge in route.link_lookup(ifname=BRIDGE):
                for port in route.link_lookup(master=bridge):
                    route.link("del", index=port)
    namespaces.delete_named(fabric_ns)


def attach_machine(fabric_ns: str, machine_ns: str, uplink: Uplink) -> None:
    """Gives the machine its uplink. Idempotent: a machine that has one keeps it, and what is missing of it is added."""
    fabric_path, machine_path = namespaces.path_of(fabric_ns), namespaces.path_of(machine_ns)
    with inside(machine_path):
        sysctl.apply(sysctl.MACHINE)
    with _network(fabric_path) as route:
        if not route.link_lookup(ifname=uplink.name):
            _make_pair(route, machine_path, uplink)
        (port,) = route.link_lookup(ifname=uplink.name)
        (bridge,) = route.link_lookup(ifname=BRIDGE)
        route.link("set", index=port, master=bridge, mtu=uplink.mtu, state="up")
    with _network(machine_path) as route:
        route.link("set", index=1, state="up")
        (link,) = route.link_lookup(ifname=uplink.ifname)
        address, _, length = uplink.address.partition("/")
        route.addr("replace", index=link, address=address, prefixlen=int(length))
        route.link("set", index=link, state="up")
        if uplink.gateway:
            route.route("replace", dst="0.0.0.0/0", gateway=uplink.gateway, oif=link)


def _make_pair(route: IPRoute, machine_path: str, uplink: Uplink) -> None:
    machine = os.open(machine_path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        peer = {"ifname": uplink.ifname, "address": uplink.mac, "mtu": uplink.mtu, "net_ns_fd": machine}
        route.link("add", ifname=uplink.name, kind="veth", mtu=uplink.mtu, peer=peer)
    finally:
        os.close(machine)


def detach_machine(fabric_ns: str, name: str) -> None:
    """Takes the machine's uplink away (`name`: of its port). Idempotent."""
    with _network_if_exists(fabric_ns) as route:
        if route is not None and (found := route.link_lookup(ifname=name)):
            route.link("del", index=found[0])


def set_connected(fabric_ns: str, name: str, *, connected: bool) -> None:
    """Cuts a machine off (its port goes down, the machine's own link loses its carrier) or connects it again."""
    with _network(namespaces.path_of(fabric_ns)) as route:
        if not (found := route.link_lookup(ifname=name)):
            raise KernelError(f"find port {name} in fabric {fabric_ns}", errno.ENODEV)
        route.link("set", index=found[0], state="up" if connected else "down")


def ports(fabric_ns: str) -> list[str]:
    """The names of the ports, sorted."""
    with _network_if_exists(fabric_ns) as route:
        if route is None or not (bridge := route.link_lookup(ifname=BRIDGE)):
            return []
        return sorted(link.get("ifname") for link in route.get_links() if link.get("master") == bridge[0])


@contextmanager
def _network(netns_path: str) -> Iterator[IPRoute]:
    """A netlink socket of that namespace; the socket stays there when the thread has come back."""
    from netns.iproute import IPRoute, NetlinkError

    with inside(netns_path):
        route = IPRoute()
    try:
        yield route
    except NetlinkError as error:
        raise KernelError(f"change the network of {netns_path}", error.code, str(error)) from error
    finally:
        route.close()


@contextmanager
def _network_if_exists(name: str) -> Iterator[IPRoute | None]:
    if not namespaces.exists(name):
        yield None
        return
    with _network(namespaces.path_of(name)) as route:
        yield route
