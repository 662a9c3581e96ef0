from __future__ import annotations

from typing import Any

import pytest

from control_plane.apiserver.strategies.metadata import generated_name, keep_system_metadata
from control_plane.apiserver.strategies.registry import strategy_for
from kube.apimachinery.errors import invalid
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import ResourceType


def resource(plural: str, group: str = "", version: str = "v1") -> ResourceType:
    found = SCHEME.for_path(group, version, plural)
    assert found is not None
    return found


def problems(plural: str, metadata: dict[str, Any]) -> str:
    strategy = strategy_for(resource(plural))
    obj = {"metadata": metadata}
    strategy.default(obj)
    causes = [cause for cause in strategy.validate(obj) if cause.field.startswith("metadata")]
    return "; ".join(f"{cause.field}: {cause.message}" for cause in causes)


@pytest.mark.parametrize(("plural", "metadata", "words"), [
    pytest.param("configmaps", {"namespace": "d"}, "metadata.name: Required value: name or generateName is required", id="no name"),
    pytest.param("configmaps", {"name": "a"}, "metadata.namespace: Required value", id="no namespace"),
    pytest.param("nodes", {"name": "a", "namespace": "d"}, "metadata.namespace: Forbidden: not allowed on this type", id="not namespaced"),
    pytest.param("configmaps", {"name": "A_b", "namespace": "d"},
                 "metadata.name: Invalid value: \"A_b\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
                 "characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for "
                 r"validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')", id="no subdomain"),
    pytest.param("namespaces", {"name": "a.b"}, 'metadata.name: Invalid value: "a.b": must not contain dots', id="dots in a label"),
    pytest.param("services", {"name": "a_", "namespace": "d"}, "metadata.name: Invalid value: \"a_\": a lowercase RFC 1123 label must",
                 id="service name is no label"),
    pytest.param("configmaps", {"name": "a", "namespace": "d", "labels": {"a": "-"}}, "metadata.labels: Invalid value: \"-\": a valid "
                 "label must be an empty string or consist of alphanumeric characters", id="label value"),
    pytest.param("configmaps", {"name": "a", "namespace": "d", "labels": {"/x": ""}},
                 'metadata.labels: Invalid value: "/x": prefix part must be non-empty', id="label key"),
    pytest.param("configmaps", {"name": "a", "namespace": "d", "annotations": {"k": "x" * 262144}},
                 "metadata.annotations: Too long: may not be more than 262144 bytes", id="annotations too long"),
    pytest.param("configmaps", {"name": "a", "namespace": "d", "finalizers": ["foregroundDeletion", "orphan"]},
                 "finalizer orphan and foregroundDeletion cannot be both set", id="contradicting finalizers"),
    pytest.param("configmaps", {"name": "a", "namespace": "d", "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p"}]},
                 "metadata.ownerReferences[0].uid: Required value: must not be empty", id="owner without uid"),
])
def test_metadata_of_new_objects(plural: str, metadata: dict[str, Any], words: str) -> None:
    assert words in problems(plural, metadata)


def test_a_prefix_may_end_with_a_dash() -> None:
    assert problems("configmaps", {"generateName": "a-", "name": "a-x", "namespace": "d"}) == ""


def test_two_controllers_are_one_too_many() -> None:
    owners = [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": name, "controller": True} for name in "ab"]
    assert "Only one reference can have Controller set to true" in problems("configmaps", {
        "name": "a", "namespace": "d", "ownerReferences": owners})


def updated(new: dict[str, Any], old: dict[str, Any]) -> str:
    strategy = strategy_for(resource("configmaps"))
    base = {"name": "a", "namespace": "d", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z", "resourceVersion": "1"}
    obj, before = {"metadata": {**base, **new}}, {"metadata": {**base, **old}}
    strategy.prepare_for_update(obj, before)
    return "; ".join(f"{cause.field}: {cause.message}" for cause in strategy.validate_update(obj, before))


@pytest.mark.parametrize(("new", "old", "words"), [
    pytest.param({"uid": "other"}, {}, 'metadata.uid: Invalid value: "other": field is immutable', id="uid"),
    pytest.param({"name": "b"}, {}, 'metadata.name: Invalid value: "b": field is immutable', id="name"),
    pytest.param({"deletionTimestamp": "2026-01-01T00:00:00Z"}, {}, "metadata.deletionTimestamp: Invalid value", id="deletion by update"),
    pytest.param({"finalizers": ["a/b", "c/d"]}, {"deletionTimestamp": "x", "finalizers": ["a/b"]}, "metadata.finalizers: Forbidden: no "
                 'new finalizers can be added if the object is being deleted, found new finalizers []string{"c/d"}', id="late finalizer"),
    pytest.param({"creationTimestamp": "2030-01-01T00:00:00Z", "generation": 7}, {}, "", id="timestamps are carried over"),
])
def test_metadata_of_updates(new: dict[str, Any], old: dict[str, Any], words: str) -> None:
    text = updated(new, old)
    assert words in text if words else text == ""


def test_system_metadata_is_carried_over() -> None:
    obj = {"metadata": {"name": "a", "generation": 9, "selfLink": "/x"}}
    keep_system_metadata(obj, {"metadata": {"uid": "u", "creationTimestamp": "t", "generation": 2, "deletionTimestamp": "d"}})
    assert obj["metadata"] == {"name": "a", "generation": 2, "uid": "u", "creationTimestamp": "t", "deletionTimestamp": "d"}


def test_generated_names_fit_into_a_label() -> None:
    name = generated_name("x" * 80)
    assert (len(name), name.startswith("x" * 58), generated_name("web-") != generated_name("web-")) == (63, True, True)


def test_message_of_an_invalid_object_is_upstreams() -> None:
    strategy = strategy_for(resource("namespaces"))
    error = invalid(strategy.resource.gvk, "a.b", strategy.validate({"metadata": {"name": "a.b"}}))
    assert error.message == 'Namespace "a.b" is invalid: metadata.name: Invalid value: "a.b": must not contain dots'
