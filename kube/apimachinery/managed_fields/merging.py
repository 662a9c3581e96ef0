"""An applied configuration into the live object, and fields out of it.

Maps merge by key, sets and lists with keys by item; everything else the configuration replaces. Nothing given is changed; results share
what stayed the same.
"""

from __future__ import annotations

from typing import Any

from kube.apimachinery.managed_fields import path_element
from kube.apimachinery.managed_fields.comparison import MISSING, items_of
from kube.apimachinery.managed_fields.field_set import EMPTY, LEAF, Node, is_member
from kube.apimachinery.managed_fields.path_element import SELF, Element
from kube.apimachinery.managed_fields.typed import TypedError, element_of
from kube.apimachinery.managed_fields.types import FieldType, ListType, MapType


def merge(live: Any, config: Any, kind: FieldType) -> Any:
    """The live value as the configuration wants it. Raises TypedError."""
    if live is MISSING and config is MISSING:
        raise TypedError([("", "at least one of lhs and rhs must be provided")])
    form = kind.form(live if config is MISSING else config)
    if form == "map":
        assert kind.map is not None
        before, wanted = live if isinstance(live, dict) else None, config if isinstance(config, dict) else None
        if not kind.map.atomic and (before or wanted):
            return _maps(before or {}, wanted or {}, kind.map)
    elif form == "list":
        assert kind.list is not None
        held, asked = live if isinstance(live, list) else None, config if isinstance(config, list) else None
        if not kind.list.atomic and (held or asked):
            return _lists(held or [], asked or [], kind.list)
    return live if config is MISSING else config


def _maps(live: dict[str, Any], config: dict[str, Any], kind: MapType) -> Any:
    merged: dict[str, Any] = {}
    for name in [*live, *(name for name in config if name not in live)]:
        inner = kind.of(name)
        if inner is None:
            raise TypedError([(f".{name}", "field not declared in schema")])
        value = merge(live.get(name, MISSING), config.get(name, MISSING), inner)
        if value is not MISSING:
            merged[name] = value
    return merged or MISSING


def _lists(live: list[Any], config: list[Any], kind: ListType) -> Any:
    """The configuration's items in its order; those of others keep their places between them."""
    held, wanted = items_of(live, kind), items_of(config, kind)
    if doubled := [element for element, items in wanted.items() if len(items) > 1]:
        raise TypedError([("", f"duplicate entries for key {path_element.shown(element)}") for element in doubled])
    order = _order([element_of(kind, item) for item in live], list(wanted))
    merged: list[Any] = []
    doubles: dict[Element, int] = {}
    for element in order:
        if element in wanted:
            # What is there twice is not merged with: the configuration's item takes the place of all.
            before = held.get(element, [MISSING])
            value = merge(before[0] if len(before) == 1 else None, wanted[element][0], kind.items)
        else:
            at = doubles[element] = doubles.get(element, -1) + 1
            value = merge(held[element][at], MISSING, kind.items)
        if value is not MISSING:
            merged.append(value)
    return merged or MISSING


def _order(live: list[Element], config: list[Element]) -> list[Element]:
    """A walk along both lists at once. Items that both have stand where the configuration puts them."""
    in_live, in_config = set(live), set(config)
    shared = iter([element for element in config if element in in_live])
    expected = next(shared, None)
    placed: set[Element] = set()
    found: list[Element] = []
    left, right = 0, 0
    while left < len(live) or right < len(config):
        if left < len(live):
            element = live[left]
            if element not in in_config:
                found.append(element)
                left += 1
                continue
            if right < len(config) and element != config[right] and expected is not None and element != expected:
                left += 1               # has its turn when the configuration comes to it
                continue
            if element in placed or (right < len(config) and element == config[right]):
                left += 1
        if right < len(config):
            element = config[right]
            found.append(element)
            placed.add(element)
            right += 1
            if element == expected:
                expected = next(shared, None)
    return found


def remove(value: Any, fields: Node, kind: FieldType) -> Any:
    """The value without these fields. A map or list of which nothing is left becomes null."""
    form = kind.form(value)
    if form == "scalar":
        return value
    if form == "map":
        assert kind.map is not None
        if not isinstance(value, dict) or not value or kind.map.atomic:
            return None
        return _removed_from_map(value, fields, kind.map) or None
    assert kind.list is not None
    if not isinstance(value, list) or not value or kind.list.atomic:
        return None
    return _removed_from_list(value, fields, kind.list) or None


def _removed_from_map(value: dict[str, Any], fields: Node, kind: MapType) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, inner in value.items():
        node = fields.get(path_element.field(name))
        if is_member(node):
            continue
        inner_kind = kind.of(name)
        kept[name] = inner if node is None or inner_kind is None else remove(inner, node, inner_kind)
    return kept


def _removed_from_list(value: list[Any], fields: Node, kind: ListType) -> list[Any]:
    kept: list[Any] = []
    for item in value:
        node = fields.get(element_of(kind, item))
        if not is_member(node):
            kept.append(item if node is None else remove(item, node, kind.items))
    return kept


def with_named_fields(fields: Node, kind: FieldType | None) -> Node:
    """The set with every declared field on the way to a member as a member too, so that what is left empty goes as well."""
    found: Node = {}
    for element, node in fields.items():
        if element == SELF:
            found[element] = LEAF
            continue
        inner, declared = _inside(kind, element)
        children = with_named_fields(node, inner) if node else EMPTY
        found[element] = {SELF: LEAF, **children} if declared and children and SELF not in children else children
    return found


def _inside(kind: FieldType | None, element: Element) -> tuple[FieldType | None, bool]:
    """The type below a path, and whether the schema names that field."""
    if kind is None:
        return None, False
    if element[0] == "f" and kind.map is not None:
        name = element[2:]
        return kind.map.of(name), name in kind.map.fields
    if element[0] == "k" and kind.list is not None:
        return kind.list.items, False
    return None, False
