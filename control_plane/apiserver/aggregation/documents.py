"""Discovery and OpenAPI indexes with the groups of other servers in them. Pure: each takes a document of what is served here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from control_plane.apiserver.aggregation.priorities import Priority, priority_of
from control_plane.apiserver.aggregation.targets import Target
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupVersion, version_priority


def merged_groups(served: Iterable[GroupVersion], targets: Iterable[Target]) -> list[tuple[str, list[GroupVersion]]]:
    """Every group but the core one, the first and the preferred versions first. `served`: here."""
    priorities = {one: priority_of(one) for one in served if one.group}
    priorities |= {target.group_version: Priority(target.group_priority, target.version_priority) for target in targets}
    groups: dict[str, list[GroupVersion]] = {}
    for one in priorities:
        groups.setdefault(one.group, []).append(one)
    for versions in groups.values():
        versions.sort(key=lambda one: (-priorities[one].version, version_priority(one.version)))
    return sorted(groups.items(), key=lambda item: (-max(priorities[one].group for one in item[1]), item[0]))


def group_document(name: str, versions: Iterable[GroupVersion]) -> JsonObject:
    listed = [{"groupVersion": str(one), "version": one.version} for one in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def with_groups(groups: list[tuple[str, list[GroupVersion]]]) -> JsonObject:
    """The answer of /apis."""
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group_document(*group) for group in groups]}


def with_aggregated(made: JsonObject, groups: list[tuple[str, list[GroupVersion]]], targets: Mapping[GroupVersion, Target]) -> JsonObject:
    """The aggregated answer of /apis. `made`: of what is served here."""
    held = {
        GroupVersion(item["metadata"]["name"], version["version"]): version for item in made["items"] for version in item["versions"]
    }
    held |= {group_version: described_version(target) for group_version, target in targets.items()}
    items = [
        {"metadata": {"name": name}, "versions": [held[one] for one in versions if one in held]}
        for name, versions in groups
    ]
    return {**made, "items": items}


def described_version(target: Target) -> JsonObject:
    """A server that cannot be asked is shown with what it said last, as stale."""
    return {
        "version": target.group_version.version, "resources": described_resources(target.group_version, target.resources),
        "freshness": "Current" if target.is_current else "Stale",
    }


def described_resources(group_version: GroupVersion, listed: Iterable[Mapping[str, Any]]) -> list[JsonObject]:
    """APIResources as aggregated discovery tells them: subresources stand within their resource."""
    found: dict[str, JsonObject] = {}
    for one in listed:
        name, _, subresource = str(one.get("name", "")).partition("/")
        kind = {
            "group": one.get("group") or group_version.group, "version": one.get("version") or group_version.version,
            "kind": one.get("kind", ""),
        }
        described = found.setdefault(name, {"resource": name, "scope": "Namespaced" if one.get("namespaced") else "Cluster", "verbs": []})
        if subresource:
            entry = {"subresource": subresource, "responseKind": kind, "verbs": one.get("verbs") or []}
            described.setdefault("subresources", []).append(entry)
            continue
        described |= {"responseKind": kind, "singularResource": one.get("singularName", ""), "verbs": one.get("verbs") or []}
        described |= {key: one[key] for key in ("shortNames", "categories") if one.get(key)}
    return list(found.values())


def with_openapi(made: JsonObject, targets: Iterable[Target]) -> JsonObject:
    """The answer of /openapi/v3. `made`: of what is served here."""
    paths = dict(made["paths"])
    for target in targets:
        name = f"apis/{target.group_version}"
        paths.pop(name, None)
        if target.openapi_hash is not None:
            query = f"?hash={target.openapi_hash}" if target.openapi_hash else ""
            paths[name] = {"serverRelativeURL": f"/openapi/v3/{name}{query}"}
    return {**made, "paths": paths}
