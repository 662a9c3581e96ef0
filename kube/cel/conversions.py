"""Conversions between types: int(), uint(), double(), string(), bytes(), bool(), timestamp(), duration(). Texts as Go's strconv."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any, Final

from kube.cel import times
from kube.cel.errors import EvaluationError
from kube.cel.values import INT_MAX, INT_MIN, UINT_MAX, Duration, Timestamp, UInt, type_name

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,40}", re.ASCII)
_FLOAT: Final = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf(?:inity)?|nan)", re.ASCII | re.IGNORECASE)
_BOOLS: Final = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True), **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}


def _no(value: Any, to: str) -> EvaluationError:
    return EvaluationError(f"type conversion error from '{type_name(value)}' to '{to}'")


def _whole(value: float, low: float, high: float) -> int:
    if math.isnan(value) or not low < value < high:
        raise EvaluationError("integer overflow")
    return int(value)


def to_int(value: Any) -> int:
    if isinstance(value, str):
        if not _INTEGER.fullmatch(value) or not INT_MIN <= int(value) <= INT_MAX:
            raise _no(value, "int")
        return int(value)
    if isinstance(value, float):
        return _whole(value, -(2.0**63), 2.0**63)
    if isinstance(value, Timestamp):
        return value.nanoseconds // times.SECOND
    if isinstance(value, Duration):
        return value.nanoseconds
    if value > INT_MAX:
        raise EvaluationError("integer overflow")
    return int(value)


def to_uint(value: Any) -> UInt:
    if isinstance(value, str):
        if not _INTEGER.fullmatch(value) or value[0] in "+-" or int(value) > UINT_MAX:
            raise _no(value, "uint")
        return UInt(value)
    if isinstance(value, float):
        if math.isnan(value) or not 0 <= value < 2.0**64:
            raise EvaluationError("unsigned integer overflow")
        return UInt(value)
    if value < 0:
        raise EvaluationError("unsigned integer overflow")
    return UInt(value)


def to_double(value: Any) -> float:
    if isinstance(value, str):
        if not _FLOAT.fullmatch(value) or (math.isinf(float(value)) and "n" not in value.lower()):
            raise _no(value, "double")
        return float(value)
    return float(value)


def to_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value not in _BOOLS:
        raise _no(value, "bool")
    return _BOOLS[value]


def to_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def to_string(value: Any) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(int(value))
        case float():
            return double_text(value)
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError:
                raise EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from None
        case Timestamp():
            return times.timestamp_text(value)
        case Duration():
            return times.duration_text(value)
    raise _no(value, "string")


def to_timestamp(value: Any) -> Timestamp:
    if isinstance(value, Timestamp):
        return value
    if isinstance(value, int):
        return times.of_seconds(value)
    try:
        return times.parse_timestamp(value)
    except ValueError:
        raise _no(value, "google.protobuf.Timestamp") from None


def to_duration(value: Any) -> Duration:
    if isinstance(value, Duration):
        return value
    try:
        return times.parse_duration(value)
    except ValueError:
        raise _no(value, "google.protobuf.Duration") from None


def double_text(value: float) -> str:
    """Go's %g: the shortest digits that give the same number back, with an exponent below 1e-4 and from 1e+06 on."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    text = "".join(map(str, digits)).rstrip("0")
    point = len(digits) + int(exponent) - 1            # of the first digit
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    prefix = "-" if sign else ""
    if not -4 <= point < 6:
        mantissa = text[0] + (f".{text[1:]}" if len(text) > 1 else "")
        return f"{prefix}{mantissa}e{'-' if point < 0 else '+'}{abs(point):02d}"
    return prefix + (format(Decimal(repr(abs(value))), "f").removesuffix(".0"))
