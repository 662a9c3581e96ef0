"""JSON request bodies. Decoding is msgspec's; keys written twice are found by a second, slower look, for clients that asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
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
        raise MalformedJsonError(_in_upstreams_words(str(error))) from error
    except RecursionError as error:
        raise MalformedJsonError(TOO_DEEP) from error
    # A document cannot be deeper than it has brackets; few have as many, and only those are walked through.
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH and is_too_deep(value):
        raise MalformedJsonError(TOO_DEEP)
    return value


def _in_upstreams_words(problem: str) -> str:
    return "unexpected end of JSON input" if problem == "Input data was truncated" else problem


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
    return list(dict.fromkeys(path for path, again in _keys(document, "") if again)) if found else []


def keys_as_written(data: bytes) -> Iterator[tuple[str, bool]]:
    """The path of each key of this valid document from its start to its end, and whether its object has had the key before."""
    return _keys(json.loads(data, object_pairs_hook=_Twice), "")


def _keys(value: Any, path: str) -> Iterator[tuple[str, bool]]:
    if isinstance(value, _Twice | dict):
        seen: set[str] = set()
        for key, inner in value if isinstance(value, _Twice) else value.items():
            where = f"{path}.{key}" if path else key
            yield where, key in seen
            seen.add(key)
            yield from _keys(inner, where)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _keys(inner, f"{path}[{index}]")
