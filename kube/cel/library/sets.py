"""sets.contains, sets.equivalent, sets.intersects: lists as sets."""

from __future__ import annotations

from typing import Any, Final

from kube.cel.functions import Overload, Table
from kube.cel.types import BOOL, list_of, param
from kube.cel.values import contains

_LIST: Final = list_of(param("T"))


def _contains(items: list[Any], wanted: list[Any]) -> bool:
    return all(contains(items, item) for item in wanted)


def _equivalent(left: list[Any], right: list[Any]) -> bool:
    return _contains(left, right) and _contains(right, left)


def _intersects(left: list[Any], right: list[Any]) -> bool:
    return any(contains(right, item) for item in left)


FUNCTIONS: Final[Table] = {
    "sets.contains": [Overload("list_sets_contains_list", (_LIST, _LIST), BOOL, _contains)],
    "sets.equivalent": [Overload("list_sets_equivalent_list", (_LIST, _LIST), BOOL, _equivalent)],
    "sets.intersects": [Overload("list_sets_intersects_list", (_LIST, _LIST), BOOL, _intersects)],
}
