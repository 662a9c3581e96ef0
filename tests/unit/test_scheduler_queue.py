"""Which Pod comes next, and how long a Pod that failed waits."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from control_plane.scheduler.changes import NodeChange, PodChange
from control_plane.scheduler.framework import ClusterEvent, Profile
from control_plane.scheduler.plugins.node_resources_fit import NodeResourcesFit
from control_plane.scheduler.plugins.priority_sort import PrioritySort
from control_plane.scheduler.plugins.scheduling_gates import SchedulingGates
from control_plane.scheduler.plugins.taint_toleration import TaintToleration
from control_plane.scheduler.scheduling_queue import QueuedPod, SchedulingQueue
from tests.support.scheduling import node, pod

FIT, TAINTS = frozenset({"NodeResourcesFit"}), frozenset({"TaintToleration"})


class HandClock:
    """Stands still until told."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def queue(clock: HandClock) -> SchedulingQueue:
    plugins = (SchedulingGates(), PrioritySort(), TaintToleration(), NodeResourcesFit())
    return SchedulingQueue(Profile("default-scheduler", plugins, {}), clock)


async def pop(queue: SchedulingQueue) -> QueuedPod:
    async with asyncio.timeout(60):
        return await queue.pop()


async def fail(queue: SchedulingQueue, refused_by: frozenset[str]) -> QueuedPod:
    tried = await pop(queue)
    queue.failed(tried, refused_by)
    return tried


async def test_priority_goes_first_then_age(queue: SchedulingQueue, clock: HandClock) -> None:
    for name, priority in (("old", 0), ("young", 0), ("important", 10)):
        queue.add(pod(name, priority=priority))
        clock.seconds += 1

    assert [(await pop(queue)).pod.key.name for _ in range(3)] == ["important", "old", "young"]


async def test_a_pod_waits_for_an_event_that_its_refuser_asked_for(queue: SchedulingQueue) -> None:
    queue.add(pod())
    await fail(queue, TAINTS)

    queue.move(PodChange(ClusterEvent.ASSIGNED_POD_DELETE, old=pod("gone")))
    unmoved = queue.counts()
    queue.move(NodeChange(ClusterEvent.NODE_TAINT, old=node(taints=["a:NoSchedule"]), new=node()))

    assert unmoved == {"active": 0, "backoff": 0, "unschedulable": 1, "gated": 0}
    assert queue.counts() == {"active": 0, "backoff": 1, "unschedulable": 0, "gated": 0}


async def test_a_burst_of_changes_moves_a_pod_only_when_its_node_is_ready_for_it(queue: SchedulingQueue) -> None:
    queue.add(pod())
    await fail(queue, TAINTS)
    moved = []

    steps = [["a", "b", "c"], ["b", "c"], ["c"], []]
    for old, new in pairwise(steps):
        before, after = (node(taints=[f"{key}:NoSchedule" for key in keys]) for keys in (old, new))
        queue.move(NodeChange(ClusterEvent.NODE_TAINT, before, after))
        moved.append(queue.counts()["unschedulable"] == 0)

    assert moved == [False, False, True]
    assert (await pop(queue)).attempts == 2      # at once: nobody else waits


async def test_with_nothing_else_to_do_a_backing_off_pod_is_taken_early(queue: SchedulingQueue) -> None:
    queue.add(pod())
    await fail(queue, TAINTS)
    queue.move(NodeChange(ClusterEvent.NODE_ADD, new=node()))

    assert (await pop(queue)).attempts == 2


async def test_an_event_between_pop_and_failure_is_not_lost(queue: SchedulingQueue) -> None:
    queue.add(pod())
    tried = await pop(queue)
    queue.move(PodChange(ClusterEvent.ASSIGNED_POD_DELETE, old=pod("gone")))

    queue.failed(tried, FIT)

    assert queue.counts()["unschedulable"] == 0


async def test_changes_that_cannot_help_are_no_reason_to_try_again(queue: SchedulingQueue) -> None:
    queue.add(pod())
    tried = await pop(queue)
    queue.move(NodeChange(ClusterEvent.NODE_TAINT, old=node(), new=node(taints=["a:NoSchedule"])))

    queue.failed(tried, TAINTS)

    assert queue.counts()["unschedulable"] == 1


async def test_a_pod_changed_while_it_was_decided_is_tried_again(queue: SchedulingQueue) -> None:
    queue.add(pod(cpu="8"))
    tried = await pop(queue)
    queue.update(pod(cpu="1m"))

    queue.failed(tried, FIT)

    assert (await pop(queue)).pod.requests == {"cpu": 1}


async def test_each_pod_in_flight_judges_the_changes_since_its_own_pop(queue: SchedulingQueue) -> None:
    for name in ("first", "second", "third"):
        queue.add(pod(name))
    first, gone = await pop(queue), PodChange(ClusterEvent.ASSIGNED_POD_DELETE, old=pod("gone"))
    queue.move(gone)
    second = await pop(queue)
    queue.done(first.pod.uid)                    # what only the first has missed is forgotten
    queue.move(gone)
    third = await pop(queue)

    queue.failed(third, FIT)
    queue.failed(second, FIT)

    assert (queue.counts()["unschedulable"], queue.counts()["backoff"]) == (1, 1)


async def test_an_event_before_the_pop_does_not_count(queue: SchedulingQueue) -> None:
    queue.add(pod("first"))
    queue.add(pod("second"))
    first = await pop(queue)
    queue.move(PodChange(ClusterEvent.ASSIGNED_POD_DELETE, old=pod("gone")))
    second = await pop(queue)

    queue.failed(second, FIT)
    queue.failed(first, FIT)

    assert (queue.counts()["unschedulable"], queue.counts()["backoff"]) == (1, 1)


async def test_back_off_doubles_up_to_ten_seconds(queue: SchedulingQueue, clock: HandClock) -> None:
    queue.add(pod())
    waits = []

    for _ in range(6):
        await fail(queue, frozenset())          # an error: the back-off is served in full
        before = clock.seconds
        while queue.counts()["active"] == 0:
            clock.seconds += 0.5
            queue.flush()
        waits.append(clock.seconds - before)

    assert waits == [1, 2, 4, 8, 10, 10]


async def test_after_five_minutes_a_pod_is_tried_again_without_an_event(queue: SchedulingQueue, clock: HandClock) -> None:
    queue.add(pod())
    await fail(queue, FIT)

    clock.seconds += 299
    queue.flush()
    before = queue.counts()["unschedulable"]
    clock.seconds += 2
    queue.flush()

    assert (before, queue.counts()["active"]) == (1, 1)


async def test_a_gated_pod_stays_out_until_its_gates_are_gone(queue: SchedulingQueue) -> None:
    queue.add(pod(gates=["example.com/wait"]))
    queue.move(NodeChange(ClusterEvent.NODE_ADD, new=node()))
    gated = queue.counts()

    queue.update(pod())

    assert (gated["gated"], gated["active"], queue.counts()["active"]) == (1, 0, 1)


async def test_a_deleted_pod_is_not_popped(queue: SchedulingQueue) -> None:
    queue.add(pod("gone"))
    queue.add(pod("stays"))

    queue.delete(pod("gone").uid)

    assert (await pop(queue)).pod.key.name == "stays"


async def test_a_status_update_moves_nothing_but_smaller_requests_do(queue: SchedulingQueue) -> None:
    queue.add(pod(cpu="8"))
    await fail(queue, FIT)

    queue.update(pod(cpu="8"))
    unmoved = queue.counts()["unschedulable"]
    queue.update(pod(cpu="1m"))

    assert (unmoved, queue.counts()["unschedulable"]) == (1, 0)
    assert (await pop(queue)).pod.requests == {"cpu": 1}


async def test_pop_waits_for_a_pod(queue: SchedulingQueue) -> None:
    waiting = asyncio.create_task(queue.pop())
    await asyncio.sleep(0)

    queue.add(pod("late"))

    async with asyncio.timeout(60):
        assert (await waiting).pod.key.name == "late"
