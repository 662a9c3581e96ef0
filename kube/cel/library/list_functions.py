"""cel-go's list functions, version 3: slice, flatten, sort, sortBy (a macro on @sortByAssociatedKeys), lists.range, reverse, distinct."""

from __future__ import annotations

from functools import cmp_to_key
from typing import Any, Final

from kube.cel.errors import CostExceeded, EvaluationError
from kube.cel.functions import Overload, Table, method
from kube.cel.types import BOOL, BYTES, DOUBLE, DURATION, DYN, INT, STRING, TIMESTAMP, UINT, list_of, param
from kube.cel.values import compare, contains

_T: Final = list_of(param("T"))
_COMPARABLE: Final = (
    ("int", INT), ("uint", UINT), ("double", DOUBLE), ("bool", BOOL), ("google.protobuf.Duration", DURATION),
    ("google.protobuf.Timestamp", TIMESTAMP), ("string", STRING), ("bytes", BYTES),
)
_LONGEST_RANGE: Final = 1_000_000        # longer ones cost more than Kubernetes' limit


def _slice(items: list[Any], start: int, end: int) -> list[Any]:
    if start < 0 or end < 0:
        raise EvaluationError(f"cannot slice({start}, {end}), negative indexes not supported")
    if start > end:
        raise EvaluationError(f"cannot slice({start}, {end}), start index must be less than or equal to end index")
    if len(items) < end:
        raise EvaluationError(f"cannot slice({start}, {end}), list is length {len(items)}")
    return items[start:end]


def _flatten(items: list[Any], depth: int = 1) -> list[Any]:
    if depth < 0:
        raise EvaluationError("level must be non-negative")
    flat = []
    for item in items:
        if isinstance(item, list) and depth:
            flat.extend(_flatten(item, depth - 1))
        else:
            flat.append(item)
    return flat


def _sort(items: list[Any]) -> list[Any]:
    return _sort_by_keys(items, items)


def _sort_by_keys(items: list[Any], keys: list[Any]) -> list[Any]:
    if len(items) != len(keys):
        raise EvaluationError(
            "@sortByAssociatedKeys() expected a list of the same size as the associated keys list, "
            f"but got {len(items)} and {len(keys)} elements respectively")
    if any(type(key) is not type(keys[0]) for key in keys):
        raise EvaluationError("list elements must have the same type")

    def by_key(one: int, other: int) -> int:
        return compare(keys[one], keys[other])
    order: list[int] = sorted(range(len(items)), key=cmp_to_key(by_key))
    return [items[index] for index in order]


def _range(length: int) -> list[int]:
    if length > _LONGEST_RANGE:
        raise CostExceeded
    return list(range(length))


def _reverse(items: list[Any]) -> list[Any]:
    return items[::-1]


def _distinct(items: list[Any]) -> list[Any]:
    seen: list[Any] = []
    for item in items:
        if not contains(seen, item):
            seen.append(item)
    return seen


FUNCTIONS: Final[Table] = {
    "slice": [method("list_slice", (_T, INT, INT), _T, _slice)],
    "flatten": [
        method("list_flatten", (list_of(_T),), _T, _flatten, guarded=False),
        method("list_flatten_int", (list_of(DYN), INT), list_of(DYN), _flatten),
    ],
    "sort": [method(f"list_{name}_sort", (list_of(type_),), list_of(type_), _sort) for name, type_ in _COMPARABLE],
    "@sortByAssociatedKeys": [
        method(f"list_{name}_sortByAssociatedKeys", (_T, list_of(type_)), _T, _sort_by_keys) for name, type_ in _COMPARABLE
    ],
    "lists.range": [Overload("lists_range", (INT,), list_of(INT), _range)],
    "reverse": [method("list_reverse", (_T,), _T, _reverse)],
    "distinct": [method("list_distinct", (_T,), _T, _distinct)],
}
