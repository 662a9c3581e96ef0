from __future__ import annotations

from typing import Any

import pytest

from kube.apimachinery.errors import ApiError, BadRequest, Invalid
from kube.apimachinery.patch.json_patch import apply_json_patch
from kube.apimachinery.patch.merge_patch import apply_merge_patch

DOC: dict[str, Any] = {"spec": {"replicas": 1, "ports": [{"port": 80}], "a/b": "~"}, "metadata": {"labels": {"app": "web"}}}


@pytest.mark.parametrize(("operation", "spec"), [
    pytest.param({"op": "replace", "path": "/spec/replicas", "value": 3}, {"replicas": 3}, id="replace"),
    pytest.param({"op": "replace", "path": "/spec/more", "value": 3}, {"more": 3}, id="replace what is missing"),
    pytest.param({"op": "add", "path": "/spec/paused", "value": True}, {"paused": True}, id="add to a map"),
    pytest.param({"op": "add", "path": "/spec/ports/-", "value": {"port": 81}}, {"ports": [{"port": 80}, {"port": 81}]}, id="append"),
    pytest.param({"op": "add", "path": "/spec/ports/0", "value": {"port": 79}}, {"ports": [{"port": 79}, {"port": 80}]}, id="insert"),
    pytest.param({"op": "remove", "path": "/spec/ports/0"}, {"ports": []}, id="remove from a list"),
    pytest.param({"op": "copy", "from": "/spec/replicas", "path": "/spec/copied"}, {"copied": 1}, id="copy"),
    pytest.param({"op": "replace", "path": "/spec/a~1b", "value": 1}, {"a/b": 1}, id="escaped pointer"),
    pytest.param({"op": "test", "path": "/spec/replicas", "value": 1}, {"replicas": 1}, id="test holds"),
])
def test_json_patch(operation: dict[str, Any], spec: dict[str, Any]) -> None:
    assert apply_json_patch(DOC, [operation])["spec"] == {**DOC["spec"], **spec}


def test_json_patch_moves() -> None:
    patched = apply_json_patch(DOC, [{"op": "move", "from": "/spec/replicas", "path": "/spec/was"}])
    assert (patched["spec"].get("was"), "replicas" in patched["spec"]) == (1, False)
    assert DOC["spec"]["replicas"] == 1


@pytest.mark.parametrize(("patch", "error"), [
    pytest.param({"op": "add"}, BadRequest, id="no list"),
    pytest.param([{"op": "remove", "path": "/spec/missing"}], Invalid, id="path is missing"),
    pytest.param([{"op": "replace", "path": "/spec/missing/far", "value": 1}], Invalid, id="nothing to replace"),
    pytest.param([{"op": "test", "path": "/spec/replicas", "value": 2}], Invalid, id="test fails"),
    pytest.param([{"op": "grow", "path": "/spec"}], Invalid, id="unknown operation"),
    pytest.param([{"op": "add", "path": "/spec/ports/9", "value": 1}], Invalid, id="index out of range"),
])
def test_json_patch_that_fails(patch: Any, error: type[ApiError]) -> None:
    with pytest.raises(error):
        apply_json_patch(DOC, patch)


def test_merge_patch_merges_maps_replaces_lists_and_deletes_on_null() -> None:
    patch = {"spec": {"replicas": None, "ports": [{"port": 8080}]}, "metadata": {"labels": {"tier": "front"}}, "new": {"a": None, "b": 1}}

    patched = apply_merge_patch(DOC, patch)

    assert patched == {"spec": {"ports": [{"port": 8080}], "a/b": "~"}, "metadata": {"labels": {"app": "web", "tier": "front"}},
                       "new": {"b": 1}}
    assert DOC["spec"]["replicas"] == 1


def test_merge_patch_must_be_an_object() -> None:
    with pytest.raises(BadRequest):
        apply_merge_patch(DOC, [1])
