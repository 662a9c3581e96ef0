"""What claims for devices are judged by, from the watch cache."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from control_plane.apiserver.admission.lookup import row_of
from control_plane.quota.pods import IMPLICIT
from control_plane.quota.resource_claims import FOR_EXTENDED
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.meta import JsonObject, NamespacedName

_GROUP: Final = "resource.k8s.io"


class CachedSurroundings:
    """Follows quota.resource_claims.Surroundings. Nothing is indexed: few clusters have claims, and fewer quotas on them."""

    def __init__(self, cache: WatchCache) -> None:
        self._cache = cache
        self._pods = row_of("", "pods")
        self._classes = row_of(_GROUP, "deviceclasses")
        self._claims = row_of(_GROUP, "resourceclaims")

    def device_class_of(self, extended_resource: str) -> str:
        if extended_resource.startswith(IMPLICIT):
            name = extended_resource.removeprefix(IMPLICIT)
            return name if self._cache.get(self._classes, NamespacedName("", name)) else ""
        named = [held.obj for held in self._cache.list(self._classes)[0] if _extended(held.obj) == extended_resource]
        # Of several the newest, then the first by name.
        named.sort(key=lambda found: found["metadata"]["name"])
        named.sort(key=lambda found: found["metadata"].get("creationTimestamp") or "", reverse=True)
        return str(named[0]["metadata"]["name"]) if named else ""

    def extended_resource_of(self, device_class: str) -> str:
        held = self._cache.get(self._classes, NamespacedName("", device_class))
        return _extended(held.obj) if held is not None else ""

    def pod(self, namespace: str, name: str) -> JsonObject | None:
        held = self._cache.get(self._pods, NamespacedName(namespace, name))
        return None if held is None else held.obj

    def claims_for_extended(self, namespace: str) -> Iterator[JsonObject]:
        for held in self._cache.list(self._claims, namespace)[0]:
            if FOR_EXTENDED in (held.obj["metadata"].get("annotations") or {}):
                yield held.obj


def _extended(device_class: JsonObject) -> str:
    return str((device_class.get("spec") or {}).get("extendedResourceName") or "")
