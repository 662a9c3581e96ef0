"""Optional values: cel-go's optional library, version 2."""

from __future__ import annotations

from typing import Any, Final

from kube.cel.errors import EvaluationError
from kube.cel.functions import Overload, Table, method
from kube.cel.types import BOOL, INT, Type, list_of, map_of, optional_of, param
from kube.cel.values import NO_OVERLOAD, NONE, Duration, Optional, Timestamp, find_optional, shown

K, V = param("K"), param("V")
OPTIONAL_V = optional_of(V)


def _of_non_zero(value: Any) -> Optional:
    if value is None or value is False or (isinstance(value, int | float) and value == 0):
        return NONE
    if isinstance(value, str | bytes | list | dict) and not value:
        return NONE
    if value == Duration(0) or value == Timestamp(-62135596800 * 10**9):
        return NONE
    return Optional(value)


def _unwrap(items: list[Any]) -> list[Any]:
    kept = []
    for item in items:
        if not isinstance(item, Optional):
            raise EvaluationError(f"value {shown(item)} is not optional")
        if item.present:
            kept.append(item.value)
    return kept


def _inline(*_: Any) -> Any:
    raise EvaluationError(NO_OVERLOAD)


def _optional_indices() -> list[tuple[str, Type, Type]]:
    return [("list_index_int", list_of(V), INT), ("map_index_value", map_of(K, V), K)]


FUNCTIONS: Final[Table] = {
    "optional.of": [Overload("optional_of", (V,), OPTIONAL_V, Optional)],
    "optional.ofNonZeroValue": [Overload("optional_ofNonZeroValue", (V,), OPTIONAL_V, _of_non_zero)],
    "optional.none": [Overload("optional_none", (), OPTIONAL_V, lambda: NONE)],
    "optional.unwrap": [Overload("optional_unwrap", (list_of(OPTIONAL_V),), list_of(V), _unwrap)],
    "unwrapOpt": [method("optional_unwrapOpt", (list_of(OPTIONAL_V),), list_of(V), _unwrap)],
    "value": [method("optional_value", (OPTIONAL_V,), V, lambda held: held.get())],
    "hasValue": [method("optional_hasValue", (OPTIONAL_V,), BOOL, lambda held: held.present)],
    "or": [method("optional_or_optional", (OPTIONAL_V, OPTIONAL_V), OPTIONAL_V, _inline)],
    "orValue": [method("optional_orValue_value", (OPTIONAL_V, V), V, _inline)],
    "last": [method("list_last", (list_of(V),), OPTIONAL_V, lambda items: Optional(items[-1]) if items else NONE)],
    "first": [method("list_first", (list_of(V),), OPTIONAL_V, lambda items: Optional(items[0]) if items else NONE)],
    "_[?_]": [
        Overload("list_optindex_optional_int", (list_of(V), INT), OPTIONAL_V, find_optional),
        Overload("optional_list_optindex_optional_int", (optional_of(list_of(V)), INT), OPTIONAL_V, _inline),
        Overload("map_optindex_optional_value", (map_of(K, V), K), OPTIONAL_V, find_optional),
        Overload("optional_map_optindex_optional_value", (optional_of(map_of(K, V)), K), OPTIONAL_V, _inline),
    ],
    "_[_]": [
        Overload(f"optional_{name}", (optional_of(container), key), OPTIONAL_V, _inline) for name, container, key in _optional_indices()
    ],
}
