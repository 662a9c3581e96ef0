"""One stored object in its forms: JSON without parsing, decoded when looked into."""

from __future__ import annotations

import json

import pytest

from control_plane.storage import cached_object
from control_plane.storage.cached_object import CachedObject, encode_value
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import ResourceType


def row(group: str, version: str, plural: str) -> ResourceType:
    found = SCHEME.for_path(group, version, plural)
    assert found is not None
    return found


PODS = row("", "v1", "pods")


def pod(name: str = "p") -> JsonObject:
    """With a template's metadata before its own, as a client may order it."""
    return {
        "spec": {"x": {"metadata": {"resourceVersion": "9"}}}, "metadata": {"name": name, "resourceVersion": "7", "labels": {"a": "b"}},
        "kind": "Pod", "apiVersion": "v1",
    }


@pytest.mark.parametrize("raw", [
    encode_value(PODS, pod()),
    b'{"spec":{"x":{"metadata":{"resourceVersion":"9"}}},"metadata":{"name":"p","labels":{"a":"b"}},"kind":"Pod","apiVersion":"v1"}',
    b'{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","labels":{"a":"b"}},"spec":{"x":{"metadata":{"resourceVersion":"9"}}}}',
])
def test_json_and_object_carry_the_revision(raw: bytes) -> None:
    held = CachedObject(PODS, "d/p", raw, 42)
    wanted = pod() | {"metadata": {"name": "p", "resourceVersion": "42", "labels": {"a": "b"}}}

    assert json.loads(held.encoded("v1")) == wanted == held.obj
    assert held.encoded("v1") is held.encoded("v1")
    moved = held.at_revision(1234)
    assert json.loads(moved.encoded("v1")) == {**wanted, "metadata": {**wanted["metadata"], "resourceVersion": "1234"}}
    assert json.loads(held.served_as(PODS).encoded("v1")) == wanted


def test_metadata_may_be_empty() -> None:
    held = CachedObject(PODS, "d/p", b'{"kind":"Pod","apiVersion":"v1","metadata":{}}', 42)

    assert json.loads(held.encoded("v1"))["metadata"] == {"resourceVersion": "42"}


def test_another_served_version_is_converted() -> None:
    core, events = row("", "v1", "events"), row("events.k8s.io", "v1", "events")
    event = {"kind": "Event", "apiVersion": "v1", "metadata": {"name": "e"}, "message": "hi"}
    held = CachedObject(core, "d/e", encode_value(core, event), 5)

    assert json.loads(held.encoded("v1"))["message"] == "hi"
    assert json.loads(held.encoded("events.k8s.io/v1"))["note"] == "hi"
    assert events.storage_identity == core.storage_identity


def test_only_the_latest_stay_decoded_and_all_can_be_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached_object, "_DECODED", 3)
    monkeypatch.setattr(cached_object, "_decoded", {})
    held = [CachedObject(PODS, f"d/p{n}", encode_value(PODS, pod(f"p{n}")), n + 1) for n in range(5)]

    assert [item.labels for item in held] == [{"a": "b"}] * 5
    assert [item._obj is None for item in held] == [True] * 5
    for item in held:
        assert item.obj["metadata"]["labels"] == item.labels
    assert [item._obj is None for item in held] == [True, True, False, False, False]
    assert [item.obj["metadata"]["name"] for item in held] == [f"p{n}" for n in range(5)]
