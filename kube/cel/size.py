"""Ranges of sizes and costs, in 64 bits that saturate: (least, most)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from kube.cel.types import Type

Range = tuple[int, int]
Sizer = Callable[[tuple[str, ...], Type], Range | None]

MAX: Final = 2**64 - 1
UNKNOWN: Final[Range] = (0, MAX)
ZERO: Final[Range] = (0, 0)
ONE: Final[Range] = (1, 1)


def fixed(value: int) -> Range:
    return value, value


def add(*ranges: Range) -> Range:
    return min(sum(one[0] for one in ranges), MAX), min(sum(one[1] for one in ranges), MAX)


def multiply(left: Range, right: Range) -> Range:
    return min(left[0] * right[0], MAX), min(left[1] * right[1], MAX)


def scale(value: Range, factor: float) -> Range:
    """Times a cost factor, rounded up."""
    return _scaled(value[0], factor), _scaled(value[1], factor)


def _scaled(value: int, factor: float) -> int:
    scaled = float(value) * factor
    return MAX if scaled >= 2.0**64 else min(math.ceil(scaled), MAX)


def union(left: Range, right: Range) -> Range:
    return min(left[0], right[0]), max(left[1], right[1])
