"""How an update through a subresource changes the object: only its own part of it. Follows the strategies of each upstream REST storage.

Every function takes the object as the client sent it (a copy, may be changed) and the current one, and returns what to write.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from control_plane.apiserver.registry.object_meta import deep_copy
from kube.apimachinery.errors import NotFound
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import ResourceType

Merge = Callable[[JsonObject, JsonObject], JsonObject]


def _with_locking(obj: JsonObject, old: JsonObject) -> JsonObject:
    """The old object, with the resourceVersion and uid that the client sent, so that optimistic locking applies."""
    merged = deep_copy(old)
    for key in ("resourceVersion", "uid"):
        if key in obj.get("metadata", {}):
            merged["metadata"][key] = obj["metadata"][key]
        else:
            merged["metadata"].pop(key, None)
    return merged


def _with_own_metadata(obj: JsonObject, old: JsonObject) -> JsonObject:
    """The old object, with the metadata that the client sent."""
    merged = _with_locking(obj, old)
    for key in ("labels", "annotations", "finalizers", "ownerReferences"):
        if sent := obj.get("metadata", {}).get(key):
            merged["metadata"][key] = sent
        else:
            merged["metadata"].pop(key, None)
    return merged


def _finalize(obj: JsonObject, old: JsonObject) -> JsonObject:
    merged = _with_own_metadata(obj, old)
    merged["spec"] = {**merged.get("spec", {}), "finalizers": obj.get("spec", {}).get("finalizers") or []}
    if not merged["spec"]["finalizers"]:
        del merged["spec"]["finalizers"]
    return merged


def _approval(obj: JsonObject, old: JsonObject) -> JsonObject:
    merged = _with_own_metadata(obj, old)
    conditions = obj.get("status", {}).get("conditions")
    if conditions or merged.get("status", {}).get("conditions"):
        merged["status"] = {**merged.get("status", {}), "conditions": conditions or []}
    return merged


def _ephemeral_containers(obj: JsonObject, old: JsonObject) -> JsonObject:
    merged = _with_locking(obj, old)
    merged["spec"]["ephemeralContainers"] = obj.get("spec", {}).get("ephemeralContainers") or []
    return merged


def _resize(obj: JsonObject, old: JsonObject) -> JsonObject:
    merged = _with_locking(obj, old)
    for group in ("containers", "initContainers"):
        sent, held = obj.get("spec", {}).get(group) or [], merged["spec"].get(group) or []
        if [one.get("name") for one in sent] != [one["name"] for one in held]:
            merged["spec"][group] = sent      # validation refuses it
            continue
        for container, wanted in zip(held, sent, strict=True):
            _copy_resources(container, wanted)
    if (resources := obj.get("spec", {}).get("resources")) is not None:     # left out, the Pod's own stay
        merged["spec"]["resources"] = resources
    return merged


def _copy_resources(container: dict[str, Any], wanted: dict[str, Any]) -> None:
    for key in ("resources", "resizePolicy"):
        if key in wanted:
            container[key] = wanted[key]


MERGES: Final[dict[tuple[str, str], Merge]] = {
    ("namespaces", "finalize"): _finalize,
    ("certificatesigningrequests", "approval"): _approval,
    ("pods", "ephemeralcontainers"): _ephemeral_containers,
    ("pods", "resize"): _resize,
}


def merge_for(resource: ResourceType, subresource: str) -> Merge | None:
    """None for the object itself and for status, which is its strategy's business."""
    if subresource in ("", "status"):
        return None
    merge = MERGES.get((resource.plural, subresource))
    if merge is None:
        raise NotFound("the server could not find the requested resource")
    return merge
