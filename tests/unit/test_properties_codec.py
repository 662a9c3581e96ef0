"""Random objects of every built-in kind through protobuf; random text and random expressions through CEL."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kube.apimachinery.codec.json import decode_json
from kube.apimachinery.codec.protobuf import decode_protobuf, encode_protobuf
from kube.apimachinery.codec.yaml import decode_yaml
from kube.apimachinery.decode import check_structure
from kube.apimachinery.errors import BadRequest, NotAcceptable
from kube.apimachinery.resources import RESOURCES
from kube.apimachinery.schema import schemas
from kube.apimachinery.scheme import ResourceType
from kube.cel import CompileError, CostExceeded, EvaluationError, compile  # noqa: A004
from kube.cel.types import DYN, INT, STRING, list_of, map_of
from tests.support.growing import grown
from tests.support.properties import often


@pytest.mark.parametrize("resource", [pytest.param(row, id=f"{row.plural}.{row.api_version}") for row in RESOURCES])
def test_random_objects_come_through_protobuf_as_they_are(resource: ResourceType) -> None:
    """What protobuf cannot say (a plain field that is zero) goes the first time; then nothing changes any more."""
    schema, dice = schemas().for_kind(resource.gvk), random.Random(resource.plural)
    assert schema is not None
    for _ in range(15):
        obj = grown(resource, dice)
        try:
            once = decode_protobuf(encode_protobuf(obj))
        except (BadRequest, NotAcceptable):
            continue      # a number beyond its field's size
        assert (once["apiVersion"], once["kind"], once["metadata"]["name"]) == (resource.api_version, resource.kind, "x")
        assert decode_protobuf(encode_protobuf(once)) == once
        assert not check_structure(decode_protobuf(encode_protobuf(once)), schema)


@often
@given(st.binary(max_size=60), st.sampled_from((b"", b"k8s\0", b"k8s\0\x0a\x0f\x0a\x02v1\x12\x09ConfigMap\x12")))
def test_any_bytes_are_an_object_or_a_bad_request(data: bytes, head: bytes) -> None:
    for decode in (decode_protobuf, decode_json, decode_yaml):
        try:
            decode(head + data)
        except BadRequest as error:
            assert error.code == 400  # noqa: PT017


@often
@given(st.integers(0, 10**9))
def test_bits_that_fall_over_are_an_object_or_a_bad_request(number: int) -> None:
    dice = random.Random(number)
    row = dice.choice(RESOURCES)
    try:
        data = bytearray(encode_protobuf(grown(row, dice)))
    except (BadRequest, NotAcceptable):
        return
    for _ in range(dice.randrange(1, 6)):
        data[dice.randrange(len(data))] = dice.randrange(256)
    try:
        decode_protobuf(bytes(data))
    except BadRequest as error:
        assert error.code == 400  # noqa: PT017


WORDS = (
    "a", "m", "l", "s", "x", "1", "0", "-1", "2u", "1.5", "9223372036854775807", "'t'", "b'b'", "r'\\'", "true", "null", "[", "]", "(", ")",
    "{", "}", ".", ",", ":", "?", "+", "-", "*", "/", "%", "==", "!=", "<", ">=", "in", "&&", "||", "!", "all", "map", "exists", "has",
    "size", "matches", "timestamp", "duration", "quantity", "ip", "url", "optional", "of", ".?", "[?", "format", "split", "'%s'", "\\",
    "'", '"', "é", "\0",
)
ATOMS = st.sampled_from((
    "a", "s", "l", "m", "x", "1", "0", "2u", "1.5", "-1", "9223372036854775807", "''", "'%d %s'", "'(a+)+$'", "b'\\xff'", "true", "null",
    "[]", "{}", "[1, 'a']", "{'k': 1}", "duration('1h')", "timestamp('2026-01-01T00:00:00Z')", "quantity('1Gi')", "ip('::1')", "l[0]",
    "m['k']", "m.k", "m.?k", "optional.none()", "type(1)", "cidr('10.0.0.0/8')", "semver('1.2.3')", "url('http://a/')",
))
EXPRESSIONS = st.recursive(ATOMS, lambda inner: st.one_of(
    st.builds("({} {} {})".format, inner, st.sampled_from(("+", "-", "*", "/", "%", "==", "!=", "<", ">=", "in", "&&", "||")), inner),
    st.builds("{}.{}(x, {})".format, inner, st.sampled_from(("all", "exists", "map", "filter", "exists_one")), inner),
    st.builds("{}.{}()".format, inner, st.sampled_from((
        "size", "lowerAscii", "isSorted", "sum", "min", "indexOf", "value", "hasValue", "getHours", "first", "reverse", "trim", "family"))),
    st.builds("{}.{}({})".format, inner, st.sampled_from((
        "matches", "contains", "split", "indexOf", "find", "findAll", "startsWith", "format", "join", "orValue", "substring", "add",
        "compareTo", "replace", "or", "containsIP")), inner),
    st.builds("{}({})".format, st.sampled_from((
        "int", "uint", "double", "string", "bytes", "bool", "dyn", "type", "size", "duration", "timestamp", "quantity", "isQuantity", "!",
        "-", "has", "ip", "cidr", "url", "isURL", "optional.of")), inner),
    st.builds("({} ? {} : {})".format, inner, inner, inner), st.builds("[{}, {}]".format, inner, inner),
    st.builds("{{{}: {}}}".format, inner, inner), st.builds("{}[{}]".format, inner, inner),
), max_leaves=7)
VARIABLES = {"a": DYN, "s": STRING, "l": list_of(INT), "m": map_of(STRING, DYN), "x": DYN}
BINDINGS: dict[str, Any] = {"a": {"b": [1, None, "z"]}, "s": "text\0é", "l": [3, 1, 2], "m": {"k": 1.5, "": []}, "x": -(2**63)}


def tried(source: str) -> None:
    try:
        program = compile(source, VARIABLES, result=None)
    except CompileError as error:
        assert str(error)  # noqa: PT017
        return
    try:
        program.evaluate_with_cost(BINDINGS, budget=100_000)
    except (EvaluationError, CostExceeded) as error:
        assert str(error)  # noqa: PT017


@often
@given(st.lists(st.sampled_from(WORDS), max_size=14), st.sampled_from(("", " ")))
def test_cel_of_random_words_compiles_or_says_why(words: list[str], gap: str) -> None:
    tried(gap.join(words))


@often
@given(st.text(max_size=20))
def test_cel_of_random_text_compiles_or_says_why(text: str) -> None:
    tried(text)


@often
@given(EXPRESSIONS)
def test_cel_of_random_expressions_has_a_value_or_an_error(source: str) -> None:
    tried(source)


@pytest.mark.parametrize("source", [
    "(" * 10_000, "[" * 10_000, "!" * 10_000 + "true", "-" * 10_000 + "1", "a" + ".b" * 10_000, "a" + "[0]" * 10_000,
    "1" + "+1" * 10_000, "true" + " && true" * 10_000, "{'a':" * 10_000, "a ? " * 10_000, "a" + ".map(x, x)" * 1000,
    "1 + " * 10_000 + "1", "'" + "a" * 1_000_000, "a" * 1_000_000, "dyn(" * 3000 + "1" + ")" * 3000,
], ids=range(15))
def test_cel_that_is_deep_or_long(source: str) -> None:
    tried(source)
