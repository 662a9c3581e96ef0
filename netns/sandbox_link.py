"""A sandbox wired to its machine by a route, not a bridge.

    sandbox                                          machine
    eth0 10.244.1.5/32  =========================  vethXXXX, no address, MAC ee:ee:ee:ee:ee:ee
    default via 169.254.1.1 dev eth0 onlink          10.244.1.5 dev vethXXXX scope link, rp_filter 1

Neighbours are static on both sides: nothing is ever asked by ARP, and the kernel's limit of dynamic neighbours, which all namespaces of a
machine share, is not touched. `rp_filter` drops what a sandbox sends under an address that is not its own. Two sends, no lookups: the
interfaces' indexes are chosen, not asked for.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from netns import netlink, sysctl
from netns.errors import KernelError
from netns.kernel import inside
from netns.netlink import CREATE, EXCL, REPLACE, NetlinkSocket, Request, attribute, nested

GATEWAY: Final = "169.254.1.1"
GATEWAY_MAC: Final = "ee:ee:ee:ee:ee:ee"
ROUTE_PROTOCOL: Final = 107                # marks our routes ("proto 107"); no routing daemon has that number

_NEWLINK, _DELLINK, _GETLINK, _NEWADDR, _NEWROUTE, _DELROUTE, _NEWNEIGH = 16, 17, 18, 20, 24, 25, 28
_UP: Final = 1
_LOOPBACK_INDEX: Final = 1
_ONLINK: Final = 4
_PERMANENT: Final = 0x80
_MAIN_TABLE: Final = 254
_UNIVERSE, _LINK_SCOPE = 0, 253
_UNICAST, _BLACKHOLE = 1, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxLink:
    """One sandbox's wire. `index` is the number of both interfaces and must be free in the machine."""

    host_ifname: str
    index: int
    address: str                 # "10.244.1.5"
    mtu: int = 1450
    ifname: str = "eth0"

    @property
    def mac(self) -> str:
        """Inside the sandbox; spells the address."""
        return "0a:58:" + ":".join(f"{byte:02x}" for byte in ipaddress.IPv4Address(self.address).packed)


def attach(link: SandboxLink, netns_path: str) -> None:
    """Wires the sandbox at that path to the namespace of the calling thread. Idempotent: a wire that is there stays in use."""
    sandbox_fd = netlink.descriptor_of(netns_path)
    try:
        with NetlinkSocket() as machine:
            try:
                machine.perform([_pair(link, sandbox_fd), *_machine_side(link)])
            except KernelError as error:
                if error.errno != errno.EEXIST:
                    raise
                _take_over(machine, link, sandbox_fd, netns_path)
    finally:
        os.close(sandbox_fd)
    sysctl.write(f"net/ipv4/conf/{link.host_ifname}/rp_filter", "1")
    with inside(netns_path):
        sysctl.apply(sysctl.SANDBOX)
        with NetlinkSocket() as sandbox:
            sandbox.perform(_sandbox_side(link))


def detach(host_ifname: str) -> None:
    """Takes the wire away, both ends and the route with it. Idempotent."""
    body = _ifinfo(0) + attribute(_IFLA_IFNAME, host_ifname.encode() + b"\0")
    with NetlinkSocket() as machine:
        machine.perform([Request(f"delete link {host_ifname}", _DELLINK, 0, body, tolerate=(errno.ENODEV,))])


def set_blackhole(cidr: str) -> None:
    """Packets to addresses of the range that no sandbox has end here, instead of leaving by the default route."""
    with NetlinkSocket() as machine:
        machine.perform([_route(f"add blackhole {cidr}", ipaddress.IPv4Network(cidr), kind=_BLACKHOLE)])


def bring_loopback_up() -> None:
    """In the namespace of the calling thread."""
    with NetlinkSocket() as here:
        here.perform([_up(_LOOPBACK_INDEX, "lo")])


def _take_over(machine: NetlinkSocket, link: SandboxLink, sandbox_fd: int, netns_path: str) -> None:
    """Something of that name or number exists: ours, complete, from before a restart; or the rest of one whose sandbox is gone."""
    with inside(netns_path), NetlinkSocket() as sandbox:
        complete = _exists(sandbox, link.ifname)
    if not (complete and _exists(machine, link.host_ifname)):
        detach(link.host_ifname)
        machine.perform([_pair(link, sandbox_fd)])
    machine.perform(_machine_side(link))


def _exists(where: NetlinkSocket, ifname: str) -> bool:
    body = _ifinfo(0) + attribute(_IFLA_IFNAME, ifname.encode() + b"\0")
    try:
        where.perform([Request(f"find link {ifname}", _GETLINK, 0, body)])
    except KernelError as error:
        if error.errno == errno.ENODEV:
            return False
        raise
    return True


_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO, _IFLA_NET_NS_FD = 1, 3, 4, 18, 28
_IFLA_NUM_TX_QUEUES, _IFLA_NUM_RX_QUEUES = 31, 32
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 1, 2, 1


def _pair(link: SandboxLink, sandbox_fd: int) -> Request:
    mtu = attribute(_IFLA_MTU, struct.pack("=I", link.mtu))
    # One queue: the default is one per processor, which nobody serves here. The far end must not be created up (ENOTCONN).
    queues = attribute(_IFLA_NUM_TX_QUEUES, struct.pack("=I", 1)) + attribute(_IFLA_NUM_RX_QUEUES, struct.pack("=I", 1))
    peer = nested(
        _VETH_INFO_PEER,
        _ifinfo(link.index),
        attribute(_IFLA_IFNAME, link.ifname.encode() + b"\0"),
        attribute(_IFLA_ADDRESS, _mac(link.mac)),
        attribute(_IFLA_NET_NS_FD, struct.pack("=I", sandbox_fd)),
        mtu,
        queues,
    )
    body = b"".join((
        _ifinfo(link.index, up=True),
        attribute(_IFLA_IFNAME, link.host_ifname.encode() + b"\0"),
        attribute(_IFLA_ADDRESS, _mac(GATEWAY_MAC)),
        mtu,
        queues,
        nested(_IFLA_LINKINFO, attribute(_IFLA_INFO_KIND, b"veth\0"), nested(_IFLA_INFO_DATA, peer)),
    ))
    return Request(f"create link {link.host_ifname}", _NEWLINK, CREATE | EXCL, body)


def _machine_side(link: SandboxLink) -> Sequence[Request]:
    own = ipaddress.IPv4Network(link.address)
    return (
        _route(f"add route to {link.address}", own, index=link.index, scope=_LINK_SCOPE),
        _neighbour(link.index, link.address, link.mac),
    )


def _sandbox_side(link: SandboxLink) -> Sequence[Request]:
    address = socket.inet_aton(link.address)
    ifaddr = struct.pack("=BBBBI", socket.AF_INET, 32, 0, _UNIVERSE, link.index) + attribute(1, address) + attribute(2, address)
    return (
        _up(_LOOPBACK_INDEX, "lo"),
        _up(link.index, link.ifname),
        Request(f"add address {link.address}", _NEWADDR, CREATE | REPLACE, ifaddr),
        _route("add default route", ipaddress.IPv4Network("0.0.0.0/0"), index=link.index, gateway=GATEWAY),
        _neighbour(link.index, GATEWAY, GATEWAY_MAC),
    )


def _up(index: int, name: str) -> Request:
    return Request(f"set link {name} up", _NEWLINK, 0, _ifinfo(index, up=True))


def _ifinfo(index: int, *, up: bool = False) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, _UP if up else 0, _UP if up else 0)


def _route(
    operation: str, to: ipaddress.IPv4Network, *, index: int = 0, scope: int = _UNIVERSE, kind: int = _UNICAST, gateway: str = ""
) -> Request:
    flags = _ONLINK if gateway else 0
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, to.prefixlen, 0, 0, _MAIN_TABLE, ROUTE_PROTOCOL, scope, kind, flags)
    if to.prefixlen:
        body += attribute(1, to.network_address.packed)
    if index:
        body += attribute(4, struct.pack("=I", index))
    if gateway:
        body += attribute(5, socket.inet_aton(gateway))
    return Request(operation, _NEWROUTE, CREATE | REPLACE, body)


def _neighbour(index: int, address: str, mac: str) -> Request:
    body = struct.pack("=BxxxiHBB", socket.AF_INET, index, _PERMANENT, 0, 0)
    body += attribute(1, socket.inet_aton(address)) + attribute(2, _mac(mac))
    return Request(f"add neighbour {address}", _NEWNEIGH, CREATE | REPLACE, body)


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))
