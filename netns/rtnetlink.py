"""Links, addresses, routes and neighbours as netlink messages (rtnetlink(7)): what netlink.py sends, and how to read what it brings."""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from netns.netlink import CREATE, REPLACE, NetlinkSocket, Request, attribute, attributes

NEWLINK, DELLINK, GETLINK, NEWADDR, DELADDR, GETADDR = 16, 17, 18, 20, 21, 22
NEWROUTE, DELROUTE, GETROUTE, NEWNEIGH, DELNEIGH, GETNEIGH = 24, 25, 26, 28, 29, 30
LOOPBACK_INDEX: Final = 1
ROUTE_PROTOCOL: Final = 107                # marks our routes ("proto 107"); no routing daemon has that number
UNIVERSE, LINK_SCOPE = 0, 253
UNICAST, BLACKHOLE = 1, 6
PERMANENT, NOARP = 0x80, 0x40              # states of a neighbour
SELF: Final = 0x02                         # flag of a forwarding entry: the device's own, not its bridge's
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINKINFO, IFLA_NET_NS_FD, IFLA_NUM_TX_QUEUES, IFLA_NUM_RX_QUEUES = 1, 3, 4, 18, 28, 31, 32
IFLA_INFO_KIND, IFLA_INFO_DATA = 1, 2

_UP: Final = 1
_ONLINK: Final = 4
_MAIN_TABLE: Final = 254
_RTA_DST, _RTA_OIF, _RTA_GATEWAY = 1, 4, 5
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_NDA_DST, _NDA_LLADDR = 1, 2
_LINK, _ADDRESS = struct.Struct("=BxHiII"), struct.Struct("=BBBBI")
_ROUTE, _NEIGHBOUR = struct.Struct("=BBBBBBBBI"), struct.Struct("=BxxxiHBB")
_GONE: Final = (errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL)


class HeldRoute(NamedTuple):
    to: str                     # "10.244.2.0/24"
    gateway: str


class HeldNeighbour(NamedTuple):
    address: str
    mac: str
    state: int


def ifinfo(index: int, *, up: bool = False) -> bytes:
    return _LINK.pack(socket.AF_UNSPEC, 0, index, _UP if up else 0, _UP if up else 0)


def link_up(index: int, name: str, *more: bytes) -> Request:
    return Request(f"set link {name} up", NEWLINK, 0, ifinfo(index, up=True) + b"".join(more))


def number(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


def name_of(ifname: str) -> bytes:
    return attribute(IFLA_IFNAME, ifname.encode() + b"\0")


def address(index: int, own: str, *, delete: bool = False) -> Request:
    """`own` as a /32."""
    packed = socket.inet_aton(own)
    body = _ADDRESS.pack(socket.AF_INET, 32, 0, UNIVERSE, index) + attribute(_IFA_ADDRESS, packed) + attribute(_IFA_LOCAL, packed)
    if delete:
        return Request(f"delete address {own}", DELADDR, 0, body, tolerate=_GONE)
    return Request(f"add address {own}", NEWADDR, CREATE | REPLACE, body)


def route(
    to: str, *, index: int = 0, scope: int = UNIVERSE, kind: int = UNICAST, gateway: str = "", delete: bool = False
) -> Request:
    """Of the main table, marked as ours; one with a gateway is onlink."""
    network = ipaddress.IPv4Network(to)
    flags = _ONLINK if gateway else 0
    body = _ROUTE.pack(socket.AF_INET, network.prefixlen, 0, 0, _MAIN_TABLE, ROUTE_PROTOCOL, scope, kind, flags)
    if network.prefixlen:
        body += attribute(_RTA_DST, network.network_address.packed)
    if index:
        body += number(_RTA_OIF, index)
    if gateway:
        body += attribute(_RTA_GATEWAY, socket.inet_aton(gateway))
    if delete:
        return Request(f"delete route to {to}", DELROUTE, 0, body, tolerate=_GONE)
    return Request(f"add route to {to}", NEWROUTE, CREATE | REPLACE, body)


def neighbour(
    index: int, address: str, mac: str, *, family: int = socket.AF_INET, state: int = PERMANENT, flags: int = 0, delete: bool = False
) -> Request:
    """A permanent one; with AF_BRIDGE a forwarding entry: frames to `mac` go to the machine at `address`."""
    body = _NEIGHBOUR.pack(family, index, state, flags, 0)
    body += attribute(_NDA_DST, socket.inet_aton(address)) + attribute(_NDA_LLADDR, packed_mac(mac))
    if delete:
        return Request(f"delete neighbour {address}", DELNEIGH, 0, body, tolerate=_GONE)
    return Request(f"add neighbour {address}", NEWNEIGH, CREATE | REPLACE, body)


def link_attributes(where: NetlinkSocket, index: int) -> dict[int, bytes]:
    """Of the link of that number; none if there is none."""
    for payload in where.dump(Request("list links", GETLINK, 0, ifinfo(0))):
        if _LINK.unpack_from(payload)[2] == index:
            return attributes(payload[_LINK.size:])
    return {}


def addresses(where: NetlinkSocket, index: int) -> Iterator[str]:
    """IPv4, of that link."""
    for payload in where.dump(Request("list addresses", GETADDR, 0, _ADDRESS.pack(socket.AF_INET, 0, 0, 0, 0))):
        if _ADDRESS.unpack_from(payload)[4] == index:
            yield socket.inet_ntoa(attributes(payload[_ADDRESS.size:])[_IFA_LOCAL])


def routes(where: NetlinkSocket, index: int) -> Iterator[HeldRoute]:
    """Ours, with a gateway, that leave by that link."""
    for payload in where.dump(Request("list routes", GETROUTE, 0, _ROUTE.pack(socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0))):
        _, length, _, _, _, protocol, _, _, _ = _ROUTE.unpack_from(payload)
        found = attributes(payload[_ROUTE.size:])
        if protocol == ROUTE_PROTOCOL and _RTA_GATEWAY in found and found.get(_RTA_OIF) == struct.pack("=I", index):
            yield HeldRoute(f"{socket.inet_ntoa(found[_RTA_DST])}/{length}", socket.inet_ntoa(found[_RTA_GATEWAY]))


def neighbours(where: NetlinkSocket, index: int, family: int = socket.AF_INET) -> Iterator[HeldNeighbour]:
    """Those of that link that have an IPv4 address and a MAC."""
    for payload in where.dump(Request("list neighbours", GETNEIGH, 0, _NEIGHBOUR.pack(family, 0, 0, 0, 0))):
        _, held_index, state, _, _ = _NEIGHBOUR.unpack_from(payload)
        found = attributes(payload[_NEIGHBOUR.size:])
        if held_index == index and _NDA_LLADDR in found and len(found.get(_NDA_DST, b"")) == 4:
            yield HeldNeighbour(socket.inet_ntoa(found[_NDA_DST]), found[_NDA_LLADDR].hex(":"), state)


def packed_mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def mac_of(address: str, prefix: str = "02:6b") -> str:
    """A locally administered MAC that spells the IPv4 address: 02:6b:ac:1e:00:0b."""
    return ":".join((prefix, *(f"{byte:02x}" for byte in ipaddress.IPv4Address(address).packed)))
