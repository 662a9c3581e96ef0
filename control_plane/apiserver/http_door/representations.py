"""Objects as Tables and as bare metadata (PartialObjectMetadata): what kubectl prints, what metadata informers hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from control_plane.apiserver.negotiation import TABLE, Representation
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import ResourceType


def partial_metadata(obj: JsonObject, version: str = "v1") -> JsonObject:
    return {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{version}", "metadata": obj.get("metadata") or {}}


def partial_metadata_list(items: Sequence[JsonObject], metadata: JsonObject, version: str = "v1") -> JsonObject:
    return {
        "kind": "PartialObjectMetadataList", "apiVersion": f"meta.k8s.io/{version}", "metadata": metadata,
        "items": [partial_metadata(item, version) for item in items],
    }


def table(
    resource: ResourceType, items: Sequence[JsonObject], metadata: JsonObject, now: datetime, *,
    include_object: str = "", version: str = "v1", columns: bool = True,
) -> JsonObject:
    """`include_object` is the query parameter: None, Metadata (default) or Object."""
    from control_plane.apiserver.tables import registry  # only kubectl asks for tables

    is_scale = len(items) == 1 and items[0].get("kind") == "Scale" and items[0].get("apiVersion") == registry.SCALE.api_version
    printer = registry.scale_table() if is_scale else registry.table_for(resource)
    rows: list[dict[str, Any]] = []
    for item in items:
        row: dict[str, Any] = {"cells": printer.row(item, now)}
        if include_object == "Object":
            row["object"] = item
        elif include_object != "None":
            row["object"] = partial_metadata(item, version)
        rows.append(row)
    return {
        "kind": TABLE, "apiVersion": f"meta.k8s.io/{version}", "metadata": metadata,
        "columnDefinitions": printer.columns() if columns else None, "rows": rows,
    }


def transformed(
    resource: ResourceType, obj: JsonObject, wanted: Representation, now: datetime, *, include_object: str = "", columns: bool = True
) -> JsonObject:
    """One object in the transformation that the client asked for; Status objects are never transformed."""
    if not wanted.transform or obj.get("kind") == "Status":
        return obj
    if wanted.transform == TABLE:
        metadata = {"resourceVersion": (obj.get("metadata") or {}).get("resourceVersion", "")}
        return table(
            resource, [obj], metadata, now, include_object=include_object, version=wanted.transform_version, columns=columns
        )
    return partial_metadata(obj, wanted.transform_version)
