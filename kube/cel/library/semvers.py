"""semver, isSemver and comparison of versions: Semantic Versioning 2.0.0, strict unless normalization is asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from kube.cel.errors import EvaluationError
from kube.cel.functions import Overload, Table, method
from kube.cel.types import BOOL, INT, SEMVER, STRING

_NUMBER: Final = r"(0|[1-9][0-9]*)"
_IDS: Final = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_VERSION: Final = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_IDS}))?(?:\+({_IDS}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Semver:
    """A version. Its build is no part of equality or order."""

    major: int
    minor: int
    patch: int
    pre: tuple[int | str, ...] = ()

    cel_type_name = SEMVER.name

    def rank(self) -> tuple[object, ...]:
        pre = tuple((0, part, "") if isinstance(part, int) else (1, 0, part) for part in self.pre)
        return self.major, self.minor, self.patch, not self.pre, pre


def parse(text: str, normalize: bool = False) -> Semver:
    """Raises EvaluationError."""
    found = _VERSION.fullmatch(_normalized(text) if normalize else text)
    if found is None:
        raise EvaluationError(_reason(text))
    parts = []
    for part in (found[4] or "").split(".") if found[4] else []:
        if part.isdigit() and len(part) > 1 and part[0] == "0":
            raise EvaluationError(f'Numeric PreRelease version must not contain leading zeroes "{part}"')
        parts.append(int(part) if part.isdigit() else part)
    return Semver(int(found[1]), int(found[2]), int(found[3]), tuple(parts))


def _reason(text: str) -> str:
    if not text:
        return "Version string empty"
    parts = text.split(".", 2)
    if len(parts) != 3:
        return "No Major.Minor.Patch elements found"
    for name, part in zip(("Major", "Minor", "Patch"), parts, strict=True):
        number = re.split(r"[-+]", part, maxsplit=1)[0] if name == "Patch" else part
        if not re.fullmatch(r"[0-9]+", number):
            return f'Invalid character(s) found in {name.lower()} number "{number}"'
        if len(number) > 1 and number[0] == "0":
            return f'{name} number must not contain leading zeroes "{number}"'
    return "Invalid character(s) found in prerelease or build"


def _normalized(text: str) -> str:
    """Without a leading v and zeros, with minor and patch."""
    parts = text.removeprefix("v").split(".", 2)
    for index, part in enumerate(parts):
        if len(part) > 1:
            stripped = part.lstrip("0")
            parts[index] = stripped if stripped[:1].isdigit() else "0" + stripped
    if len(parts) < 3:
        if re.search(r"[+-]", parts[-1]):
            raise EvaluationError("short version cannot contain PreRelease/Build meta data")
        parts += ["0"] * (3 - len(parts))
    return ".".join(parts)


def _is_semver(text: str, normalize: bool = False) -> bool:
    try:
        parse(text, normalize)
    except EvaluationError:
        return False
    return True


def _compare(left: Semver, right: Semver) -> int:
    one, other = left.rank(), right.rank()
    return (one > other) - (one < other)


FUNCTIONS: Final[Table] = {
    "semver": [
        Overload("string_to_semver", (STRING,), SEMVER, parse),
        Overload("string_bool_to_semver", (STRING, BOOL), SEMVER, parse),
    ],
    "isSemver": [
        Overload("is_semver_string", (STRING,), BOOL, _is_semver),
        Overload("is_semver_string_bool", (STRING, BOOL), BOOL, _is_semver),
    ],
    "isGreaterThan": [method("semver_is_greater_than", (SEMVER, SEMVER), BOOL, lambda left, right: _compare(left, right) > 0)],
    "isLessThan": [method("semver_is_less_than", (SEMVER, SEMVER), BOOL, lambda left, right: _compare(left, right) < 0)],
    "compareTo": [method("semver_compare_to", (SEMVER, SEMVER), INT, _compare)],
    "major": [method("semver_major", (SEMVER,), INT, lambda version: version.major)],
    "minor": [method("semver_minor", (SEMVER,), INT, lambda version: version.minor)],
    "patch": [method("semver_patch", (SEMVER,), INT, lambda version: version.patch)],
}
