"""cel-go's math functions: greatest and least, rounding, bits. Kubernetes' environment has them nowhere.

cel-go has greatest and least as macros for any number of arguments; here they are functions of up to eight, or of one list.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from kube.cel.arithmetic import checked_int
from kube.cel.errors import EvaluationError
from kube.cel.functions import Overload, Table
from kube.cel.types import BOOL, DOUBLE, DYN, INT, UINT, Type, list_of
from kube.cel.values import UINT_MAX, UInt, compare

_NUMBERS: Final = (("int", INT), ("uint", UINT), ("double", DOUBLE))


def _extreme(name: str, sign: int) -> list[Overload]:
    def call(*values: Any) -> Any:
        items = values[0] if len(values) == 1 and isinstance(values[0], list) else values
        if not items:
            raise EvaluationError(f"math.{name}(list) argument must not be empty")
        best = items[0]
        for item in items:
            if compare(item, best) == sign:
                best = item
        return best
    same = [Overload(f"math_{name}_{kind}_{count}", (type_,) * count, type_, call) for count in range(1, 9) for kind, type_ in _NUMBERS]
    mixed = [Overload(f"math_{name}_dyn_{count}", (DYN,) * count, DYN, call) for count in range(2, 9)]
    lists = [Overload(f"math_{name}_list_{kind}", (list_of(type_),), type_, call) for kind, type_ in _NUMBERS]
    return [*same, *lists, *mixed]


def _round(value: float) -> float:
    """Half away from zero."""
    if not math.isfinite(value):
        return value
    whole = math.trunc(value)
    return math.copysign(float(whole + (math.copysign(1, value) if abs(value - whole) >= 0.5 else 0)), value)


def _whole(call: Callable[[float], int]) -> Callable[[float], float]:
    return lambda value: float(call(value)) if math.isfinite(value) else value


def _abs(value: Any) -> Any:
    if isinstance(value, UInt):
        return value
    return abs(value) if isinstance(value, float) else checked_int(abs(value))


def _sign(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isnan(value) or value == 0 else math.copysign(1.0, value)
    return type(value)((value > 0) - (value < 0))


def _sqrt(value: float) -> float:
    return math.sqrt(value) if value >= 0 else math.nan


def _signed(value: int) -> int:
    value &= UINT_MAX
    return value - 2**64 if value >= 2**63 else value


def _shift(value: int, bits: int, *, left: bool) -> int:
    if bits < 0:
        raise EvaluationError(f"math.bitShift{'Left' if left else 'Right'}() negative offset: {bits}")
    moved = 0 if bits >= 64 else value << bits & UINT_MAX if left else (value & UINT_MAX) >> bits
    return UInt(moved) if isinstance(value, UInt) else _signed(moved)


def _bits(name: str, call: Callable[[int, int], int]) -> list[Overload]:
    return [
        Overload(f"math_{name}_int_int", (INT, INT), INT, lambda left, right: _signed(call(left, right))),
        Overload(f"math_{name}_uint_uint", (UINT, UINT), UINT, lambda left, right: UInt(call(left, right))),
    ]


def _each(name: str, call: Callable[[Any], Any], *types: tuple[str, Type]) -> list[Overload]:
    return [Overload(f"math_{name}_{kind}", (type_,), type_, call) for kind, type_ in types]


_DOUBLE: Final = (("double", DOUBLE),)

FUNCTIONS: Final[Table] = {
    "math.greatest": _extreme("greatest", 1),
    "math.least": _extreme("least", -1),
    "math.ceil": _each("ceil", _whole(math.ceil), *_DOUBLE),
    "math.floor": _each("floor", _whole(math.floor), *_DOUBLE),
    "math.round": _each("round", _round, *_DOUBLE),
    "math.trunc": _each("trunc", _whole(math.trunc), *_DOUBLE),
    "math.isInf": [Overload("math_isInf_double", (DOUBLE,), BOOL, math.isinf)],
    "math.isNaN": [Overload("math_isNaN_double", (DOUBLE,), BOOL, math.isnan)],
    "math.isFinite": [Overload("math_isFinite_double", (DOUBLE,), BOOL, math.isfinite)],
    "math.abs": _each("abs", _abs, *_NUMBERS),
    "math.sign": _each("sign", _sign, *_NUMBERS),
    "math.sqrt": [Overload(f"math_sqrt_{kind}", (type_,), DOUBLE, _sqrt) for kind, type_ in _NUMBERS],
    "math.bitAnd": _bits("bitAnd", lambda left, right: left & right),
    "math.bitOr": _bits("bitOr", lambda left, right: left | right),
    "math.bitXor": _bits("bitXor", lambda left, right: left ^ right),
    "math.bitNot": [
        Overload("math_bitNot_int_int", (INT,), INT, lambda value: ~value),
        Overload("math_bitNot_uint_uint", (UINT,), UINT, lambda value: UInt(UINT_MAX ^ value)),
    ],
    "math.bitShiftLeft": [
        Overload(f"math_bitShiftLeft_{kind}_int", (type_, INT), type_, lambda value, bits: _shift(value, bits, left=True))
        for kind, type_ in _NUMBERS[:2]
    ],
    "math.bitShiftRight": [
        Overload(f"math_bitShiftRight_{kind}_int", (type_, INT), type_, lambda value, bits: _shift(value, bits, left=False))
        for kind, type_ in _NUMBERS[:2]
    ],
}
