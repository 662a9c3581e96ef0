"""The Pod network: what ip(8) sees of it, and what gets through."""

from __future__ import annotations

import asyncio
import subprocess
from functools import partial
from pathlib import Path

import pytest

from netns import namespaces
from netns.overlay import Peer
from node_agent.kubelet.network import PodNetwork
from tests.support import witness
from tests.support.kernel_lab import Lab, Machine, Pod
from tests.support.kernel_services import eventually

pytestmark = pytest.mark.kernel


def routes(name: str) -> set[str]:
    held = witness.ip_json("-n", name, "route")
    return {f"{route.get('type', 'unicast')} {route['dst']} via {route.get('gateway', '-')}" for route in held}


@pytest.mark.req("CNI-01", "CNI-15")
async def test_pod_has_its_address_and_a_default_route(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        node = await lab.machine(1)
        pod = await lab.pod(node)

        links = {link["ifname"]: link for link in witness.ip_json("-n", pod.name, "addr")}
        (default,) = witness.ip_json("-n", pod.name, "route")
        (neighbour,) = witness.ip_json("-n", pod.name, "neigh")

        assert pod.address == "10.244.1.1"
        addresses = [(info["local"], info["prefixlen"]) for info in links["eth0"]["addr_info"] if info["family"] == "inet"]
        assert addresses == [(pod.address, 32)]
        assert links["eth0"]["mtu"] == 1450
        assert "LOWER_UP" in links["eth0"]["flags"]
        assert "UP" in links["lo"]["flags"]
        assert (default["dst"], default["gateway"], default["flags"]) == ("default", "169.254.1.1", ["onlink"])
        assert (neighbour["dst"], neighbour["lladdr"], neighbour["state"]) == ("169.254.1.1", "ee:ee:ee:ee:ee:ee", ["PERMANENT"])


async def test_node_routes_to_its_pods_and_nowhere_for_the_rest_of_its_range(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        node = await lab.machine(1)
        pod = await lab.pod(node)

        assert {"unicast 10.244.1.1 via -", "blackhole 10.244.1.0/24 via -"} <= routes(node.name)
        with pytest.raises(OSError, match=r"Invalid argument|unreachable"):
            await lab.ask(node, "10.244.1.77", 80)

        await node.network.remove(pod.uid)
        await node.network.remove(pod.uid)
        assert "unicast 10.244.1.1 via -" not in routes(node.name)
        assert [link["ifname"] for link in witness.ip_json("-n", pod.name, "link")] == ["lo"]


@pytest.mark.req("CNI-02", "CNI-03")
async def test_pods_reach_each_other_without_nat(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        nodes = [await lab.machine(1), await lab.machine(2)]
        await lab.connect()
        pods = [await lab.pod(node) for node in (nodes[0], nodes[0], nodes[1])]
        for pod in pods:
            await lab.serve(pod, 8080)
            await lab.serve(pod, 8080, protocol="udp")

        for client in pods:
            for server in pods:
                for protocol in ("tcp", "udp"):
                    assert await lab.ask(client, server.address, 8080, protocol=protocol) == (server.name, client.address)
        for node in nodes:
            for server in pods:
                assert (await lab.ask(node, server.address, 8080)).server == server.name


async def test_peers_come_and_go(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        node = await lab.machine(1)

        await node.network.set_peers([Peer("172.30.0.12", "10.244.2.0/24"), Peer("172.30.0.13", "10.244.3.0/24")])
        both = routes(node.name)
        await node.network.set_peers([Peer("172.30.0.13", "10.244.3.0/24")])

        assert {"unicast 10.244.2.0/24 via 10.244.2.0", "unicast 10.244.3.0/24 via 10.244.3.0"} <= both
        assert "unicast 10.244.2.0/24 via 10.244.2.0" not in routes(node.name)
        assert "unicast 10.244.3.0/24 via 10.244.3.0" in routes(node.name)
        assert [entry["dst"] for entry in witness.bridge_json(node.name, "fdb", "show", "dev", "vxlan1")] == ["172.30.0.13"]
        neighbours = witness.ip_json("-n", node.name, "neigh", "show", "dev", "vxlan1")
        assert [(entry["dst"], entry["lladdr"]) for entry in neighbours] == [("10.244.3.0", "0e:6b:ac:1e:00:0d")]


async def test_restarted_kubelet_finds_everything_and_disturbs_nothing(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        node = await lab.machine(1)
        pods = [await lab.pod(node), await lab.pod(node)]
        await lab.serve(pods[0], 8080)
        before = witness.ip_json("-n", node.name, "-d", "link"), routes(node.name)

        with await lab.socket(pods[1]) as client:
            await asyncio.get_running_loop().sock_connect(client, (pods[0].address, 8080))
            again = await restarted(lab, node)
            held = [await again.add(pod.uid, namespaces.path_of(pod.name)) for pod in pods]
            await asyncio.get_running_loop().sock_sendall(client, b"?")
            answer = await asyncio.get_running_loop().sock_recv(client, 100)

        assert held == [pod.address for pod in pods]
        assert answer.decode().startswith(pods[0].name)
        assert (witness.ip_json("-n", node.name, "-d", "link"), routes(node.name)) == before

        await again.remove_all_but(lambda: [pods[1].uid])
        assert again.address_of(pods[0].uid) is None
        assert {"unicast 10.244.1.2 via -"} == {route for route in routes(node.name) if route.startswith("unicast 10.244.1.")}


async def restarted(lab: Lab, node: Machine) -> PodNetwork:
    network = PodNetwork(node.kernel, node_ip=node.address, root_dir=lab.folder / node.name)
    await network.setup(node.pod_cidr)
    return network


async def test_pod_whose_namespace_was_lost_gets_a_new_link_and_its_old_address(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        node = await lab.machine(1)
        pod = await lab.pod(node)
        fresh = f"{lab.prefix}-fresh"
        await node.kernel.run_in(None, partial(namespaces.create_named, fresh))

        address = await node.network.add(pod.uid, namespaces.path_of(fresh))

        assert address == pod.address
        await lab.serve(fresh, 8080)
        assert (await lab.ask(node, address, 8080)).server == fresh


async def test_pod_cannot_send_under_another_address(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        node = await lab.machine(1)
        liar, victim = await lab.pod(node), await lab.pod(node)
        await lab.serve(victim, 8080, protocol="udp")
        witness.ip_json("-n", liar.name, "addr", "add", "10.244.1.200/32", "dev", "eth0")
        before = dropped(node, liar)

        with await lab.socket(liar, "udp") as client:
            client.bind(("10.244.1.200", 0))
            with pytest.raises(TimeoutError):
                await lab.ask_with(client, victim.address, 8080, within_s=0.3)

        await eventually(lambda: dropped(node, liar) > before)


def dropped(node: Machine, _: Pod) -> int:
    """Packets that the node's kernel refused by reverse path filter."""
    text = subprocess.run(["ip", "netns", "exec", node.name, "cat", "/proc/net/netstat"], capture_output=True, text=True, check=True).stdout
    names, values = (line.split()[1:] for line in text.splitlines() if line.startswith("TcpExt:"))
    return int(dict(zip(names, values, strict=True))["IPReversePathFilter"])


async def test_the_hosts_own_network_is_untouched(tmp_path: Path) -> None:
    before = witness.host_network()
    async with Lab(tmp_path) as lab:
        nodes = [await lab.machine(1), await lab.machine(2)]
        await lab.connect()
        await lab.pod(nodes[0])
        during = witness.host_network()

    assert during == before
    assert witness.host_network() == before
    assert namespaces.list_named(lab.prefix) == []


async def moved(lab: Lab, node: Machine, last_byte: int) -> None:
    """The machine comes back with another address; its kubelet starts again and does not know its peers yet."""
    node.address = f"172.30.0.{last_byte}"
    witness.ip_json("-n", node.name, "addr", "flush", "dev", "eth0")
    witness.ip_json("-n", node.name, "addr", "add", f"{node.address}/24", "dev", "eth0")
    witness.ip_json("-n", node.name, "route", "replace", "default", "via", "172.30.0.1", "dev", "eth0")
    node.network = await restarted(lab, node)


async def forget_neighbours(*nodes: Machine) -> None:
    """As after gratuitous ARP: who has an address now is asked anew."""
    for node in nodes:
        witness.ip_json("-n", node.name, "neigh", "flush", "dev", "eth0")


@pytest.mark.req("CNI-02")
async def test_a_node_that_returns_with_another_address_is_reached_there(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        nodes = [await lab.machine(1), await lab.machine(2)]
        await lab.connect()
        pods = [await lab.pod(node) for node in nodes]
        for pod in pods:
            await lab.serve(pod, 8080)

        await moved(lab, nodes[1], 77)
        await lab.connect()

        (device,) = witness.ip_json("-n", nodes[1].name, "-d", "link", "show", "vxlan1")
        assert (device["linkinfo"]["info_data"]["local"], device["address"]) == ("172.30.0.77", "0e:6b:ac:1e:00:4d")
        assert [entry["dst"] for entry in witness.bridge_json(nodes[0].name, "fdb", "show", "dev", "vxlan1")] == ["172.30.0.77"]
        (neighbour,) = witness.ip_json("-n", nodes[0].name, "neigh", "show", "dev", "vxlan1")
        assert (neighbour["dst"], neighbour["lladdr"]) == ("10.244.2.0", "0e:6b:ac:1e:00:4d")
        assert (await lab.ask(pods[0], pods[1].address, 8080)).server == pods[1].name
        assert (await lab.ask(pods[1], pods[0].address, 8080)).server == pods[0].name


@pytest.mark.req("CNI-02")
async def test_two_nodes_that_swap_their_addresses_are_not_mistaken_for_each_other(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        still, first, second = nodes = [await lab.machine(number) for number in (1, 2, 3)]
        await lab.connect()
        pods = [await lab.pod(node) for node in nodes]
        for pod in pods:
            await lab.serve(pod, 8080)

        await moved(lab, first, 250)         # two cannot have one address at the same time
        await moved(lab, second, 12)
        both = [Peer("172.30.0.12", first.pod_cidr), Peer("172.30.0.12", second.pod_cidr)]
        await still.network.set_peers(both)  # one Node says where it is, the other still where it was
        await moved(lab, first, 13)
        await forget_neighbours(*nodes)
        await lab.connect()

        held = witness.ip_json("-n", still.name, "neigh", "show", "dev", "vxlan1")
        assert {entry["dst"]: entry["lladdr"] for entry in held} == {"10.244.2.0": "0e:6b:ac:1e:00:0d", "10.244.3.0": "0e:6b:ac:1e:00:0c"}
        for client in pods:
            for server in pods:
                if client is not server:
                    assert await lab.ask(client, server.address, 8080) == (server.name, client.address)


async def test_a_peer_that_is_said_to_be_where_we_are_gets_no_route(tmp_path: Path) -> None:
    async with Lab(tmp_path) as lab:
        node = await lab.machine(1)

        await node.network.set_peers([Peer(node.address, "10.244.2.0/24"), Peer("172.30.0.13", "10.244.3.0/24")])

        assert "unicast 10.244.2.0/24 via 10.244.2.0" not in routes(node.name)
        assert "unicast 10.244.3.0/24 via 10.244.3.0" in routes(node.name)
