"""Label selectors: the text form of queries (`app=web,tier in (a,b),!legacy`) and the object form of specs.

The words of errors are upstream's (apimachinery's pkg/labels), because kubectl prints them as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from kube.apimachinery.validation import label_value_problems, qualified_name_problems

EQUALS: Final = frozenset({"=", "=="})
BINARY_OPERATORS: Final = ("in", "notin", "=", "==", "!=", "gt", "lt")
_OPERATOR_OF_EXPRESSION: Final = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


class SelectorError(ValueError):
    """A selector that cannot be understood; `str()` is upstream's sentence."""


class _ExpressionStruct(Protocol):
    @property
    def key(self) -> str: ...
    @property
    def operator(self) -> str: ...
    @property
    def values(self) -> Sequence[str]: ...


class LabelSelectorStruct(Protocol):
    """The shape of kube.api.meta_v1.LabelSelector, which this layer may not import."""

    @property
    def match_labels(self) -> Mapping[str, str]: ...
    @property
    def match_expressions(self) -> Sequence[_ExpressionStruct]: ...


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term. `operator`: "=", "==", "!=", "in", "notin", "exists", "!", "gt" or "lt"."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "=" | "==" | "in":
                return value in self.values
            case "!=" | "notin":
                return value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
        return value is not None and self._compares(value)

    def _compares(self, value: str) -> bool:
        """What is no int64 of Go's compares with nothing."""
        bound = next(iter(self.values))
        if not _is_integer(value) or not _is_integer(bound):
            return False
        return int(value) > int(bound) if self.operator == "gt" else int(value) < int(bound)

    def __str__(self) -> str:
        match self.operator:
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
            case "gt" | "lt":
                return f"{self.key}{'>' if self.operator == 'gt' else '<'}{next(iter(self.values))}"
            case "in" | "notin":
                return f"{self.key} {self.operator} ({','.join(sorted(self.values))})"
        return f"{self.key}{self.operator}{next(iter(self.values), '')}"


def _is_integer(text: str) -> bool:
    return re.fullmatch(r"[+-]?[0-9]{1,63}", text) is not None and -(2**63) <= int(text) < 2**63


@dataclass(frozen=True, slots=True)
class Selector:
    """A conjunction of requirements; without any it matches everything, unless `nothing` is set."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    @property
    def everything(self) -> bool:
        return not self.requirements and not self.nothing

    def matches(self, labels: Mapping[str, str]) -> bool:
        return not self.nothing and all(term.matches(labels) for term in self.requirements)

    def __str__(self) -> str:
        return ",".join(str(term) for term in self.requirements)


EVERYTHING: Final = Selector()
NOTHING: Final = Selector(nothing=True)


def selector_from_set(labels: Mapping[str, str]) -> Selector:
    """Matches objects that carry all of these labels; an empty set matches everything."""
    return Selector(tuple(Requirement(key, "=", frozenset((value,))) for key, value in sorted(labels.items())))


def selector_from_label_selector(selector: Mapping[str, Any] | LabelSelectorStruct | None) -> Selector:
    """The selector of a spec. None matches nothing, an empty one everything, as upstream has it."""
    if selector is None:
        return NOTHING
    if isinstance(selector, Mapping):
        match_labels = selector.get("matchLabels") or {}
        raw = [(e.get("key", ""), e.get("operator", ""), e.get("values") or ()) for e in selector.get("matchExpressions") or ()]
    else:
        match_labels = selector.match_labels
        raw = [(expression.key, expression.operator, expression.values) for expression in selector.match_expressions]
    terms = list(selector_from_set(match_labels).requirements)
    for key, operator, values in raw:
        if operator not in _OPERATOR_OF_EXPRESSION:
            raise SelectorError(f'"{operator}" is not a valid label selector operator')
        terms.append(_requirement(key, _OPERATOR_OF_EXPRESSION[operator], values))
    return Selector(tuple(terms))


def parse_selector(text: str) -> Selector:
    """Reads a query's labelSelector. Raises SelectorError."""
    return Selector(tuple(sorted(_Parser(text).parse(), key=lambda term: term.key)))


def _requirement(key: str, operator: str, values: Iterable[str]) -> Requirement:
    held = frozenset(values)
    if problems := qualified_name_problems(key):
        raise SelectorError(f'<nil>: Invalid value: "{key}": {"; ".join(problems)}')
    if operator in {"in", "notin"} and not held:
        raise SelectorError("values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty")
    if operator in {"exists", "!"} and held:
        raise SelectorError("values: Invalid value: values set must be empty for exists and does not exist")
    if operator in {"gt", "lt"} and not all(re.fullmatch(r"[+-]?[0-9]+", value) for value in held):
        raise SelectorError(f"values[0]: Invalid value: {_quoted(held)}: for 'Gt', 'Lt' operators, the value must be an integer")
    for index, value in enumerate(sorted(held)):
        if problems := label_value_problems(value):
            raise SelectorError(f'values[{index}][{key}]: Invalid value: "{value}": {"; ".join(problems)}')
    return Requirement(key, operator, held)


def _quoted(values: Iterable[str]) -> str:
    return ", ".join(f'"{value}"' for value in sorted(values))


_SYMBOLS = re.compile(r"\s*(==|!=|[=!<>(),]|[^\s=!<>(),]+)")
_END = ""


class _Parser:
    """Recursive descent over tokens; symbols are themselves, everything else is an identifier."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = [*_SYMBOLS.findall(text), _END]
        self._at = 0

    def parse(self) -> list[Requirement]:
        terms: list[Requirement] = []
        if self._peek() == _END:
            return terms
        while True:
            if not (_is_identifier(self._peek()) or self._peek() == "!"):
                raise SelectorError(f"found '{self._peek()}', expected: !, identifier, or 'end of string'")
            try:
                terms.append(self._term())
            except SelectorError as error:
                raise SelectorError(f"unable to parse requirement: {error}") from None
            symbol = self._next()
            if symbol == _END:
                return terms
            if symbol != ",":
                raise SelectorError(f"found '{symbol}', expected: ',' or 'end of string'")
            if not (_is_identifier(self._peek()) or self._peek() == "!"):
                raise SelectorError(f"found '{self._peek()}', expected: identifier after ','")

    def _peek(self) -> str:
        return self._tokens[self._at]

    def _next(self) -> str:
        symbol = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return symbol

    def _term(self) -> Requirement:
        absent = self._peek() == "!"
        if absent:
            self._next()
        key = self._next()
        if not _is_identifier(key):
            raise SelectorError(f"found '{key}', expected: identifier")
        if absent:
            return _requirement(key, "!", ())
        if self._peek() in {_END, ","}:
            return _requirement(key, "exists", ())
        operator = self._operator()
        values = self._values() if operator in {"in", "notin"} else self._exact_value()
        return _requirement(key, operator, values)

    def _operator(self) -> str:
        symbol = self._next()
        if symbol in {"=", "==", "!=", "in", "notin"}:
            return symbol
        if symbol in {">", "<"}:
            return "gt" if symbol == ">" else "lt"
        raise SelectorError(f"found '{symbol}', expected: {', '.join(BINARY_OPERATORS)}")

    def _exact_value(self) -> set[str]:
        if self._peek() in {_END, ","}:
            return {""}
        symbol = self._next()
        if not _is_identifier(symbol):
            raise SelectorError(f"found '{symbol}', expected: identifier")
        return {symbol}

    def _values(self) -> set[str]:
        if (symbol := self._next()) != "(":
            raise SelectorError(f"found '{symbol}' expected: '('")
        values: set[str] = set()
        wants_value = True
        while True:
            symbol = self._next()
            if symbol in {",", ")"}:
                if wants_value:
                    values.add("")
                if symbol == ")":
                    return values
                wants_value = True
            elif _is_identifier(symbol) and wants_value:
                values.add(symbol)
                wants_value = False
            else:
                expected = "',', or identifier" if wants_value else "',' or ')'"
                raise SelectorError(f"found '{symbol}', expected: {expected}")


def _is_identifier(symbol: str) -> bool:
    """Also `in` and `notin`: where a key or a value is expected they are ordinary words."""
    return symbol not in {_END, "=", "==", "!=", "!", "<", ">", "(", ")", ","}
