"""What a write through a subresource takes from the request, and what of the object stays."""

from __future__ import annotations

from typing import Any

import pytest

from control_plane.apiserver.registry.subresource_writes import merge_for
from kube.apimachinery.errors import NotFound
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupVersionKind, ResourceType

NAMESPACE = GroupVersionKind("", "v1", "Namespace")
REQUEST = GroupVersionKind("certificates.k8s.io", "v1", "CertificateSigningRequest")
POD = GroupVersionKind("", "v1", "Pod")


def row(gvk: GroupVersionKind) -> ResourceType:
    found = SCHEME.for_kind(gvk)
    assert found is not None
    return found


def written(gvk: GroupVersionKind, subresource: str, sent: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    merge = merge_for(row(gvk), subresource)
    assert merge is not None
    return merge(sent, {"metadata": {"name": "a", "uid": "u", "resourceVersion": "1"}, **old})


def test_an_approval_takes_conditions_and_metadata() -> None:
    sent = {"metadata": {"annotations": {"a": "b"}}, "spec": {"request": "x"}, "status": {"conditions": [1], "certificate": "new"}}

    found = written(REQUEST, "approval", sent, {"spec": {"request": "r"}, "status": {"certificate": "old"}})

    assert found == {
        "metadata": {"name": "a", "annotations": {"a": "b"}}, "spec": {"request": "r"}, "status": {"certificate": "old", "conditions": [1]},
    }


def test_a_finalization_takes_finalizers_and_metadata() -> None:
    old = {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}

    found = written(NAMESPACE, "finalize", {"metadata": {"uid": "u", "labels": {"a": "b"}}, "spec": {}, "status": {}}, old)

    assert found == {"metadata": {"name": "a", "uid": "u", "labels": {"a": "b"}}, "spec": {}, "status": {"phase": "Active"}}


def test_ephemeral_containers_come_alone() -> None:
    sent = {"metadata": {"labels": {"a": "b"}}, "spec": {"nodeName": "n", "ephemeralContainers": [{"name": "e"}]}}

    found = written(POD, "ephemeralcontainers", sent, {"spec": {"containers": []}})

    assert found == {"metadata": {"name": "a"}, "spec": {"containers": [], "ephemeralContainers": [{"name": "e"}]}}


def test_other_names_are_not_found() -> None:
    with pytest.raises(NotFound):
        merge_for(row(POD), "approval")
