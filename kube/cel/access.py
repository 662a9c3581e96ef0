"""Closures for selections: a field of an object or a key of a map, presence tests, optional selections."""

from __future__ import annotations

import re
from typing import Any, Final

from kube.cel.errors import EvaluationError
from kube.cel.escaping import unescape
from kube.cel.parts import COST, Frame, Run
from kube.cel.values import NONE, Optional, find_optional

_ESCAPED: Final = re.compile(r"__[a-z]+__")


def field_getter(operand: Run, field: str, key: str, slot: int | None) -> Run:
    """operand.field of an object. A field that is null counts as missing. `slot`: where the operand lies, if it is a plain variable."""
    def run_slot(frame: Frame) -> Any:
        try:
            found = frame[slot][key]  # type: ignore[index]
        except (KeyError, TypeError):
            found = None
        if found is None:
            raise EvaluationError(f"no such key: {field}")
        return found

    def run(frame: Frame) -> Any:
        held = operand(frame)
        try:
            found = held[key]
        except (KeyError, TypeError):
            found = None
        if found is None:
            raise EvaluationError(f"no such key: {field}")
        return found
    return run if slot is None else run_slot


def key_getter(operand: Run, key: str) -> Run:
    """operand.key, operand["key"] of a map."""
    def run(frame: Frame) -> Any:
        held = operand(frame)
        try:
            return held[key]
        except (KeyError, TypeError):
            raise EvaluationError(f"no such key: {key}") from None
    return run


def dynamic_getter(operand: Run, key: str) -> Run:
    """operand.key of a value whose type is known only then."""
    return lambda frame: _field(operand(frame), key)


def _field(held: Any, key: str) -> Any:
    """Of a value whose type is known only now. Fields of objects may be named as they are escaped elsewhere."""
    if isinstance(held, dict):
        if key in held:
            return held[key]
        plain = unescape(key) if _ESCAPED.search(key) else None
        if plain in held:
            return held[plain]
    elif type(held) is Optional:
        return find_optional(held.value, key) if held.present else NONE
    raise EvaluationError(f"no such key: {key}")


def presence_test(operand: Run, key: str, *, of_object: bool) -> Run:
    """has(operand.key). A field of an object is there if it is not null."""
    def run(frame: Frame) -> bool:
        held = operand(frame)
        if type(held) is Optional:
            held = held.value if held.present else None
        return isinstance(held, dict) and key in held and not (of_object and held[key] is None)
    return run


def optional_getter(operand: Run, key: Run, *, of_object: bool) -> Run:
    """operand.?key, operand[?key], and any selection from an optional. Costs 1 where there is something."""
    def run(frame: Frame) -> Optional:
        held = operand(frame)
        if type(held) is Optional:
            if not held.present:
                return NONE
            held = held.value
        found = find_optional(held, key(frame)) if isinstance(held, dict | list) else NONE
        if not found.present or (of_object and found.value is None):
            return NONE
        frame[COST] += 1
        return found
    return run
