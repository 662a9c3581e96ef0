"""Operators on numbers: 64 bits, and errors where they do not suffice. Integer division and remainder go towards zero."""

from __future__ import annotations

import math
from typing import Any

from kube.cel.errors import EvaluationError
from kube.cel.values import INT_MAX, INT_MIN, UINT_MAX, MapList, SetList, UInt, contains


def checked_int(value: int) -> int:
    if INT_MIN <= value <= INT_MAX:
        return value
    raise EvaluationError("integer overflow")


def checked_uint(value: int) -> UInt:
    if 0 <= value <= UINT_MAX:
        return UInt(value)
    raise EvaluationError("unsigned integer overflow")


def add_int(left: int, right: int) -> int:
    value = left + right
    if INT_MIN <= value <= INT_MAX:
        return value
    raise EvaluationError("integer overflow")


def subtract_int(left: int, right: int) -> int:
    return checked_int(left - right)


def multiply_int(left: int, right: int) -> int:
    return checked_int(left * right)


def divide_int(left: int, right: int) -> int:
    if right == 0:
        raise EvaluationError("division by zero")
    quotient = abs(left) // abs(right)
    return checked_int(quotient if (left < 0) == (right < 0) else -quotient)


def modulo_int(left: int, right: int) -> int:
    if right == 0:
        raise EvaluationError("modulus by zero")
    if right == -1 and left == INT_MIN:
        raise EvaluationError("integer overflow")
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def negate_int(value: int) -> int:
    return checked_int(-value)


def add_uint(left: int, right: int) -> UInt:
    return checked_uint(int(left) + int(right))


def subtract_uint(left: int, right: int) -> UInt:
    return checked_uint(int(left) - int(right))


def multiply_uint(left: int, right: int) -> UInt:
    return checked_uint(int(left) * int(right))


def divide_uint(left: int, right: int) -> UInt:
    if right == 0:
        raise EvaluationError("division by zero")
    return UInt(int(left) // int(right))


def modulo_uint(left: int, right: int) -> UInt:
    if right == 0:
        raise EvaluationError("modulus by zero")
    return UInt(int(left) % int(right))


def divide_double(left: float, right: float) -> float:
    if right == 0:
        if left == 0 or math.isnan(left):
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1.0, right)
    return left / right


def multiply_double(left: float, right: float) -> float:
    return left * right


def add_lists(left: list[Any], right: list[Any]) -> list[Any]:
    """Joined. Of a set, what the left one lacks; of a map, the right one's items replace their namesakes."""
    if isinstance(left, SetList):
        return SetList([*left, *(item for item in right if not contains(left, item))])
    if isinstance(left, MapList):
        newer = {left.key_of(item): item for item in right}
        kept = [newer.pop(left.key_of(item), item) for item in left]
        return MapList([*kept, *newer.values()], left.keys)
    return [*left, *right]
