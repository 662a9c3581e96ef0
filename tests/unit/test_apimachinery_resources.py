from __future__ import annotations

import pytest

from kube.apimachinery.resources import RESOURCES, SCHEME, SUBRESOURCES, subresource_kind, subresource_of
from kube.apimachinery.scheme import GroupResource, GroupVersion, GroupVersionKind
from kube.apimachinery.upstream import load_definitions

# Kinds of a GA version that no path of their own serves.
WITHOUT_PATH = {"Scale", "Eviction", "TokenRequest", "Status", "APIGroup", "APIVersions"}


def ga_kinds_with_schema() -> set[GroupVersionKind]:
    kinds = set()
    for name, definition in load_definitions().items():
        gvks = definition.get("x-kubernetes-group-version-kind", [])
        version = name.split(".")[-2]
        if len(gvks) == 1 and version[1:].isdigit() and not gvks[0]["kind"].endswith("List"):
            kinds.add(GroupVersionKind(gvks[0]["group"], gvks[0]["version"], gvks[0]["kind"]))
    return {kind for kind in kinds if kind.kind not in WITHOUT_PATH}


@pytest.mark.req("ARC-02")
def test_every_ga_kind_of_the_schemas_is_a_row() -> None:
    assert {row.gvk for row in RESOURCES} == ga_kinds_with_schema()


def test_rows_are_unique_by_path_and_by_kind() -> None:
    assert len({(row.group, row.version, row.plural) for row in RESOURCES}) == len(RESOURCES)
    assert len({row.gvk for row in RESOURCES}) == len(RESOURCES)


def test_status_is_served_where_the_schema_has_one_and_clients_may_write_it() -> None:
    definitions = {}
    for definition in load_definitions().values():
        for gvk in definition.get("x-kubernetes-group-version-kind", []):
            definitions[gvk["group"], gvk["version"], gvk["kind"]] = definition

    for row in RESOURCES:
        has_status = "status" in definitions[row.gvk]["properties"] and row.verbs != ("create",)
        assert ("status" in row.subresources) == has_status, row


def test_every_subresource_is_declared() -> None:
    for row in RESOURCES:
        for name in row.subresources:
            assert subresource_of(row, name).verbs

    pods = SCHEME.for_path("", "v1", "pods")
    assert pods
    assert subresource_kind(pods, "eviction") == ("policy", "v1", "Eviction")
    assert subresource_kind(pods, "status") == ("", "v1", "Pod")
    assert all(not plural or SCHEME.versions_of(GroupResource("", plural)) for plural, _ in SUBRESOURCES)


def test_preferred_version_stands_first_and_shares_the_store() -> None:
    versions = SCHEME.versions_of(GroupResource("autoscaling", "horizontalpodautoscalers"))

    assert [row.version for row in versions] == ["v2", "v1"]
    assert {row.storage_gvk for row in versions} == {GroupVersionKind("autoscaling", "v2", "HorizontalPodAutoscaler")}
    events = SCHEME.for_path("events.k8s.io", "v1", "events")
    assert events
    assert events.storage_identity == GroupResource("", "events")
    assert SCHEME.group_versions()[:3] == [GroupVersion("", "v1"), GroupVersion("apiregistration.k8s.io", "v1"), GroupVersion("apps", "v1")]
