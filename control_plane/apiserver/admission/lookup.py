"""How plugins look at other objects: in the watch cache, and once more after it has caught up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupResource, ResourceType

NAMESPACES: Final = GroupResource("", "namespaces")
PODS: Final = GroupResource("", "pods")
CLAIMS: Final = GroupResource("", "persistentvolumeclaims")


def row_of(group: str, plural: str, version: str = "v1") -> ResourceType:
    row = SCHEME.for_path(group, version, plural)
    assert row is not None, plural
    return row


async def find(cache: WatchCache, row: ResourceType, name: str, namespace: str = "") -> JsonObject | None:
    """What is held, or what a fresh look finds: made a moment ago is not missing. Never to be changed."""
    key = NamespacedName(namespace, name)
    held = cache.get(row, key)
    if held is None:
        await cache.fresh()
        held = cache.get(row, key)
    return None if held is None else held.obj


def newest_default(cache: WatchCache, row: ResourceType, *annotations: str) -> str:
    """The name of the class that is marked as default by one of these annotations; of several the newest. "" if there is none."""
    marked = [
        held.obj["metadata"] for held in cache.list(row)[0]
        if any(annotations_of(held.obj).get(annotation) == "true" for annotation in annotations)
    ]
    newest = max((metadata.get("creationTimestamp") or "" for metadata in marked), default="")
    return min((metadata["name"] for metadata in marked if (metadata.get("creationTimestamp") or "") == newest), default="")


def all_containers(spec: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """Each with its path below the Pod: init containers first, ephemeral ones last."""
    for key in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(key) or ()):
            yield f"spec.{key}[{index}]", container


def annotations_of(obj: JsonObject) -> dict[str, str]:
    return (obj.get("metadata") or {}).get("annotations") or {}
