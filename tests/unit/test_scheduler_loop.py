"""The scheduling loop against an apiserver in memory: binding, failing, trying again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec
import pytest

from control_plane.scheduler.cache import SchedulerCache
from control_plane.scheduler.event_handlers import EventHandlers
from control_plane.scheduler.node_table import NodeTable
from control_plane.scheduler.profile import default_profile
from control_plane.scheduler.scheduler import Scheduler
from control_plane.scheduler.scheduling_queue import SchedulingQueue
from control_plane.scheduler.workloads import Workloads
from kube.api.core_v1 import Event, Node, Pod, TopologySpreadConstraint
from kube.api.meta_v1 import LabelSelector
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.events import EventRecorder
from kube.client.informer import InformerFactory
from kube.client.transport import PatchKind
from kube.process.clock import SystemClock
from tests.support.memory_transport import MemoryTransport
from tests.support.scheduling import node, pod, taint

WITHIN_S = 60


@dataclass(frozen=True)
class Cluster:
    client: Client
    transport: MemoryTransport

    async def eventually(self, what: str, check: Callable[[], Awaitable[bool]]) -> None:
        try:
            async with asyncio.timeout(WITHIN_S):
                while not await check():  # noqa: ASYNC110   # the condition is of the API's state, which has no event
                    await asyncio.sleep(0.005)
        except TimeoutError:
            pytest.fail(f"not in {WITHIN_S} s: {what}")

    async def pod(self, name: str) -> Pod:
        return await self.client.get(Pod, NamespacedName("default", name))

    async def bound(self, name: str) -> str:
        await self.eventually(f"{name} is bound", lambda: self._is_bound(name))
        return (await self.pod(name)).spec.node_name

    async def events(self, reason: str) -> list[str]:
        return [event.message for event in (await self.client.list(Event)).items if event.reason == reason]

    async def failure(self, name: str, message: str) -> None:
        async def has_condition() -> bool:
            conditions = (await self.pod(name)).status.conditions
            return [(c.type, c.status, c.reason, c.message) for c in conditions] == [("PodScheduled", "False", "Unschedulable", message)]

        await self.eventually(f"{name} has the condition {message!r}", has_condition)

    async def _is_bound(self, name: str) -> bool:
        return bool((await self.pod(name)).spec.node_name)


@asynccontextmanager
async def running_scheduler(transport: MemoryTransport) -> AsyncIterator[None]:
    clock = SystemClock()
    async with Client(transport) as client, EventRecorder(client, "default-scheduler") as events, InformerFactory(client) as informers:
        nodes = NodeTable()
        cache = SchedulerCache(nodes)
        profile = default_profile(cache, client, Workloads(informers).default_selector)
        queue = SchedulingQueue(profile, clock, initial_backoff_s=0.02, max_backoff_s=0.1)
        EventHandlers(cache, queue, profile.scheduler_name).register(informers)
        await informers.start()
        await informers.wait_synced()
        running = asyncio.create_task(Scheduler(client, events, profile, cache, queue, nodes, clock).run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    transport = MemoryTransport()
    async with running_scheduler(transport), Client(transport) as client:
        yield Cluster(client, transport)


@pytest.mark.req("ARC-06")
async def test_a_pod_is_bound_and_the_event_says_where(cluster: Cluster) -> None:
    await cluster.client.create(node("n1"))

    await cluster.client.create(pod("web").pod)

    assert await cluster.bound("web") == "n1"

    async def told() -> bool:
        return await cluster.events("Scheduled") == ["Successfully assigned default/web to n1"]

    await cluster.eventually("the event Scheduled", told)


@pytest.mark.req("ARC-06", "LIF-02")
async def test_a_pod_that_fits_nowhere_says_why_and_is_bound_when_a_node_comes(cluster: Cluster) -> None:
    await cluster.client.create(node("n1", cpu="1"))
    await cluster.client.create(pod("big", cpu="2").pod)
    message = (
        "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    )

    await cluster.failure("big", message)
    told = await cluster.events("FailedScheduling")
    await cluster.client.create(node("n2", cpu="4"))

    assert told in ([], [message])
    assert await cluster.bound("big") == "n2"


async def test_without_any_node_a_pod_waits_for_one(cluster: Cluster) -> None:
    await cluster.client.create(pod("web").pod)
    await cluster.failure("web", "no nodes available to schedule pods")

    await cluster.client.create(node("n1"))

    assert await cluster.bound("web") == "n1"


async def test_room_that_a_deleted_pod_leaves_is_used(cluster: Cluster) -> None:
    await cluster.client.create(node("n1", cpu="1"))
    await cluster.client.create(pod("first", cpu="1").pod)
    await cluster.bound("first")
    await cluster.client.create(pod("second", cpu="1").pod)
    await cluster.eventually("second has failed", lambda: has_conditions(cluster, "second"))

    await cluster.client.delete(Pod, NamespacedName("default", "first"))

    assert await cluster.bound("second") == "n1"


async def test_a_failed_binding_is_tried_again(cluster: Cluster) -> None:
    cluster.transport.failures.append(errors.Conflict("somebody else was faster"))      # met by the creation of the Node
    with pytest.raises(errors.Conflict):
        await cluster.client.create(node("n1"))
    await cluster.client.create(node("n1"))
    await cluster.client.create(pod("web").pod)
    cluster.transport.failures.append(errors.ServiceUnavailable("etcd is away"))        # met by the binding

    assert await cluster.bound("web") == "n1"
    assert ("create", "pods/binding") in cluster.transport.calls


async def test_pods_of_another_scheduler_are_left_alone(cluster: Cluster) -> None:
    await cluster.client.create(node("n1"))
    foreign = pod("foreign").pod
    await cluster.client.create(msgspec.structs.replace(foreign, spec=msgspec.structs.replace(foreign.spec, scheduler_name="other")))
    await cluster.client.create(pod("ours").pod)

    await cluster.bound("ours")

    assert (await cluster.pod("foreign")).spec.node_name == ""


async def test_a_cordoned_node_gets_pods_again_when_it_is_uncordoned(cluster: Cluster) -> None:
    await cluster.client.create(node("n1", unschedulable=True))
    await cluster.client.create(pod("web").pod)
    await cluster.failure(
        "web", "0/1 nodes are available: 1 node(s) were unschedulable. "
        "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.")

    await cluster.client.patch(Node, NamespacedName("", "n1"), {"spec": {"unschedulable": None}})

    assert await cluster.bound("web") == "n1"


async def test_a_node_that_becomes_ready_step_by_step_is_no_reason_for_more_failures(cluster: Cluster) -> None:
    await cluster.client.create(node("n1", taints=["a:NoSchedule", "b:NoSchedule", "c:NoSchedule"]))
    await cluster.client.create(pod("web").pod)
    await cluster.eventually("web has failed", lambda: has_conditions(cluster, "web"))

    for left in (["b:NoSchedule", "c:NoSchedule"], ["c:NoSchedule"], []):
        taints = [{"key": each.key, "effect": each.effect} for each in map(taint, left)]
        await cluster.client.patch(Node, NamespacedName("", "n1"), {"spec": {"taints": taints}}, kind=PatchKind.MERGE)
    await cluster.bound("web")

    assert len(await cluster.events("FailedScheduling")) <= 1
    assert cluster.transport.calls.count(("patch", "pods/status")) == 1


async def test_a_required_spread_keeps_a_pod_waiting_until_another_goes(cluster: Cluster) -> None:
    labels = {"app": "web"}
    constraint = TopologySpreadConstraint(
        max_skew=1, topology_key="kubernetes.io/hostname", when_unsatisfiable="DoNotSchedule",
        label_selector=LabelSelector(match_labels=labels))
    spec = {"topology_spread_constraints": (constraint,)}
    await cluster.client.create(node("n1"))
    await cluster.client.create(node("n2", unschedulable=True))
    await cluster.client.create(pod("first", labels=labels, spec=spec).pod)
    await cluster.bound("first")

    await cluster.client.create(pod("second", labels=labels, spec=spec).pod)
    await cluster.failure(
        "second", "0/2 nodes are available: 1 node(s) didn't match pod topology spread constraints, 1 node(s) were unschedulable. "
        "preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, "
        "1 Preemption is not helpful for scheduling.")
    await cluster.client.delete(Pod, NamespacedName("default", "first"))

    assert await cluster.bound("second") == "n1"


async def test_many_pods_never_overfill_a_node(cluster: Cluster) -> None:
    for name in ("n1", "n2"):
        await cluster.client.create(node(name, cpu="2"))
    await asyncio.gather(*(cluster.client.create(pod(f"web-{number}", cpu="500m").pod) for number in range(10)))

    async def settled() -> bool:
        pods = (await cluster.client.list(Pod)).items
        return sum(bool(each.spec.node_name) for each in pods) == 8 and all(each.spec.node_name or each.status.conditions for each in pods)

    await cluster.eventually("eight of ten are bound, two are told why not", settled)
    placed = [each.spec.node_name for each in (await cluster.client.list(Pod)).items if each.spec.node_name]
    assert (placed.count("n1"), placed.count("n2")) == (4, 4)


async def has_conditions(cluster: Cluster, name: str) -> bool:
    return bool((await cluster.pod(name)).status.conditions)
