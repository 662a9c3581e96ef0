"""JSON Merge Patch (RFC 7386): maps merge, null deletes, everything else replaces."""

from __future__ import annotations

from typing import Any

from kube.apimachinery.errors import BadRequest


def apply_merge_patch(doc: dict[str, Any], patch: Any) -> dict[str, Any]:
    """A new document; neither argument is changed. Raises BadRequest when the patch is no object."""
    if not isinstance(patch, dict):
        raise BadRequest("error decoding patch: json: cannot unmarshal into Go value of type map[string]interface {}")
    return _merged(doc, patch)


def _merged(doc: Any, patch: dict[str, Any]) -> dict[str, Any]:
    out = dict(doc) if isinstance(doc, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict):
            out[key] = _merged(out.get(key), value)
        else:
            out[key] = value
    return out
