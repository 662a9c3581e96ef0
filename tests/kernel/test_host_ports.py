"""hostPort: who reaches which Pod by a port of its node, and as whom."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from node_agent.kubelet.host_ports import HostPorts
from node_agent.kubelet.network import host_veth_name
from node_agent.runtime.model import HostPort, Sandbox, SandboxConfig
from tests.support import witness
from tests.support.kernel_lab import Lab, Pod

pytestmark = pytest.mark.kernel


def sandbox(pod: Pod, *ports: HostPort) -> Sandbox:
    config = SandboxConfig(uid=pod.uid, namespace="default", name=pod.name, hostname=pod.name, cgroup="/x", log_dir="/x", host_ports=ports)
    return Sandbox(config=config, netns_name=pod.name, net=pod.name, ipc="", uts="", shm="", created_at=0.0, address=pod.address)


def tcp(number: int, host_ip: str = "", container_port: int = 8080) -> HostPort:
    return HostPort(protocol="tcp", host_ip=host_ip, host_port=number, container_port=container_port)


async def test_a_port_of_the_node_leads_to_its_pod_from_everywhere(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        node, other = await lab.machine(1), await lab.machine(2)
        await lab.connect()
        pod, neighbour, far, client = await lab.pod(node), await lab.pod(node), await lab.pod(other), await lab.outsider()
        await lab.serve(pod, 8080)
        ports = HostPorts(node.kernel, node.address)
        await ports.add(sandbox(pod, tcp(7000)))

        seen = {place: await lab.ask(place, node.address, 7000) for place in (client, other.name, node.name)}
        assert {reply.server for reply in seen.values()} == {pod.name}
        assert seen[client].client.startswith("172.30.0.100")               # nobody stands in for the client
        for place in (neighbour, far, pod):
            assert (await lab.ask(place, node.address, 7000)).server == pod.name
        assert (await lab.ask(node, "127.0.0.1", 7000)).server == pod.name
        with pytest.raises(ConnectionRefusedError):
            await lab.ask(client, node.address, 8080)

        await ports.remove(pod.uid)

        with pytest.raises(ConnectionRefusedError):
            await lab.ask(client, node.address, 7000)
        assert "hostports" not in witness.nft_text(node.name, "list", "tables")


async def test_one_port_by_several_addresses_and_protocols(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        node = await lab.machine(1)
        local, address, datagrams = [await lab.pod(node) for _ in range(3)]
        await lab.serve(local, 8080)
        await lab.serve(address, 8080)
        await lab.serve(datagrams, 8080, protocol="udp")
        ports = HostPorts(node.kernel, node.address)
        await ports.restore([
            sandbox(local, tcp(7000, "127.0.0.1")), sandbox(address, tcp(7000, node.address)),
            sandbox(datagrams, HostPort(protocol="udp", host_ip=node.address, host_port=7000, container_port=8080)),
        ])

        assert (await lab.ask(node, "127.0.0.1", 7000)).server == local.name
        assert (await lab.ask(node, node.address, 7000)).server == address.name
        assert (await lab.ask(node, node.address, 7000, protocol="udp")).server == datagrams.name


async def test_a_flow_of_datagrams_follows_the_port_to_another_pod(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        node = await lab.machine(1)
        first, second, client = await lab.pod(node), await lab.pod(node), await lab.outsider()
        for pod in (first, second):
            await lab.serve(pod, 8080, protocol="udp")
        port, ports = HostPort(protocol="udp", host_port=7000, container_port=8080), HostPorts(node.kernel, node.address)
        await ports.add(sandbox(first, port))

        with await lab.socket(client, "udp") as asking:
            assert (await lab.ask_with(asking, node.address, 7000)).server == first.name
            await ports.remove(first.uid)
            await ports.add(sandbox(second, port))
            assert (await lab.ask_with(asking, node.address, 7000)).server == second.name


def send_loopback_out(pod: Pod) -> None:
    """What a Pod with NET_ADMIN can do: its 127.0.0.1 is somebody else."""
    for route in (
        "del local 127.0.0.0/8 dev lo table local", "del local 127.0.0.1 dev lo table local",
        f"add 127.0.0.0/8 via 169.254.1.1 dev eth0 onlink src {pod.address}",
    ):
        subprocess.run(["ip", "-n", pod.name, "route", *route.split()], check=True)


async def test_pods_do_not_reach_the_nodes_own_loopback(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        node = await lab.machine(1)
        pod = await lab.pod(node)
        await lab.serve(pod, 8080)
        await lab.serve(node, 9000, address="127.0.0.1")
        await HostPorts(node.kernel, node.address).add(sandbox(pod, tcp(7000)))
        send_loopback_out(pod)

        with pytest.raises((OSError, TimeoutError)):
            await lab.ask(pod, "127.0.0.1", 9000, within_s=1)
        guard = witness.nft_text(node.name, "list", "chain", "ip", "kubonsai-hostports", "guard")
        assert f'"{host_veth_name(pod.uid)}"' in witness.nft_text(node.name, "list", "set", "ip", "kubonsai-hostports", "links"), guard
