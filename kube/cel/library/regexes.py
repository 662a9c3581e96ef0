"""find and findAll."""

from __future__ import annotations

from itertools import islice
from typing import Final

from kube.cel.errors import EvaluationError
from kube.cel.functions import Table, method
from kube.cel.regex import RegexError, compiled
from kube.cel.types import INT, STRING, list_of


def _find(text: str, pattern: str) -> str:
    return next(iter(_find_all(text, pattern, 1)), "")


def _find_all(text: str, pattern: str, most: int = -1) -> list[str]:
    try:
        found = compiled(pattern).finditer(text)
    except RegexError as error:
        raise EvaluationError(f"Illegal regex: {error}") from error
    kept, end = [], -1
    for match in found:
        if match.start() == match.end() == end:      # Go takes no empty match right behind another one
            continue
        kept.append(match[0])
        end = match.end()
    return kept if most < 0 else list(islice(kept, most))


FUNCTIONS: Final[Table] = {
    "find": [method("string_find_string", (STRING, STRING), STRING, _find)],
    "findAll": [
        method("string_find_all_string", (STRING, STRING), list_of(STRING), _find_all),
        method("string_find_all_string_int", (STRING, STRING, INT), list_of(STRING), _find_all),
    ],
}
