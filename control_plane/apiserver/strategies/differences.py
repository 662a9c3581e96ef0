"""How a refused change is shown: as a unified diff. Upstream's is of its internal form, with Go's names; ours is of the API's."""

from __future__ import annotations

import difflib
import json

from kube.apimachinery.meta import JsonObject


def unified(old: JsonObject, new: JsonObject) -> str:
    """Both as JSON, three lines around each change, with a line's end behind the last; "" for equals."""
    before, after = (json.dumps(one, indent=1, ensure_ascii=False, sort_keys=True).split("\n") for one in (old, new))
    lines = list(difflib.unified_diff(before, after, lineterm=""))[2:]
    return "\n".join([*lines, ""]) if lines else ""
