"""How deeply a document may be nested. No object of the API comes near; what does is meant to exhaust a stack."""

from __future__ import annotations

from typing import Any, Final

MAX_DEPTH: Final = 200      # every walk over an object recurses, some with three frames a level; Python stops at 1,000
TOO_DEEP: Final = "exceeded max depth"      # Go's words


def is_too_deep(value: Any) -> bool:
    """Level by level, so that the question itself needs no stack."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        level = [
            inner for outer in level for inner in (outer.values() if type(outer) is dict else outer) if type(inner) in (dict, list)
        ]
        if not level:
            return False
    return True
