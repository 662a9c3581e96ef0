"""jsonpatch.escapeKey: a key as a part of a JSON pointer. Mutating admission policies have it."""

from __future__ import annotations

from typing import Final

from kube.cel.functions import Overload, Table
from kube.cel.types import STRING

FUNCTIONS: Final[Table] = {
    "jsonpatch.escapeKey": [
        Overload("string_jsonpatch_escapeKey_string", (STRING,), STRING, lambda key: key.replace("~", "~0").replace("/", "~1")),
    ],
}
