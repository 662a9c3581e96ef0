"""How a refused change is shown: as a unified diff. Upstream's is of its internal form, with Go's names; ours is of the API's."""

from __future__ import annotations

import difflib
import json
from typing import Final

from kube.apimachinery.meta import JsonObject

_COMPARED: Final = 1000      # lines; comparing takes the square of them


def unified(old: JsonObject, new: JsonObject) -> str:
    """Both as JSON, three lines around each change, with a line's end behind the last; "" for equals."""
    before, after = (json.dumps(one, indent=1, ensure_ascii=False, sort_keys=True).split("\n") for one in (old, new))
    if max(len(before), len(after)) > _COMPARED:      # the first difference is told, and what follows
        same = next((at for at, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), min(len(before), len(after)))
        start = max(0, same - 3)
        before, after = before[start:start + _COMPARED], after[start:start + _COMPARED]
    lines = list(difflib.unified_diff(before, after, lineterm=""))[2:]
    return "\n".join([*lines, ""]) if lines else ""
