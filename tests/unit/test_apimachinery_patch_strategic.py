from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from kube.apimachinery.errors import ApiError, BadRequest, Invalid
from kube.apimachinery.patch.strategic import apply_strategic_patch


@dataclass(frozen=True)
class Node:
    properties: dict[str, Any] = field(default_factory=dict)
    items: Any = None
    values: Any = None
    patch_strategy: str = ""
    patch_merge_key: str = ""


CONTAINER = Node(properties={
    "env": Node(items=Node(properties={"name": Node(), "value": Node()}), patch_strategy="merge", patch_merge_key="name"),
    "args": Node(items=Node()),
})
SCHEMA = Node(properties={
    "metadata": Node(properties={"finalizers": Node(items=Node(), patch_strategy="merge"), "labels": Node(values=Node())}),
    "spec": Node(properties={
        "containers": Node(items=CONTAINER, patch_strategy="merge", patch_merge_key="name"),
        "volumes": Node(items=Node(), patch_strategy="merge,retainKeys", patch_merge_key="name"),
        "strategy": Node(properties={"type": Node(), "rollingUpdate": Node()}, patch_strategy="retainKeys"),
    }),
})


def spec(**parts: Any) -> dict[str, Any]:
    return {"spec": parts}


A, B, C = ({"name": name, "image": f"{name}:1"} for name in "abc")


@pytest.mark.parametrize(("live", "patch", "want"), [
    pytest.param(spec(containers=[A, B]), spec(containers=[{"name": "b", "image": "b:2"}]),
                 spec(containers=[A, {"name": "b", "image": "b:2"}]), id="element merged by key"),
    pytest.param(spec(containers=[A]), spec(containers=[C]), spec(containers=[C, A]), id="new element stands before the live ones"),
    pytest.param(spec(containers=[A, B]), spec(containers=[{"name": "a", "$patch": "delete"}]), spec(containers=[B]), id="element deleted"),
    pytest.param(spec(containers=[A, B]), spec(containers=[{"$patch": "replace"}, C]), spec(containers=[C]), id="list replaced"),
    pytest.param(spec(containers=[{**A, "args": ["x"]}]), spec(containers=[{"name": "a", "args": ["y"]}]),
                 spec(containers=[{**A, "args": ["y"]}]), id="atomic list replaced"),
    pytest.param(spec(containers=[A, B]), {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}},
                 spec(containers=[B, A]), id="order alone"),
    pytest.param(spec(containers=[A, B]), {"spec": {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}, {"name": "b"}],
                                                    "containers": [C]}}, spec(containers=[C, A, B]), id="order and a new element"),
    pytest.param(spec(strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}),
                 spec(strategy={"$retainKeys": ["type"], "type": "Recreate"}), spec(strategy={"type": "Recreate"}), id="retain keys"),
    pytest.param({"metadata": {"finalizers": ["a", "b"]}}, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}},
                 {"metadata": {"finalizers": ["b"]}}, id="delete from a primitive list"),
    pytest.param({"metadata": {"finalizers": ["a"]}}, {"metadata": {"finalizers": ["b"]}}, {"metadata": {"finalizers": ["b", "a"]}},
                 id="primitive list merged"),
    pytest.param({"metadata": {"labels": {"a": "1", "b": "2"}}}, {"metadata": {"labels": {"a": None, "c": "3"}}},
                 {"metadata": {"labels": {"b": "2", "c": "3"}}}, id="null deletes"),
    pytest.param(spec(strategy={"type": "x"}), spec(strategy={"$patch": "replace", "rollingUpdate": {}}),
                 spec(strategy={"rollingUpdate": {}}), id="map replaced"),
    pytest.param(spec(strategy={"type": "x"}), spec(strategy={"$patch": "delete"}), spec(strategy={}), id="map emptied"),
    pytest.param({}, spec(containers=[{"name": "a", "x": None, "env": [{"name": "E", "$patch": "delete"}]}]),
                 spec(containers=[{"name": "a", "env": []}]), id="directives leave no trace in new parts"),
])
def test_strategic_patch(live: dict[str, Any], patch: dict[str, Any], want: dict[str, Any]) -> None:
    assert apply_strategic_patch(live, patch, SCHEMA) == want


@pytest.mark.parametrize(("patch", "error", "words"), [
    pytest.param(spec(containers=[{"image": "x"}]), Invalid, "does not contain declared merge key: name", id="no merge key"),
    pytest.param(spec(strategy={"$patch": "burn"}), BadRequest, "unknown patch type: burn in map", id="unknown directive"),
    pytest.param(spec(strategy={"$retainKeys": "type"}), BadRequest, "invalid patch format of retainKeys", id="retainKeys no list"),
    pytest.param(spec(strategy={"$retainKeys": [], "type": "x"}), BadRequest, "invalid patch format of retainKeys", id="key not retained"),
    pytest.param([], BadRequest, "error decoding patch", id="no object"),
])
def test_strategic_patch_that_fails(patch: Any, error: type[ApiError], words: str) -> None:
    with pytest.raises(error, match=words):
        apply_strategic_patch(spec(containers=[A], strategy={"type": "x"}), patch, SCHEMA)


def test_arguments_stay_as_they_are() -> None:
    live, patch = spec(containers=[dict(A)]), spec(containers=[{"name": "a", "image": "a:2"}])
    apply_strategic_patch(live, patch, SCHEMA)
    assert (live, patch) == (spec(containers=[A]), spec(containers=[{"name": "a", "image": "a:2"}]))
