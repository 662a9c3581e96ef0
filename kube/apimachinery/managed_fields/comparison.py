"""What a write changed: fields added, removed and modified, each as a set.

Both sides are looked at together; what is equal is left out at once, so that the cost follows the change and not the object.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from kube.apimachinery.managed_fields import path_element
from kube.apimachinery.managed_fields.field_set import EMPTY, LEAF, Node, node_of, union
from kube.apimachinery.managed_fields.path_element import Element
from kube.apimachinery.managed_fields.typed import TypedError, element_of
from kube.apimachinery.managed_fields.types import FieldType, ListType, MapType

Reset = Callable[[Node], Node]


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


@dataclass(frozen=True, slots=True)
class Comparison:
    """`removed` fields were there before only, `added` ones are there now only, `modified` ones differ."""

    removed: Node
    modified: Node
    added: Node

    def filtered(self, reset: Reset | None) -> Comparison:
        """Without the fields that the write cannot have changed, whatever it says."""
        return self if reset is None else Comparison(reset(self.removed), reset(self.modified), reset(self.added))

    @property
    def set(self) -> Node:
        return union(self.modified, self.added)

    @property
    def same(self) -> bool:
        return not (self.removed or self.modified or self.added)


SAME: Final = Comparison(EMPTY, EMPTY, EMPTY)
_Found = tuple[Node | None, Node | None, Node | None]          # a value's nodes in: removed, modified, added
_NOTHING: Final[_Found] = (None, None, None)


def compare(old: Any, new: Any, kind: FieldType) -> Comparison:
    """Raises TypedError for items of lists that have no name."""
    removed, modified, added = _compared(old, new, kind)
    return Comparison(removed or EMPTY, modified or EMPTY, added or EMPTY)


def _compared(old: Any, new: Any, kind: FieldType) -> _Found:
    if old is MISSING:
        return None, None, whole(new, kind)
    if new is MISSING:
        return whole(old, kind), None, None
    if old is new:
        return _NOTHING
    form = kind.form(new)
    if old is not None and new is not None and (other := kind.form(old)) != form:
        return _both(_in_form(old, new, kind, other), _in_form(old, new, kind, form))
    return _in_form(old, new, kind, kind.form(old) if new is None else form)


def _in_form(old: Any, new: Any, kind: FieldType, form: str) -> _Found:
    if form == "map":
        assert kind.map is not None
        before, after = old if isinstance(old, dict) else None, new if isinstance(new, dict) else None
        if kind.map.atomic or not (before or after):
            return _leaf(old, new)
        return _maps(before, after, kind.map)
    if form == "list":
        assert kind.list is not None
        earlier, later = old if isinstance(old, list) else None, new if isinstance(new, list) else None
        if kind.list.atomic or not (earlier or later):
            return _leaf(old, new)
        return _lists(earlier or [], later or [], kind.list)
    return _leaf(old, new)


def _leaf(old: Any, new: Any) -> _Found:
    return _NOTHING if identical(old, new) else (None, LEAF, None)


def identical(old: Any, new: Any) -> bool:
    """Equality in JSON's sense: to Python, true is 1."""
    if old != new:
        return False
    if isinstance(old, dict):
        return all(identical(value, new[key]) for key, value in old.items())
    if isinstance(old, list):
        return all(map(identical, old, new))
    return isinstance(old, bool) is isinstance(new, bool)


def _both(first: _Found, second: _Found) -> _Found:
    nodes = [_merged(one, other) for one, other in zip(first, second, strict=True)]
    return nodes[0], nodes[1], nodes[2]


def _merged(one: Node | None, other: Node | None) -> Node | None:
    if one is None or other is None:
        return other if one is None else one
    node: Node = union({"f:": one}, {"f:": other})["f:"]       # as nodes, whose membership counts too
    return node


def _maps(old: dict[str, Any] | None, new: dict[str, Any] | None, kind: MapType) -> _Found:
    if kind.definition and old == new:          # whose fields are typed: no true can be a 1
        return _NOTHING
    implied = kind.implied
    removed: Node = {}
    modified: Node = {}
    added: Node = {}
    before, after = old or {}, new or {}
    names: Any = before.keys() | after.keys()
    if implied:
        names = names | implied.keys()
    for name in names:
        left = before.get(name, MISSING)
        right = after.get(name, MISSING)
        if name in implied:
            left = implied[name] if left is MISSING and old is not None else left
            right = implied[name] if right is MISSING and new is not None else right
        if left is right or (inner := kind.of(name)) is None:
            continue
        gone, changed, come = _compared(left, right, inner)
        element = path_element.field(name)
        if gone is not None:
            removed[element] = gone
        if changed is not None:
            modified[element] = changed
        if come is not None:
            added[element] = come
    return removed or None, modified or None, added or None


def _lists(old: list[Any], new: list[Any], kind: ListType) -> _Found:
    before, after = items_of(old, kind), items_of(new, kind)
    removed: Node = {}
    modified: Node = {}
    added: Node = {}
    for element in before.keys() | after.keys():
        left, right = before.get(element, []), after.get(element, [])
        if len(left) <= 1 and len(right) <= 1:
            found = _compared(left[0] if left else MISSING, right[0] if right else MISSING, kind.items)
        elif len(left) > 1 and len(right) > 1:
            found = _leaf(left, right)
        elif len(left) > 1:
            found = (LEAF, None, whole(right[0], kind.items) if right else None)
        else:
            found = (whole(left[0], kind.items) if left else None, None, LEAF)
        for sets, node in zip((removed, modified, added), found, strict=True):
            if node is not None:
                sets[element] = node
    return removed or None, modified or None, added or None


def items_of(values: list[Any], kind: ListType) -> dict[Element, list[Any]]:
    """The items by their names, each with its doubles."""
    found: dict[Element, list[Any]] = {}
    for index, item in enumerate(values):
        try:
            found.setdefault(element_of(kind, item), []).append(item)
        except ValueError as error:
            raise TypedError([("", f"element {index}: {error}")]) from error
    return found


def whole(value: Any, kind: FieldType) -> Node:
    """The node of a value that is there on one side only: it and all that is in it."""
    form = kind.form(value)
    if form == "map":
        assert kind.map is not None
        if not isinstance(value, dict) or kind.map.atomic or not value:
            return LEAF
        return node_of(_whole_map(value, kind.map), member=True) or LEAF
    if form == "list" and isinstance(value, list) and value:
        assert kind.list is not None
        if not kind.list.atomic:
            items = items_of(value, kind.list)
            children = {element: whole(same[0], kind.list.items) if len(same) == 1 else LEAF for element, same in items.items()}
            return node_of(children, member=True) or LEAF
    return LEAF


def _whole_map(value: dict[str, Any], kind: MapType) -> Node:
    found: Node = {}
    for name, inner in value.items():
        if not isinstance(inner, dict | list) or not inner:
            found["f:" + name] = LEAF
        elif (inner_kind := kind.of(name)) is not None:
            found["f:" + name] = whole(inner, inner_kind)
    for name in kind.implied:
        if name not in value:
            found["f:" + name] = LEAF
    return found
