"""CEL's standard functions and operators, with the overload ids of cel-go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from kube.apimachinery.regex import RegexError, compiled
from kube.cel import arithmetic, conversions, times
from kube.cel.errors import EvaluationError
from kube.cel.functions import Overload, Table, method
from kube.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    UINT,
    Type,
    list_of,
    map_of,
    param,
    type_of_type,
)
from kube.cel.values import NO_OVERLOAD, TypeValue, compare, contains, equal, has_key, insert, type_name

A, B = param("A"), param("B")
LIST_A, MAP_AB = list_of(A), map_of(A, B)


def _same(value: Any) -> Any:
    return value


def _not(value: Any) -> bool:
    if value is True or value is False:
        return not value
    raise EvaluationError(NO_OVERLOAD)


def _compiled(*_: Any) -> Any:
    """Stands for what the compiler knows itself: logic, comparison with itself, selection."""
    raise AssertionError("compiled inline")


def _insert_all(entries: dict[Any, Any], *more: Any) -> dict[Any, Any]:
    """The step of transformMap: the map under construction is its own, so it grows in place."""
    if len(more) == 2:
        insert(entries, *more)
        return entries
    for key, value in more[0].items():
        insert(entries, key, value)
    return entries


def _in_map(key: Any, entries: dict[Any, Any]) -> bool:
    return has_key(entries, key)


def _in_list(item: Any, items: list[Any]) -> bool:
    return contains(items, item)


def _matches(text: str, pattern: str) -> bool:
    try:
        return compiled(pattern).matches(text)
    except RegexError as error:
        raise EvaluationError(str(error)) from error


_COMPARED: Final = (
    ("bool", BOOL, BOOL), ("int64", INT, INT), ("int64_double", INT, DOUBLE), ("int64_uint64", INT, UINT), ("uint64", UINT, UINT),
    ("uint64_double", UINT, DOUBLE), ("uint64_int64", UINT, INT), ("double", DOUBLE, DOUBLE), ("double_int64", DOUBLE, INT),
    ("double_uint64", DOUBLE, UINT), ("string", STRING, STRING), ("bytes", BYTES, BYTES), ("timestamp", TIMESTAMP, TIMESTAMP),
    ("duration", DURATION, DURATION),
)


def _comparison(name: str, holds: Callable[[int], bool]) -> list[Overload]:
    def call(left: Any, right: Any) -> bool:
        return holds(compare(left, right))
    return [Overload(f"{name}_{suffix}", (left, right), BOOL, call) for suffix, left, right in _COMPARED]


def _operator(*rows: tuple[str, Type, Type, Type, Callable[..., Any]]) -> list[Overload]:
    return [Overload(id_, (left, right), result, call) for id_, left, right, result, call in rows]


def _conversion(result: Type, call: Callable[[Any], Any], *rows: tuple[str, Type]) -> list[Overload]:
    return [Overload(id_, (source,), result, call) for id_, source in rows]


OPERATORS: Final[Table] = {
    "_?_:_": [Overload("conditional", (BOOL, A, A), A, _compiled)],
    "_&&_": [Overload("logical_and", (BOOL, BOOL), BOOL, _compiled)],
    "_||_": [Overload("logical_or", (BOOL, BOOL), BOOL, _compiled)],
    "!_": [Overload("logical_not", (BOOL,), BOOL, _not)],
    "@not_strictly_false": [Overload("not_strictly_false", (BOOL,), BOOL, _compiled)],
    "_==_": [Overload("equals", (A, A), BOOL, equal)],
    "_!=_": [Overload("not_equals", (A, A), BOOL, lambda left, right: not equal(left, right))],
    "_<_": _comparison("less", lambda order: order < 0),
    "_<=_": _comparison("less_equals", lambda order: order <= 0),
    "_>_": _comparison("greater", lambda order: order > 0),
    "_>=_": _comparison("greater_equals", lambda order: order >= 0),
    "_+_": _operator(
        ("add_bytes", BYTES, BYTES, BYTES, lambda left, right: left + right),
        ("add_double", DOUBLE, DOUBLE, DOUBLE, lambda left, right: left + right),
        ("add_duration_duration", DURATION, DURATION, DURATION, times.add_duration),
        ("add_duration_timestamp", DURATION, TIMESTAMP, TIMESTAMP, times.add_duration),
        ("add_timestamp_duration", TIMESTAMP, DURATION, TIMESTAMP, times.add_duration),
        ("add_int64", INT, INT, INT, arithmetic.add_int),
        ("add_list", LIST_A, LIST_A, LIST_A, arithmetic.add_lists),
        ("add_string", STRING, STRING, STRING, lambda left, right: left + right),
        ("add_uint64", UINT, UINT, UINT, arithmetic.add_uint),
    ),
    "_-_": _operator(
        ("subtract_double", DOUBLE, DOUBLE, DOUBLE, lambda left, right: left - right),
        ("subtract_duration_duration", DURATION, DURATION, DURATION, times.subtract_time),
        ("subtract_int64", INT, INT, INT, arithmetic.subtract_int),
        ("subtract_timestamp_duration", TIMESTAMP, DURATION, TIMESTAMP, times.subtract_time),
        ("subtract_timestamp_timestamp", TIMESTAMP, TIMESTAMP, DURATION, times.subtract_time),
        ("subtract_uint64", UINT, UINT, UINT, arithmetic.subtract_uint),
    ),
    "_*_": _operator(
        ("multiply_double", DOUBLE, DOUBLE, DOUBLE, arithmetic.multiply_double),
        ("multiply_int64", INT, INT, INT, arithmetic.multiply_int),
        ("multiply_uint64", UINT, UINT, UINT, arithmetic.multiply_uint),
    ),
    "_/_": _operator(
        ("divide_double", DOUBLE, DOUBLE, DOUBLE, arithmetic.divide_double),
        ("divide_int64", INT, INT, INT, arithmetic.divide_int),
        ("divide_uint64", UINT, UINT, UINT, arithmetic.divide_uint),
    ),
    "_%_": _operator(
        ("modulo_int64", INT, INT, INT, arithmetic.modulo_int),
        ("modulo_uint64", UINT, UINT, UINT, arithmetic.modulo_uint),
    ),
    "-_": [
        Overload("negate_double", (DOUBLE,), DOUBLE, lambda value: -value),
        Overload("negate_int64", (INT,), INT, arithmetic.negate_int),
    ],
    "_[_]": [
        Overload("index_list", (LIST_A, INT), A, _compiled),
        Overload("index_map", (MAP_AB, A), B, _compiled),
    ],
    "@in": [
        Overload("in_list", (A, LIST_A), BOOL, _in_list),
        Overload("in_map", (A, MAP_AB), BOOL, _in_map),
    ],
    "cel.@mapInsert": [
        Overload("@mapInsert_map_key_value", (MAP_AB, A, B), MAP_AB, _insert_all),
        Overload("@mapInsert_map_map", (MAP_AB, MAP_AB), MAP_AB, _insert_all),
    ],
}

_SIZED: Final = (("bytes", BYTES), ("list", LIST_A), ("map", MAP_AB), ("string", STRING))

CONVERSIONS: Final[Table] = {
    "type": [Overload("type", (A,), type_of_type(A), lambda value: TypeValue(type_name(value)))],
    "dyn": [Overload("to_dyn", (A,), DYN, _same)],
    "bool": _conversion(BOOL, conversions.to_bool, ("bool_to_bool", BOOL), ("string_to_bool", STRING)),
    "bytes": _conversion(BYTES, conversions.to_bytes, ("bytes_to_bytes", BYTES), ("string_to_bytes", STRING)),
    "double": _conversion(DOUBLE, conversions.to_double, ("double_to_double", DOUBLE), ("int64_to_double", INT),
                          ("string_to_double", STRING), ("uint64_to_double", UINT)),
    "duration": _conversion(DURATION, conversions.to_duration, ("duration_to_duration", DURATION), ("string_to_duration", STRING)),
    "int": _conversion(INT, conversions.to_int, ("int64_to_int64", INT), ("double_to_int64", DOUBLE), ("duration_to_int64", DURATION),
                       ("string_to_int64", STRING), ("timestamp_to_int64", TIMESTAMP), ("uint64_to_int64", UINT)),
    "string": _conversion(STRING, conversions.to_string, ("string_to_string", STRING), ("bool_to_string", BOOL), ("bytes_to_string", BYTES),
                          ("double_to_string", DOUBLE), ("duration_to_string", DURATION), ("int64_to_string", INT),
                          ("timestamp_to_string", TIMESTAMP), ("uint64_to_string", UINT)),
    "timestamp": _conversion(TIMESTAMP, conversions.to_timestamp, ("timestamp_to_timestamp", TIMESTAMP), ("int64_to_timestamp", INT),
                             ("string_to_timestamp", STRING)),
    "uint": _conversion(UINT, conversions.to_uint, ("uint64_to_uint64", UINT), ("double_to_uint64", DOUBLE), ("int64_to_uint64", INT),
                        ("string_to_uint64", STRING)),
}

_STRINGS: Final[Table] = {
    "size": [
        *(Overload(f"size_{name}", (type_,), INT, len) for name, type_ in _SIZED),
        *(method(f"{name}_size", (type_,), INT, len) for name, type_ in _SIZED),
    ],
    "contains": [method("contains_string", (STRING, STRING), BOOL, lambda text, part: part in text)],
    "endsWith": [method("ends_with_string", (STRING, STRING), BOOL, lambda text, end: text.endswith(end))],
    "startsWith": [method("starts_with_string", (STRING, STRING), BOOL, lambda text, start: text.startswith(start))],
    "matches": [
        Overload("matches", (STRING, STRING), BOOL, _matches),
        method("matches_string", (STRING, STRING), BOOL, _matches),
    ],
}

_PART_IDS: Final = {
    "getFullYear": "year", "getMonth": "month", "getDayOfYear": "day_of_year", "getDate": "day_of_month_1_based",
    "getDayOfMonth": "day_of_month",
    "getDayOfWeek": "day_of_week", "getHours": "hours", "getMinutes": "minutes", "getSeconds": "seconds", "getMilliseconds": "milliseconds",
}
_UNITS: Final = {"getHours": 3600 * times.SECOND, "getMinutes": 60 * times.SECOND, "getSeconds": times.SECOND, "getMilliseconds": 10**6}


def _time_functions() -> Table:
    table: Table = {}
    for function, part in _PART_IDS.items():
        getter = times.part_getter(function)
        with_zone = "timestamp_to_seconds_tz" if part == "seconds" else f"timestamp_to_{part}_with_tz"
        table[function] = [
            method(f"timestamp_to_{part}", (TIMESTAMP,), INT, getter),
            method(with_zone, (TIMESTAMP, STRING), INT, getter),
        ]
        if function in _UNITS:
            table[function].append(method(f"duration_to_{part}", (DURATION,), INT, times.duration_getter(_UNITS[function])))
    return table


FUNCTIONS: Final[Table] = {**OPERATORS, **CONVERSIONS, **_STRINGS, **_time_functions()}
