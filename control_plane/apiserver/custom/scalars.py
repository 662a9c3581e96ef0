"""Limits of strings and numbers. Follows kube-openapi's validation/validate (values.go), which compares whole numbers as such."""

from __future__ import annotations

from typing import Any, Final

from control_plane.apiserver.custom import failures as f
from control_plane.apiserver.custom.failures import Failure, Result
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.regex import compiled

_RANGES: Final = {"int32": 2**31, "int64": 2**63, "": 2**63}


class StringChecks:
    """The first limit that is broken is told. Lengths count characters."""

    __slots__ = ("longest", "matches", "pattern", "shortest")

    def __init__(self, longest: int | None, shortest: int | None, pattern: str) -> None:
        self.longest, self.shortest, self.pattern = longest, shortest, pattern
        self.matches = compiled(pattern).matches if pattern else None

    @classmethod
    def of(cls, raw: JsonObject) -> StringChecks | None:
        limits = raw.get("maxLength"), raw.get("minLength"), raw.get("pattern") or ""
        return cls(*limits) if limits != (None, None, "") else None

    def check(self, value: str, path: str) -> Failure | None:
        if self.longest is not None and len(value) > self.longest:
            words = f"{path} in body should be at most {self.longest} chars long"
            return Failure(f.TOO_LONG, path, words, value, self.longest)
        if self.shortest is not None and len(value) < self.shortest:
            return Failure(f.OTHER, path, f"{path} in body should be at least {self.shortest} chars long", value)
        if self.matches is not None and not self.matches(value):
            return Failure(f.OTHER, path, f"{path} in body should match '{self.pattern}'", value)
        return None


class NumberChecks:
    __slots__ = ("above", "below", "format", "maximum", "minimum", "multiple", "type")

    def __init__(self, raw: JsonObject, kind: str, format_: str) -> None:
        self.type = kind
        self.format = format_
        self.maximum, self.below = raw.get("maximum"), bool(raw.get("exclusiveMaximum"))
        self.minimum, self.above = raw.get("minimum"), bool(raw.get("exclusiveMinimum"))
        self.multiple = raw.get("multipleOf")

    def check(self, value: float, path: str, result: Result) -> None:
        if self.type == "integer" and not self._fits(value):
            said = f"with format {self.format}" if self.format else "(default format)"
            result.add(Failure(f.COMPOSITE, path, f"Checked value must be of type integer {said} in {path}"))
        if self.multiple is not None:
            self._check_multiple(value, path, result)
        if self.minimum is not None:
            limit = _as(value, self.minimum)
            if value < limit or (self.above and value == limit):
                words = f"{path} in body should be greater than {'' if self.above else 'or equal to '}{f.go_number(limit)}"
                result.add(Failure(f.OTHER, path, words, _shown(value)))
        if self.maximum is not None:
            limit = _as(value, self.maximum)
            if value > limit or (self.below and value == limit):
                words = f"{path} in body should be less than {'' if self.below else 'or equal to '}{f.go_number(limit)}"
                result.add(Failure(f.OTHER, path, words, _shown(value)))

    def _fits(self, value: float) -> bool:
        bound = _RANGES.get(self.format, 2**63)
        return float(value).is_integer() and -bound <= value < bound

    def _check_multiple(self, value: float, path: str, result: Result) -> None:
        factor = _as(value, self.multiple)
        if factor <= 0:
            words = f"factor MultipleOf declared for {path} must be positive: {f.go_number(factor)}"
            result.add(Failure(f.OTHER, path, words, f.go_number(factor)))
            return
        if isinstance(factor, int) and isinstance(value, int):
            exact = value % factor == 0
        else:
            quotient = 1 / factor * value if factor < 1 else value / factor
            exact = _is_whole(quotient)
        if not exact:
            words = f"{path} in body should be a multiple of {f.go_number(factor)}"
            result.add(Failure(f.OTHER, path, words, _shown(value)))


def _as(value: float, limit: Any) -> float:
    """A limit in the type of the value: upstream compares whole numbers with the limit cut to a whole number."""
    return int(limit) if isinstance(value, int) else float(limit)


def _shown(value: float) -> float:
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e21 else value


def _is_whole(value: float) -> bool:
    """Within what a float64 can tell, as swag.IsFloat64AJSONInteger."""
    if value != value or value in (float("inf"), float("-inf")) or abs(value) > 2**53 - 1:
        return False
    nearest = round(value)
    difference = abs(value - nearest)
    if nearest == value:
        return True
    if value == 0 or nearest == 0 or difference < 2.2250738585072014e-308:
        return difference < 1e-9 * 2.2250738585072014e-308
    return difference / min(abs(value) + abs(nearest), 1.7976931348623157e308) < 1e-9
