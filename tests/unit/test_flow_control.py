"""Priority and fairness: which flow a request is of, who waits, who borrows, who is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.flow.control import FlowControl
from control_plane.apiserver.flow.defaults import default_levels, default_schemas
from control_plane.apiserver.flow.levels import Level
from control_plane.apiserver.flow.schemas import FlowSchema
from control_plane.apiserver.request_info import RequestInfo
from control_plane.apiserver.strategies.registry import strategy_for
from kube.apimachinery.errors import TooManyRequests
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupVersionKind

EVERYBODY = ("system:authenticated",)
ALICE, BOB = UserInfo("alice", groups=EVERYBODY), UserInfo("bob", groups=EVERYBODY)
ADMIN = UserInfo("admin", groups=("system:masters", *EVERYBODY))
NODE = UserInfo("system:node:n1", groups=("system:nodes", *EVERYBODY))
MANAGER = UserInfo("system:kube-controller-manager", groups=EVERYBODY)
ACCOUNT = UserInfo("system:serviceaccount:shop:web", groups=("system:serviceaccounts", *EVERYBODY))
SYSTEM_ACCOUNT = UserInfo("system:serviceaccount:kube-system:dns", groups=("system:serviceaccounts", *EVERYBODY))
PODS = RequestInfo("list", "/api/v1/namespaces/shop/pods", is_resource=True, version="v1", resource="pods", namespace="shop")
NODES = RequestInfo("update", "/api/v1/nodes/n1/status", is_resource=True, version="v1", resource="nodes", subresource="status", name="n1")
LEASE = RequestInfo("update", "/x", is_resource=True, group="coordination.k8s.io", version="v1", resource="leases", namespace="kube-system")
HEALTH, VERSION = RequestInfo("get", "/readyz"), RequestInfo("get", "/version")


@pytest.mark.parametrize(("user", "info", "name"), [
    (ADMIN, PODS, "exempt"), (ADMIN, VERSION, "exempt"), (ALICE, HEALTH, "probes"), (ALICE, VERSION, "global-default"),
    (MANAGER, LEASE, "system-leader-election"), (SYSTEM_ACCOUNT, LEASE, "system-leader-election"), (NODE, LEASE, "system-node-high"),
    (NODE, NODES, "system-node-high"), (NODE, PODS, "system-nodes"), (MANAGER, PODS, "kube-controller-manager"),
    (SYSTEM_ACCOUNT, PODS, "kube-system-service-accounts"), (ACCOUNT, PODS, "service-accounts"), (ALICE, PODS, "global-default"),
])
def test_requests_are_of_the_first_schema_that_matches(user: UserInfo, info: RequestInfo, name: str) -> None:
    schemas = sorted(map(FlowSchema, default_schemas()), key=lambda schema: (schema.precedence, schema.name))

    assert next(schema.name for schema in schemas if schema.matches(info, user)) == name


def test_the_objects_of_a_new_cluster_are_valid() -> None:
    for obj in (*default_schemas(), *default_levels()):
        row = SCHEME.for_kind(GroupVersionKind.of(obj["apiVersion"], obj["kind"]))
        assert row is not None
        strategy = strategy_for(row)
        strategy.default(obj)
        strategy.prepare_for_create(obj)
        assert strategy.validate(obj) == [], obj["metadata"]["name"]


async def placed(flow: FlowControl, user: UserInfo, count: int, info: RequestInfo = PODS) -> list[Level]:
    return [await flow.enter(info, user) for _ in range(count)]


def waiting(flow: FlowControl, user: UserInfo, count: int) -> list[asyncio.Task[Level]]:
    return [asyncio.create_task(flow.enter(PODS, user)) for _ in range(count)]


async def spin() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_level_borrows_until_others_need_what_they_keep() -> None:
    flow = FlowControl(60, 40, wait_s=60)

    tasks = waiting(flow, ALICE, 200)
    await spin()
    inside = sum(task.done() for task in tasks)

    assert 9 < inside < 100      # more than its own share, never all
    for user, info in ((NODE, NODES), (MANAGER, LEASE), (ADMIN, PODS), (MANAGER, PODS)):
        async with asyncio.timeout(60):
            flow.leave(info, await flow.enter(info, user))
    for task in tasks:
        task.cancel()


async def test_places_are_given_in_turns_between_users() -> None:
    flow = FlowControl(10, 10, wait_s=60)
    greedy = waiting(flow, ALICE, 100)
    await spin()
    inside = [task for task in greedy if task.done()]
    modest = waiting(flow, BOB, 1)
    await spin()
    assert not modest[0].done()

    for task in inside[:8]:      # alice's hand is of six queues
        flow.leave(PODS, task.result())
        await spin()

    assert modest[0].done() and sum(task.done() for task in greedy) < 100
    for task in (*greedy, *modest):
        task.cancel()


async def test_who_finds_no_place_and_no_queue_is_told_when_to_come_again() -> None:
    flow = FlowControl(10, 10, wait_s=60)
    tasks = waiting(flow, ALICE, 1000)
    await spin()

    refused: list[Any] = [task.exception() for task in tasks if task.done() and task.exception()]

    assert refused and all(isinstance(error, TooManyRequests) and error.retry_after_s == 1 for error in refused)
    assert sum(not task.done() for task in tasks) == 6 * 50
    for task in tasks:
        task.cancel()


async def test_who_waits_too_long_is_refused_and_who_leaves_is_forgotten() -> None:
    flow = FlowControl(10, 10, wait_s=0.01)
    inside = [task.result() for task in await all_done(waiting(flow, ALICE, 40)) if not task.exception()]

    with pytest.raises(TooManyRequests):
        await flow.enter(PODS, ALICE)
    patient = FlowControl(10, 10, wait_s=60)
    held = waiting(patient, ALICE, 40)
    await spin()
    for task in [task for task in held if not task.done()]:
        task.cancel()
    await spin()
    for task in [task for task in held if task.done() and not task.cancelled()]:
        patient.leave(PODS, task.result())
    for level in inside:
        flow.leave(PODS, level)

    assert flow.in_flight == {False: 0, True: 0} == patient.in_flight
    assert all(level.executing == level.waiting == 0 for each in (flow, patient) for level in each._levels.values())


async def all_done(tasks: list[asyncio.Task[Level]]) -> list[asyncio.Task[Level]]:
    await asyncio.wait(tasks)
    return tasks


async def test_the_exempt_know_no_limit() -> None:
    flow = FlowControl(1, 1, wait_s=0.01)

    assert len(await placed(flow, ADMIN, 500)) == 500
    assert len(await placed(flow, ALICE, 50, HEALTH)) == 50


async def test_a_request_that_leaves_at_its_turn_gives_the_turn_on() -> None:
    flow = FlowControl(10, 10, wait_s=60)
    tasks = waiting(flow, ALICE, 40)
    await spin()
    inside = [task for task in tasks if task.done()]
    outside = [task for task in tasks if not task.done()]

    flow.leave(PODS, inside[0].result())      # somebody's ticket is drawn, and before anybody runs, all but the last leave
    for task in outside[:-1]:
        task.cancel()
    await spin()

    assert outside[-1].done() and not outside[-1].cancelled()


async def test_who_waits_takes_the_seats_of_a_new_configuration() -> None:
    flow = FlowControl(10, 10, wait_s=60)
    levels = {obj["metadata"]["name"]: obj for obj in default_levels()}
    held = flow._stored["prioritylevelconfigurations"]
    flow._stored["flowschemas"] |= {obj["metadata"]["name"]: obj for obj in default_schemas()}
    held |= levels
    spec = levels["global-default"]["spec"]
    held["global-default"] = {**levels["global-default"], "spec": {
        **spec, "limited": {**spec["limited"], "nominalConcurrencyShares": 0, "borrowingLimitPercent": 0}}}
    flow._follow()
    [task] = waiting(flow, ALICE, 1)
    await spin()
    assert not task.done()

    held["global-default"] = levels["global-default"]
    flow._follow()
    await spin()

    assert task.done()


async def test_long_paths_do_not_fill_the_memory() -> None:
    flow = FlowControl(10, 10)
    for number in range(100):
        info = RequestInfo("get", f"/{number:0>60000}")
        flow.leave(info, await flow.enter(info, ALICE))

    assert sum(len(part) for key in flow._known for part in key) < 60_000
