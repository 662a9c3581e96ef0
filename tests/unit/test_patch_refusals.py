"""Patches whose result is no object of the kind: 422 about `patch`, in upstream's words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from control_plane.apiserver.registry.patching import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Patch
from kube.apimachinery.errors import BadRequest, Invalid
from kube.apimachinery.scheme import GroupVersionKind

CONFIG_MAP = GroupVersionKind("", "v1", "ConfigMap")


def patched(kind: str, patch: Any, validation: str = "") -> Any:
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}}
    return Patch(kind, json.dumps(patch).encode(), CONFIG_MAP).result(obj, validation, [])


@pytest.mark.parametrize(("patch", "words"), [
    pytest.param({"data": 5}, '"map[data:5]": cannot restore map from int64', id="a number for a map"),
    pytest.param({"data": {"a": 5}}, '"map[data:map[a:5]]": cannot convert int64 to string', id="a number for a string"),
    pytest.param({"metadata": {"labels": {"a": True}}}, '"map[metadata:map[labels:map[a:true]]]": unrecognized type: string', id="a truth"),
    pytest.param({"metadata": "x"}, '"map[metadata:x]": cannot restore struct from: string', id="a string for a struct"),
    pytest.param({"immutable": "yes"}, '"map[immutable:yes]": unrecognized type: bool', id="a string for a truth"),
])
def test_strategic_patches_name_what_they_held(patch: Any, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        patched(STRATEGIC_PATCH, patch)

    assert refused.value.message == f' "" is invalid: patch: Invalid value: {words}'


@pytest.mark.parametrize(("kind", "patch"), [
    pytest.param(MERGE_PATCH, {"data": {"a": 5}}, id="merge"),
    pytest.param(JSON_PATCH, [{"op": "replace", "path": "/data/a", "value": 5}], id="json"),
])
def test_other_patches_name_what_they_made(kind: str, patch: Any) -> None:
    with pytest.raises(Invalid) as refused:
        patched(kind, patch)

    held = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": 5}}, separators=(",", ":"))
    assert refused.value.message == (
        f' "" is invalid: patch: Invalid value: {json.dumps(held)}: '
        "json: cannot unmarshal number into Go struct field ConfigMap.data of type string"
    )


def test_unknown_fields_of_a_strict_patch() -> None:
    with pytest.raises(Invalid, match='strict decoding error: unknown field "nope"'):
        patched(MERGE_PATCH, {"nope": 1}, "Strict")


@pytest.mark.parametrize(("kind", "patch", "words"), [
    (STRATEGIC_PATCH, [], "json: cannot unmarshal array into Go value of type map[string]interface {}"),
    (MERGE_PATCH, 5, "error decoding patch: json: cannot unmarshal number into Go value of type map[string]interface {}"),
])
def test_patches_that_are_no_objects(kind: str, patch: Any, words: str) -> None:
    with pytest.raises(BadRequest) as refused:
        patched(kind, patch)

    assert refused.value.message == words
