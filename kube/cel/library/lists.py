"""Kubernetes' list functions, version 1: isSorted, sum, min, max, indexOf, lastIndexOf, includes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Final

from kube.cel import arithmetic, times
from kube.cel.errors import EvaluationError
from kube.cel.functions import Table, method
from kube.cel.types import BOOL, BYTES, DOUBLE, DURATION, DYN, INT, STRING, TIMESTAMP, UINT, Type, list_of, param
from kube.cel.values import Duration, UInt, compare, contains, equal

COMPARABLE: Final = (
    ("int", INT), ("uint", UINT), ("double", DOUBLE), ("bool", BOOL), ("duration", DURATION), ("timestamp", TIMESTAMP), ("string", STRING),
    ("bytes", BYTES),
)
_SUMMABLE: Final[tuple[tuple[str, Type, Any, Callable[[Any, Any], Any]], ...]] = (
    ("int", INT, 0, arithmetic.add_int), ("uint", UINT, UInt(0), arithmetic.add_uint),
    ("double", DOUBLE, 0.0, lambda left, right: left + right), ("duration", DURATION, Duration(0), times.add_duration),
)
_A: Final = param("A")


def _is_sorted(items: list[Any]) -> bool:
    return all(compare(before, item) <= 0 for before, item in itertools.pairwise(items))


def _sum(zero: Any, add: Callable[[Any, Any], Any]) -> Callable[[list[Any]], Any]:
    def call(items: list[Any]) -> Any:
        total = zero
        for item in items:
            total = add(total, item)
        return total
    return call


def _extreme(name: str, sign: int) -> Callable[[list[Any]], Any]:
    def call(items: list[Any]) -> Any:
        if not items:
            raise EvaluationError(f"{name} called on empty list")
        best = items[0]
        for item in items[1:]:
            if compare(item, best) == sign:
                best = item
        return best
    return call


def _index(items: list[Any], wanted: Any) -> int:
    return next((index for index, item in enumerate(items) if equal(item, wanted)), -1)


def _last_index(items: list[Any], wanted: Any) -> int:
    return next((index for index in range(len(items) - 1, -1, -1) if equal(items[index], wanted)), -1)


def _includes(value: Any, wanted: Any) -> bool:
    return contains(value, wanted) if isinstance(value, list) else equal(value, wanted)


FUNCTIONS: Final[Table] = {
    "isSorted": [method(f"list_{name}_is_sorted_bool", (list_of(type_),), BOOL, _is_sorted) for name, type_ in COMPARABLE],
    "sum": [method(f"list_{name}_sum_{name}", (list_of(type_),), type_, _sum(zero, add)) for name, type_, zero, add in _SUMMABLE],
    "max": [method(f"list_{name}_max_{name}", (list_of(type_),), type_, _extreme("max", 1)) for name, type_ in COMPARABLE],
    "min": [method(f"list_{name}_min_{name}", (list_of(type_),), type_, _extreme("min", -1)) for name, type_ in COMPARABLE],
    "indexOf": [method("list_a_index_of_int", (list_of(_A), _A), INT, _index)],
    "lastIndexOf": [method("list_a_last_index_of_int", (list_of(_A), _A), INT, _last_index)],
    "includes": [method("list_includes_dyn_dyn", (DYN, DYN), BOOL, _includes)],
}
