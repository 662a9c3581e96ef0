"""Fields that the schema does not know: dropped, and told by path. Follows apiextensions' schema/pruning.

What stands under x-kubernetes-preserve-unknown-fields stays, but known fields below it are pruned by their own schema.
"""

from __future__ import annotations

from typing import Any, Final

from control_plane.apiserver.custom.structural import Structural

META_FIELDS: Final = frozenset({"apiVersion", "kind", "metadata"})


def prune(obj: dict[str, Any], schema: Structural, unknown: list[str] | None = None) -> None:
    """Of a whole object, whose apiVersion, kind and metadata are known anyway. In place."""
    if schema.preserve:
        _skip(obj, schema, "", unknown, is_resource=True)
    else:
        _prune_map(obj, schema, "", unknown, is_resource=True)


def prune_value(value: Any, schema: Structural | None, unknown: list[str] | None = None, path: str = "") -> None:
    """Of a part of an object. In place."""
    if schema is not None and schema.preserve:
        _skip(value, schema, path, unknown)
    elif isinstance(value, dict):
        if schema is None:
            if unknown is not None:
                unknown.extend(_join(path, key) for key in value)
            value.clear()
        else:
            _prune_map(value, schema, path, unknown)
    elif isinstance(value, list):
        items = None if schema is None else schema.items
        for index, item in enumerate(value):
            if isinstance(item, dict | list):
                prune_value(item, items, unknown, f"{path}[{index}]" if unknown is not None else "")


def _prune_map(
    value: dict[str, Any], schema: Structural, path: str, unknown: list[str] | None, *, is_resource: bool = False
) -> None:
    is_resource = is_resource or schema.embedded
    properties, gone = schema.properties, []
    for key, child in value.items():
        if is_resource and key in META_FIELDS:
            continue
        known = properties.get(key)
        if known is None:
            if not schema.declares_additional:
                gone.append(key)
                continue
            known = schema.additional
        if isinstance(child, dict | list):
            prune_value(child, known, unknown, _join(path, key) if unknown is not None else "")
    for key in gone:
        del value[key]
        if unknown is not None and (path or key not in META_FIELDS):
            unknown.append(_join(path, key))


def _skip(value: Any, schema: Structural | None, path: str, unknown: list[str] | None, *, is_resource: bool = False) -> None:
    if schema is None:
        return
    if isinstance(value, dict):
        is_resource = is_resource or schema.embedded
        for key, child in value.items():
            if is_resource and key in META_FIELDS:
                continue
            if (known := schema.properties.get(key)) is not None:
                prune_value(child, known, unknown, _join(path, key))
            elif schema.declares_additional:
                prune_value(child, schema.additional, unknown, _join(path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _skip(item, schema.items, f"{path}[{index}]", unknown)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
