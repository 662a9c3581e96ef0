"""The rows that a CustomResourceDefinition adds to the resource table.

Both the apiserver, which serves them, and controllers, which follow every kind, make them from the definition object. Names are the
accepted ones: what is asked for in `spec.names` counts once no other definition has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupResource, ResourceType

# In the order of upstream's discovery.
VERBS: Final = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
SHOWN_VERBS_OF_THE_DYING: Final = ("delete", "deletecollection", "get", "list", "watch")

CustomKind = Callable[[str], Any]      # version -> what serves it


def group_resource_of(crd: JsonObject) -> GroupResource:
    spec = crd["spec"]
    return GroupResource(spec["group"], spec["names"]["plural"])


def condition_is_true(crd: JsonObject, kind: str) -> bool:
    conditions = (crd.get("status") or {}).get("conditions") or ()
    return any(condition.get("type") == kind and condition.get("status") == "True" for condition in conditions)


def is_served(crd: JsonObject) -> bool:
    return condition_is_true(crd, "NamesAccepted") or condition_is_true(crd, "Established")


def rows_of(crd: JsonObject, custom: CustomKind = lambda version: None) -> list[ResourceType]:
    """One row per served version; none until the names are accepted."""
    if not _has_names(crd):
        return []
    return [_row(crd, version, custom) for version in crd["spec"]["versions"] if version.get("served")]


def storage_row(crd: JsonObject, custom: CustomKind = lambda version: None) -> ResourceType | None:
    """Of the version that objects are stored in, served or not; None until the names are accepted."""
    if not _has_names(crd):
        return None
    return next((_row(crd, version, custom) for version in crd["spec"]["versions"] if version.get("storage")), None)


def _has_names(crd: JsonObject) -> bool:
    names = (crd.get("status") or {}).get("acceptedNames") or {}
    return is_served(crd) and bool(names.get("plural") and names.get("kind"))


def _row(crd: JsonObject, version: JsonObject, custom: CustomKind) -> ResourceType:
    spec, names = crd["spec"], crd["status"]["acceptedNames"]
    return ResourceType(
        group=spec["group"], version=version["name"], kind=names["kind"], plural=names["plural"],
        namespaced=spec["scope"] == "Namespaced", subresources=_subresources(version),
        short_names=tuple(names.get("shortNames") or ()), categories=tuple(names.get("categories") or ()),
        verbs=VERBS, singular=names.get("singular") or "",
        storage_version=next((one["name"] for one in spec["versions"] if one.get("storage")), ""),
        list_name=names.get("listKind") or "", custom=custom(version["name"]), discoverable=condition_is_true(crd, "Established"),
    )


def _subresources(version: JsonObject) -> tuple[str, ...]:
    declared = version.get("subresources") or {}
    return tuple(name for name in ("scale", "status") if declared.get(name) is not None)
