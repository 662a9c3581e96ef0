"""How plugins look at other objects: in the watch cache, and once more after it has caught up."""

from __future__ import annotations

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


def annotations_of(obj: JsonObject) -> dict[str, str]:
    return (obj.get("metadata") or {}).get("annotations") or {}
