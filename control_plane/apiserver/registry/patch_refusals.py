"""A patch whose result is no object of the kind: upstream refuses it as an invalid value of `patch`, so that `kubectl edit` reopens it.

Follows apiserver's handlers/patch.go, and for strategic merge patches the words of its converter from unstructured objects.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import msgspec

from kube.apimachinery.errors import ApiError, BadRequest, Cause, invalid
from kube.apimachinery.scheme import GroupVersionKind

_NOTHING: Final = GroupVersionKind("", "", "")
_HANDLED: Final = re.compile(r'.* in version ".*" cannot be handled as an? \S+?: ')
_UNMARSHAL: Final = re.compile(r"json: cannot unmarshal (?P<given>\w+) into Go (?:struct field \S+|value) of type (?P<wanted>.+)")
_GO: Final = {"number": "int64", "array": "slice", "object": "map"}


def undecodable(error: BadRequest, patch: Any, patched: Any, *, strategic: bool) -> ApiError:
    """`patch` is what was sent, `patched` what it made of the object."""
    why = _HANDLED.sub("", error.message, count=1)
    if strategic:
        return _refused(_go_map(patch), _converter_words(why))
    return _refused(msgspec.json.encode(patched).decode(), why)


def _refused(value: str, why: str) -> ApiError:
    quoted = json.dumps(value, ensure_ascii=False)
    return invalid(_NOTHING, "", [Cause("FieldValueInvalid", "patch", f"Invalid value: {quoted}: {why}")])


def _converter_words(why: str) -> str:
    found = _UNMARSHAL.fullmatch(why)
    if found is None:
        return why
    given, wanted = _GO.get(found["given"], found["given"]), found["wanted"]
    for prefix, kind in (("map[", "map from"), ("[]", "slice from")):
        if wanted.startswith(prefix):
            return f"cannot restore {kind} {given}"
    if "." in wanted:
        return f"cannot restore struct from: {given}"
    return f"cannot convert {given} to string" if (given, wanted) == ("int64", "string") else f"unrecognized type: {wanted}"


def _go_map(value: Any) -> str:
    """As Go prints a map with %+v."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go_map(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_go_map, value)) + "]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)
