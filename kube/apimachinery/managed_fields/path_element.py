"""One step of a path into an object, in the form FieldsV1 has it.

    f:replicas                  a field, or a key of a map
    k:{"name":"web"}            the item of a list whose keys have these values
    v:"finalizer"               this item of a set
    i:0                         the item at an index (of old writers; lists without keys are owned as a whole)
    .                           the thing itself, beside its parts
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

SELF: Final = "."
Element = str
_INDEX: Final = re.compile(r"[+-]?[0-9]+")
_NUMBERS, _TEXTS, _FLAGS, _NULLS = 0, 1, 2, 3

_encode: Final = msgspec.json.Encoder(order="sorted").encode


class InvalidElementError(ValueError):
    """Says what is wrong with a step of a path."""


def field(name: str) -> Element:
    return "f:" + name


@lru_cache(maxsize=4096)
def _text_value(text: str) -> Element:
    return "v:" + _encode(text).decode()


def value(item: Any) -> Element:
    return _text_value(item) if type(item) is str else "v:" + _encode(item).decode()


@lru_cache(maxsize=4096)
def _text_key(name: str, text: str) -> Element:
    return f"k:{{{_encode(name).decode()}:{_encode(text).decode()}}}"


def key(values: Mapping[str, Any]) -> Element:
    if len(values) == 1:
        ((name, only),) = values.items()
        if type(only) is str:
            return _text_key(name, only)
    return "k:" + _encode(values).decode()


def normal(element: str) -> Element | None:
    """The one spelling of an element that a client wrote; None for kinds of elements nobody knows yet. Raises InvalidElementError."""
    if len(element) < 2:
        raise InvalidElementError("key must be 2 characters long:")
    kind, rest = element[0], element[2:]
    if element[1] != ":":
        raise InvalidElementError(f"missing colon: {element}")
    if kind == "f":
        return element
    if kind == "i":
        if not _INDEX.fullmatch(rest):
            raise InvalidElementError(f'strconv.Atoi: parsing "{rest}": invalid syntax')
        return f"i:{int(rest)}"
    if kind not in ("k", "v"):
        return None
    try:
        content = msgspec.json.decode(rest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidElementError(f"parsing key as path element: {error}") from error
    if kind == "v":
        return value(content)
    if not isinstance(content, dict):
        raise InvalidElementError("parsing key as path element: expected an object")
    return key(content)


@lru_cache(maxsize=4096)
def shown(element: Element) -> str:
    """As paths in messages have it: .replicas, [name="web"], [="finalizer"], [0]."""
    kind, rest = element[0], element[2:]
    if kind == "f":
        return "." + rest
    if kind == "i":
        return f"[{rest}]"
    content = msgspec.json.decode(rest)
    if kind == "v":
        return f"[={_literal(content)}]"
    return "[" + ",".join(f"{name}={_literal(content[name])}" for name in sorted(content)) + "]"


def _literal(content: Any) -> str:
    if isinstance(content, dict):
        return ",".join(f"{name}={_literal(content[name])}" for name in sorted(content))
    if isinstance(content, list):
        return "[" + ",".join(map(_literal, content)) + "]"
    return _encode(content).decode()


@lru_cache(maxsize=4096)
def order(element: Element) -> tuple[Any, ...]:
    """Sorts as upstream does: fields, keys, values, indices; numbers before texts, by their value."""
    kind, rest = element[:1], element[2:]
    if kind == SELF:
        return (0,)
    if kind == "f":
        return (1, rest)
    if kind == "i":
        return (4, int(rest))
    content = msgspec.json.decode(rest)
    if kind == "v":
        return (3, _rank(content))
    return (2, tuple((name, _rank(content[name])) for name in sorted(content)))


def _rank(content: Any) -> tuple[int, Any]:
    if isinstance(content, bool):
        return (_FLAGS, content)
    if isinstance(content, int | float):
        return (_NUMBERS, content)
    if isinstance(content, str):
        return (_TEXTS, content)
    return (_NULLS, _literal(content))
