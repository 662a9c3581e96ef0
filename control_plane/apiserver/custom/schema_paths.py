"""Paths into a schema: where selectable fields and the fieldPath of a rule point. Follows apiextensions' schema/cel (ValidFieldPath)."""

from __future__ import annotations

import re
from typing import Final

from control_plane.apiserver.custom.structural import Structural

_TOKEN: Final = re.compile(r"'(?:[^'\\]|\\.)*'|[.\[\]]|[^.\[\]]+")


class InvalidPath(Exception):
    """In upstream's words."""


def schema_at(text: str, schema: Structural, *, arrays: bool = True) -> tuple[tuple[str, ...], Structural | None]:
    """(the keys on the way, the schema there). Raises InvalidPath. `arrays`: whether ['quoted'] keys may be used."""
    parts = _TOKEN.findall(text)
    keys: list[str] = []
    found: Structural | None = schema
    index = 0
    while index < len(parts):
        part = parts[index]
        if part == "[" and not arrays:
            raise InvalidPath("array notation is not allowed")
        if part not in (".", "["):
            raise InvalidPath(f"expected [ or . but got: {part}")
        if index + 1 >= len(parts):
            raise InvalidPath("unexpected end of JSON path")
        key = parts[index + 1]
        index += 2
        if part == "[":
            if len(key) < 2 or key[0] != "'" or key[-1] != "'":
                raise InvalidPath(f"expected single quoted string but got {key}")
            key = re.sub(r"\\(.)", r"\1", key[1:-1])
            if index >= len(parts):
                raise InvalidPath("unexpected end of JSON path")
            if parts[index] != "]":
                raise InvalidPath(f"expected ] but got {parts[index]}")
            index += 1
        found = _child(found, key)
        keys.append(key)
    return tuple(keys), found


def _child(schema: Structural | None, key: str) -> Structural | None:
    if schema is None or not (schema.properties or schema.declares_additional):
        raise InvalidPath("does not refer to a valid field")
    if not schema.properties:
        return schema.additional
    if key not in schema.properties:
        raise InvalidPath("does not refer to a valid field")
    return schema.properties[key]
