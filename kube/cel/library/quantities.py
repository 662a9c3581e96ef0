"""quantity, isQuantity and arithmetic with them. A value wraps kube.apimachinery's Quantity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kube.apimachinery import quantity
from kube.cel.errors import EvaluationError
from kube.cel.functions import Overload, Table, method
from kube.cel.types import BOOL, DOUBLE, INT, QUANTITY, STRING
from kube.cel.values import INT_MAX, INT_MIN


@dataclass(frozen=True, slots=True)
class Quantity:
    """An amount, as expressions have it."""

    held: quantity.Quantity

    cel_type_name = QUANTITY.name


def parse(text: str) -> Quantity:
    if text != text.strip():
        raise EvaluationError(quantity.FORMAT_MESSAGE)
    try:
        return Quantity(quantity.Quantity.parse(text))
    except quantity.QuantityError as error:
        raise EvaluationError(str(error)) from error


def _is_quantity(text: str) -> bool:
    try:
        parse(text)
    except EvaluationError:
        return False
    return True


def _compare(left: Quantity, right: Quantity) -> int:
    return (left.held.amount > right.held.amount) - (left.held.amount < right.held.amount)


def _is_integer(value: Quantity) -> bool:
    amount = value.held.amount
    return amount == amount.to_integral_value() and INT_MIN <= amount < INT_MAX       # what is larger was capped at INT_MAX


def _as_integer(value: Quantity) -> int:
    if not _is_integer(value):
        raise EvaluationError("cannot convert value to integer")
    return int(value.held.amount)


def _add(left: Quantity, right: Quantity | int) -> Quantity:
    return Quantity(left.held + (quantity.Quantity.of(right) if isinstance(right, int) else right.held))


def _subtract(left: Quantity, right: Quantity | int) -> Quantity:
    return Quantity(left.held - (quantity.Quantity.of(right) if isinstance(right, int) else right.held))


FUNCTIONS: Final[Table] = {
    "quantity": [Overload("string_to_quantity", (STRING,), QUANTITY, parse)],
    "isQuantity": [Overload("is_quantity_string", (STRING,), BOOL, _is_quantity)],
    "sign": [Overload("quantity_sign", (QUANTITY,), INT, lambda value: (value.held.amount > 0) - (value.held.amount < 0))],
    "isGreaterThan": [method("quantity_is_greater_than", (QUANTITY, QUANTITY), BOOL, lambda left, right: _compare(left, right) > 0)],
    "isLessThan": [method("quantity_is_less_than", (QUANTITY, QUANTITY), BOOL, lambda left, right: _compare(left, right) < 0)],
    "compareTo": [method("quantity_compare_to", (QUANTITY, QUANTITY), INT, _compare)],
    "asApproximateFloat": [method("quantity_get_float", (QUANTITY,), DOUBLE, lambda value: float(value.held.amount))],
    "asInteger": [method("quantity_get_int", (QUANTITY,), INT, _as_integer)],
    "isInteger": [method("quantity_is_integer", (QUANTITY,), BOOL, _is_integer)],
    "add": [
        method("quantity_add", (QUANTITY, QUANTITY), QUANTITY, _add),
        method("quantity_add_int", (QUANTITY, INT), QUANTITY, _add),
    ],
    "sub": [
        method("quantity_sub", (QUANTITY, QUANTITY), QUANTITY, _subtract),
        method("quantity_sub_int", (QUANTITY, INT), QUANTITY, _subtract),
    ],
}
