"""find and findAll."""

from __future__ import annotations

from itertools import islice
from typing import Final

from kube.apimachinery.regex import RegexError, compiled
from kube.cel.errors import EvaluationError
from kube.cel.functions import Table, method
from kube.cel.types import INT, STRING, list_of


def _find(text: str, pattern: str) -> str:
    return next(iter(_find_all(text, pattern, 1)), "")


def _find_all(text: str, pattern: str, most: int = -1) -> list[str]:
    try:
        found = compiled(pattern).find_all(text)
    except RegexError as error:
        raise EvaluationError(f"Illegal regex: {error}") from error
    return list(found if most < 0 else islice(found, most))


FUNCTIONS: Final[Table] = {
    "find": [method("string_find_string", (STRING, STRING), STRING, _find)],
    "findAll": [
        method("string_find_all_string", (STRING, STRING), list_of(STRING), _find_all),
        method("string_find_all_string_int", (STRING, STRING, INT), list_of(STRING), _find_all),
    ],
}
