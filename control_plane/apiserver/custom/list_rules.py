"""x-kubernetes-list-type, -list-map-keys and -map-type in a schema. Follows apiextensions' validation."""

from __future__ import annotations

from typing import Any

from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import forbidden, invalid, not_supported, required

LIST_TYPE, MAP_KEYS, MAP_TYPE = "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type"


def list_type_causes(raw: JsonObject, path: str) -> list[Cause]:
    """Of one node."""
    causes: list[Cause] = []
    kind, map_type, list_type = raw.get("type") or "", raw.get(MAP_TYPE), raw.get(LIST_TYPE)
    if map_type is not None:
        causes += _type_causes(kind, "object", MAP_TYPE, path)
        if map_type not in ("atomic", "granular"):
            causes.append(not_supported(f"{path}.{MAP_TYPE}", map_type, ("atomic", "granular")))
    items = raw.get("items")
    if list_type is not None:
        wrong = _type_causes(kind, "array", LIST_TYPE, path)
        causes += wrong
        if not wrong and list_type == "set" and isinstance(items, dict):
            causes += _set_causes(items, path)
        if list_type not in ("atomic", "set", "map"):
            causes.append(not_supported(f"{path}.{LIST_TYPE}", list_type, ("atomic", "set", "map")))
    if raw.get(MAP_KEYS):
        said = "must be map if x-kubernetes-list-map-keys is non-empty"
        if list_type is None:
            causes.append(required(f"{path}.{LIST_TYPE}", said))
        elif list_type != "map":
            causes.append(invalid(f"{path}.{LIST_TYPE}", list_type, said))
    if list_type == "map":
        causes += _map_causes(raw, items, path)
    if list_type in ("set", "map") and isinstance(items, dict):
        causes += _item_causes(raw, items, list_type, path)
    return causes


def _type_causes(kind: str, wanted: str, keyword: str, path: str) -> list[Cause]:
    said = f"must be {wanted} if {keyword} is specified"
    if kind == wanted:
        return []
    return [invalid(f"{path}.type", kind, said)] if kind else [required(f"{path}.type", said)]


def _set_causes(items: JsonObject, path: str) -> list[Cause]:
    """What is in a set must be comparable as a whole."""
    said = "must be atomic as item of a list with x-kubernetes-list-type=set"
    if items.get("type") == "array" and items.get(LIST_TYPE) not in (None, "atomic"):
        return [invalid(f"{path}.items.{LIST_TYPE}", items.get(LIST_TYPE), said)]
    if items.get("type") == "object" and items.get(MAP_TYPE) != "atomic":
        return [invalid(f"{path}.items.{MAP_TYPE}", items.get(LIST_TYPE), said)]
    return []


def _map_causes(raw: JsonObject, items: Any, path: str) -> list[Cause]:
    keys = raw.get(MAP_KEYS) or []
    causes = [] if keys else [required(f"{path}.{MAP_KEYS}", "must not be empty if x-kubernetes-list-type is map")]
    if items is None:
        return [*causes, required(f"{path}.items", "must have a schema if x-kubernetes-list-type is map")]
    if not isinstance(items, dict):
        return [*causes, invalid(f"{path}.items", items, "must only have a single schema if x-kubernetes-list-type is map")]
    if items.get("type") != "object":
        said = "must be object if parent array's x-kubernetes-list-type is map"
        return [*causes, invalid(f"{path}.items.type", items.get("type") or "", said)]
    properties = items.get("properties") or {}
    for index, key in enumerate(keys):
        if key not in properties:
            causes.append(invalid(f"{path}.{MAP_KEYS}", keys, "entries must all be names of item properties"))
        elif properties[key].get("type") in ("array", "object"):
            said = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            causes.append(invalid(f"{path}.items.properties[{key}].type", items.get("type"), said))
        if key in keys[:index]:
            causes.append(invalid(f"{path}.{MAP_KEYS}", keys, "must not contain duplicate entries"))
    return causes


def _item_causes(raw: JsonObject, items: JsonObject, list_type: str, path: str) -> list[Cause]:
    """Items, and the keys by which a map finds them, are always there."""
    causes: list[Cause] = []
    if items.get("nullable"):
        causes.append(forbidden(f"{path}.items.nullable", f"cannot be nullable when {LIST_TYPE} is {list_type}"))
    if list_type != "map":
        return causes
    for key in raw.get(MAP_KEYS) or ():
        prop = (items.get("properties") or {}).get(key)
        if prop is None:
            continue
        at = f"{path}.items.properties[{key}]"
        if key not in (items.get("required") or ()) and prop.get("default") is None:
            said = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            causes.append(required(f"{at}.default", said))
        if prop.get("nullable"):
            said = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"
            causes.append(forbidden(f"{at}.nullable", said))
    return causes
