"""Values, and what is common to all of them: equality, order, type names, size.

    CEL         Python                       CEL          Python
    int         int                          timestamp    Timestamp (nanoseconds since 1970)
    uint        UInt                         duration     Duration (nanoseconds)
    double      float                        optional     Optional
    string      str                          type         TypeValue
    bytes       bytes                        object       dict (by JSON names), Message where an expression made it
    list, map   list, dict                   null         None

Lists that a schema declares as sets or maps are SetList and MapList: equal in any order, and joined by `+` without doubles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, runtime_checkable

from kube.cel.errors import EvaluationError

INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
UINT_MAX: Final = 2**64 - 1

NO_OVERLOAD: Final = "no such overload"


class UInt(int):
    """An unsigned integer of 64 bits."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """An instant. `offset_s`: the zone it was written in, kept for string() only."""

    nanoseconds: int
    offset_s: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    nanoseconds: int


@dataclass(frozen=True, slots=True)
class TypeValue:
    """What type(x) gives and what names of types stand for."""

    name: str


class Optional:
    """A value that may be missing."""

    __slots__ = ("present", "value")

    def __init__(self, value: Any = None, *, present: bool = True) -> None:
        self.value = value
        self.present = present

    def get(self) -> Any:
        if not self.present:
            raise EvaluationError("optional.none() dereference")
        return self.value


NONE: Final = Optional(present=False)


class Message(dict[str, Any]):
    """An object that an expression made: `Object.spec{replicas: 1}`. Its fields are under their JSON names."""

    __slots__ = ("type_name",)

    def __init__(self, type_name: str, fields: dict[str, Any]) -> None:
        super().__init__(fields)
        self.type_name = type_name


class SetList(list[Any]):
    """x-kubernetes-list-type: set."""

    __slots__ = ()


class MapList(list[Any]):
    """x-kubernetes-list-type: map; `keys` are the names of the fields that tell its items apart."""

    __slots__ = ("keys",)

    def __init__(self, items: Sequence[Any], keys: tuple[str, ...]) -> None:
        super().__init__(items)
        self.keys = keys

    def key_of(self, item: Any) -> tuple[Any, ...]:
        return tuple(item.get(key) for key in self.keys)


@runtime_checkable
class Opaque(Protocol):
    """A library's own value: an IP, a quantity, an authorizer."""

    @property
    def cel_type_name(self) -> str: ...


_NAMES: Final[dict[type, str]] = {
    str: "string", int: "int", bool: "bool", float: "double", UInt: "uint", bytes: "bytes", list: "list", dict: "map",
    type(None): "null_type",
    Timestamp: "google.protobuf.Timestamp", Duration: "google.protobuf.Duration", Optional: "optional_type", TypeValue: "type",
    SetList: "list", MapList: "list",
}


def type_name(value: Any) -> str:
    """The name of a value's type at run time, as type() gives it."""
    found = _NAMES.get(type(value))
    if found is not None:
        return found
    if isinstance(value, Message):
        return value.type_name
    if isinstance(value, Opaque):
        return value.cel_type_name
    raise EvaluationError(f"unsupported conversion to ref.Val: ({type(value).__name__}){value}")


def equal(left: Any, right: Any) -> bool:
    """CEL's ==: numbers by value whatever their type, lists and maps by their elements, values of other types never equal."""
    kind, other = type(left), type(right)
    if kind is str or kind is bool or other is str or other is bool:
        return kind is other and bool(left == right)
    if kind in _NUMBERS:
        if other not in _NUMBERS:
            return False
        if kind is float or other is float:
            return float(left) == float(right)
        return bool(left == right)
    if isinstance(left, list):
        return isinstance(right, list) and _equal_lists(left, right)
    if isinstance(left, dict):
        return isinstance(right, dict) and _equal_maps(left, right)
    if kind is Optional:
        return other is Optional and left.present == right.present and (not left.present or equal(left.value, right.value))
    return kind is other and bool(left == right)


_NUMBERS: Final = frozenset({int, UInt, float})


def _equal_lists(left: list[Any], right: list[Any]) -> bool:
    if len(left) != len(right):
        return False
    if isinstance(left, SetList):
        return all(contains(right, item) for item in left)
    if isinstance(left, MapList):
        others = {left.key_of(item): item for item in right}
        return all((key := left.key_of(item)) in others and equal(item, others[key]) for item in left)
    return all(map(equal, left, right))


def _equal_maps(left: dict[Any, Any], right: dict[Any, Any]) -> bool:
    if len(left) != len(right):
        return False
    return all(has_key(right, key) and equal(value, right[key]) for key, value in left.items())


def contains(items: list[Any], wanted: Any) -> bool:
    """Whether one of the items equals what is wanted."""
    if type(wanted) is str:
        return wanted in items
    return any(equal(item, wanted) for item in items)


def has_key(entries: dict[Any, Any], key: Any) -> bool:
    """As `in`, but true is not 1."""
    kind = type(key)
    if kind is str:
        return key in entries
    if kind is bool:
        return key in entries and any(held is key for held in entries)
    if kind in _NUMBERS:
        return key in entries and not any(type(held) is bool and held == key for held in entries)
    return False


def compare(left: Any, right: Any) -> int:
    """-1, 0, 1. Raises EvaluationError where the two have no order."""
    kind, other = type(left), type(right)
    if kind in _NUMBERS and other in _NUMBERS:
        if kind is float or other is float:
            left, right = float(left), float(right)
            if left != left or right != right:
                raise EvaluationError("NaN values cannot be ordered")
    elif kind is not other or kind not in _ORDERED:
        raise EvaluationError(NO_OVERLOAD)
    return -1 if left < right else int(left > right)


_ORDERED: Final = frozenset({str, bytes, bool, Timestamp, Duration})


def size_of(value: Any) -> int:
    """What the value counts for in costs: its length, or 1."""
    if isinstance(value, str | bytes | list | dict):
        return len(value)
    if type(value) is Optional:
        return size_of(value.value) if value.present else 1
    measure: Callable[[], int] | None = getattr(value, "cel_size", None)
    return 1 if measure is None else measure()


def find(container: Any, key: Any) -> Any:
    """container[key]. Raises EvaluationError: "no such key", "index out of bounds"."""
    if isinstance(container, dict):
        if has_key(container, key):
            return container[key]
        raise EvaluationError(f"no such key: {shown(key)}")
    if isinstance(container, list):
        index = as_index(key)
        if 0 <= index < len(container):
            return container[index]
        raise EvaluationError(f"index out of bounds: {index}")
    raise EvaluationError(f"no such key: {shown(key)}")


def find_optional(container: Any, key: Any) -> Optional:
    """container[?key]."""
    if isinstance(container, dict):
        return Optional(container[key]) if has_key(container, key) else NONE
    if isinstance(container, list):
        index = as_index(key)
        return Optional(container[index]) if 0 <= index < len(container) else NONE
    return NONE


def as_index(key: Any) -> int:
    kind = type(key)
    if kind is int or kind is UInt:
        return int(key)
    if kind is float and key == int(key):
        return int(key)
    raise EvaluationError(f"unsupported index type '{type_name(key)}' in list")


def shown(value: Any) -> str:
    """As error messages show a value."""
    if value is True or value is False:
        return str(value).lower()
    return "null" if value is None else str(value)


def insert(entries: dict[Any, Any], key: Any, value: Any) -> None:
    """Adds an entry to a map under construction. Raises EvaluationError where the key is there."""
    if has_key(entries, key):
        raise EvaluationError(f"insert failed: key {shown(key)} already exists")
    entries[key] = value
