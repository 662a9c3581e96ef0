"""What the validation of a value finds, in the words of kube-openapi, and as the causes that clients see."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from kube.apimachinery.errors import Cause
from kube.apimachinery.validation import invalid, not_supported, required, too_many

TYPE, REQUIRED, ENUM, TOO_LONG, MAX_ITEMS, MAX_PROPERTIES, OTHER, COMPOSITE = range(8)
NO_PATH: Final = "<nil>"      # how upstream prints the field of an error that has none
MOST_TOLD: Final = 1000
# With these, rules of x-kubernetes-validations are not evaluated: they may rely on what is broken.
BLOCKING: Final = frozenset({TYPE, REQUIRED, ENUM, TOO_LONG, MAX_ITEMS, MAX_PROPERTIES})


class Failure(NamedTuple):
    code: int
    path: str
    message: str = ""
    value: Any = ""
    limit: int = 0
    allowed: Sequence[Any] = ()

    @property
    def key(self) -> str:
        """Failures that read the same are told once."""
        return self.message or f"{self.code} {self.path}"


class Result:
    """`matches` counts the checks that were made with success: of several alternatives the one that came closest is told.

    After `MOST_TOLD` failures no more are kept: nobody reads them, and each costs a line in the answer.
    """

    __slots__ = ("_keys", "failures", "matches")

    def __init__(self) -> None:
        self.failures: list[Failure] = []
        self.matches = 0
        self._keys: set[str] = set()

    def add(self, failure: Failure) -> None:
        key = failure.key
        if key not in self._keys and len(self.failures) < MOST_TOLD:
            self._keys.add(key)
            self.failures.append(failure)

    def clear(self) -> None:
        self.failures.clear()
        self._keys.clear()

    def merge(self, other: Result) -> None:
        for failure in other.failures:
            self.add(failure)
        self.matches += other.matches


def cause_of(failure: Failure, prefix: str = "") -> Cause:
    """`prefix` is the path of the value that was validated ("status")."""
    if failure.code == COMPOSITE:
        return invalid(prefix or NO_PATH, "", failure.message)
    path = failure.path.removeprefix(".")
    path = f"{prefix}.{path}" if prefix and path else prefix or path or NO_PATH
    if failure.code == REQUIRED:
        return required(path)
    if failure.code == ENUM:
        return not_supported(path, failure.value, [one if isinstance(one, str) else _json(one) for one in failure.allowed])
    if failure.code == TOO_LONG:
        return Cause("FieldValueTooLong", path, f"Too long: may not be more than {failure.limit} bytes")
    if failure.code in (MAX_ITEMS, MAX_PROPERTIES):
        return too_many(path, failure.value, failure.limit)
    cause = invalid(path, failure.value, failure.message)
    return Cause("FieldValueTypeInvalid", path, cause.message) if failure.code == TYPE else cause


def go_number(value: float) -> str:
    """As Go's %v prints a number."""
    if isinstance(value, int):
        return str(value)
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    return repr(value)


def quoted(text: str) -> str:
    """As Go's %q."""
    return _json(text)


def go_list(values: Sequence[Any]) -> str:
    return "[" + " ".join(value if isinstance(value, str) else _json(value) for value in values) + "]"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
