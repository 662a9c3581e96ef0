"""Simple paths into objects (".spec.replicas"), as the scale subresource names its fields. Follows apimachinery's unstructured helpers."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from kube.apimachinery.meta import JsonObject

MISSING: Final = object()
_GO_TYPES: Final[dict[type, str]] = {
    str: "string", bool: "bool", int: "int64", float: "float64", list: "[]interface {}", dict: "map[string]interface {}",
    type(None): "<nil>",
}
_WANTED: Final[dict[type, str]] = {int: "int64", str: "string"}


class WrongType(Exception):
    """In upstream's words."""


@lru_cache(maxsize=1024)
def simple_path(text: str) -> tuple[str, ...]:
    return tuple(text.removeprefix(".").split("."))


def nested(obj: JsonObject, path: tuple[str, ...], kind: type) -> Any:
    """The value at `path`, MISSING when there is none. Raises WrongType."""
    value: Any = obj
    for depth, key in enumerate(path):
        if value is None:
            return MISSING
        if not isinstance(value, dict):
            raise _wrong(path[:depth + 1], value, "map[string]interface{}")
        if key not in value:
            return MISSING
        value = value[key]
    if type(value) is not kind:
        raise _wrong(path, value, _WANTED[kind])
    return value


def put(obj: JsonObject, path: tuple[str, ...], value: Any) -> None:
    """Sets the value at `path`; makes the maps on the way. Raises WrongType."""
    held = obj
    for depth, key in enumerate(path[:-1]):
        child = held.setdefault(key, {})
        if not isinstance(child, dict):
            at = ".".join(path[:depth + 1])
            raise WrongType(f"value cannot be set because .{at} is not a map[string]interface{{}}")
        held = child
    held[path[-1]] = value


def _wrong(path: tuple[str, ...], value: Any, wanted: str) -> WrongType:
    found = _GO_TYPES[type(value)]
    return WrongType(f".{'.'.join(path)} accessor error: {_shown(value)} is of the type {found}, expected {wanted}")


def _shown(value: Any) -> str:
    return "<nil>" if value is None else str(value)
