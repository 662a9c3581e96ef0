"""The pure parts of the Deployment controller, by table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from control_plane.controllers.deployment import rollout_annotations as notes
from control_plane.controllers.deployment.rolling import Resize, fenceposts, max_unavailable, new_size, plan_new, plan_old
from control_plane.controllers.deployment.scaling import is_scaling_event, plan_scale
from control_plane.controllers.deployment.status import calculate_status, find, has_timed_out, with_progress
from control_plane.controllers.deployment.template import same_template, template_hash, with_hash
from kube.api.apps_v1 import (
    Deployment,
    DeploymentCondition,
    DeploymentSpec,
    DeploymentStatus,
    DeploymentStrategy,
    ReplicaSet,
    ReplicaSetSpec,
    ReplicaSetStatus,
    RollingUpdateDeployment,
)
from kube.api.core_v1 import Container, PodSpec, PodTemplateSpec
from kube.api.meta_v1 import ObjectMeta
from kube.process.clock import to_rfc3339

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def deployment(replicas: int = 10, surge: int | str = "25%", unavailable: int | str = "25%", **spec: Any) -> Deployment:
    rolling = RollingUpdateDeployment(max_surge=surge, max_unavailable=unavailable)
    return Deployment(
        metadata=ObjectMeta(name="web", namespace="default", generation=1),
        spec=DeploymentSpec(replicas=replicas, strategy=DeploymentStrategy(type="RollingUpdate", rolling_update=rolling), **spec),
    )


def replica_set(
    name: str, replicas: int, available: int | None = None, *, desired: int = 10, largest: int = 13, age_s: int = 0
) -> ReplicaSet:
    ready = replicas if available is None else available
    return ReplicaSet(
        metadata=ObjectMeta(
            name=name, uid=name, creation_timestamp=to_rfc3339(NOW - timedelta(seconds=age_s)),
            annotations=notes.sizes(desired, largest)),
        spec=ReplicaSetSpec(replicas=replicas),
        status=ReplicaSetStatus(replicas=replicas, available_replicas=ready, ready_replicas=ready),
    )


def sizes(plan: list[Resize]) -> dict[str, int]:
    return {rs.metadata.name: replicas for rs, replicas in plan}


@pytest.mark.parametrize(("replicas", "surge", "unavailable", "expected"), [
    pytest.param(10, "25%", "25%", (3, 2), id="surge is rounded up, unavailable down"),
    pytest.param(1, "25%", "25%", (1, 0), id="one replica is never taken first"),
    pytest.param(10, 0, 0, (0, 1), id="both zero would never move"),
    pytest.param(10, 0, "5%", (0, 1), id="both zero by rounding"),
    pytest.param(3, 2, 1, (2, 1), id="numbers"),
])
def test_fenceposts(replicas: int, surge: int | str, unavailable: int | str, expected: tuple[int, int]) -> None:
    assert fenceposts(deployment(replicas, surge, unavailable)) == expected


def test_no_more_are_unavailable_than_there_are() -> None:
    assert max_unavailable(deployment(2, 0, 5)) == 2
    assert max_unavailable(deployment(0, 0, 5)) == 0


@pytest.mark.parametrize(("old", "new", "expected"), [
    pytest.param(10, 0, 3, id="as far as the surge reaches"),
    pytest.param(5, 8, 8, id="no room"),
    pytest.param(0, 3, 10, id="the last step"),
])
def test_size_of_the_new_replica_set(old: int, new: int, expected: int) -> None:
    held = replica_set("new", new)
    assert new_size(deployment(), [replica_set("old", old), held], new) == expected


def test_a_new_replica_set_that_is_too_large_shrinks() -> None:
    new = replica_set("new", 12)
    assert plan_new(deployment(), [new], new) == Resize(new, 10)


@pytest.mark.req("ROL-01")
@pytest.mark.parametrize(("new_available", "old", "expected"), [
    pytest.param(0, [("old", 10, 10)], {"old": 8}, id="maxUnavailable may go while no new one is available"),
    pytest.param(3, [("old", 8, 8)], {"old": 5}, id="as many as became available"),
    pytest.param(0, [("old", 8, 8)], {}, id="waits for the new ones"),
    pytest.param(0, [("bad", 5, 0), ("good", 5, 8)], {"bad": 3}, id="broken ones go first"),
])
def test_old_replica_sets_shrink(new_available: int, old: list[tuple[str, int, int]], expected: dict[str, int]) -> None:
    new = replica_set("new", 3, new_available)
    held = [replica_set(name, count, ready, age_s=100 - at) for at, (name, count, ready) in enumerate(old)]
    assert sizes(plan_old(deployment(), new, held)) == expected


def test_scaling_in_the_middle_of_a_rollout_is_shared_in_proportion() -> None:
    target = deployment(20)
    new, old = replica_set("new", 5, age_s=1), replica_set("old", 8, age_s=9)

    plan = plan_scale(target, new, [old])

    assert is_scaling_event(target, [new, old])
    assert sizes(plan) == {"old": 15, "new": 10}


def test_scaling_to_zero_leaves_nothing() -> None:
    plan = plan_scale(deployment(0), replica_set("new", 5), [replica_set("old", 8)])
    assert sizes(plan) == {"old": 0, "new": 0}


def test_a_hash_is_the_same_each_time_and_made_of_the_safe_alphabet() -> None:
    template = PodTemplateSpec(spec=PodSpec(containers=(Container(name="c", image="busybox"),)))
    first = template_hash(template, None)

    assert first == template_hash(template, None)
    assert first != template_hash(template, 1) != template_hash(template, 2)
    assert set(first) <= set("bcdfghjklmnpqrstvwxz2456789")
    assert same_template(template, with_hash(template, first))


def test_revision_annotations_of_a_replica_set_that_becomes_the_newest_again() -> None:
    held = {notes.REVISION: "2", notes.REVISION_HISTORY: "1"}
    result = notes.for_new_replica_set({"kubernetes.io/change-cause": "undo", notes.REVISION: "9"}, held, 5, None)
    assert result == {
        "kubernetes.io/change-cause": "undo", notes.REVISION: "5", notes.REVISION_HISTORY: "1,2",
    }


def progressing(reason: str, age_s: int) -> DeploymentStatus:
    instant = to_rfc3339(NOW - timedelta(seconds=age_s))
    return DeploymentStatus(replicas=3, updated_replicas=1, conditions=(DeploymentCondition(
        type="Progressing", status="True", reason=reason, last_update_time=instant, last_transition_time=instant),))


@pytest.mark.req("ROL-02")
@pytest.mark.parametrize(("reason", "age_s", "timed_out"), [
    pytest.param("ReplicaSetUpdated", 601, True, id="no progress for too long"),
    pytest.param("ReplicaSetUpdated", 599, False, id="still time"),
    pytest.param("NewReplicaSetAvailable", 9999, False, id="it was over"),
])
def test_progress_deadline(reason: str, age_s: int, timed_out: bool) -> None:
    target = deployment(3, progress_deadline_seconds=600)
    assert has_timed_out(target, progressing(reason, age_s), NOW) is timed_out


def test_a_finished_rollout_says_so_in_upstreams_words() -> None:
    target, new = deployment(3, progress_deadline_seconds=600), replica_set("web-abc", 3)
    status = with_progress(target, calculate_status(target, [new], new, NOW), [new], new, NOW)

    held = find(status.conditions, "Progressing")
    available = find(status.conditions, "Available")

    assert held is not None
    assert (held.status, held.reason) == ("True", "NewReplicaSetAvailable")
    assert held.message == 'ReplicaSet "web-abc" has successfully progressed.'
    assert available is not None
    assert available.message == "Deployment has minimum availability."
