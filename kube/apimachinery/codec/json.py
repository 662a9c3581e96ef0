"""JSON request bodies. Decoding is msgspec's; keys written twice are found by a second, slower look, for clients that asked."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from kube.apimachinery.codec.depth import MAX_DEPTH, TOO_DEEP, is_too_deep
from kube.apimachinery.errors import BadRequest

_decoder = msgspec.json.Decoder()
encode_json = msgspec.json.Encoder().encode


class MalformedJsonError(ValueError):
    """Not JSON, or nested beyond reason; the message says which."""


class _Twice(list[tuple[str, Any]]):
    """The pairs of an object in which some key stands twice."""


def decode_json(data: bytes) -> Any:
    """An object as a client sent it. Raises BadRequest."""
    try:
        return parse_json(data)
    except MalformedJsonError as error:
        raise BadRequest(f"couldn't get version/kind; json parse error: {error}") from error


def parse_json(data: bytes) -> Any:
    """Raises MalformedJsonError."""
    try:
        value = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedJsonError(str(error)) from error
    except RecursionError as error:
        raise MalformedJsonError(TOO_DEEP) from error
    # A document cannot be deeper than it has brackets; few have as many, and only those are walked through.
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH and is_too_deep(value):
        raise MalformedJsonError(TOO_DEEP)
    return value


def duplicate_fields(data: bytes) -> list[str]:
    """Paths of the keys that an object of this valid document holds more than once, e.g. spec.containers[0].image."""
    found = False

    def pairs(items: list[tuple[str, Any]]) -> Any:
        nonlocal found
        result = dict(items)
        if len(result) == len(items):
            return result
        found = True
        return _Twice(items)

    document = json.loads(data, object_pairs_hook=pairs)
    return list(dict.fromkeys(_duplicates(document, ""))) if found else []


def _duplicates(value: Any, path: str) -> list[str]:
    paths: list[str] = []
    if isinstance(value, _Twice | dict):
        seen: set[str] = set()
        for key, inner in value if isinstance(value, _Twice) else value.items():
            where = f"{path}.{key}" if path else key
            if key in seen:
                paths.append(where)
            seen.add(key)
            paths += _duplicates(inner, where)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            paths += _duplicates(inner, f"{path}[{index}]")
    return paths
