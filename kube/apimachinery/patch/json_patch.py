"""JSON Patch (RFC 6902). A patch that cannot be read is a BadRequest; one that cannot be applied is Invalid without causes, as upstream."""

from __future__ import annotations

import copy
import re
from typing import Any, Final

import msgspec

from kube.apimachinery.errors import BadRequest, Invalid, RequestEntityTooLarge

MAX_OPERATIONS: Final = 10000
MAX_COPIED: Final = 3 * 1024 * 1024     # bytes of JSON that the copy operations of one patch may add; upstream's limit of a body
_CANNOT_APPLY: Final = "the server rejected our request due to an error in our request"
_NEEDED: Final = {"add": "value", "replace": "value", "test": "value", "move": "from", "copy": "from", "remove": "path"}
_MISSING: Final = object()


class _PatchError(Exception):
    """The cause of an Invalid."""


def apply_json_patch(doc: dict[str, Any], operations: Any) -> dict[str, Any]:
    """A new document; `doc` is left as it is. Raises BadRequest, RequestEntityTooLarge or Invalid."""
    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        raise BadRequest("error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    if len(operations) > MAX_OPERATIONS:
        raise RequestEntityTooLarge(
            f"Request entity is too large: The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}")
    out: Any = copy.deepcopy(doc)
    copied = 0
    try:
        for operation in operations:
            if operation.get("op") == "copy":       # a few of these double a document again and again
                copied += len(msgspec.json.encode(_get(out, operation.get("from"))))
                if copied > MAX_COPIED:
                    raise _PatchError(f"the accumulated size of copies is over {MAX_COPIED}")
            out = _apply(out, operation)
    except _PatchError as error:
        raise Invalid(_CANNOT_APPLY, details={}) from error
    if not isinstance(out, dict):
        raise Invalid(_CANNOT_APPLY, details={})
    return out


def _apply(doc: Any, operation: dict[str, Any]) -> Any:
    kind, path = operation.get("op"), operation.get("path")
    if kind not in _NEEDED or not isinstance(path, str):
        raise _PatchError(f"unexpected kind: {kind}")
    if _NEEDED[kind] not in operation:
        raise _PatchError(f"{kind} operation without {_NEEDED[kind]}")
    match kind:
        case "add":
            return _add(doc, path, copy.deepcopy(operation["value"]))
        case "remove":
            return _remove(doc, path)
        case "replace":
            return _replace(doc, path, copy.deepcopy(operation["value"]))
        case "move":
            value = _get(doc, operation["from"])
            return _add(_remove(doc, operation["from"]), path, value)
        case "copy":
            return _add(doc, path, copy.deepcopy(_get(doc, operation["from"])))
    if not _equal(_get(doc, path, default=None), operation["value"]):
        raise _PatchError(f"testing value {path} failed")
    return doc


def _tokens(path: Any) -> list[str]:
    if path == "":
        return []
    if not isinstance(path, str) or not path.startswith("/"):
        raise _PatchError(f"bad pointer: {path}")
    return [token.replace("~1", "/").replace("~0", "~") for token in path[1:].split("/")]


def _index(token: str, length: int) -> int:
    if not re.fullmatch("-?(0|[1-9][0-9]{0,9})", token) or not -length <= int(token) < length:
        raise _PatchError(f"unable to access invalid index: {token}")
    return int(token)


def _step(node: Any, token: str) -> Any:
    if isinstance(node, dict) and token in node:
        return node[token]
    if isinstance(node, list):
        return node[_index(token, len(node))]
    raise _PatchError(f"missing path: {token}")


def _get(doc: Any, path: Any, default: Any = _MISSING) -> Any:
    try:
        for token in _tokens(path):
            doc = _step(doc, token)
    except _PatchError:
        if default is _MISSING:
            raise
        return default
    return doc


def _parent(doc: Any, path: Any) -> tuple[Any, str]:
    *above, last = _tokens(path)
    for token in above:
        doc = _step(doc, token)
    return doc, last


def _add(doc: Any, path: Any, value: Any) -> Any:
    if path == "":
        return value
    parent, last = _parent(doc, path)
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list):
        parent.insert(len(parent) if last == "-" else _index(last, len(parent) + 1), value)
    else:
        raise _PatchError(f"missing path: {path}")
    return doc


def _replace(doc: Any, path: str, value: Any) -> Any:
    """A key that an object does not have is added: so does the library that upstream uses, whatever the RFC says."""
    if path == "":
        return value
    parent, last = _parent(doc, path)
    if isinstance(parent, dict):
        parent[last] = value
    elif isinstance(parent, list):
        parent[_index(last, len(parent))] = value
    else:
        raise _PatchError(f"missing path: {path}")
    return doc


def _remove(doc: Any, path: Any) -> Any:
    if path == "":
        raise _PatchError("cannot remove the whole document")
    parent, last = _parent(doc, path)
    if isinstance(parent, dict) and last in parent:
        del parent[last]
    elif isinstance(parent, list):
        del parent[_index(last, len(parent))]
    else:
        raise _PatchError(f"unable to remove nonexistent key: {last}")
    return doc


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    return bool(left == right)
