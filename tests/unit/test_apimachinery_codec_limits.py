"""Bodies that are made to hurt: refused with a sentence, in no time."""

from __future__ import annotations

import time
from typing import Any

import pytest

from control_plane.apiserver.negotiation import JSON, PROTOBUF, YAML
from control_plane.apiserver.registry.decoding import parse_body
from control_plane.apiserver.registry.patching import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Patch
from kube.apimachinery.codec.depth import MAX_DEPTH
from kube.apimachinery.codec.yaml import decode_yaml
from kube.apimachinery.errors import ApiError, BadRequest, Invalid
from kube.apimachinery.scheme import GroupVersionKind
from kube.apimachinery.validation import _label_value_problems, label_value_problems, qualified_name_problems

CONFIG_MAP = GroupVersionKind("", "v1", "ConfigMap")
BOMB = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 900, 100_000])
@pytest.mark.parametrize("media_type", [JSON, YAML])
def test_deep_bodies_are_refused(media_type: str, depth: int) -> None:
    with pytest.raises(BadRequest, match="exceeded max depth"):
        parse_body(nested(depth), media_type)


def test_bodies_may_be_as_deep_as_the_limit_says() -> None:
    assert parse_body(nested(MAX_DEPTH), JSON) == parse_body(nested(MAX_DEPTH), YAML)


def test_lists_are_counted_too() -> None:
    with pytest.raises(BadRequest, match="exceeded max depth"):
        parse_body(b"[" * 100_000, YAML)
    with pytest.raises(BadRequest, match="json parse error"):
        parse_body(b"[" * 100_000, JSON)


@pytest.mark.parametrize(("body", "media_type", "said"), [
    pytest.param(b'{"a":"\xff\xfe"}', JSON, "utf-8", id="json, not utf-8"),
    pytest.param(b'{"a":NaN}', JSON, "malformed", id="json NaN"),
    pytest.param(b'{"a":1e999}', JSON, "out of range", id="json beyond float"),
    pytest.param(b"a: \xff", YAML, "yaml", id="yaml, not utf-8"),
    pytest.param(b"a: .nan", YAML, "unsupported value", id="yaml nan"),
    pytest.param(b"a: " + b"9" * 5000, YAML, "limit", id="yaml number of 5000 digits"),
    pytest.param(b"a: !!binary aGk=", YAML, "cannot be said in JSON", id="yaml binary"),
    pytest.param(b"a: !!timestamp 2026-01-01", YAML, "cannot be said in JSON", id="yaml timestamp"),
    pytest.param(b"? [a, b]\n: c", YAML, "yaml", id="yaml list as key"),
    pytest.param(b"a: &x {b: *x}", YAML, "contains itself", id="yaml recursion"),
    pytest.param(b"a: *x", YAML, "undefined alias", id="yaml unknown alias"),
    pytest.param(b"a: !!python/object:os.system {}", YAML, "could not determine a constructor", id="yaml foreign tag"),
    pytest.param(b"k8s\0" + b"\x12\xff\xff\xff\xff\x7f", PROTOBUF, "protobuf", id="protobuf length"),
])
def test_odd_bodies_are_bad_requests(body: bytes, media_type: str, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        parse_body(body, media_type)


def test_a_bomb_of_aliases_is_not_built() -> None:
    began = time.process_time()

    with pytest.raises(BadRequest, match="excessive aliasing"):
        decode_yaml(BOMB.encode())

    assert time.process_time() - began < 1


def test_aliases_are_written_out_and_not_shared() -> None:
    read = decode_yaml(b"base: &b {x: [1]}\nsame: *b\nmore: {<<: *b, y: 2}\n1: true\nfalse: 1.5\n")

    assert read == {"base": {"x": [1]}, "same": {"x": [1]}, "more": {"x": [1], "y": 2}, "1": True, "false": 1.5}
    assert read["base"]["x"] is not read["same"]["x"]


@pytest.mark.parametrize(("kind", "patch"), [
    pytest.param(MERGE_PATCH, nested(5000), id="merge"),
    pytest.param(STRATEGIC_PATCH, nested(500), id="strategic"),
    pytest.param(JSON_PATCH, b"[" + nested(500) + b"]", id="json"),
    pytest.param(MERGE_PATCH, b'{"a":"\xff"}', id="not utf-8"),
])
def test_patches_are_read_as_carefully(kind: str, patch: bytes) -> None:
    with pytest.raises(BadRequest, match="invalid JSON patch"):
        Patch(kind, patch, CONFIG_MAP)


def applied(operations: str) -> dict[str, Any]:
    return Patch(JSON_PATCH, operations.encode(), CONFIG_MAP).applied_to({"data": {"x": "y" * 100}})


def test_copies_of_copies_end_at_a_size() -> None:
    doubling = ",".join(f'{{"op":"copy","from":"/data","path":"/data/c{n}"}}' for n in range(60))
    began = time.process_time()

    with pytest.raises(Invalid):
        applied(f"[{doubling}]")

    assert time.process_time() - began < 2


def test_patches_cannot_nest_step_by_step() -> None:
    steps = ",".join(f'{{"op":"add","path":"/data{"/n" * depth}","value":{{}}}}' for depth in range(1, 400))

    with pytest.raises(BadRequest, match="exceeded max depth"):
        applied(f"[{steps}]")


@pytest.mark.parametrize("operation", [
    '{"op":"add","path":"/data/l","value":[]},{"op":"add","path":"/data/l/' + "9" * 5000 + '","value":1}',
    '{"op":"copy","path":"/a"}', '{"op":"copy","from":5,"path":"/a"}', '{"op":"move","from":"/data","path":"/data/x"}',
])
def test_odd_operations_are_invalid(operation: str) -> None:
    with pytest.raises(ApiError) as caught:
        applied(f"[{operation}]")

    assert caught.value.code == 422


def test_long_texts_are_not_remembered() -> None:
    held = _label_value_problems.cache_info().currsize

    assert label_value_problems("x" * 100_000) and qualified_name_problems("x" * 100_000)

    assert _label_value_problems.cache_info().currsize == held
