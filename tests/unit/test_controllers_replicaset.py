"""ReplicaSets: expectations, which Pods go, and the controller over an in-memory apiserver."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from control_plane.controllers.replicaset.controller import ReplicaSetController
from control_plane.controllers.replicaset.expectations import Expectations
from control_plane.controllers.replicaset.plan import slow_start_batches
from control_plane.controllers.replicaset.ranking import pods_to_delete
from kube.api.apps_v1 import ReplicaSet, ReplicaSetSpec
from kube.api.core_v1 import Container, ContainerStatus, Pod, PodCondition, PodSpec, PodStatus, PodTemplateSpec
from kube.api.meta_v1 import LabelSelector, ObjectMeta
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.objects import controller_of
from kube.process.clock import to_rfc3339
from tests.support.controllers import eventually, memory_client, running

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
KEY = NamespacedName("default", "web")
LABELS = {"app": "web"}


def replica_set(replicas: int = 3, **spec: int) -> ReplicaSet:
    template = PodTemplateSpec(metadata=ObjectMeta(labels=LABELS), spec=PodSpec(containers=(Container(name="c", image="i"),)))
    return ReplicaSet(
        metadata=ObjectMeta(namespace="default", name="web"),
        spec=ReplicaSetSpec(replicas=replicas, selector=LabelSelector(match_labels=LABELS), template=template, **spec))


def pod(
    name: str, *, node: str = "n1", phase: str = "Running", ready_s: int | None = 60, restarts: int = 0, age_s: int = 60, cost: str = ""
) -> Pod:
    conditions = () if ready_s is None else (PodCondition(
        type="Ready", status="True", last_transition_time=to_rfc3339(NOW - timedelta(seconds=ready_s))),)
    return Pod(
        metadata=ObjectMeta(
            name=name, uid=name, creation_timestamp=to_rfc3339(NOW - timedelta(seconds=age_s)),
            annotations={"controller.kubernetes.io/pod-deletion-cost": cost} if cost else {}),
        spec=PodSpec(node_name=node),
        status=PodStatus(phase=phase, conditions=conditions, container_statuses=(ContainerStatus(restart_count=restarts),)))


@pytest.mark.parametrize(("first", "second"), [
    pytest.param(pod("a", node="", phase="Pending", ready_s=None), pod("b", phase="Pending", ready_s=None), id="not assigned"),
    pytest.param(pod("a", phase="Pending"), pod("b"), id="pending before running"),
    pytest.param(pod("a", ready_s=None), pod("b"), id="not ready before ready"),
    pytest.param(pod("a", cost="-5"), pod("b"), id="cheaper to delete"),
    pytest.param(pod("a", ready_s=10), pod("b", ready_s=10_000, age_s=10), id="ready for a shorter time"),
    pytest.param(pod("a", restarts=3), pod("b"), id="more restarts"),
    pytest.param(pod("a", age_s=61), pod("b", age_s=100_000), id="younger"),
])
def test_which_of_two_goes_first(first: Pod, second: Pod) -> None:
    assert pods_to_delete([second, first], [], 1, NOW) == [first]


def test_of_equals_the_one_with_more_siblings_on_its_node_goes() -> None:
    family = [pod("a", node="n1"), pod("b", node="n2"), pod("c", node="n2")]
    assert pods_to_delete(family[:2], family, 1, NOW) == [family[1]]


def test_slow_start_doubles() -> None:
    assert [*slow_start_batches(10)] == [1, 2, 4, 3]


def test_expectations_hold_until_all_is_seen_or_too_long_ago() -> None:
    expectations = Expectations()
    expectations.expect(KEY, 0.0, creations=2)
    expectations.created(KEY)
    assert not expectations.satisfied(KEY, 1.0)
    assert expectations.satisfied(KEY, 301.0)

    expectations.created(KEY)

    assert expectations.satisfied(KEY, 1.0)


def test_a_deletion_is_counted_once_however_often_it_is_seen() -> None:
    expectations = Expectations()
    expectations.expect(KEY, 0.0, deletions=("a", "b"))
    expectations.deleted(KEY, "a")
    expectations.deleted(KEY, "a")
    assert not expectations.satisfied(KEY, 1.0)


async def test_pods_are_created_owned_and_counted() -> None:
    client, _ = memory_client()
    await client.create(replica_set(3))
    async with running(client, ReplicaSetController):

        async def counted() -> bool:
            return (await client.get(ReplicaSet, KEY)).status.replicas == 3

        await eventually(counted, what="three replicas")

    pods = await client.list(Pod, "default")
    owners = {owner.name for pod in pods if (owner := controller_of(pod)) is not None}
    assert len(pods) == 3
    assert owners == {"web"}
    assert all(pod.metadata.labels == LABELS for pod in pods)


async def test_matching_orphans_are_adopted_and_pods_that_no_longer_match_released() -> None:
    client, _ = memory_client()
    await client.create(Pod(metadata=ObjectMeta(namespace="default", name="orphan", labels=LABELS)))
    await client.create(replica_set(1))
    async with running(client, ReplicaSetController):

        async def adopted() -> bool:
            return controller_of(await client.get(Pod, NamespacedName("default", "orphan"))) is not None

        await eventually(adopted, what="the orphan is adopted")
        held = await client.get(Pod, NamespacedName("default", "orphan"))
        await client.update(msgspec.structs.replace(held, metadata=msgspec.structs.replace(held.metadata, labels={"app": "other"})))

        async def replaced() -> bool:
            pods = await client.list(Pod, "default")
            return len(pods) == 2 and controller_of(await client.get(Pod, NamespacedName("default", "orphan"))) is None

        await eventually(replaced, what="it is released and another is created")


async def test_a_failed_creation_is_a_condition_and_is_tried_again() -> None:
    client, transport = memory_client()
    created = await client.create(replica_set(2))
    transport.failures = [errors.Forbidden('pods "web-x" is forbidden: exceeded quota: q')]
    async with running(client, ReplicaSetController):

        async def recovered() -> bool:
            rs = await client.get(ReplicaSet, KEY)
            return rs.status.replicas == 2 and not rs.status.conditions

        await eventually(recovered, what="two replicas and no failure any more")

    history = client.watch(ReplicaSet, "default", resource_version=created.metadata.resource_version)
    reasons = [[condition.reason for condition in (await anext(history)).object.status.conditions] for _ in range(2)]
    assert reasons == [["FailedCreate"], []]


async def test_shrinking_deletes() -> None:
    client, _ = memory_client()
    await client.create(replica_set(5))
    async with running(client, ReplicaSetController):

        async def has(count: int) -> bool:
            return (await client.get(ReplicaSet, KEY)).status.replicas == count

        await eventually(lambda: has(5), what="five")
        await client.patch(ReplicaSet, KEY, {"spec": {"replicas": 2}})
        await eventually(lambda: has(2), what="two")

    assert len(await client.list(Pod, "default")) == 2
