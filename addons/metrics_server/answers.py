"""What the API says: NodeMetrics and PodMetrics, alone, in lists, as Tables; and what it has (discovery). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from addons.metrics_server.storage import Usage
from kube.apimachinery.go_text import go_duration
from kube.apimachinery.quantity import Format, Quantity

GROUP, VERSION = "metrics.k8s.io", "v1beta1"
GROUP_VERSION: Final = f"{GROUP}/{VERSION}"
BASE: Final = f"/apis/{GROUP_VERSION}"
RESOURCES: Final = ("cpu", "memory")
Json = dict[str, Any]

RESOURCE_LIST: Final[Json] = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": GROUP_VERSION, "resources": [
    {"name": "nodes", "singularName": "", "namespaced": False, "kind": "NodeMetrics", "verbs": ["get", "list"]},
    {"name": "pods", "singularName": "", "namespaced": True, "kind": "PodMetrics", "verbs": ["get", "list"]},
]}
_VERSIONS: Final = [{"groupVersion": GROUP_VERSION, "version": VERSION}]
API_GROUP: Final[Json] = {
    "kind": "APIGroup", "apiVersion": "v1", "name": GROUP, "versions": _VERSIONS, "preferredVersion": _VERSIONS[0],
}
API_GROUP_LIST: Final[Json] = {
    "kind": "APIGroupList", "apiVersion": "v1",
    "groups": [{key: value for key, value in API_GROUP.items() if key not in ("kind", "apiVersion")}],
}


def node_metrics(name: str, labels: Mapping[str, str], usage: Usage, now: float) -> Json:
    return {**_head("NodeMetrics", {"name": name}, labels, now), **_interval(usage), "usage": _amounts(usage)}


def pod_metrics(namespace: str, name: str, labels: Mapping[str, str], usages: Mapping[str, Usage], now: float) -> Json:
    """Told with the time of the container that was measured first."""
    oldest = min(usages.values(), key=lambda usage: usage.at)
    containers = [{"name": container, "usage": _amounts(usage)} for container, usage in usages.items()]
    return {**_head("PodMetrics", {"name": name, "namespace": namespace}, labels, now), **_interval(oldest), "containers": containers}


def as_list(kind: str, items: Sequence[Json]) -> Json:
    bare = [{key: value for key, value in item.items() if key not in ("kind", "apiVersion")} for item in items]
    return {"kind": f"{kind}List", "apiVersion": GROUP_VERSION, "metadata": {}, "items": bare}


def as_table(items: Sequence[Json], include: str) -> Json:
    """`include`: what the rows bring of their object: None, Metadata or Object."""
    columns: list[Json] = [_column("Name", "name", "Name of the resource")]
    if items:
        columns += [*(_column(name, "quantity", "") for name in RESOURCES), _column("Window", "duration", "")]
    rows = []
    for item in items:
        total = _total([container["usage"] for container in item["containers"]] if "containers" in item else [item["usage"]])
        row: Json = {"cells": [item["metadata"]["name"], *(str(total[name]) for name in RESOURCES), item["window"]]}
        if include != "None":
            row["object"] = item if include == "Object" else {
                "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"]}
        rows.append(row)
    return {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {}, "columnDefinitions": columns, "rows": rows}


def _column(name: str, form: str, description: str) -> Json:
    return {"name": name, "type": "string", "format": form, "description": description, "priority": 0}


def _total(usages: Sequence[Mapping[str, str]]) -> dict[str, Quantity]:
    return {name: sum((Quantity.parse(usage[name]) for usage in usages), Quantity(Decimal(0))) for name in RESOURCES}


def _head(kind: str, metadata: Json, labels: Mapping[str, str], now: float) -> Json:
    described = {**metadata, "creationTimestamp": _instant(now), **({"labels": dict(labels)} if labels else {})}
    return {"kind": kind, "apiVersion": GROUP_VERSION, "metadata": described}


def _interval(usage: Usage) -> Json:
    return {"timestamp": _instant(usage.at), "window": go_duration(usage.window_s)}


def _amounts(usage: Usage) -> dict[str, str]:
    return {"cpu": str(Quantity(Decimal(usage.cpu_nano).scaleb(-9))), "memory": str(Quantity.of(usage.memory_bytes, Format.BINARY_SI))}


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
