"""YAML request bodies and answers, read as the JSON they stand for.

A document is looked through event by event before anything is built of it: libyaml's composer recurses on the C stack, which ends
the process where the nesting is deep enough, and a few aliases of aliases stand for more than fits into any memory.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Final

import msgspec
import yaml

from kube.apimachinery.codec.depth import MAX_DEPTH, TOO_DEEP
from kube.apimachinery.errors import BadRequest

MAX_NODES: Final = 250_000                  # the largest CRDs have some ten thousand; building a million takes 20 s
MAX_EXPANDED: Final = 3 * 1024 * 1024       # of a document with aliases, written out: what a request body may have

_SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SafeDumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Loader(_SafeLoader):  # type: ignore[misc,valid-type]
    """Keeps dates as the text they were written as: JSON knows no dates."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in _SafeLoader.yaml_implicit_resolvers.items()
    }


def decode_yaml(data: bytes) -> Any:
    """Raises BadRequest."""
    try:
        _look_through(data)
        return _as_json(yaml.load(data, Loader=_Loader))  # noqa: S506 (a SafeLoader)
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as error:
        raise BadRequest(f"yaml: {error}") from error


def _look_through(data: bytes) -> None:
    """Raises ValueError for what is too deep, or too large once its aliases are written out."""
    open_nodes: list[tuple[str | None, int]] = []       # anchor, and the size of what came before
    sizes: dict[str | None, int] = {}                   # of anchors that are complete
    size, aliased = 0, False
    for number, event in enumerate(yaml.parse(data, Loader=_Loader)):
        if number > MAX_NODES:
            raise ValueError(f"document has more than {MAX_NODES} nodes")
        if isinstance(event, yaml.ScalarEvent):
            sizes[event.anchor] = 1 + len(event.value)
            size += sizes[event.anchor]
        elif isinstance(event, yaml.CollectionStartEvent):
            open_nodes.append((event.anchor, size))
            size += 1
            if len(open_nodes) > MAX_DEPTH:
                raise ValueError(TOO_DEEP)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            sizes[anchor] = size - before
        elif isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in open_nodes):
                raise ValueError(f"anchor '{event.anchor}' value contains itself")
            aliased = True
            size += sizes.get(event.anchor, 0)          # an unknown anchor is the composer's to refuse
        if aliased and size > MAX_EXPANDED:
            raise ValueError("document contains excessive aliasing")


def _as_json(value: Any) -> Any:
    """With text for keys, every alias written out, and nothing that JSON does not know."""
    if isinstance(value, dict):
        return {_key(key): _as_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_json(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"json: unsupported value: {value}")
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise ValueError(f"cannot be said in JSON: {type(value).__name__}")


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int | float):
        return str(key)
    raise ValueError(f"unsupported map key: {key!r}")


def doubled_keys(data: bytes) -> str:
    """Keys that a map of this valid document has more than once, one line each, in the words of Go's decoder; "" if there are none."""
    open_maps: list[set[str] | None] = []       # keys so far; None for a list
    awaiting: list[bool] = []                   # whether the next node is a key
    problems: list[str] = []
    for event in yaml.parse(data, Loader=_Loader):
        ends = isinstance(event, yaml.CollectionEndEvent)
        if ends:
            open_maps.pop()
            awaiting.pop()
        elif isinstance(event, yaml.ScalarEvent) and open_maps and (keys := open_maps[-1]) is not None and awaiting[-1]:
            if event.value in keys and event.start_mark is not None:
                problems.append(f'  line {event.start_mark.line + 1}: key "{event.value}" already set in map')
            keys.add(event.value)
        if isinstance(event, yaml.CollectionStartEvent):
            open_maps.append(set() if isinstance(event, yaml.MappingStartEvent) else None)
            awaiting.append(True)
        elif (ends or isinstance(event, yaml.NodeEvent)) and awaiting:
            awaiting[-1] = not awaiting[-1]
    return "\n".join(problems)


class _Dumper(_SafeDumper):  # type: ignore[misc,valid-type]
    """Knows JSON that nobody has parsed yet, as objects from the store hold it."""


_Dumper.add_representer(msgspec.Raw, lambda dumper, raw: dumper.represent_data(msgspec.json.decode(raw)))


def encode_yaml(obj: Any) -> bytes:
    text: str = yaml.dump(obj, Dumper=_Dumper, default_flow_style=False, sort_keys=True, allow_unicode=True)
    return text.encode()
