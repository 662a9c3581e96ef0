"""Structural schemas as types, with the most that a value of them can hold (upstream's SchemaDeclType), and JSON as values of such types.

Not told by a schema are sizes without a bound; there the limit is what a request of 3 MiB can hold. What a schema does not describe
(x-kubernetes-preserve-unknown-fields without properties) has no type: expressions cannot reach it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, Final

from kube.cel import times
from kube.cel.errors import EvaluationError
from kube.cel.escaping import escape
from kube.cel.types import STRING, Field, Type, is_optional
from kube.cel.values import Duration, MapList, Optional, SetList

Schema = Mapping[str, Any]

MAX_REQUEST_BYTES: Final = 3 * 1024 * 1024
_LONGEST_STRING: Final = MAX_REQUEST_BYTES - 2
_TEXT: Final = {"type": "string"}
_FORMATS: Final = {                  # kind, the longest text, the least bytes as JSON
    "duration": ("duration", 32, 3), "date": ("timestamp", 12, 12), "date-time": ("timestamp", 32, 21),
}


def type_of(schema: Schema, *, resource_root: bool = False, name: str = "selfType") -> Type | None:
    """The type of what the schema describes; None where expressions may not touch it.

    `resource_root`: of a whole object, which has apiVersion, kind, metadata.name and metadata.generateName whatever the schema says.
    `name`: of the type itself, in error messages; the types of its fields are called after it.
    """
    return _type(schema, name, root=resource_root)


def _type(schema: Schema, name: str, *, root: bool) -> Type | None:
    if schema.get("x-kubernetes-int-or-string"):
        longest = schema.get("maxLength")
        return Type("dyn", declared=True, min_size=1, max_elements=_LONGEST_STRING if longest is None else max(longest, 0) * 4)
    if root:
        schema = _with_meta(schema)
    match schema.get("type"):
        case "array":
            return _list(schema, name)
        case "object":
            return _map(schema, name) if isinstance(schema.get("additionalProperties"), Mapping) else _object(schema, name)
        case "string":
            return _string(schema)
        case "boolean":
            return Type("bool", declared=True, min_size=4)
        case "number":
            return Type("double", declared=True, min_size=1)
        case "integer":
            return Type("int", declared=True, min_size=1)
    return None


def _with_meta(schema: Schema) -> Schema:
    """As it is, if it describes these fields itself."""
    if _is_text(schema, "kind") and _is_text(schema, "apiVersion"):
        described = schema["properties"].get("metadata", {})
        if described.get("type") == "object" and _is_text(described, "name") and _is_text(described, "generateName"):
            return schema
    meta = {"type": "object", "properties": {"name": _TEXT, "generateName": _TEXT}}
    return {**schema, "properties": {**schema.get("properties", {}), "kind": _TEXT, "apiVersion": _TEXT, "metadata": meta}}


def _is_text(schema: Schema, field: str) -> bool:
    return bool(schema.get("properties", {}).get(field, {}).get("type") == "string")


def _list(schema: Schema, name: str) -> Type | None:
    items = schema.get("items")
    element = _type(items, f"{name}.@idx", root=_embedded(items)) if isinstance(items, Mapping) else None
    if element is None:
        return None
    most = schema.get("maxItems")
    keys: tuple[str, ...] | None = None
    if schema.get("x-kubernetes-list-type") == "set":
        keys = ()
    elif schema.get("x-kubernetes-list-type") == "map":
        keys = tuple(schema.get("x-kubernetes-list-map-keys", ()))
    return Type("list", "list", (element,), declared=True, min_size=2, element_keys=keys,
                max_elements=_LONGEST_STRING // (element.min_size + 1) if most is None else max(most, 0))


def _map(schema: Schema, name: str) -> Type | None:
    values = schema["additionalProperties"]
    element = _type(values, f"{name}.@elem", root=_embedded(values))
    if element is None:
        return None
    most = schema.get("maxProperties")
    return Type("map", "map", (STRING, element), declared=True, min_size=2,
                max_elements=_LONGEST_STRING // (element.min_size + 6) if most is None else max(most, 0))


def _object(schema: Schema, name: str) -> Type:
    required = set(schema.get("required", ()))
    fields, least = {}, 2
    for key, inner in schema.get("properties", {}).items():
        field_name = escape(key)
        type_ = _type(inner, f"{name}.{field_name or key}", root=_embedded(inner))
        if type_ is None:
            continue
        if field_name is not None:
            fields[field_name] = Field(type_, key)
        if key in required and inner.get("default") is None:
            least += len(key.encode()) + type_.min_size + 4
    return Type("object", name, fields=fields, declared=True, min_size=least)


def _string(schema: Schema) -> Type:
    form, longest = schema.get("format"), schema.get("maxLength")
    if form in _FORMATS:
        kind, most, least = _FORMATS[form]
        return Type(kind, declared=True, max_elements=most, min_size=least)
    if form == "byte":
        return Type("bytes", declared=True, min_size=2, max_elements=_LONGEST_STRING if longest is None else max(longest, 0))
    if longest is not None:
        most = max(longest, 0) * 4                       # a code point has up to four bytes
    elif schema.get("enum"):
        most = max((len(value.encode()) for value in schema["enum"] if isinstance(value, str)), default=0)
    else:
        most = _LONGEST_STRING
    return Type("string", declared=True, min_size=2, max_elements=most)


def _embedded(schema: Schema) -> bool:
    return bool(schema.get("x-kubernetes-embedded-resource"))


def max_cardinality(type_: Type) -> int:
    """How often values of the type can occur in one request at most."""
    return MAX_REQUEST_BYTES // (type_.min_size + 1)


def converts(type_: Type) -> bool:
    """Whether JSON is not yet what an expression works with."""
    if is_optional(type_):
        return converts(type_.params[0])
    if type_.kind in ("double", "bytes", "timestamp", "duration") or type_.element_keys is not None:
        return True
    if type_.kind in ("list", "map"):
        return converts(type_.element)
    return any(converts(field.type) for field in (type_.fields or {}).values())


def convert(type_: Type, value: Any) -> Any:
    """JSON as a value of the type: numbers as doubles, dates, durations and bytes from their text, sets and maps of items as such.

    What needs no conversion is shared, not copied. Raises EvaluationError for texts that are none.
    """
    if value is None:
        return None
    kind = type_.kind
    if isinstance(value, Optional):
        return Optional(convert(type_.params[0], value.value)) if value.present and is_optional(type_) else value
    if kind == "double":
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if kind in _TEXTS and isinstance(value, str):
        return _from_text(kind, value)
    if kind == "list" and isinstance(value, list):
        element, keys = type_.element, type_.element_keys
        items = [convert(element, item) for item in value] if converts(element) else value
        if keys is None:
            return items
        return MapList(items, keys) if keys else SetList(items)
    if kind == "map" and isinstance(value, dict):
        element = type_.element
        return {key: convert(element, held) for key, held in value.items()} if converts(element) else value
    if kind == "object" and isinstance(value, dict):
        changed = {field.key: convert(field.type, value[field.key]) for field in (type_.fields or {}).values()
                   if field.key in value and converts(field.type)}
        return {**value, **changed} if changed else value
    return value


_TEXTS: Final = ("timestamp", "duration", "bytes")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_WORDS: Final = {
    **dict.fromkeys(("w", "wk", "week", "weeks"), 604800), **dict.fromkeys(("d", "day", "days"), 86400),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), 3600), **dict.fromkeys(("min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("sec", "secs", "second", "seconds"), 1),
}
_WORDED: Final = re.compile(r"\s*(\d+)\s*([a-z]+)\s*")


def _from_text(kind: str, text: str) -> Any:
    try:
        if kind == "timestamp":
            return times.parse_timestamp(f"{text}T00:00:00Z" if _DAY.fullmatch(text) else text.upper())
        if kind == "duration":
            return _duration(text)
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        what = {"timestamp": "date-time formatted string", "duration": "duration", "bytes": "byte formatted string"}[kind]
        raise EvaluationError(f"Invalid {what} {text}: {error}") from error


def _duration(text: str) -> Any:
    """Go's durations, and words: "3 days"."""
    try:
        return times.parse_duration(text)
    except ValueError:
        found = _WORDED.fullmatch(text)
        if found is None or found[2] not in _WORDS:
            raise
        return Duration(int(found[1]) * _WORDS[found[2]] * times.SECOND)
