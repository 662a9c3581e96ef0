"""Values by their type: which fields they hold, and whether they have the form of their type.

The words of the errors are structured-merge-diff's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from kube.apimachinery.managed_fields import path_element
from kube.apimachinery.managed_fields.field_set import EMPTY, LEAF, Node, node_of
from kube.apimachinery.managed_fields.go_values import go_syntax, go_type, go_value
from kube.apimachinery.managed_fields.path_element import Element
from kube.apimachinery.managed_fields.types import FieldType, ListType, MapType


class TypedError(ValueError):
    """A value that is not of its type; `problems` are (path, what is wrong)."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        self.problems = list(problems)
        texts = [f"{path}: {message}" if path else message for path, message in problems]
        super().__init__(texts[0] if len(texts) == 1 else "\n".join(["errors:", *(f"  {text}" for text in texts)]))


def element_of(list_type: ListType, item: Any) -> Element:
    """How an item of a set or of a list with keys is named in a path. Raises ValueError for one that cannot be."""
    if not list_type.keys:
        if isinstance(item, dict):
            raise ValueError("associative list without keys has an element that's a map type")
        if isinstance(item, list):
            raise ValueError("not supported: associative list with lists as elements")
        if item is None:
            raise ValueError("associative list without keys has an element that's an explicit null")
        return path_element.value(item)
    if item is None:
        raise ValueError("associative list with keys may not have a null element")
    if not isinstance(item, dict):
        raise ValueError("associative list with keys may not have non-map elements")
    values = {key: item[key] for key in list_type.keys if key in item}
    if len(values) < len(list_type.keys):
        values = {**list_type.defaults, **values}
        if not values:
            listed = " ".join(f'"{key}"' for key in list_type.keys)
            raise ValueError(
                f"associative list with keys has an element that omits all key fields [{listed}] "
                "(and doesn't have default values for any key fields)"
            )
    return path_element.key(values)


# Which fields a value holds

def fields_of(value: Any, kind: FieldType) -> Node:
    """Every field that an applied configuration holds, and so claims."""
    return _fields(value, kind)[0]


def _fields(value: Any, kind: FieldType) -> tuple[Node, bool]:
    """The fields below a value, and whether its own path is one."""
    form = kind.form(value)
    if form == "map":
        assert kind.map is not None
        if kind.map.atomic:
            return EMPTY, True
        return (_map_fields(value, kind.map), False) if isinstance(value, dict) else (EMPTY, False)
    if form == "scalar":
        return EMPTY, True
    assert kind.list is not None
    if kind.list.atomic:
        return EMPTY, True
    return (_list_fields(value, kind.list), False) if isinstance(value, list) else (EMPTY, False)


def _map_fields(value: dict[str, Any], kind: MapType) -> Node:
    found: Node = {}
    declared = kind.fields
    for name, inner in value.items():
        inner_kind = declared.get(name)
        member = inner_kind is None or inner is None or inner == {}
        if (inner_kind := inner_kind or kind.values) is None:
            continue
        children, itself = _fields(inner, inner_kind)
        if (node := node_of(children, member=member or itself)) is not None:
            found[path_element.field(name)] = node
    return found


def _list_fields(value: list[Any], kind: ListType) -> Node:
    found: Node = {}
    seen: set[Element] = set()
    for item in value:
        element = element_of(kind, item)
        if element in seen:
            found[element] = LEAF           # an item that is there twice is owned as a whole
            continue
        seen.add(element)
        children, _ = _fields(item, kind.items)
        node = node_of(children, member=True)
        assert node is not None
        found[element] = node
    return found


# Whether a value has the form of its type

def check(value: Any, kind: FieldType, *, duplicates: bool = False) -> None:
    """Raises TypedError. `duplicates`: items of sets and lists with keys may be there twice, as in objects stored long ago."""
    if problems := _problems(value, kind, duplicates):
        raise TypedError(problems)


def _problems(value: Any, kind: FieldType, duplicates: bool) -> list[tuple[str, str]]:
    form = kind.form(value)
    if value is None or isinstance(value, msgspec.Raw):
        return []
    if form == "map":
        assert kind.map is not None
        if not isinstance(value, dict):
            return [("", f"expected map, got {_boxed(value)}")]
        return _map_problems(value, kind.map, duplicates)
    if form == "scalar":
        return scalar_problems(value, kind.scalar)
    assert kind.list is not None
    if not isinstance(value, list):
        return [("", f"expected list, got {_boxed(value)}")]
    return _list_problems(value, kind.list, duplicates)


def _map_problems(value: dict[str, Any], kind: MapType, duplicates: bool) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, inner in value.items():
        inner_kind = kind.of(name)
        if inner_kind is None:
            return [*found, (f".{name}", "field not declared in schema")]
        found += [(f".{name}{path}", message) for path, message in _problems(inner, inner_kind, duplicates)]
    return found


def _list_problems(value: list[Any], kind: ListType, duplicates: bool) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    seen: set[Element] = set()
    for index, item in enumerate(value):
        where = f"[{index}]"
        if not kind.atomic:
            try:
                element = element_of(kind, item)
            except ValueError as error:
                return [*found, ("", f"element {index}: {error}")]
            where = path_element.shown(element)
            if element in seen and not duplicates:
                found.append(("", f"duplicate entries for key {where}"))
            seen.add(element)
        found += [(where + path, message) for path, message in _problems(item, kind.items, duplicates)]
    return found


def scalar_problems(value: Any, scalar: str, side: str = "") -> list[tuple[str, str]]:
    """`side` is put before the message: "lhs: " or "rhs: "."""
    if value is None:
        return []
    if scalar == "numeric":
        if isinstance(value, bool) or not isinstance(value, int | float):
            return [("", f"{side}expected numeric (int or float), got {go_type(value)}")]
    elif scalar == "string":
        if not isinstance(value, str):
            return [("", f"{side}expected string, got &value.valueUnstructured{{Value:{go_syntax(value)}}}")]
    elif scalar == "boolean":
        if not isinstance(value, bool):
            return [("", f"{side}expected boolean, got {_boxed(value)}")]
    elif isinstance(value, dict | list):
        return [("", f"{side}expected any scalar, got {_boxed(value)}")]
    return []


def _boxed(value: Any) -> str:
    return f"&{{{go_value(value)}}}"
