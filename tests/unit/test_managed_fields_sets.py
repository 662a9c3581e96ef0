"""Sets of fields: FieldsV1 as JSON, and what is done with sets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kube.apimachinery.managed_fields import path_element
from kube.apimachinery.managed_fields.field_set import (
    Node,
    decode,
    difference,
    encode,
    has,
    intersection,
    normalised,
    of,
    path_text,
    paths,
    union,
)
from kube.apimachinery.managed_fields.path_element import InvalidElementError


def fields(*texts: str) -> Node:
    """Of paths like spec/replicas; an element that is no field is written out: spec/k:{"name":"a"}."""
    return of([tuple(part if part[1:2] == ":" else "f:" + part for part in text.split("/")) for text in texts])


def shown(node: Node) -> list[str]:
    return [path_text(path) for path in paths(node)]


@pytest.mark.parametrize(("values", "element"), [
    pytest.param({"name": "a"}, 'k:{"name":"a"}', id="text"),
    pytest.param({"protocol": "TCP", "port": 80}, 'k:{"port":80,"protocol":"TCP"}', id="sorted"),
    pytest.param({"name": 'a"b'}, 'k:{"name":"a\\"b"}', id="escaped"),
])
def test_keys_are_spelt_in_one_way(values: dict[str, Any], element: str) -> None:
    assert path_element.key(values) == element
    assert path_element.normal(element) == element


@pytest.mark.parametrize(("element", "text"), [
    ("f:replicas", ".replicas"), ('k:{"name":"a"}', '[name="a"]'), ('k:{"port":80,"protocol":"TCP"}', '[port=80,protocol="TCP"]'),
    ('v:"a/b"', '[="a/b"]'), ("v:1", "[=1]"), ("i:0", "[0]"),
])
def test_elements_as_messages_show_them(element: str, text: str) -> None:
    assert path_element.shown(element) == text


@pytest.mark.parametrize(("text", "problem"), [
    ("f", "key must be 2 characters long:"), ("fx", "missing colon: fx"), ("i:x", 'strconv.Atoi: parsing "x": invalid syntax'),
    ("k:1", "parsing key as path element: expected an object"),
])
def test_elements_that_are_none(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        path_element.normal(text)


def test_a_set_is_its_json() -> None:
    made = fields("spec/replicas", "spec/template", "spec/template/spec", 'spec/k:{"name":"a"}')

    data = encode(made)

    assert json.loads(data) == {"f:spec": {"f:replicas": {}, "f:template": {".": {}, "f:spec": {}}, 'k:{"name":"a"}': {}}}
    assert decode(data) == made
    assert normalised(json.loads(data)) == made


def test_what_a_client_writes_is_normalised() -> None:
    sent: Any = {"f:b": {".": {}}, "f:a": {'k:{ "name" : "x" }': {}, "z:future": {}}, "f:c": {"z:future": {}}}

    assert normalised(sent) == {"f:b": {}, "f:a": {'k:{"name":"x"}': {}}, "f:c": {}}


@pytest.mark.parametrize("sent", [[], {"f:a": 1}, {"nonsense": {}}, {"f:a": {"v:{": {}}}], ids=["list", "number", "element", "value"])
def test_nonsense_is_refused(sent: Any) -> None:
    with pytest.raises(InvalidElementError):
        normalised(sent)


TABLE = [
    pytest.param(["a", "b/c"], ["b", "d"], ["a", "b", "b/c", "d"], ["a", "b/c"], [], id="a parent is not its child"),
    pytest.param(["b", "b/c"], ["b/c"], ["b", "b/c"], ["b"], ["b/c"], id="child alone"),
    pytest.param(["b", "b/c"], ["b"], ["b", "b/c"], ["b/c"], ["b"], id="parent alone"),
    pytest.param(["b/c"], ["b/c"], ["b/c"], [], ["b/c"], id="same"),
    pytest.param(["a/b/c", "a/b/d"], ["a/b", "a/b/c"], ["a/b", "a/b/c", "a/b/d"], ["a/b/d"], ["a/b/c"], id="deep"),
    pytest.param([], ["a"], ["a"], [], [], id="nothing"),
]


@pytest.mark.parametrize(("left", "right", "both", "only_left", "common"), TABLE)
def test_set_algebra(left: list[str], right: list[str], both: list[str], only_left: list[str], common: list[str]) -> None:
    one, other = fields(*left), fields(*right)

    assert union(one, other) == union(other, one) == fields(*both)
    assert difference(one, other) == fields(*only_left)
    assert intersection(one, other) == intersection(other, one) == fields(*common)


def test_operations_that_change_nothing_give_back_what_they_got() -> None:
    one = fields("a/b", "a/c", "d")

    assert union(one, fields("a/b")) is one
    assert difference(one, fields("a", "e/f")) is one


def test_a_recursive_difference_takes_what_is_below() -> None:
    held = fields("spec", "spec/a", "spec/b/c", "status/x")

    assert difference(held, fields("spec"), recursive=True) == fields("status/x")
    assert difference(held, fields("spec/b"), recursive=True) == fields("spec", "spec/a", "status/x")


def test_paths_come_members_first_and_numbers_by_value() -> None:
    ports = fields("b", 'p/k:{"port":443}', 'p/k:{"port":80}', 'p/k:{"port":80}/name', "a/x")

    assert shown(ports) == [".b", ".a.x", ".p[port=80]", ".p[port=443]", ".p[port=80].name"]
    assert has(ports, ("f:p", 'k:{"port":80}'))
    assert not has(ports, ("f:p",))
    assert not has(ports, ())
