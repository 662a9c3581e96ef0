"""Nodes: Pod ranges, silence, taints, eviction; Pods of gone Nodes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from control_plane.controllers.managed import ControllerContext
from control_plane.controllers.node_ipam import CidrSet, NodeIpamController
from control_plane.controllers.node_lifecycle.conditions import silenced
from control_plane.controllers.node_lifecycle.controller import NodeLifecycleController
from control_plane.controllers.node_lifecycle.eviction import TaintEvictionController
from control_plane.controllers.node_lifecycle.taints import NOT_READY, UNREACHABLE, toleration_s, wanted_taints, with_taints
from control_plane.controllers.pod_gc import PodGarbageCollector, excess
from kube.api.coordination_v1 import Lease, LeaseSpec
from kube.api.core_v1 import Node, NodeCondition, NodeSpec, NodeStatus, Pod, PodCondition, PodSpec, PodStatus, Taint, Toleration
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from tests.support.controllers import eventually, memory_client, running

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def node(name: str = "n1", ready: str = "True", **conditions: str) -> Node:
    held = {"Ready": ready, **conditions} if ready else conditions
    return Node(metadata=ObjectMeta(name=name, uid=name), status=NodeStatus(conditions=tuple(
        NodeCondition(type=kind, status=status, last_heartbeat_time="2026-11-20T12:00:00Z") for kind, status in held.items())))


def test_ranges_are_handed_out_in_order_and_a_freed_one_last() -> None:
    cidrs = CidrSet("10.244.0.0/22", 24)
    assert [cidrs.allocate() for _ in range(3)] == ["10.244.0.0/24", "10.244.1.0/24", "10.244.2.0/24"]
    cidrs.release("10.244.0.0/24")

    assert [cidrs.allocate() for _ in range(3)] == ["10.244.3.0/24", "10.244.0.0/24", None]


def test_ranges_in_use_are_not_handed_out() -> None:
    cidrs = CidrSet("10.244.0.0/22", 24)
    cidrs.occupy("10.244.0.0/23")
    assert cidrs.allocate() == "10.244.2.0/24"


async def test_each_node_gets_a_range_of_its_own() -> None:
    client, _ = memory_client()
    await client.create(Node(metadata=ObjectMeta(name="old"), spec=NodeSpec(pod_cidr="10.244.0.0/24", pod_cidrs=("10.244.0.0/24",))))
    async with running(client, lambda context: NodeIpamController(context, "10.244.0.0/16", 24)):
        for name in ("a", "b"):
            await client.create(node(name))

        async def ranges() -> set[str]:
            return {held.spec.pod_cidr for held in await client.list(Node)}

        async def all_have() -> bool:
            return await ranges() == {"10.244.0.0/24", "10.244.1.0/24", "10.244.2.0/24"}

        await eventually(all_have, what="three ranges")


def test_a_silent_node_is_unknown_in_upstreams_words() -> None:
    ready, memory, *_ = silenced(node("n1"), NOW).status.conditions
    assert (ready.status, ready.reason, ready.message) == ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
    assert (memory.type, memory.reason) == ("MemoryPressure", "NodeStatusNeverUpdated")
    again = silenced(silenced(node("n1"), NOW), NOW)
    assert silenced(again, NOW) is again


@pytest.mark.parametrize(("held", "evict", "expected"), [
    pytest.param(node(), True, set(), id="ready"),
    pytest.param(node(ready="False"), True, {(NOT_READY, "NoSchedule"), (NOT_READY, "NoExecute")}, id="not ready"),
    pytest.param(node(ready="Unknown"), True, {(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")}, id="silent"),
    pytest.param(node(ready="Unknown"), False, {(UNREACHABLE, "NoSchedule")}, id="nobody is evicted"),
    pytest.param(node(DiskPressure="True"), True, {("node.kubernetes.io/disk-pressure", "NoSchedule")}, id="pressure"),
])
def test_taints_follow_conditions(held: Node, evict: bool, expected: set[tuple[str, str]]) -> None:
    assert wanted_taints(held, evict=evict) == expected


def test_others_taints_are_left_alone() -> None:
    foreign = Taint(key="dedicated", value="db", effect="NoExecute")
    held = Node(spec=NodeSpec(taints=(foreign, Taint(key=NOT_READY, effect="NoSchedule"))), status=node().status)
    assert with_taints(held, evict=True, now=NOW).spec.taints == (foreign,)


def toleration(seconds: int | None = None, key: str = UNREACHABLE, effect: str = "NoExecute") -> Toleration:
    return Toleration(key=key, operator="Exists", effect=effect, toleration_seconds=seconds)


@pytest.mark.parametrize(("tolerations", "expected"), [
    pytest.param((), 0.0, id="does not tolerate"),
    pytest.param((toleration(300),), 300.0, id="for a while"),
    pytest.param((toleration(),), None, id="for ever"),
    pytest.param((toleration(300), toleration(5)), 5.0, id="the shortest holds"),
    pytest.param((toleration(300, key="other"),), 0.0, id="another taint"),
    pytest.param((Toleration(operator="Exists"),), None, id="everything"),
])
def test_how_long_a_pod_may_stay(tolerations: tuple[Toleration, ...], expected: float | None) -> None:
    assert toleration_s(tolerations, [Taint(key=UNREACHABLE, effect="NoExecute")]) == expected


def lifecycle(context: ControllerContext) -> NodeLifecycleController:
    return NodeLifecycleController(context, grace_s=0.3, startup_grace_s=0.3)


async def put_pod(client: Client, name: str, *tolerations: Toleration, node_name: str = "n1") -> None:
    conditions = (PodCondition(type="Ready", status="True"),)
    await client.create(Pod(
        metadata=ObjectMeta(namespace="default", name=name), spec=PodSpec(node_name=node_name, tolerations=tolerations),
        status=PodStatus(phase="Running", conditions=conditions)))


async def test_pods_leave_a_node_whose_lease_is_not_renewed() -> None:
    client, _ = memory_client()
    await client.create(node("n1"))
    await client.create(node("n2"))
    await put_pod(client, "stays", toleration())
    await put_pod(client, "leaves", toleration(0))
    lease = await client.create(Lease(metadata=ObjectMeta(namespace="kube-node-lease", name="n2"), spec=LeaseSpec(renew_time="0")))
    async with running(client, lifecycle, TaintEvictionController):
        beats = 0

        async def evicted() -> bool:
            nonlocal beats, lease
            beats += 1
            await client.patch(Lease, NamespacedName("kube-node-lease", "n2"), {"spec": {"renewTime": str(beats)}})
            return [pod.metadata.name for pod in await client.list(Pod, "default")] == ["stays"]

        await eventually(evicted, what="the Pod that does not tolerate it is gone")
    gone, alive = await client.get(Node, NamespacedName("", "n1")), await client.get(Node, NamespacedName("", "n2"))
    assert {(taint.key, taint.effect) for taint in gone.spec.taints} == {(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")}
    assert not alive.spec.taints
    (stays,) = await client.list(Pod, "default")
    assert stays.status.conditions[0].status == "False"


async def test_nobody_is_evicted_while_no_node_is_ready() -> None:
    client, _ = memory_client()
    await client.create(node("n1"))
    await put_pod(client, "pod")
    async with running(client, lifecycle, TaintEvictionController):

        async def silent() -> bool:
            held = await client.get(Node, NamespacedName("", "n1"))
            return {(taint.key, taint.effect) for taint in held.spec.taints} == {(UNREACHABLE, "NoSchedule")}

        await eventually(silent, what="no new Pods for the silent node, and no more than that")
    assert len(await client.list(Pod, "default")) == 1


def test_the_oldest_ended_pods_are_too_many() -> None:
    pods = [Pod(metadata=ObjectMeta(name=f"p{day}", creation_timestamp=f"2026-11-0{day}T00:00:00Z"), status=PodStatus(phase=phase))
            for day, phase in ((3, "Failed"), (1, "Running"), (2, "Succeeded"))]
    assert [pod.metadata.name for pod in excess(pods, 1)] == ["p2"]
    assert excess(pods, 0) == []


async def test_a_deleted_pod_that_was_never_scheduled_goes() -> None:
    client, _ = memory_client()
    finalized = ObjectMeta(namespace="default", name="p", finalizers=("kubernetes",), deletion_timestamp="2026-11-20T12:00:00Z")
    await client.create(Pod(metadata=finalized))
    async with running(client, lambda context: PodGarbageCollector(context, 100)):

        async def asked() -> bool:
            return ("delete", "pods") in client.transport.calls  # type: ignore[attr-defined]

        await eventually(asked, what="it is deleted")
