"""Quantities: fixed-point numbers with a suffix ("100m", "1.5Gi", "12e6"), as apimachinery's resource.Quantity.

A value is held as an exact Decimal of at most nano precision (finer ones are rounded up), with the family of its suffix;
`str()` gives upstream's canonical form: no fraction, the largest suffix that keeps the number whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from enum import Enum
from functools import lru_cache, total_ordering
from typing import Final

_LONGEST: Final = 256        # no amount needs as much; what is parsed is remembered, and int() refuses more than 4,300 digits
_PATTERN: Final = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)")
FORMAT_MESSAGE: Final = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_EXACT: Final = Context(prec=80)
_NANO: Final = Decimal("1e-9")
_LIMIT: Final = Decimal(2**63 - 1)


class Format(Enum):
    """The family of suffixes a quantity was written in, kept when it is printed."""

    DECIMAL_SI = "DecimalSI"
    BINARY_SI = "BinarySI"
    DECIMAL_EXPONENT = "DecimalExponent"


_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL_BY_EXPONENT: Final = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY_BY_EXPONENT: Final = {exponent: suffix for suffix, exponent in _BINARY.items()}


class QuantityError(ValueError):
    """Text that is no quantity."""


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """An exact amount. Compares and adds by value; sums keep the left operand's format unless it is zero."""

    amount: Decimal
    format: Format = Format.DECIMAL_SI

    @classmethod
    def parse(cls, text: str | int | float) -> Quantity:
        """Raises QuantityError with upstream's words."""
        text = str(text).strip()
        if len(text) > _LONGEST:
            raise QuantityError(FORMAT_MESSAGE)
        return _parse(text)

    @classmethod
    def of_milli(cls, milli: int) -> Quantity:
        return cls(Decimal(milli).scaleb(-3, _EXACT))

    @classmethod
    def of(cls, value: int, form: Format = Format.DECIMAL_SI) -> Quantity:
        return cls(Decimal(value), form)

    def milli_value(self) -> int:
        """Thousandths, rounded away from zero's floor (up), as upstream's MilliValue."""
        return int(self.amount.scaleb(3, _EXACT).to_integral_value(ROUND_CEILING))

    def value(self) -> int:
        """Whole units, rounded up."""
        return int(self.amount.to_integral_value(ROUND_CEILING))

    def is_zero(self) -> bool:
        return not self.amount

    def __bool__(self) -> bool:
        return bool(self.amount)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.amount == other.amount

    def __hash__(self) -> int:
        return hash(self.amount)

    def __lt__(self, other: Quantity) -> bool:
        return self.amount < other.amount

    def __add__(self, other: Quantity) -> Quantity:
        return Quantity(_EXACT.add(self.amount, other.amount), self.format if self.amount else other.format)

    def __sub__(self, other: Quantity) -> Quantity:
        return Quantity(_EXACT.subtract(self.amount, other.amount), self.format if self.amount else other.format)

    def __mul__(self, factor: int) -> Quantity:
        return Quantity(_EXACT.multiply(self.amount, Decimal(factor)), self.format)

    def __neg__(self) -> Quantity:
        return Quantity(-self.amount, self.format)

    def __str__(self) -> str:
        if not self.amount:
            return "0"
        whole = self.amount == self.amount.to_integral_value()
        if self.format is Format.BINARY_SI and whole and abs(self.amount) >= 1024:
            return _binary_text(int(self.amount))
        return _decimal_text(self.amount, exponent_style=self.format is Format.DECIMAL_EXPONENT)


@lru_cache(maxsize=4096)
def _parse(text: str) -> Quantity:
    found = _PATTERN.fullmatch(text)
    if found is None or not (found[2] or found[3]):
        raise QuantityError(FORMAT_MESSAGE)
    sign, whole, fraction, suffix = found[1], found[2], found[3] or "", found[4]
    number = Decimal(f"{whole or '0'}.{fraction or '0'}")
    form, factor = _factor(suffix)
    amount = min(_EXACT.multiply(number, factor), _LIMIT)
    amount = amount.quantize(_NANO, ROUND_CEILING, context=_EXACT) if amount % _NANO else amount
    amount = amount.normalize(_EXACT)
    return Quantity(-amount if sign == "-" else amount, form)


def _factor(suffix: str) -> tuple[Format, Decimal]:
    if suffix in _DECIMAL:
        return Format.DECIMAL_SI, Decimal(1).scaleb(_DECIMAL[suffix])
    if suffix in _BINARY:
        return Format.BINARY_SI, Decimal(1024 ** _BINARY[suffix])
    if re.fullmatch(r"[eE][-+]?[0-9]+", suffix):
        return Format.DECIMAL_EXPONENT, Decimal(1).scaleb(max(-30, min(30, int(suffix[1:]))))
    raise QuantityError("unable to parse quantity's suffix")


def _binary_text(value: int) -> str:
    exponent = 0
    while value % 1024 == 0 and exponent < 6:
        value //= 1024
        exponent += 1
    return f"{value}{_BINARY_BY_EXPONENT.get(exponent, '')}"


def _decimal_text(amount: Decimal, *, exponent_style: bool) -> str:
    sign, digits, raw_exponent = amount.normalize(_EXACT).as_tuple()
    mantissa, exponent = int("".join(map(str, digits))), int(raw_exponent)
    while exponent % 3:
        mantissa *= 10
        exponent -= 1
    if exponent_style or exponent not in _DECIMAL_BY_EXPONENT:
        suffix = f"e{exponent}" if exponent else ""
    else:
        suffix = _DECIMAL_BY_EXPONENT[exponent]
    return f"{'-' if sign else ''}{mantissa}{suffix}"


def parse_cpu_milli(text: str) -> int:
    """Thousandths of a CPU: 250 for "250m", 1500 for "1.5"."""
    if text.endswith("m") and text[:-1].isdecimal():
        return int(text[:-1])
    return int(text) * 1000 if text.isdecimal() else Quantity.parse(text).milli_value()


def parse_bytes(text: str) -> int:
    """Whole units: 1024 for "1Ki"."""
    if text[-2:] in _BINARY and text[:-2].isdecimal():
        return int(text[:-2]) << (10 * _BINARY[text[-2:]])
    return int(text) if text.isdecimal() else Quantity.parse(text).value()


def canonical(text: str | int | float) -> str:
    """How the server writes this quantity back: "1000m" is "1"."""
    return str(Quantity.parse(text))
