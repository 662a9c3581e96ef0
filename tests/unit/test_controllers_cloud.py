"""cloud-controller-manager: new Nodes learn of their machine; Nodes without one go. The cloud speaks gRPC, as the supervisor does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import grpc.aio
import msgspec
import pytest

from control_plane.cloud.addresses import PROVIDED_IP, UNINITIALIZED, NodeAddresses, addresses_of, outdated
from control_plane.cloud.config import CloudConfig
from control_plane.cloud.initialise import NodeInitialiser
from control_plane.cloud.lifecycle import SHUTDOWN, NodeLifecycle, plan_nodes
from control_plane.cloud.machines import CloudError, Machine, MachineRoom
from kube.api.core_v1 import Node, NodeCondition, NodeSpec, NodeStatus, Taint
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery.meta import NamespacedName
from kube.client.events import EventRecorder
from kube.client.informer import InformerFactory
from kube.process.clock import SystemClock
from kube.process.config import ApiserverAccess, ConfigError, TlsFiles
from kube.rpc.v1 import machines_pb2 as pb
from kube.rpc.v1 import machines_pb2_grpc
from tests.support.controllers import eventually, memory_client, running


def machine(name: str, *, running: bool = True, address: str = "172.30.0.12") -> Machine:
    return Machine(name, address, f"kubonsai://test/{name}", "local-a", "local", "small", running)


class Cloud(machines_pb2_grpc.MachineServiceServicer):
    def __init__(self, *machines: Machine) -> None:
        self.machines = [*machines]

    async def ListMachines(self, request: Any, context: Any) -> pb.ListMachinesReply:  # noqa: N802
        return pb.ListMachinesReply(machines=[pb.Machine(**held._asdict()) for held in self.machines])


@asynccontextmanager
async def serving(cloud: Cloud, socket: Path) -> AsyncIterator[MachineRoom]:
    server = grpc.aio.server()
    cast(Any, machines_pb2_grpc).add_MachineServiceServicer_to_server(cloud, server)
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    try:
        async with MachineRoom(str(socket)) as room:
            yield room
    finally:
        await server.stop(None)


def node(name: str, *, ready: str = "True", taints: tuple[Taint, ...] = (), provider_id: str | None = None) -> Node:
    identity = f"kubonsai://test/{name}" if provider_id is None else provider_id
    return Node(
        metadata=ObjectMeta(name=name, uid=name), spec=NodeSpec(provider_id=identity, taints=taints),
        status=NodeStatus(conditions=(NodeCondition(type="Ready", status=ready),)))


@pytest.mark.req("ARC-09")
async def test_a_new_node_gets_its_machines_facts_and_loses_its_taint(tmp_path: Path) -> None:
    client, _ = memory_client()
    other = Taint(key="dedicated", effect="NoSchedule")
    async with serving(Cloud(machine("n1")), tmp_path / "s") as room, running(client, lambda context: NodeInitialiser(context, room)):
        await client.create(node("n1", provider_id="", taints=(Taint(key=UNINITIALIZED, effect="NoSchedule"), other)))

        async def initialised() -> bool:
            return (await client.get(Node, NamespacedName("", "n1"))).spec.taints == (other,)

        await eventually(initialised, what="the taint is gone")
    held = await client.get(Node, NamespacedName("", "n1"))
    assert held.spec.provider_id == "kubonsai://test/n1"
    assert {(address.type, address.address) for address in held.status.addresses} == {
        ("InternalIP", "172.30.0.12"), ("Hostname", "n1")}
    assert held.metadata.labels == {
        "topology.kubernetes.io/zone": "local-a", "topology.kubernetes.io/region": "local",
        "node.kubernetes.io/instance-type": "small"}


@pytest.mark.parametrize(("held", "machines", "expected"), [
    pytest.param(node("n1"), [machine("n1")], ([], [], []), id="all is well"),
    pytest.param(node("n1"), [machine("n2")], (["n1"], [], []), id="its machine is gone"),
    pytest.param(node("n1", provider_id=""), [], ([], [], []), id="never had one of ours"),
    pytest.param(node("n1", ready="Unknown"), [machine("n1", running=False)], ([], ["n1"], []), id="off"),
    pytest.param(node("n1"), [machine("n1", running=False)], ([], [], []), id="off, but its kubelet still speaks"),
    pytest.param(node("n1", taints=(Taint(key=SHUTDOWN, effect="NoSchedule"),)), [machine("n1")], ([], [], ["n1"]), id="on again"),
])
def test_what_becomes_of_a_node(held: Node, machines: list[Machine], expected: tuple[list[str], list[str], list[str]]) -> None:
    plan = plan_nodes([held], {known.name: known for known in machines})
    assert tuple([found.metadata.name for found in group] for group in (plan.delete, plan.taint, plan.untaint)) == expected


async def test_nodes_go_with_their_machines_and_stay_while_the_cloud_cannot_be_asked(tmp_path: Path) -> None:
    client, _ = memory_client()
    await client.create(node("n1"))
    await client.create(node("n2"))
    cloud = Cloud(machine("n1"), machine("n2"))
    async with InformerFactory(client) as informers, EventRecorder(client, "test") as events:
        nodes = informers.informer(Node)
        await informers.start()
        await informers.wait_synced()
        async with serving(cloud, tmp_path / "s") as room:
            lifecycle = NodeLifecycle(client, nodes, room, events, SystemClock(), 5)
            cloud.machines = [machine("n1")]
            await lifecycle.check()
        assert [held.metadata.name for held in await client.list(Node)] == ["n1"]
        async with MachineRoom(str(tmp_path / "nowhere")) as nowhere:
            with pytest.raises(CloudError):
                await NodeLifecycle(client, nodes, nowhere, events, SystemClock(), 5).check()
        assert [held.metadata.name for held in await client.list(Node)] == ["n1"]


def located(name: str, address: str, *, provided: str = "", **more: Any) -> Node:
    held = node(name, **more)
    annotations = {PROVIDED_IP: provided} if provided else {}
    return msgspec.structs.replace(
        held, metadata=msgspec.structs.replace(held.metadata, annotations=annotations),
        status=msgspec.structs.replace(held.status, addresses=addresses_of(machine(name, address=address))))


NEW = Taint(key=UNINITIALIZED, effect="NoSchedule")


@pytest.mark.parametrize(("held", "known", "expected"), [
    pytest.param(located("n1", "172.30.0.12"), machine("n1"), [], id="all is well"),
    pytest.param(located("n1", "172.30.0.11"), machine("n1"), ["n1"], id="it moved"),
    pytest.param(located("n1", "172.30.0.11", taints=(NEW,)), machine("n1"), [], id="not initialised yet"),
    pytest.param(located("n1", "172.30.0.11", provider_id="kubonsai://test/other"), machine("n1"), [], id="another machine of that name"),
    pytest.param(located("n1", "172.30.0.11"), machine("n2"), [], id="no machine of that name"),
])
def test_whose_addresses_are_outdated(held: Node, known: Machine, expected: list[str]) -> None:
    assert [found.metadata.name for found, _ in outdated([held], {known.name: known})] == expected


async def test_addresses_follow_machines_also_when_two_swap_theirs(tmp_path: Path) -> None:
    client, _ = memory_client()
    await client.create(located("n1", "172.30.0.11"))
    await client.create(located("n2", "172.30.0.12", provided="172.30.0.11"))
    await client.create(located("n3", "172.30.0.13", provided="172.30.0.13"))
    cloud = Cloud(machine("n1"), machine("n2", address="172.30.0.11"), machine("n3", address="172.30.0.99"))
    async with InformerFactory(client) as informers, serving(cloud, tmp_path / "s") as room:
        nodes = informers.informer(Node)
        await informers.start()
        running_ = asyncio.create_task(NodeAddresses(client, nodes, room, SystemClock(), 0.01).run(), name="addresses")

        async def addresses() -> dict[str, str]:
            return {held.metadata.name: held.status.addresses[0].address for held in await client.list(Node)}

        async def followed() -> bool:
            # n3's kubelet answers elsewhere than its cloud says: that is for the cloud to learn.
            return await addresses() == {"n1": "172.30.0.12", "n2": "172.30.0.11", "n3": "172.30.0.13"}

        await eventually(followed, what="the addresses are the machines'")
        cloud.machines[2] = machine("n3", address="172.30.0.13")
        cloud.machines[0] = machine("n1", address="172.30.0.50")

        async def followed_again() -> bool:
            return (await addresses())["n1"] == "172.30.0.50"

        await eventually(followed_again, what="a later change, too")
        running_.cancel()
        with suppress(asyncio.CancelledError):
            await running_


@pytest.mark.parametrize("clouds", [{}, {"supervisor_socket": "/s", "machines_folder": "/m"}])
def test_exactly_one_cloud(clouds: dict[str, Any]) -> None:
    access = ApiserverAccess(targets=("127.0.0.1:6444",), tls=TlsFiles(cert_file="", key_file="", ca_file=""))
    with pytest.raises(ConfigError, match="exactly one of supervisor_socket and machines_folder"):
        CloudConfig(apiserver=access, **clouds)
