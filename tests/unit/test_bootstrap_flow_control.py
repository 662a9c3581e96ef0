"""The FlowSchemas and priority levels a cluster starts with: what becomes of them when somebody changes one."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from control_plane.apiserver.bootstrap.flow_control_keeper import AUTO_UPDATE, dangling, kept_object
from control_plane.apiserver.flow.defaults import default_levels, default_schemas
from control_plane.apiserver.strategies.registry import strategy_for
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupVersionKind

OBJECTS = [*default_levels(), *default_schemas()]
NOW = "2026-01-02T03:04:05Z"


def wanted(name: str, kind: str = "FlowSchema") -> dict[str, Any]:
    return next(one for one in OBJECTS if (one["kind"], one["metadata"]["name"]) == (kind, name))


def held(name: str, kind: str = "FlowSchema", *, said: str | None = "true", generation: int = 1, **spec: Any) -> dict[str, Any]:
    obj = copy.deepcopy(wanted(name, kind))
    annotations = {} if said is None else {AUTO_UPDATE: said}
    return {**obj, "metadata": {"name": name, "generation": generation, "annotations": annotations}, "spec": {**obj["spec"], **spec}}


@pytest.mark.parametrize("obj", OBJECTS, ids=lambda obj: f"{obj['kind']} {obj['metadata']['name']}")
def test_each_is_valid_and_whole(obj: dict[str, Any]) -> None:
    row = SCHEME.for_kind(GroupVersionKind.of(obj["apiVersion"], obj["kind"]))
    assert row is not None
    rules, made = strategy_for(row), copy.deepcopy(obj)
    rules.default(made)

    assert made == obj
    assert rules.validate(made) == []


def test_what_nobody_touched_stays() -> None:
    for obj in OBJECTS:
        assert kept_object(copy.deepcopy(obj), obj) is None


@pytest.mark.parametrize(("obj", "precedence", "said"), [
    pytest.param(held("service-accounts", matchingPrecedence=5), 9000, "true", id="suggested, followed"),
    pytest.param(held("service-accounts", said="false", matchingPrecedence=5), None, "", id="suggested, let go"),
    pytest.param(held("catch-all", said="false", matchingPrecedence=5), 10000, "true", id="mandatory"),
    pytest.param(held("service-accounts", said=None, generation=2, matchingPrecedence=5), 5, "false", id="changed before it said anything"),
    pytest.param(held("service-accounts", said=None, matchingPrecedence=5), 9000, "true", id="of an older server"),
])
def test_a_changed_object(obj: dict[str, Any], precedence: int | None, said: str) -> None:
    kept = kept_object(obj, wanted(obj["metadata"]["name"]))

    if precedence is None:
        assert kept is None
    else:
        assert kept is not None
        assert (kept["spec"]["matchingPrecedence"], kept["metadata"]["annotations"][AUTO_UPDATE]) == (precedence, said)


def test_how_much_the_exempt_level_lends_is_the_users_choice() -> None:
    level = held("exempt", "PriorityLevelConfiguration", exempt={"nominalConcurrencyShares": 10, "lendablePercent": 50})

    assert kept_object(level, wanted("exempt", "PriorityLevelConfiguration")) is None


def test_a_schema_says_whether_its_level_exists() -> None:
    schema = wanted("service-accounts")

    missing = dangling(schema, set(), NOW)
    assert missing == {
        "type": "Dangling", "status": "True", "reason": "NotFound", "lastTransitionTime": NOW,
        "message": 'This FlowSchema references the PriorityLevelConfiguration object named "workload-low" but there is no such object',
    }
    found = dangling({**schema, "status": {"conditions": [missing]}}, {"workload-low"}, NOW)
    assert found is not None
    assert (found["status"], found["reason"]) == ("False", "Found")
    assert dangling({**schema, "status": {"conditions": [found]}}, {"workload-low"}, NOW) is None
