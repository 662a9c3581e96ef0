"""PodDisruptionBudgets: what is counted, and the controllers over an in-memory apiserver."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from control_plane.controllers.disruption.controller import DisruptionController
from control_plane.controllers.disruption.stale_targets import StaleDisruptionTargets
from control_plane.controllers.disruption.status import counted, disrupted
from kube.api.apps_v1 import Deployment, DeploymentSpec, ReplicaSet, ReplicaSetSpec
from kube.api.core_v1 import Event, Pod, PodCondition, PodStatus, ReplicationController, ReplicationControllerSpec
from kube.api.meta_v1 import LabelSelector, ObjectMeta, OwnerReference
from kube.api.policy_v1 import PodDisruptionBudget, PodDisruptionBudgetSpec, PodDisruptionBudgetStatus
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.objects import ApiObject, owner_reference
from kube.process.clock import to_rfc3339
from tests.support.controllers import eventually, memory_client, running

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LABELS = {"app": "web"}
KEY = NamespacedName("default", "b")


def pod(name: str, *, ready: bool = True, going: bool = False, owner: OwnerReference | None = None) -> Pod:
    return Pod(
        metadata=ObjectMeta(
            namespace="default", name=name, labels=LABELS, deletion_timestamp=to_rfc3339(NOW) if going else "",
            owner_references=() if owner is None else (owner,)),
        status=PodStatus(phase="Running", conditions=(PodCondition(type="Ready", status=str(ready)),)))


def budget(*, granted: dict[str, int] | None = None, **spec: int | str) -> PodDisruptionBudget:
    """`granted`: evictions, by Pod, so many seconds ago."""
    disrupted_pods = {name: to_rfc3339(NOW - timedelta(seconds=ago_s)) for name, ago_s in (granted or {}).items()}
    return PodDisruptionBudget(
        metadata=ObjectMeta(namespace="default", name="b", generation=1),
        spec=PodDisruptionBudgetSpec(selector=LabelSelector(match_labels=LABELS), **spec),  # type: ignore[arg-type]
        status=PodDisruptionBudgetStatus(disrupted_pods=disrupted_pods))


PODS = [pod("a"), pod("b"), pod("c")]


@pytest.mark.parametrize(("held", "pods", "expected", "numbers"), [
    pytest.param(budget(min_available=2), PODS, 3, (3, 2, 1), id="one may go"),
    pytest.param(budget(min_available=2), [*PODS[:2], pod("c", ready=False)], 3, (2, 2, 0), id="one is not ready"),
    pytest.param(budget(min_available=2), [*PODS[:2], pod("c", going=True)], 3, (2, 2, 0), id="one goes"),
    pytest.param(budget(min_available="50%"), PODS, 3, (3, 2, 1), id="a share is rounded up"),
    pytest.param(budget(max_unavailable=1), PODS, 3, (3, 2, 1), id="at most one away"),
    pytest.param(budget(max_unavailable="10%"), PODS, 3, (3, 2, 1), id="a share that may be away is rounded up too"),
    pytest.param(budget(max_unavailable=1), PODS[:1], 5, (1, 4, 0), id="most are missing"),
    pytest.param(budget(max_unavailable=9), PODS, 3, (3, 0, 3), id="all may go"),
    pytest.param(budget(min_available=0), [], 0, (0, 0, 0), id="no Pods allow nothing"),
    pytest.param(budget(min_available=1, granted={"a": 60}), PODS, 3, (2, 1, 1), id="a granted one no longer counts"),
    pytest.param(budget(min_available=1, granted={"a": 121}), PODS, 3, (3, 1, 2), id="one granted in vain does"),
])
def test_what_is_counted(held: PodDisruptionBudget, pods: list[Pod], expected: int, numbers: tuple[int, int, int]) -> None:
    status = counted(held, pods, disrupted(held, pods, NOW).waiting, expected, NOW)

    assert (status["currentHealthy"], status["desiredHealthy"], status["disruptionsAllowed"]) == numbers
    wanted = ("True", "SufficientPods") if numbers[2] else ("False", "InsufficientPods")
    assert [(one["status"], one["reason"], one["observedGeneration"]) for one in status["conditions"]] == [(*wanted, 1)]


def test_granted_evictions_are_forgotten_when_their_pod_goes_or_their_time_is_over() -> None:
    held = budget(min_available=1, granted={"a": 30, "b": 1, "c": 200, "gone": 5})

    found = disrupted(held, [pod("a"), pod("b", going=True), pod("c")], NOW)

    assert list(found.waiting) == ["a"]
    assert [late.metadata.name for late in found.overdue] == ["c"]
    assert found.look_again_s == 90


async def allowed(client: Client, count: int, expected: int) -> bool:
    status = (await client.get(PodDisruptionBudget, KEY)).status
    return (status.disruptions_allowed, status.expected_pods) == (count, expected)


async def owned_by(client: Client, owner: ApiObject, *names: str) -> None:
    for name in names:
        await client.create(pod(name, owner=owner_reference(owner)))


async def test_the_owners_say_how_many_there_should_be() -> None:
    client, _ = memory_client()
    deployment = await client.create(Deployment(metadata=ObjectMeta(namespace="default", name="d"), spec=DeploymentSpec(replicas=4)))
    rs = await client.create(ReplicaSet(
        metadata=ObjectMeta(namespace="default", name="d-1", owner_references=(owner_reference(deployment),)),
        spec=ReplicaSetSpec(replicas=1)))
    rc = await client.create(ReplicationController(
        metadata=ObjectMeta(namespace="default", name="rc"), spec=ReplicationControllerSpec(replicas=2)))
    await owned_by(client, rs, "d-1-a", "d-1-b", "d-1-c", "d-1-d")
    await owned_by(client, rc, "rc-a")
    await client.create(budget(max_unavailable="50%"))

    async with running(client, DisruptionController):
        await eventually(lambda: allowed(client, 2, 6), what="5 healthy, 3 of 6 wanted")
        await owned_by(client, rc, "rc-b")
        await eventually(lambda: allowed(client, 3, 6), what="6 healthy, 3 of 6 wanted")


async def test_pods_that_nobody_owns_count_only_against_a_number() -> None:
    client, _ = memory_client()
    for name in ("a", "b"):
        await client.create(pod(name))
    await client.create(budget(min_available=1))

    async with running(client, DisruptionController):
        await eventually(lambda: allowed(client, 1, 2), what="one of two")
        held = await client.get(PodDisruptionBudget, KEY)
        spec = msgspec.structs.replace(held.spec, min_available="50%")
        await client.update(msgspec.structs.replace(held, spec=spec))
        await eventually(lambda: allowed(client, 0, 0), what="nothing to take a share of")

        async def told() -> bool:
            return "UnmanagedPods" in {event.reason for event in await client.list(Event, "default")}

        await eventually(told, what="an event says so")


@pytest.mark.parametrize(("kind", "api_version", "message"), [
    pytest.param("Job", "batch/v1", "jobs.batch does not implement the scale subresource", id="without scale"),
    pytest.param("Thing", "example.com/v1", 'no matches for kind "Thing" in version "example.com/v1"', id="unknown kind"),
])
async def test_an_owner_without_a_scale_allows_nothing(kind: str, api_version: str, message: str) -> None:
    client, _ = memory_client()
    await client.create(pod("a", owner=OwnerReference(api_version=api_version, kind=kind, name="x", uid="1", controller=True)))
    await client.create(budget(max_unavailable=1))

    async with running(client, DisruptionController):

        async def says_so() -> bool:
            status = (await client.get(PodDisruptionBudget, KEY)).status
            return [(one.status, one.reason, one.message) for one in status.conditions] == [("False", "SyncFailed", message)]

        await eventually(says_so, what="the budget says why")


async def test_a_mark_of_an_eviction_that_never_came_is_taken_back() -> None:
    client, _ = memory_client()
    fresh, old = to_rfc3339(datetime.now(UTC)), to_rfc3339(datetime.now(UTC) - timedelta(minutes=3))
    for name, reason, since in (("stale", "EvictionByEvictionAPI", old), ("kubelet", "TerminationByKubelet", old), ("fresh", "x", fresh)):
        mark = PodCondition(type="DisruptionTarget", status="True", reason=reason, message="m", last_transition_time=since)
        made = pod(name)
        await client.create(msgspec.structs.replace(made, status=msgspec.structs.replace(made.status, conditions=(mark,))))

    async with running(client, StaleDisruptionTargets):

        async def taken_back() -> bool:
            mark = (await client.get(Pod, NamespacedName("default", "stale"))).status.conditions[0]
            return (mark.status, mark.reason, mark.message) == ("False", "", "")

        await eventually(taken_back, what="the stale mark")
    others = [await client.get(Pod, NamespacedName("default", name)) for name in ("kubelet", "fresh")]
    assert [held.status.conditions[0].status for held in others] == ["True", "True"]
