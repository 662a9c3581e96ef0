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
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from netns import netlink, rtnetlink, sysctl
from netns.errors import KernelError
from netns.kernel import inside
from netns.netlink import CREATE, EXCL, NetlinkSocket, Request, attribute, nested
from netns.rtnetlink import ifinfo, name_of, number, packed_mac

GATEWAY: Final = "169.254.1.1"
GATEWAY_MAC: Final = "ee:ee:ee:ee:ee:ee"

_VETH_INFO_PEER: Final = 1


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
    body = ifinfo(0) + name_of(host_ifname)
    with NetlinkSocket() as machine:
        machine.perform([Request(f"delete link {host_ifname}", rtnetlink.DELLINK, 0, body, tolerate=(errno.ENODEV,))])


def set_blackhole(cidr: str) -> None:
    """Packets to addresses of the range that no sandbox has end here, instead of leaving by the default route."""
    with NetlinkSocket() as machine:
        machine.perform([rtnetlink.route(cidr, kind=rtnetlink.BLACKHOLE)])


def bring_loopback_up() -> None:
    """In the namespace of the calling thread."""
    with NetlinkSocket() as here:
        here.perform([rtnetlink.link_up(rtnetlink.LOOPBACK_INDEX, "lo")])


def _take_over(machine: NetlinkSocket, link: SandboxLink, sandbox_fd: int, netns_path: str) -> None:
    """Something of that name or number exists: ours, complete, from before a restart; or the rest of one whose sandbox is gone."""
    with inside(netns_path), NetlinkSocket() as sandbox:
        complete = _exists(sandbox, link.ifname)
    if not (complete and _exists(machine, link.host_ifname)):
        detach(link.host_ifname)
        machine.perform([_pair(link, sandbox_fd)])
    machine.perform(_machine_side(link))


def _exists(where: NetlinkSocket, ifname: str) -> bool:
    body = ifinfo(0) + name_of(ifname)
    try:
        where.perform([Request(f"find link {ifname}", rtnetlink.GETLINK, 0, body)])
    except KernelError as error:
        if error.errno == errno.ENODEV:
            return False
        raise
    return True


def _pair(link: SandboxLink, sandbox_fd: int) -> Request:
    mtu = number(rtnetlink.IFLA_MTU, link.mtu)
    # One queue: the default is one per processor, which nobody serves here. The far end must not be created up (ENOTCONN).
    queues = number(rtnetlink.IFLA_NUM_TX_QUEUES, 1) + number(rtnetlink.IFLA_NUM_RX_QUEUES, 1)
    peer = nested(
        _VETH_INFO_PEER,
        ifinfo(link.index),
        name_of(link.ifname),
        attribute(rtnetlink.IFLA_ADDRESS, packed_mac(link.mac)),
        number(rtnetlink.IFLA_NET_NS_FD, sandbox_fd),
        mtu,
        queues,
    )
    body = b"".join((
        ifinfo(link.index, up=True),
        name_of(link.host_ifname),
        attribute(rtnetlink.IFLA_ADDRESS, packed_mac(GATEWAY_MAC)),
        mtu,
        queues,
        nested(
            rtnetlink.IFLA_LINKINFO, attribute(rtnetlink.IFLA_INFO_KIND, b"veth\0"), nested(rtnetlink.IFLA_INFO_DATA, peer)
        ),
    ))
    return Request(f"create link {link.host_ifname}", rtnetlink.NEWLINK, CREATE | EXCL, body)


def _machine_side(link: SandboxLink) -> Sequence[Request]:
    return (
        rtnetlink.route(link.address, index=link.index, scope=rtnetlink.LINK_SCOPE),
        rtnetlink.neighbour(link.index, link.address, link.mac),
    )


def _sandbox_side(link: SandboxLink) -> Sequence[Request]:
    return (
        rtnetlink.link_up(rtnetlink.LOOPBACK_INDEX, "lo"),
        rtnetlink.link_up(link.index, link.ifname),
        rtnetlink.address(link.index, link.address),
        rtnetlink.route("0.0.0.0/0", index=link.index, gateway=GATEWAY),
        rtnetlink.neighbour(link.index, GATEWAY, GATEWAY_MAC),
    )
