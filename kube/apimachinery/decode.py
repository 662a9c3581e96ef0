"""From parsed JSON to an object of its kind: wrong types refused, unknown fields found, values brought to the form the server keeps.

Follows upstream's strict JSON decoder, words included. A walk changes the object in place: unknown fields go, quantities become canonical
strings, times become UTC, and each type gets the form in which Go shows it (wire_form.py): empty plain fields are left out or stand there
as the zero of their type. Empty managedFields stay: they are a request. The caller decides by fieldValidation what an unknown field means.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from kube.apimachinery.errors import BadRequest
from kube.apimachinery.quantity import QuantityError, canonical
from kube.apimachinery.schema import Schema
from kube.apimachinery.scheme import GroupVersionKind
from kube.apimachinery.wire_form import wire_form, zero_struct

INTEGER_BOUNDS = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
_KEPT = frozenset({"managedFields", "policies"})        # an empty one is a request, or refused where none would have a default
MAX_PROBLEMS = 100                      # upstream's decoder stops collecting there
SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
MICROSECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)")


@dataclass(slots=True)
class Problems:
    """What a strict decoder would refuse, as paths like spec.containers[0].imagee."""

    unknown: list[str] = field(default_factory=list)
    duplicate: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.unknown or self.duplicate)

    def messages(self, keys: Iterable[tuple[str, bool]] = ()) -> list[str]:
        """One text each, as sent in warnings: as `keys` come in the document (codec.json.keys_as_written), else the doubled first."""
        unknown, duplicate = set(self.unknown), set(self.duplicate)
        found = [
            f'duplicate field "{path}"' if again else f'unknown field "{path}"'
            for path, again in keys if path in (duplicate if again else unknown)
        ]
        found += [f'duplicate field "{path}"' for path in self.duplicate] + [f'unknown field "{path}"' for path in self.unknown]
        return list(dict.fromkeys(found))[:MAX_PROBLEMS]

    def error(self, keys: Iterable[tuple[str, bool]] = ()) -> BadRequest:
        return BadRequest("strict decoding error: " + ", ".join(self.messages(keys)))


def cannot_be_handled(gvk: GroupVersionKind, error: Exception) -> BadRequest:
    """How a create or update reports a body that does not decode."""
    return BadRequest(f'{gvk.kind} in version "{gvk.version}" cannot be handled as a {gvk.kind}: {error}')


def check_structure(obj: Any, schema: Schema, path: str = "") -> Problems:
    """Checks and normalises `obj` in place. Raises BadRequest in the decoder's words on the first value of a wrong type."""
    problems = Problems()
    if not isinstance(obj, dict):
        raise BadRequest(f"json: cannot unmarshal {json_kind(obj)} into Go value of type {schema.go_type}")
    _Walk(problems).object(obj, schema, path, "")
    return problems


def json_kind(value: Any) -> str:
    """What Go's decoder calls a JSON value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, dict) else "array" if isinstance(value, list) else "null"


class _Walk:
    """`where` is the path as strict errors print it (with indices), `go_path` as type errors do (fields alone)."""

    __slots__ = ("problems",)

    def __init__(self, problems: Problems) -> None:
        self.problems = problems

    def object(self, obj: dict[str, Any], schema: Schema, where: str, go_path: str) -> None:
        properties, form = schema.properties, wire_form(schema.definition)
        omitted = form.omitted
        owner = schema.definition.rpartition(".")[2]
        for key, value in list(obj.items()):
            child = properties.get(key)
            if child is None:
                self.problems.unknown.append(f"{where}.{key}" if where else key)
                del obj[key]
            elif value is None:
                del obj[key]
            else:
                inner = f"{go_path}.{key}" if go_path else key
                if key in form.embedded:
                    inner = f"{inner.removesuffix(key)}{form.embedded[key]}.{key}"
                new = self.value(value, child, f"{where}.{key}" if where else key, owner, inner)
                if not new and key in omitted and key not in _KEPT:
                    del obj[key]
                elif new is not value:
                    obj[key] = new
        for key, empty in form.shown:
            if (found := obj.get(key)) is None or (not found and properties[key].type in ("array", "map")):
                obj[key] = empty
        for key, definition in form.structs:
            if key not in obj:
                obj[key] = zero_struct(definition)

    def value(self, value: Any, schema: Schema, where: str, owner: str, go_path: str) -> Any:
        kind = schema.type
        if kind == "string":
            if isinstance(value, str):
                return value if not schema.format else STRING_FORMATS[schema.format](value)
        elif kind == "object":
            if isinstance(value, dict):
                self.object(value, schema, where, go_path)
                return value
        elif kind == "array":
            if isinstance(value, list):
                return self.array(value, schema, where, owner, go_path)
        elif kind == "map":
            if isinstance(value, dict):
                return self.map(value, schema, where, owner, go_path)
        elif kind == "integer":
            return self.integer(value, schema, owner, go_path)
        elif kind == "boolean":
            if isinstance(value, bool):
                return value
        elif kind == "number":
            if isinstance(value, int | float) and not isinstance(value, bool):
                return value
        elif kind == "int-or-string" and type(value) is int and not -(2**31) <= value < 2**31:
            raise BadRequest(f"json: cannot unmarshal number {value} into Go struct field {owner}.{go_path} of type int32")
        else:
            return SPECIAL[kind](value)
        raise mismatch(value, schema, owner, go_path)

    def array(self, value: list[Any], schema: Schema, where: str, owner: str, go_path: str) -> list[Any]:
        item = schema.items
        assert item is not None
        if item.type == "string" and not item.format and all(type(element) is str for element in value):
            return value
        for index, element in enumerate(value):
            if element is None:
                element = zero(item)
            value[index] = self.value(element, item, f"{where}[{index}]", owner, go_path) if element is not None else None
        return value

    def map(self, value: dict[str, Any], schema: Schema, where: str, owner: str, go_path: str) -> dict[str, Any]:
        values = schema.values
        assert values is not None
        for key, element in value.items():
            if values.type == "string" and not values.format and type(element) is str:
                continue
            if element is None:
                element = zero(values)
            value[key] = self.value(element, values, f"{where}.{key}", owner, go_path) if element is not None else None
        return value

    def integer(self, value: Any, schema: Schema, owner: str, go_path: str) -> int:
        low, high = INTEGER_BOUNDS[schema.format or "int64"]
        if type(value) is int and low <= value <= high:
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise BadRequest(f"json: cannot unmarshal number {value} into Go struct field {owner}.{go_path} of type {schema.go_type}")
        raise mismatch(value, schema, owner, go_path)


def mismatch(value: Any, schema: Schema, owner: str, go_path: str) -> BadRequest:
    return BadRequest(f"json: cannot unmarshal {json_kind(value)} into Go struct field {owner}.{go_path} of type {schema.go_type}")


def zero(schema: Schema) -> Any:
    """What a null stands for where it cannot be dropped: as a list's item or a map's value."""
    return {"string": "" if not schema.format or schema.format == "byte" else None, "integer": 0, "number": 0, "boolean": False,
            "array": [], "quantity": "0", "int-or-string": 0}.get(schema.type, {} if schema.type in ("object", "map") else None)


def quantity(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        value = ""
    try:
        return canonical(value.strip() if isinstance(value, str) else value)
    except QuantityError as error:
        raise BadRequest(str(error)) from error


def int_or_string(value: Any) -> int | str:
    if isinstance(value, str):
        return value
    if type(value) is int and -(2**31) <= value < 2**31:
        return value
    found = f"number {value}" if isinstance(value, int | float) and not isinstance(value, bool) else json_kind(value)
    raise BadRequest(f"json: cannot unmarshal {found} into Go value of type int32")


def _parse_time(text: str, layout: str) -> datetime:
    match = RFC3339.fullmatch(text)
    try:
        if match is None:
            raise ValueError(text)
        return datetime.fromisoformat(match[1] + ((match[2] or "")[:7]) + match[3]).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadRequest(f'parsing time "{text}" as "{layout}": cannot parse "{text}" as "2006"') from error


def time(text: str) -> str:
    if SECONDS.fullmatch(text):
        _parse_time(text, "2006-01-02T15:04:05Z07:00")
        return text
    return _parse_time(text, "2006-01-02T15:04:05Z07:00").strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_time(text: str) -> str:
    parsed = _parse_time(text, "2006-01-02T15:04:05.000000Z07:00")
    return text if MICROSECONDS.fullmatch(text) else parsed.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def base64_bytes(text: str) -> str:
    compact = text.replace("\n", "").replace("\r", "")
    try:
        binascii.a2b_base64(compact, strict_mode=True)
    except ValueError as error:
        whole = len(compact) // 4 * 4
        at = next((i for i, char in enumerate(compact) if not (char.isalnum() and char.isascii()) and char not in "+/"), whole)
        raise BadRequest(f"illegal base64 data at input byte {at}") from error
    return compact


STRING_FORMATS: dict[str, Callable[[str], str]] = {"date-time": time, "micro-time": micro_time, "byte": base64_bytes}
SPECIAL: dict[str, Callable[[Any], Any]] = {"quantity": quantity, "int-or-string": int_or_string, "any": lambda value: value}
