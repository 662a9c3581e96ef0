"""hostPort: a port of the node that leads to a port of one of its Pods. Follows the portmap plugin of CNI, as maps in a table of its own.

    ports = HostPorts(kernel, node_ip="172.30.0.11")
    await ports.restore(runtime.sandboxes())        # after a restart; nothing is in between open or shut
    await ports.add(sandbox)                        # once it has its address
    await ports.remove(pod_uid)                     # before its address is given to another

    $ ip netns exec NODE nft list table ip kubonsai-hostports

A client keeps its address; only a Pod that reaches itself, and the node's own 127.0.0.1, appear as the node. Two Pods that want the same
port of the same address are the scheduler's affair; the later one here gets it. Where no Pod has any, there is no table.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Final

from kube.api.core_v1 import Pod
from kube.process.log import get_logger
from netns import conntrack, sysctl
from netns.conntrack import Socket
from netns.kernel import KernelThread
from netns.nft import Nft
from node_agent.kubelet.network import host_veth_name
from node_agent.runtime.model import HostPort, Sandbox

TABLE: Final = "ip kubonsai-hostports"
LOOPBACK: Final = "127."
# Connection mark 1 is kube-proxy's for "keeps the client's address".
_RULES: Final = f"""
table {TABLE} {{
  comment "hostPorts of this node's Pods; written by the kubelet"
  map addresses {{ type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }}
  map everywhere {{ type inet_proto . inet_service : ipv4_addr . inet_service; }}
  set chosen {{ type ipv4_addr . inet_proto . inet_service; }}
  set chosen_everywhere {{ type inet_proto . inet_service; }}
  set hairpin {{ type ipv4_addr . ipv4_addr; }}
  set links {{ type ifname; }}
  chain to-address {{
    ct mark set 1
    dnat ip to ip daddr . meta l4proto . th dport map @addresses
  }}
  chain to-everywhere {{
    ct mark set 1
    dnat ip to meta l4proto . th dport map @everywhere
  }}
  chain host-ports {{
    ip daddr . meta l4proto . th dport @chosen goto to-address
    fib daddr type local meta l4proto . th dport @chosen_everywhere goto to-everywhere
  }}
  chain guard {{
    type filter hook prerouting priority raw; policy accept;
    iifname @links ip daddr 127.0.0.0/8 drop comment "their links may carry the node's 127.0.0.1, outwards only"
  }}
  chain prerouting {{
    type nat hook prerouting priority dstnat - 5; policy accept;
    goto host-ports
  }}
  chain output {{
    type nat hook output priority -105; policy accept;
    goto host-ports
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat - 5; policy accept;
    ct status dnat ip saddr . ip daddr @hairpin masquerade fully-random comment "a Pod that reached itself"
    ct status dnat ip saddr 127.0.0.0/8 masquerade fully-random comment "the node's own 127.0.0.1"
  }}
}}
"""
_FILLED: Final = ("map addresses", "map everywhere", "set chosen", "set chosen_everywhere", "set hairpin", "set links")
log = get_logger("host-ports")


def host_ports_of(pod: Pod) -> tuple[HostPort, ...]:
    """What the Pod asks for; nothing of one on the node's own network, which has its ports anyway."""
    if pod.spec.host_network:
        return ()
    return tuple(
        HostPort(
            protocol=(port.protocol or "TCP").lower(), host_ip="" if port.host_ip in ("", "0.0.0.0") else port.host_ip,
            host_port=port.host_port, container_port=port.container_port or port.host_port,
        )
        for container in (*pod.spec.init_containers, *pod.spec.containers) for port in container.ports
        if port.host_port and ":" not in port.host_ip
    )


class HostPorts:
    """Those of one node. Changes are one nftables transaction each, on the kernel thread."""

    def __init__(self, kernel: KernelThread, node_ip: str) -> None:
        self._kernel = kernel
        self._node_ip = node_ip
        self._sandboxes: dict[str, Sandbox] = {}
        self._writing = asyncio.Lock()

    async def restore(self, sandboxes: Iterable[Sandbox]) -> None:
        self._sandboxes = {sandbox.config.uid: sandbox for sandbox in sandboxes if sandbox.config.host_ports and sandbox.address}
        if self._sandboxes:                     # else the library that speaks nftables need not be loaded
            await self._write(())

    async def add(self, sandbox: Sandbox) -> None:
        """Raises NftError."""
        if sandbox.config.host_ports:
            self._sandboxes[sandbox.config.uid] = sandbox
            await self._write((sandbox,))

    async def remove(self, pod_uid: str) -> None:
        if (sandbox := self._sandboxes.pop(pod_uid, None)) is not None:
            await self._write((sandbox,))

    async def _write(self, changed: Iterable[Sandbox]) -> None:
        async with self._writing:
            await self._kernel.run_in(None, partial(self._apply, tuple(self._sandboxes.values()), tuple(changed)))

    def _apply(self, sandboxes: tuple[Sandbox, ...], changed: tuple[Sandbox, ...]) -> None:
        for sandbox in sandboxes:
            # Else the kernel refuses to send what comes from 127.0.0.1 over the link, before it could be given another source.
            if any(not port.host_ip or port.host_ip.startswith(LOOPBACK) for port in sandbox.config.host_ports):
                link = host_veth_name(sandbox.config.uid)
                sysctl.write(f"net/ipv4/conf/{link}/route_localnet", "1", missing_ok=True)
        nft = Nft()
        try:
            nft.run(render(sandboxes))
        finally:
            nft.close()
        # A UDP flow that was seen before stays where it went: with nobody, or with a Pod that is gone.
        flows = {
            Socket(port.host_ip or self._node_ip, port.host_port): frozenset[Socket]()
            for sandbox in changed for port in sandbox.config.host_ports if port.protocol == "udp"
        }
        conntrack.forget_udp(flows)


def render(sandboxes: Iterable[Sandbox]) -> str:
    """The whole table as one transaction; of no Pods, that it goes. Pure."""
    sandboxes = tuple(sandboxes)
    if not sandboxes:
        return f"add table {TABLE}\ndelete table {TABLE}\n"
    elements: dict[str, dict[str, str]] = {name: {} for name in _FILLED}
    for sandbox in sandboxes:
        elements["set hairpin"][f"{sandbox.address} . {sandbox.address}"] = ""
        elements["set links"][f'"{host_veth_name(sandbox.config.uid)}"'] = ""
        for port in sandbox.config.host_ports:
            target, key = f" : {sandbox.address} . {port.container_port}", f"{port.protocol} . {port.host_port}"
            if port.host_ip:
                elements["map addresses"][f"{port.host_ip} . {key}"] = target
                elements["set chosen"][f"{port.host_ip} . {key}"] = ""
            else:
                elements["map everywhere"][key] = target
                elements["set chosen_everywhere"][key] = ""
    lines = [f"add table {TABLE}", f"delete table {TABLE}", _RULES]
    lines += [
        f"add element {TABLE} {name.split()[1]} {{ {', '.join(key + value for key, value in found.items())} }}"
        for name, found in elements.items() if found
    ]
    return "\n".join(lines) + "\n"
