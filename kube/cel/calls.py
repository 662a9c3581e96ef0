"""Closures for calls: plain ones, ones whose cost depends on their values, logic that absorbs failures, look-ups in constant lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from kube.cel.errors import FAILURES, EvaluationError
from kube.cel.functions import Overload, dispatcher
from kube.cel.parts import COST, Frame, Part, Run
from kube.cel.runtime_cost import Cost
from kube.cel.types import Type, is_dyn
from kube.cel.values import NO_OVERLOAD, Optional, equal, has_key, shown

_FOLDABLE: Final = (str, int, float, bool)


def put(made: dict[Any, Any], key: Any, value: Any, *, optional: bool) -> None:
    if optional:
        if not isinstance(value, Optional):
            raise EvaluationError(f"cannot initialize optional entry '{shown(key)}' from non-optional value {shown(value)}")
        if not value.present:
            return
        value = value.value
    if type(key) is not str and not has_key(made, key) and key in made:
        raise EvaluationError("map keys of booleans beside numbers are not supported")
    made[key] = value


def implementation(function: str, overloads: list[Overload], types: list[Type]) -> Callable[..., Any]:
    if len(overloads) > 1:
        return dispatcher(function, overloads)
    (overload,) = overloads
    unsure = overload.guarded and any(
        (is_dyn(type_) or type_.kind == "null") and wanted.kind not in ("dyn", "param")
        for type_, wanted in zip(types, overload.args, strict=True))
    return dispatcher(function, overloads) if unsure else overload.call


def applied(call: Callable[..., Any], args: list[Part]) -> Run:
    if len(args) == 1:
        only = args[0].run
        return lambda frame: call(only(frame))
    if len(args) == 2:
        first, second = args[0].run, args[1].run
        return lambda frame: call(first(frame), second(frame))
    runs = [arg.run for arg in args]
    return lambda frame: call(*[run(frame) for run in runs])


def costly(call: Callable[..., Any], cost: Cost, args: list[Part]) -> Run:
    runs = [arg.run for arg in args]

    def run(frame: Frame) -> Any:
        try:
            values = tuple([value(frame) for value in runs])
        except FAILURES:
            frame[COST] += 1              # a failed argument counts as a value of size 1
            raise
        result = call(*values)
        frame[COST] += cost(values, result)
        return result
    return run


def foldable(items: list[Any]) -> bool:
    return bool(items) and all(isinstance(item, _FOLDABLE) for item in items)


def membership(item: Run, items: list[Any]) -> Part:
    """`x in [constants]`: one look-up for strings."""
    if all(type(held) is str for held in items):
        strings = frozenset(items)

        def run(frame: Frame) -> bool:
            value = item(frame)
            return type(value) is str and value in strings
        return Part(run)

    def scan(frame: Frame) -> bool:
        value = item(frame)
        return any(equal(held, value) for held in items)
    return Part(scan)


def logic(left: Run, right: Run, cost: int, *, decisive: bool) -> Run:
    """&& (decided by false) and || (decided by true): one side that decides absorbs the other's failure."""
    other_value = not decisive

    def run(frame: Frame) -> Any:
        failure: Exception | None = None
        try:
            value = left(frame)
            if value is decisive:
                return decisive
            if value is not other_value:
                failure = EvaluationError(NO_OVERLOAD)
        except FAILURES as error:
            failure = error
        frame[COST] += cost
        if failure is None:
            value = right(frame)
            if value is True or value is False:
                return value
            raise EvaluationError(NO_OVERLOAD)
        try:
            value = right(frame)
        except FAILURES:
            raise failure from None
        if value is decisive:
            return decisive
        raise failure
    return run
