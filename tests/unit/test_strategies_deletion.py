from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from control_plane.apiserver.strategies.deletion import Fate, deletion_finalizers, plan_deletion, removed_by_update
from control_plane.apiserver.strategies.registry import strategy_for
from kube.apimachinery.resources import SCHEME

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def strategy(plural: str, group: str = "") -> Any:
    resource = SCHEME.for_path(group, "v1", plural)
    assert resource is not None
    return strategy_for(resource)


def pod(*, node: str = "n1", phase: str = "Running", grace: int = 30, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p", **metadata}, "spec": {"nodeName": node, "terminationGracePeriodSeconds": grace},
            "status": {"phase": phase}}


@pytest.mark.parametrize(("obj", "options", "fate", "grace"), [
    pytest.param(pod(), {}, Fate.MARKED, 30, id="the Pod's own time"),
    pytest.param(pod(), {"gracePeriodSeconds": 5}, Fate.MARKED, 5, id="the client's time"),
    pytest.param(pod(), {"gracePeriodSeconds": 0}, Fate.REMOVED, 0, id="forced"),
    pytest.param(pod(grace=-1), {}, Fate.MARKED, 1, id="negative is one second"),
    pytest.param(pod(node=""), {}, Fate.REMOVED, 0, id="never scheduled"),
    pytest.param(pod(phase="Succeeded"), {}, Fate.REMOVED, 0, id="finished"),
    pytest.param(pod(phase="Failed", finalizers=["a/b"]), {}, Fate.MARKED, 0, id="finished, held by a finalizer"),
])
def test_deleting_pods(obj: dict[str, Any], options: dict[str, Any], fate: Fate, grace: int) -> None:
    planned = plan_deletion(strategy("pods"), obj, options, NOW)

    assert (planned.fate, planned.obj["metadata"]["deletionGracePeriodSeconds"]) == (fate, grace)
    assert "deletionTimestamp" not in obj["metadata"]


@pytest.mark.req("TRM-02")
def test_deletion_time_is_now_and_the_grace_and_a_new_generation() -> None:
    metadata = plan_deletion(strategy("pods"), pod(generation=3), {}, NOW).obj["metadata"]
    assert (metadata["deletionTimestamp"], metadata["generation"]) == ("2026-01-01T12:00:30Z", 4)


@pytest.mark.parametrize(("asked", "fate", "timestamp"), [
    pytest.param(None, Fate.PENDING, "2026-01-01T12:00:30Z", id="no wish"),
    pytest.param(60, Fate.PENDING, "2026-01-01T12:00:30Z", id="longer is ignored"),
    pytest.param(10, Fate.MARKED, "2026-01-01T12:00:10Z", id="shorter counts from the first request"),
    pytest.param(0, Fate.REMOVED, "2026-01-01T12:00:00Z", id="at once"),
])
def test_a_second_delete_may_only_shorten(asked: int | None, fate: Fate, timestamp: str) -> None:
    dying = pod(deletionTimestamp="2026-01-01T12:00:30Z", deletionGracePeriodSeconds=30)

    planned = plan_deletion(strategy("pods"), dying, {} if asked is None else {"gracePeriodSeconds": asked}, NOW)

    assert (planned.fate, planned.obj["metadata"]["deletionTimestamp"]) == (fate, timestamp)


@pytest.mark.parametrize(("plural", "group", "held", "options", "wanted"), [
    pytest.param("replicasets", "apps", [], {}, [], id="background by default"),
    pytest.param("replicasets", "apps", [], {"propagationPolicy": "Foreground"}, ["foregroundDeletion"], id="foreground"),
    pytest.param("replicasets", "apps", ["a/b"], {"propagationPolicy": "Orphan"}, ["a/b", "orphan"], id="orphan"),
    pytest.param("replicasets", "apps", ["orphan"], {}, ["orphan"], id="a finalizer that is there decides"),
    pytest.param("replicasets", "apps", ["orphan"], {"propagationPolicy": "Foreground"}, ["foregroundDeletion"], id="unless asked"),
    pytest.param("replicasets", "apps", [], {"orphanDependents": True}, ["orphan"], id="the old option"),
    pytest.param("replicationcontrollers", "", [], {}, ["orphan"], id="controllers of old orphan"),
    pytest.param("jobs", "batch", [], {}, ["orphan"], id="so do Jobs"),
    pytest.param("events", "", [], {"propagationPolicy": "Foreground"}, [], id="events have no dependents"),
])
def test_finalizers_for_dependents(plural: str, group: str, held: list[str], options: dict[str, Any], wanted: list[str]) -> None:
    assert deletion_finalizers(strategy(plural, group), {"finalizers": held}, options) == wanted


def test_other_kinds_go_at_once_or_wait_for_their_finalizers() -> None:
    config = strategy("configmaps")
    free, held = {"metadata": {"name": "a"}}, {"metadata": {"name": "a", "finalizers": ["x/y"]}}

    waiting = plan_deletion(config, held, {}, NOW)

    assert plan_deletion(config, free, {}, NOW).fate is Fate.REMOVED
    assert waiting.fate is Fate.MARKED
    assert waiting.obj["metadata"]["deletionTimestamp"] == "2026-01-01T12:00:00Z"
    assert plan_deletion(config, waiting.obj, {}, NOW).fate is Fate.PENDING


def test_foreground_deletion_marks_the_owner() -> None:
    planned = plan_deletion(strategy("replicasets", "apps"), {"metadata": {"name": "a"}}, {"propagationPolicy": "Foreground"}, NOW)
    assert (planned.fate, planned.obj["metadata"]["finalizers"]) == (Fate.MARKED, ["foregroundDeletion"])


def test_a_namespace_terminates_first_and_goes_when_it_is_empty() -> None:
    namespaces = strategy("namespaces")
    live = {"metadata": {"name": "a"}, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}

    planned = plan_deletion(namespaces, live, {}, NOW)
    emptied = {**planned.obj, "spec": {}}

    assert (planned.fate, planned.obj["status"]["phase"]) == (Fate.MARKED, "Terminating")
    assert not removed_by_update(namespaces, planned.obj)
    assert removed_by_update(namespaces, emptied)
    assert plan_deletion(namespaces, emptied, {}, NOW).fate is Fate.REMOVED


@pytest.mark.parametrize(("metadata", "removed"), [
    pytest.param({}, False, id="alive"),
    pytest.param({"deletionTimestamp": "x", "deletionGracePeriodSeconds": 0}, True, id="last finalizer went"),
    pytest.param({"deletionTimestamp": "x", "finalizers": ["a/b"]}, False, id="still held"),
    pytest.param({"deletionTimestamp": "x", "deletionGracePeriodSeconds": 30}, False, id="still in grace"),
])
def test_an_update_removes_what_waited_for_nothing_else(metadata: dict[str, Any], removed: bool) -> None:
    assert removed_by_update(strategy("pods"), {"metadata": metadata}) is removed
