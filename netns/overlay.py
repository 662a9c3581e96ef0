"""The overlay: sandboxes of other machines are reached through one VXLAN device, as flannel's vxlan backend does it.

Per peer one route, one neighbour and one forwarding entry, all static; the device learns nothing and floods nothing:

    10.244.2.0/24 via 10.244.2.0 dev vxlan1 onlink        which sandboxes stand behind the peer
    10.244.2.0 lladdr 0e:6b:ac:1e:00:0c                   the peer's device
    0e:6b:ac:1e:00:0c dst 172.30.0.12                     where to send the outer packet

A device's MAC spells its machine's address, so peers need not tell each other. Works in the namespace of the calling thread.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

from netns import rtnetlink
from netns.errors import translating
from netns.netlink import CREATE, EXCL, NetlinkSocket, Request, attribute, attributes, nested
from netns.rtnetlink import IFLA_ADDRESS, IFLA_INFO_DATA, IFLA_INFO_KIND, IFLA_LINKINFO, IFLA_MTU, mac_of, number, packed_mac

DEVICE: Final = "vxlan1"
VNI: Final = 1
PORT: Final = 8472                 # Linux's own default, and flannel's; IANA's later number is 4789
_MAC_PREFIX: Final = "0e:6b"
_FORWARDING: Final = rtnetlink.PERMANENT | rtnetlink.NOARP
_VXLAN_ID, _VXLAN_LOCAL, _VXLAN_LEARNING, _VXLAN_PORT = 1, 4, 7, 15


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
    with NetlinkSocket() as machine:
        index = _index()
        if index and not _is_as_wanted(rtnetlink.link_attributes(machine, index), own):
            machine.perform([Request(f"delete link {DEVICE}", rtnetlink.DELLINK, 0, rtnetlink.ifinfo(index))])
            index = 0
        if not index:
            machine.perform([_device(own, mtu)])
            index = _index()
        stale = [held for held in rtnetlink.addresses(machine, index) if held != own.gateway]
        machine.perform([
            *(rtnetlink.address(index, held, delete=True) for held in stale),
            rtnetlink.address(index, own.gateway),
            rtnetlink.link_up(index, DEVICE, number(IFLA_MTU, mtu)),
        ])


def set_peers(peers: Iterable[Peer]) -> None:
    """Makes the kernel's routes, neighbours and forwarding entries those of the peers: adds what is missing, removes what is not theirs."""
    wanted = set(peers)
    with translating("find the overlay's device"):
        index = socket.if_nametoindex(DEVICE)
    with NetlinkSocket() as machine:
        entries = {(peer.machine, peer.mac) for peer in wanted}
        neighbours = {(peer.gateway, peer.mac) for peer in wanted}
        routes = {(peer.cidr, peer.gateway) for peer in wanted}
        held_entries = {(held.address, held.mac) for held in rtnetlink.neighbours(machine, index, socket.AF_BRIDGE)}
        held_neighbours = {
            (held.address, held.mac) for held in rtnetlink.neighbours(machine, index) if held.state & rtnetlink.PERMANENT
        }
        held_routes = {(held.to, held.gateway) for held in rtnetlink.routes(machine, index)}
        gateways = {gateway for gateway, _ in neighbours}
        machine.perform([
            *(_entry(index, *new) for new in entries - held_entries),
            *(rtnetlink.neighbour(index, *new) for new in neighbours - held_neighbours),      # takes the place of a peer's former one
            # after these: no packet goes a way that is not finished
            *(rtnetlink.route(to, index=index, gateway=gateway) for to, gateway in routes - held_routes),
            *(rtnetlink.route(to, index=index, gateway=gateway, delete=True) for to, gateway in held_routes - routes),
            *(rtnetlink.neighbour(index, *gone, delete=True) for gone in held_neighbours - neighbours if gone[0] not in gateways),
            *(_entry(index, *gone, delete=True) for gone in held_entries - entries),
        ])


def _index() -> int:
    """The device's; 0 when there is none."""
    try:
        return socket.if_nametoindex(DEVICE)
    except OSError:
        return 0


def _device(own: Peer, mtu: int) -> Request:
    data = nested(
        IFLA_INFO_DATA, number(_VXLAN_ID, VNI), attribute(_VXLAN_LOCAL, socket.inet_aton(own.machine)),
        attribute(_VXLAN_PORT, struct.pack("!H", PORT)), attribute(_VXLAN_LEARNING, b"\0"),
    )  # fmt: skip
    body = b"".join((
        rtnetlink.ifinfo(0), rtnetlink.name_of(DEVICE), attribute(IFLA_ADDRESS, packed_mac(own.mac)), number(IFLA_MTU, mtu),
        nested(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, b"vxlan\0"), data),
    ))
    return Request(f"create link {DEVICE}", rtnetlink.NEWLINK, CREATE | EXCL, body)


def _is_as_wanted(link: dict[int, bytes], own: Peer) -> bool:
    data = attributes(attributes(link.get(IFLA_LINKINFO, b"")).get(IFLA_INFO_DATA, b""))
    held = (link.get(IFLA_ADDRESS), data.get(_VXLAN_ID), data.get(_VXLAN_LOCAL), data.get(_VXLAN_PORT))
    return held == (packed_mac(own.mac), struct.pack("=I", VNI), socket.inet_aton(own.machine), struct.pack("!H", PORT))


def _entry(index: int, machine: str, mac: str, *, delete: bool = False) -> Request:
    return rtnetlink.neighbour(
        index, machine, mac, family=socket.AF_BRIDGE, state=_FORWARDING, flags=rtnetlink.SELF, delete=delete,
    )  # fmt: skip
