"""Closures for operators on arguments whose types are known to be alike: no call of an implementation, no look at types."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any, Final

from kube.cel.errors import FAILURES, EvaluationError
from kube.cel.parts import COST, Frame, Run
from kube.cel.runtime_cost import TRAVERSAL
from kube.cel.types import Type
from kube.cel.values import INT_MAX, INT_MIN

Argument = tuple[Run, bool, Any]                 # the closure; whether it is constant, and its value

_EQUAL: Final = frozenset({"int", "bool", "timestamp", "duration"})
_ORDERED: Final = frozenset({"int", "timestamp", "duration"})


def fast_text_equality(function: str, types: tuple[Type, ...], args: list[Argument]) -> Run | None:
    """== and != of two strings, with their cost: a tenth of the shorter one. None: the ordinary way must do."""
    if function not in ("_==_", "_!=_") or len(types) != 2 or types[0].kind != "string" or types[1].kind != "string":
        return None
    left, right, negated = args[0][0], args[1][0], function == "_!=_"

    def run(frame: Frame) -> bool:
        try:
            one, other = left(frame), right(frame)
            length, others = len(one), len(other)
        except FAILURES:
            frame[COST] += 1
            raise
        frame[COST] += ceil((length if length < others else others) * TRAVERSAL)
        return (one == other) is not negated
    return run


def fast_binary(function: str, types: tuple[Type, ...], args: list[Argument]) -> Run | None:
    """The closure, or None: the ordinary way must do."""
    if len(types) != 2 or types[0].kind != types[1].kind:
        return None
    kind = types[0].kind
    if function in _COMPARISONS:
        if kind not in (_EQUAL if function in ("_==_", "_!=_") else _ORDERED):
            return None
        return _COMPARISONS[function](args[0][0], args[1])
    return _add(args[0][0], args[1]) if function == "_+_" and kind == "int" else None


def _less(left: Run, right: Argument) -> Run:
    run, constant, value = right
    return (lambda frame: left(frame) < value) if constant else lambda frame: left(frame) < run(frame)


def _less_equals(left: Run, right: Argument) -> Run:
    run, constant, value = right
    return (lambda frame: left(frame) <= value) if constant else lambda frame: left(frame) <= run(frame)


def _greater(left: Run, right: Argument) -> Run:
    run, constant, value = right
    return (lambda frame: left(frame) > value) if constant else lambda frame: left(frame) > run(frame)


def _greater_equals(left: Run, right: Argument) -> Run:
    run, constant, value = right
    return (lambda frame: left(frame) >= value) if constant else lambda frame: left(frame) >= run(frame)


def _equals(left: Run, right: Argument) -> Run:
    run, constant, value = right
    return (lambda frame: left(frame) == value) if constant else lambda frame: left(frame) == run(frame)


def _not_equals(left: Run, right: Argument) -> Run:
    run, constant, value = right
    return (lambda frame: left(frame) != value) if constant else lambda frame: left(frame) != run(frame)


def _add(left: Run, right: Argument) -> Run:
    run = right[0]

    def add(frame: Frame) -> int:
        value: int = left(frame) + run(frame)
        if INT_MIN <= value <= INT_MAX:
            return value
        raise EvaluationError("integer overflow")
    return add


_COMPARISONS: Final[dict[str, Callable[[Run, Argument], Run]]] = {
    "_<_": _less, "_<=_": _less_equals, "_>_": _greater, "_>=_": _greater_equals, "_==_": _equals, "_!=_": _not_equals,
}
