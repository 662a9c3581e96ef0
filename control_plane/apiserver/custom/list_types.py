"""Lists of x-kubernetes-list-type set and map: each item, or each key, once. Follows apiextensions' schema/listtype."""

from __future__ import annotations

from typing import Any

import msgspec

from control_plane.apiserver.custom.structural import Structural
from kube.apimachinery.errors import Cause
from kube.apimachinery.validation import duplicate, invalid


def has_list_types(schema: Structural | None) -> bool:
    if schema is None:
        return False
    children = (*schema.properties.values(), schema.additional, schema.items)
    return schema.list_type in ("set", "map") or any(has_list_types(child) for child in children)


def list_causes(value: Any, schema: Structural | None, path: str = "") -> list[Cause]:
    """Everything that is there twice, below `value`."""
    if schema is None:
        return []
    causes: list[Cause] = []
    if isinstance(value, dict):
        for key, child in value.items():
            if not isinstance(child, dict | list):
                continue
            if (known := schema.properties.get(key)) is not None:
                causes += list_causes(child, known, f"{path}.{key}" if path else key)
            elif schema.additional is not None:
                causes += list_causes(child, schema.additional, f"{path}[{key}]")
    elif isinstance(value, list):
        if schema.list_type == "set":
            causes += [duplicate(f"{path}[{index}]", value[index]) for index in _repeated(value)]
        elif schema.list_type == "map":
            causes += _map_causes(value, schema, path)
        if schema.items is not None:
            for index, item in enumerate(value):
                if isinstance(item, dict | list):
                    causes += list_causes(item, schema.items, f"{path}[{index}]")
    return causes


def _map_causes(value: list[Any], schema: Structural, path: str) -> list[Cause]:
    for index, item in enumerate(value):
        if item is not None and not isinstance(item, dict):
            return [invalid(f"{path}[{index}]", item, "must be an object for an array of list-type map")]
    keys = [{key: item[key] for key in schema.list_map_keys if key in item} if item else {} for item in value]
    return [duplicate(f"{path}[{index}]", keys[index]) for index in _repeated(keys)]


def _repeated(values: list[Any]) -> list[int]:
    """Where each repeated value comes the second time."""
    if len(values) <= 1:
        return []
    seen: dict[bytes, int] = {}
    found = []
    for index, value in enumerate(values):
        text = msgspec.json.encode(value, order="sorted")      # tells 1 from true and from "1", as a set of Python values would not
        seen[text] = times = seen.get(text, 0) + 1
        if times == 2:
            found.append(index)
    return found
