"""JSONPath templates of one expression, as printer columns use them: `{.status.conditions[?(@.type=="Ready")].status}`.

Fields, quoted fields, wildcards, indexes, slices, unions, filters with one comparison, recursive descent. Missing keys find nothing.
Follows client-go's util/jsonpath.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

Step = Callable[[Any], Iterator[Any]]

_FIELD: Final = re.compile(r"(?:\\.|[^.\[\]{}\\\s])+")
_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq, "!=": operator.ne, "<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt,
}
_FILTER: Final = re.compile(r"\s*@?(.*?)\s*(?:(==|!=|<=|>=|<|>)\s*(.*?))?\s*")


class JsonPathError(ValueError):
    """The text is no path that can be understood."""


class JsonPath:
    """Compiled once; `find` may be called for any number of objects."""

    def __init__(self, text: str) -> None:
        self.text = text
        inner = text.strip()
        if inner.startswith("{") and inner.endswith("}"):
            inner = inner[1:-1]
        self._steps = _parse(inner.strip().removeprefix("$"))

    def find(self, obj: Any) -> list[Any]:
        """Every value that the path leads to, in order."""
        found = [obj]
        for step in self._steps:
            found = [value for held in found for value in step(held)]
        return found


def _parse(text: str) -> list[Step]:
    steps: list[Step] = []
    index = 0
    if text and text[0] not in ".[":
        text = "." + text
    while index < len(text):
        if text.startswith("..", index):
            steps.append(_descend)
            index += 2
            if index >= len(text):
                break
            if text[index] == "[":
                continue
            index, step = _field(text, index)
            steps.append(step)
        elif text[index] == ".":
            index += 1
            if index >= len(text):
                break
            if text[index] == "[":
                continue
            index, step = _field(text, index)
            steps.append(step)
        elif text[index] == "[":
            end = _closing(text, index)
            steps.append(_bracket(text[index + 1:end].strip()))
            index = end + 1
        else:
            raise JsonPathError(f"unexpected {text[index]!r} in {text}")
    return steps


def _field(text: str, index: int) -> tuple[int, Step]:
    if text[index] == "*":
        return index + 1, _wildcard
    match = _FIELD.match(text, index)
    if match is None:
        raise JsonPathError(f"unrecognized character in {text}")
    return match.end(), _key(re.sub(r"\\(.)", r"\1", match[0]))


def _closing(text: str, start: int) -> int:
    """Where the bracket that opens at `start` closes; quotes and nested brackets are passed over."""
    depth, quote, index = 0, "", start
    while index < len(text):
        char = text[index]
        if quote:
            if char == "\\":
                index += 1
            elif char == quote:
                quote = ""
        elif char in "'\"":
            quote = char
        elif char == "[":
            depth += 1
        elif char == "]":
            depth -= 1
            if not depth:
                return index
        index += 1
    raise JsonPathError(f"unterminated array in {text}")


def _bracket(inner: str) -> Step:
    if inner.startswith("?("):
        if not inner.endswith(")"):
            raise JsonPathError(f"unterminated filter in {inner}")
        return _filter(inner[2:-1])
    if inner == "*":
        return _wildcard
    parts = _split_union(inner)
    if len(parts) > 1:
        steps = [_bracket(part) for part in parts]
        return lambda value: (found for step in steps for found in step(value))
    if len(inner) > 1 and inner[0] in "'\"" and inner[-1] == inner[0]:
        return _key(re.sub(r"\\(.)", r"\1", inner[1:-1]))
    if not re.fullmatch(r"-?\d*(:-?\d*){0,2}", inner) or not inner:
        raise JsonPathError(f"invalid array index {inner}")
    return _slice([int(part) if part else None for part in inner.split(":")])


def _split_union(inner: str) -> list[str]:
    if inner[:1] in "'\"" and inner.count(inner[:1]) == 2 and inner[-1:] == inner[:1]:
        return [inner]
    return [part.strip() for part in inner.split(",")]


def _key(name: str) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if isinstance(value, dict) and name in value:
            yield value[name]

    return step


def _wildcard(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _descend(value: Any) -> Iterator[Any]:
    yield value
    for child in _wildcard(value):
        yield from _descend(child)


def _slice(bounds: list[int | None]) -> Step:
    def step(value: Any) -> Iterator[Any]:
        if not isinstance(value, list):
            return
        if len(bounds) > 1:
            yield from value[slice(*bounds)]
        elif bounds[0] is not None and -len(value) <= bounds[0] < len(value):
            yield value[bounds[0]]

    return step


def _filter(text: str) -> Step:
    match = _FILTER.fullmatch(text)
    if match is None:
        raise JsonPathError(f"cannot understand filter {text}")
    left = _parse(match[1].removeprefix("@")) if match[1] else []
    compare, right = _COMPARE.get(match[2] or ""), _literal(match[3]) if match[3] else None

    def holds(item: Any) -> bool:
        found = [item]
        for step in left:
            found = [value for held in found for value in step(held)]
        if compare is None:
            return bool(found)
        try:
            return bool(found) and compare(found[0], right)
        except TypeError:
            return False

    return lambda value: (item for item in value if holds(item)) if isinstance(value, list) else iter(())


def _literal(text: str) -> Any:
    if text[0] in "'\"" and text[-1] == text[0]:
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    try:
        return json.loads(text)
    except ValueError as error:
        raise JsonPathError(f"cannot understand {text}") from error
