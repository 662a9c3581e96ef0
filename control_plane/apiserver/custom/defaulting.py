"""Defaults and nulls. Follows apiextensions' schema/defaulting. All functions work in place."""

from __future__ import annotations

from typing import Any

from control_plane.apiserver.custom.structural import Structural


def has_defaults(schema: Structural | None) -> bool:
    """Whether `fill` can do anything below this node, so that objects of a kind without defaults are not walked."""
    if schema is None:
        return False
    children = (*schema.properties.values(), schema.additional, schema.items)
    return schema.has_default or any(has_defaults(child) for child in children)


def fill(value: Any, schema: Structural | None) -> None:
    """Puts defaults where a field is missing, or null although it may not be."""
    if schema is None:
        return
    if isinstance(value, dict):
        properties, additional = schema.properties, schema.additional
        for key, prop in properties.items():
            if prop.has_default and (key not in value or (value[key] is None and not prop.nullable)):
                value[key] = copied(prop.default)
        for key, child in value.items():
            if (prop_ := properties.get(key)) is not None:
                if isinstance(child, dict | list):
                    fill(child, prop_)
            elif additional is not None:
                if child is None and not additional.nullable:
                    value[key] = copied(additional.default)
                fill(value[key], additional)
    elif isinstance(value, list) and schema.items is not None:
        for index, item in enumerate(value):
            if item is None and not schema.items.nullable:
                value[index] = copied(schema.items.default)
            fill(value[index], schema.items)


def drop_nulls(value: Any, schema: Structural | None) -> None:
    """Drops null from fields that may not be null and have no default to take its place."""
    if isinstance(value, dict):
        gone = []
        for key, child in value.items():
            known = None if schema is None else schema.properties.get(key, schema.additional)
            if child is None:
                if known is not None and not known.nullable and not known.has_default:
                    gone.append(key)
            elif isinstance(child, dict | list):
                drop_nulls(child, known)
        for key in gone:
            del value[key]
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, dict | list):
                drop_nulls(item, None if schema is None else schema.items)


def copied(value: Any) -> Any:
    """A JSON value that shares nothing with the original."""
    if isinstance(value, dict):
        return {key: copied(child) for key, child in value.items()}
    if isinstance(value, list):
        return [copied(child) for child in value]
    return value
