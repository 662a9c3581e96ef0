"""Closures for operators on arguments whose types are known to be alike: no call of an implementation, no look at types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from kube.cel.errors import EvaluationError
from kube.cel.parts import Frame, Run
from kube.cel.types import Type
from kube.cel.values import INT_MAX, INT_MIN

Argument = tuple[Run, bool, Any]                 # the closure; whether it is constant, and its value

_EQUAL: Final = frozenset({"string", "int", "bool", "timestamp", "duration"})
_ORDERED: Final = frozenset({"int", "string", "timestamp", "duration", "bytes"})


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
