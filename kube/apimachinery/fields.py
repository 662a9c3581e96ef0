"""Field selectors: `spec.nodeName=n1,status.phase!=Running`. Which fields a kind knows is said by its strategy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from kube.apimachinery.labels import SelectorError


class FieldRequirement(NamedTuple):
    """One term; `operator` is "=" or "!=" ("==" is read as "=")."""

    key: str
    operator: str
    value: str

    def matches(self, fields: Mapping[str, str]) -> bool:
        return (fields.get(self.key, "") == self.value) is (self.operator == "=")

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")
        return f"{self.key}{self.operator}{escaped}"


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """A conjunction of terms; an absent field counts as the empty string."""

    requirements: tuple[FieldRequirement, ...] = ()

    def matches(self, fields: Mapping[str, str]) -> bool:
        return all(term.matches(fields) for term in self.requirements)

    def required_value(self, key: str) -> str | None:
        """The value that this selector demands of a field, if it demands one."""
        return next((term.value for term in self.requirements if term.key == key and term.operator == "="), None)

    def __str__(self) -> str:
        return ",".join(str(term) for term in self.requirements)


def parse_field_selector(text: str) -> FieldSelector:
    """Reads a query's fieldSelector. Raises SelectorError with upstream's words."""
    terms = []
    for term in _split_terms(text):
        if not term:
            continue
        key, operator, value = _split_term(term, text)
        terms.append(FieldRequirement(key, operator, _unescape(value)))
    return FieldSelector(tuple(sorted(terms)))


def _split_terms(text: str) -> Iterator[str]:
    start, escaped = 0, False
    for index, char in enumerate(text):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == ",":
            yield text[start:index]
            start = index + 1
    yield text[start:]


def _split_term(term: str, text: str) -> tuple[str, str, str]:
    for index in range(len(term)):
        for operator in ("!=", "==", "="):
            if term.startswith(operator, index):
                return term[:index], "!=" if operator == "!=" else "=", term[index + len(operator):]
    raise SelectorError(f"invalid selector: '{text}'; can't understand '{term}'")


def _unescape(value: str) -> str:
    out, chars = [], iter(value)
    for char in chars:
        if char == "\\":
            following = next(chars, None)
            if following is None or following not in "\\,=":
                raise SelectorError(f"invalid field selector: invalid escape sequence: \\{following or ''}")
            out.append(following)
        elif char in ",=":
            raise SelectorError(f"invalid field selector: unescaped character in value: {char}")
        else:
            out.append(char)
    return "".join(out)
