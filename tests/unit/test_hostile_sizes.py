"""Objects, definitions and patches made to be expensive: what took the square of their size would not end in a test's time."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from control_plane.apiserver.custom.failures import MOST_TOLD
from control_plane.apiserver.custom.structural import Structural
from control_plane.apiserver.custom.values import Node
from control_plane.apiserver.registry.checking import checked
from control_plane.apiserver.strategies.base import Strategy
from control_plane.apiserver.strategies.differences import unified
from kube.apimachinery.errors import Cause, invalid
from kube.apimachinery.patch.strategic import apply_strategic_patch
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.schema import schemas
from kube.apimachinery.scheme import GroupVersionKind

NUMBERS: dict[str, Any] = {"type": "array", "items": {"type": "integer"}}


def test_very_many_wrong_values_are_told_up_to_a_bound() -> None:
    failures = Node(Structural(NUMBERS)).validate(["wrong"] * 300_000)

    assert len(failures) == MOST_TOLD
    assert failures[0].message == '[0] in body must be of type integer: "string"'


def test_what_an_update_leaves_wrong_is_no_failure_however_much_there_is() -> None:
    schema = Node(Structural({"type": "object", "properties": {"a": NUMBERS, "b": {"type": "integer"}}}))
    held = ["wrong"] * 100_000

    assert schema.validate({"a": held, "b": 1}, {"a": list(held), "b": 2}) == []


def test_lists_of_a_strategic_patch_are_merged_in_linear_time() -> None:
    def pod(value: str) -> dict[str, Any]:
        env = [{"name": f"E{number}", "value": value} for number in range(60_000)]
        return {"spec": {"containers": [{"name": "c", "env": env}]}}

    gone = [{"name": f"E{number}", "$patch": "delete"} for number in range(60_000)]
    deleted = {"spec": {"containers": [{"name": "c", "env": gone}]}}
    schema = schemas().for_kind(GroupVersionKind("", "v1", "Pod"))

    assert apply_strategic_patch(pod("1"), pod("2"), schema) == pod("2")
    assert apply_strategic_patch(pod("1"), deleted, schema)["spec"]["containers"][0]["env"] == []


def test_the_difference_of_large_objects_is_not_sought_for_ever() -> None:
    old, new = ({"items": [f"{value}{number}" for number in range(50_000)]} for value in ("a", "b"))

    shown = unified(old, new)

    assert '-  "a0",' in shown and '+  "b0",' in shown
    assert len(shown) < 50_000


def test_a_refusal_has_a_length() -> None:
    causes = [Cause("FieldValueInvalid", f"data[{number}]", "Invalid value") for number in range(100_000)]

    assert len(invalid(GroupVersionKind("", "v1", "ConfigMap"), "x", causes).causes) == 1000


async def test_large_objects_are_checked_beside_the_event_loop() -> None:
    row = SCHEME.for_path("", "v1", "configmaps")
    assert row is not None
    slow = Strategy(row)
    slow.validates_slowly = True
    others = threading.Event()      # set by the event loop while the check waits for it

    asyncio.get_running_loop().call_soon(others.set)

    assert await checked(Strategy(row), 10**6, lambda: others.wait(30))
    assert await checked(slow, 0, threading.get_ident) != threading.get_ident()
    assert await checked(Strategy(row), 100, threading.get_ident) == threading.get_ident()
