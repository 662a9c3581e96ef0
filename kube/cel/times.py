"""Instants and durations: their text (RFC 3339, Go's durations), their arithmetic, their parts in a time zone."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kube.cel.errors import EvaluationError
from kube.cel.values import INT_MAX, INT_MIN, Duration, Timestamp

SECOND: Final = 10**9
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_S, _LAST_S = -62135596800, 253402300799          # years 1 to 9999
_TIMESTAMP: Final = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:[.,](\d+))?(?:(Z)|([+-])(\d{2}):(\d{2}))", re.ASCII)
_PART: Final = re.compile(r"([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)")
_UNITS: Final = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND}


def parse_timestamp(text: str) -> Timestamp:
    """RFC 3339. Raises ValueError; EvaluationError where the instant is out of range."""
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        raise ValueError(text)
    year, month, day, hour, minute, second = (int(found[index]) for index in range(1, 7))
    offset = 0
    if found[9]:
        if int(found[10]) > 23 or int(found[11]) > 59:
            raise ValueError(text)
        offset = (int(found[10]) * 3600 + int(found[11]) * 60) * (-1 if found[9] == "-" else 1)
    seconds = (datetime(max(year, 1), month, day, hour, minute, second, tzinfo=UTC) - _EPOCH) // timedelta(seconds=1) - offset
    if year == 0:
        raise EvaluationError("timestamp overflow")
    return _timestamp(seconds * SECOND + int(((found[7] or "0") + "0" * 9)[:9]), offset)


def of_seconds(seconds: int) -> Timestamp:
    return _timestamp(seconds * SECOND)


def _timestamp(nanoseconds: int, offset_s: int = 0) -> Timestamp:
    if not _FIRST_S <= nanoseconds // SECOND <= _LAST_S:
        raise EvaluationError("timestamp overflow")
    return Timestamp(nanoseconds, offset_s)


def _duration(nanoseconds: int) -> Duration:
    if not INT_MIN <= nanoseconds <= INT_MAX:
        raise EvaluationError("duration overflow")
    return Duration(nanoseconds)


def timestamp_text(value: Timestamp) -> str:
    """RFC 3339 in the zone it was written in, without trailing zeros."""
    seconds, rest = divmod(value.nanoseconds, SECOND)
    try:
        moment = _EPOCH + timedelta(seconds=seconds + value.offset_s)
    except OverflowError:
        moment, value = _EPOCH + timedelta(seconds=seconds), Timestamp(value.nanoseconds)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    sign, minutes = ("-" if value.offset_s < 0 else "+"), abs(value.offset_s) // 60
    zone = f"{sign}{minutes // 60:02d}:{minutes % 60:02d}" if value.offset_s else "Z"
    return f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}{fraction}{zone}"


def parse_duration(text: str) -> Duration:
    """Go's durations: "1h30m", "-1.5s", "0". Raises ValueError."""
    sign, rest = (-1, text[1:]) if text[:1] == "-" else (1, text.removeprefix("+"))
    if rest == "0":
        return Duration(0)
    total, position = 0, 0
    while position < len(rest):
        found = _PART.match(rest, position)
        if found is None or not (found[1] or found[2]):
            raise ValueError(text)
        unit = _UNITS[found[3]]
        total += int(found[1] or "0") * unit
        if found[2]:
            total += int(found[2]) * unit // 10 ** len(found[2])
        position = found.end()
    if not rest or total > INT_MAX + (sign < 0):
        raise ValueError(text)
    return Duration(sign * total)


def duration_text(value: Duration) -> str:
    """Seconds: "5400s", "0.1s"."""
    whole, rest = divmod(abs(value.nanoseconds), SECOND)
    seconds = float(whole) + rest / 1e9
    digits = format(Decimal(repr(-seconds if value.nanoseconds < 0 else seconds)), "f")
    return (digits.removesuffix(".0")) + "s"


def add_duration(left: Any, right: Any) -> Any:
    """Two durations, or an instant and a duration in either order."""
    if isinstance(left, Timestamp):
        return _timestamp(left.nanoseconds + right.nanoseconds, left.offset_s)
    if isinstance(right, Timestamp):
        return _timestamp(left.nanoseconds + right.nanoseconds, right.offset_s)
    return _duration(left.nanoseconds + right.nanoseconds)


def subtract_time(left: Any, right: Any) -> Any:
    if isinstance(left, Timestamp) and isinstance(right, Duration):
        return _timestamp(left.nanoseconds - right.nanoseconds, left.offset_s)
    return _duration(left.nanoseconds - right.nanoseconds)


@lru_cache(maxsize=64)
def zone_of(name: str) -> tzinfo:
    """A time zone by name or as offset ("-08:00"). Raises EvaluationError."""
    if ":" not in name:
        if name in ("", "UTC"):
            return UTC
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise EvaluationError(f"unknown time zone {name}") from None
    hours, _, minutes = name.partition(":")
    if not re.fullmatch(r"[+-]?\d+", hours) or not re.fullmatch(r"[+-]?\d+", minutes):
        raise EvaluationError(f'strconv.Atoi: parsing "{hours}": invalid syntax')
    if not 0 <= int(minutes) <= 59:
        raise EvaluationError(f"timezone offset minutes out of range [0, 59]: {name}")
    total = int(hours) * 60 + (-int(minutes) if name[0] == "-" else int(minutes))
    return timezone(timedelta(minutes=total))


def _moment(value: Timestamp, zone: str) -> datetime:
    try:
        return (_EPOCH + timedelta(seconds=value.nanoseconds // SECOND)).astimezone(zone_of(zone))
    except OverflowError:
        raise EvaluationError("timestamp overflow") from None


PARTS: Final[dict[str, Callable[[datetime], int]]] = {       # of an instant; months, days of the year and of the month count from 0
    "getFullYear": lambda moment: moment.year,
    "getMonth": lambda moment: moment.month - 1,
    "getDayOfYear": lambda moment: moment.timetuple().tm_yday - 1,
    "getDayOfMonth": lambda moment: moment.day - 1,
    "getDate": lambda moment: moment.day,
    "getDayOfWeek": lambda moment: (moment.weekday() + 1) % 7,
    "getHours": lambda moment: moment.hour,
    "getMinutes": lambda moment: moment.minute,
    "getSeconds": lambda moment: moment.second,
}


def _milliseconds(value: Timestamp, zone: str = "") -> int:
    zone_of(zone)
    return value.nanoseconds % SECOND // 10**6


def part_getter(name: str) -> Callable[..., int]:
    """getHours and its like, for an instant and an optional zone."""
    if name == "getMilliseconds":
        return _milliseconds
    part = PARTS[name]
    return lambda value, zone="": part(_moment(value, zone))


def duration_getter(unit: int) -> Callable[[Duration], int]:
    """A duration in whole units, towards zero."""
    return lambda value: value.nanoseconds // unit if value.nanoseconds >= 0 else -(-value.nanoseconds // unit)
