"""The overlay: sandboxes of other machines are reached through one VXLAN device, as flannel's vxlan backend does it.

Per peer one route, one neighbour and one forwarding entry, all static; the device learns nothing and floods nothing:

    10.244.2.0/24 via 10.244.2.0 dev vxlan1 onlink        which sandboxes stand behind the peer
    10.244.2.0 lladdr 0e:6b:ac:1e:00:0c                   the peer's device
    0e:6b:ac:1e:00:0c dst 172.30.0.12                     where to send the outer packet

A device's MAC spells its machine's address, so peers need not tell each other. Works in the namespace of the calling thread.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from netns.errors import KernelError
from netns.fabric import mac_of
from netns.iproute import IPRoute, NetlinkError
from netns.sandbox_link import ROUTE_PROTOCOL

DEVICE: Final = "vxlan1"
VNI: Final = 1
PORT: Final = 8472                 # Linux's own default, and flannel's; IANA's later number is 4789
_MAC_PREFIX: Final = "0e:6b"
_PERMANENT: Final = 0x80
_NOARP: Final = 0x40
_SELF: Final = 0x02
_ONLINK: Final = ("onlink",)


class Peer(NamedTuple):
    """Another machine: where it is, and which range of sandboxes it has."""

    machine: str                   # "172.30.0.12"
    cidr: str                      # "10.244.2.0/24"

    @property
    def gateway(self) -> str:
        return str(ipaddress.IPv4Network(self.cidr).network_address)

    @property
    def mac(self) -> str:
        return mac_of(self.machine, _MAC_PREFIX)


def create(own: Peer, *, mtu: int = 1450) -> None:
    """Makes this machine's device with the first address of its range; one that is not as it should be is made anew."""
    with _netlink("set the overlay device up") as route:
        links = route.get_links(ifname=DEVICE) if route.link_lookup(ifname=DEVICE) else ()
        if links and not _is_as_wanted(links[0], own):
            route.link("del", index=links[0]["index"])
            links = ()
        if not links:
            route.link(
                "add", ifname=DEVICE, kind="vxlan", address=own.mac, mtu=mtu,
                vxlan_id=VNI, vxlan_local=own.machine, vxlan_port=PORT, vxlan_learning=False,
            )  # fmt: skip
        (index,) = route.link_lookup(ifname=DEVICE)
        for held in route.get_addr(index=index, family=socket.AF_INET):
            if held.get("IFA_LOCAL") != own.gateway:
                route.addr("del", index=index, address=held.get("IFA_LOCAL"), prefixlen=held["prefixlen"])
        route.addr("replace", index=index, address=own.gateway, prefixlen=32)
        route.link("set", index=index, mtu=mtu, state="up")


def set_peers(peers: Iterable[Peer]) -> None:
    """Makes the kernel's routes, neighbours and forwarding entries those of the peers: adds what is missing, removes what is not theirs."""
    wanted = set(peers)
    with _netlink("set the overlay's peers") as route:
        (index,) = route.link_lookup(ifname=DEVICE)
        entries = {(peer.mac, peer.machine) for peer in wanted}
        neighbours = {(peer.gateway, peer.mac) for peer in wanted}
        routes = {(peer.cidr, peer.gateway) for peer in wanted}
        held_entries, held_neighbours, held_routes = _entries(route, index), _neighbours(route, index), _routes(route, index)
        for cidr, _ in held_routes - routes:
            _gone(route.route, dst=cidr, oif=index, proto=ROUTE_PROTOCOL)
        for gateway, mac in held_neighbours - neighbours:
            _gone(route.neigh, dst=gateway, lladdr=mac, ifindex=index)
        for mac, machine in held_entries - entries:
            _gone(route.fdb, lladdr=mac, dst=machine, ifindex=index, flags=_SELF)
        for mac, machine in entries - held_entries:
            route.fdb("replace", lladdr=mac, dst=machine, ifindex=index, flags=_SELF, state=_PERMANENT | _NOARP)
        for gateway, mac in neighbours - held_neighbours:
            route.neigh("replace", dst=gateway, lladdr=mac, ifindex=index, state=_PERMANENT)
        for cidr, gateway in routes - held_routes:         # last: no packet goes a way that is not finished
            route.route("replace", dst=cidr, gateway=gateway, oif=index, flags=_ONLINK, proto=ROUTE_PROTOCOL)


def _is_as_wanted(link: Any, own: Peer) -> bool:
    data = link.get("IFLA_LINKINFO").get("IFLA_INFO_DATA")
    held = (link.get("IFLA_ADDRESS"), data.get("IFLA_VXLAN_ID"), data.get("IFLA_VXLAN_LOCAL"), data.get("IFLA_VXLAN_PORT"))
    return held == (own.mac, VNI, own.machine, PORT)


def _routes(route: IPRoute, index: int) -> set[tuple[str, str]]:
    found = route.get_routes(family=socket.AF_INET, oif=index, proto=ROUTE_PROTOCOL)
    return {(f"{entry.get('RTA_DST')}/{entry['dst_len']}", entry.get("RTA_GATEWAY")) for entry in found if entry.get("RTA_GATEWAY")}


def _neighbours(route: IPRoute, index: int) -> set[tuple[str, str]]:
    found = route.get_neighbours(family=socket.AF_INET, ifindex=index)
    return {(entry.get("NDA_DST"), entry.get("NDA_LLADDR")) for entry in found if entry["state"] & _PERMANENT}


def _entries(route: IPRoute, index: int) -> set[tuple[str, str]]:
    found = route.get_neighbours(family=socket.AF_BRIDGE, ifindex=index)
    return {(entry.get("NDA_LLADDR"), entry.get("NDA_DST")) for entry in found if entry.get("NDA_DST")}


def _gone(call: Any, **what: Any) -> None:
    try:
        call("del", **what)
    except NetlinkError as error:
        if error.code not in (errno.ENOENT, errno.ESRCH):
            raise


@contextmanager
def _netlink(operation: str) -> Iterator[IPRoute]:
    try:
        with IPRoute() as route:
            yield route
    except NetlinkError as error:
        raise KernelError(operation, error.code, str(error)) from error
