"""Schemas as types, and JSON as values of them."""

from __future__ import annotations

from typing import Any

import pytest

from kube.cel import CompileError, EvaluationError
from kube.cel import compile as compile_expression
from kube.cel.escaping import escape, unescape
from kube.cel.schema import type_of
from kube.cel.types import optional_of
from kube.cel.values import NONE, Optional

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {"type": "object", "properties": {
            "ratio": {"type": "number"}, "at": {"type": "string", "format": "date-time"}, "day": {"type": "string", "format": "date"},
            "wait": {"type": "string", "format": "duration"}, "data": {"type": "string", "format": "byte"},
            "port": {"x-kubernetes-int-or-string": True}, "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "any": {"x-kubernetes-preserve-unknown-fields": True}, "namespace": {"type": "string"}, "a-b": {"type": "string"},
            "a.b/c": {"type": "string"}, "__x": {"type": "string"},
            "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "rows": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
                     "items": {"type": "object", "properties": {"k": {"type": "string"}, "v": {"type": "integer"}}}},
            "template": {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
        }},
    },
}
VALUE: dict[str, Any] = {
    "apiVersion": "a/v1", "kind": "A", "metadata": {"name": "n"},
    "spec": {"ratio": 2, "at": "2020-01-01T00:00:00Z", "day": "2020-01-02", "wait": "90s", "data": "aGk=", "port": "http", "free": {"x": 1},
             "namespace": "ns", "a-b": "dash", "a.b/c": "dots", "__x": "under", "set": ["a", "b"],
             "rows": [{"k": "a", "v": 1}, {"k": "b", "v": 2}],
             "template": {"kind": "T", "apiVersion": "v1", "metadata": {"name": "inner"}}},
}


def holds(rule: str, value: dict[str, Any] = VALUE) -> bool:
    type_ = type_of(SCHEMA, resource_root=True)
    assert type_ is not None
    return bool(compile_expression(rule, {"self": type_}).evaluate({"self": value}))


@pytest.mark.parametrize("rule", [
    "self.spec.ratio / 4.0 == 0.5", "self.spec.at.getFullYear() == 2020", "self.spec.day.getDate() == 2",
    "self.spec.day == timestamp('2020-01-02T00:00:00Z')", "self.spec.wait == duration('1m30s')", "self.spec.data == b'hi'",
    "type(self.spec.port) == string && self.spec.port == 'http'", "self.spec.__namespace__ == 'ns'", "self.spec.a__dash__b == 'dash'",
    "self.spec.a__dot__b__slash__c == 'dots'", "self.spec.__underscores__x == 'under'", "self.spec.set == ['b', 'a']",
    "self.spec.set + ['b', 'c'] == ['a', 'b', 'c']", "self.spec.rows == [self.spec.rows[1], self.spec.rows[0]]",
    "(self.spec.rows + [self.spec.rows[0]]).size() == 2", "self.metadata.name == 'n'", "self.kind == 'A' && self.apiVersion == 'a/v1'",
    "!has(self.metadata.generateName)", "self.spec.template.metadata.name == 'inner'", "dyn(self).spec.ratio == 2",
])
def test_rules_see_values_as_their_schema_says(rule: str) -> None:
    assert holds(rule)


@pytest.mark.parametrize(("rule", "field"), [
    ("self.spec.any == 1", "any"), ("self.spec.free.x == 1", "x"), ("self.metadata.labels == {}", "labels"), ("self.status == 1", "status"),
    ("self.spec.template.spec == 1", "spec"),
])
def test_what_no_schema_describes_is_out_of_reach(rule: str, field: str) -> None:
    with pytest.raises(CompileError, match=f"undefined field '{field}'"):
        holds(rule)


def test_only_roots_have_metadata() -> None:
    type_ = type_of({"type": "object", "properties": {}})
    assert type_ is not None

    with pytest.raises(CompileError, match="undefined field 'metadata'"):
        compile_expression("has(self.metadata)", {"self": type_})


def test_a_text_that_is_no_date_is_an_error() -> None:
    with pytest.raises(EvaluationError, match="Invalid date-time formatted string yesterday"):
        holds("self.spec.at.getFullYear() == 2020", {"spec": {"at": "yesterday"}})


def test_an_optional_old_value_is_converted_as_well() -> None:
    type_ = type_of(SCHEMA)
    assert type_ is not None
    program = compile_expression("oldSelf.?spec.?ratio.orValue(1.0) / 4.0 == 0.5", {"oldSelf": optional_of(type_)})

    assert program.evaluate({"oldSelf": Optional(VALUE)}) is True
    assert program.evaluate({"oldSelf": NONE}) is False


def test_the_value_given_is_left_as_it_is() -> None:
    holds("self.spec.ratio > 1.0")

    assert VALUE["spec"]["at"] == "2020-01-01T00:00:00Z" and type(VALUE["spec"]["ratio"]) is int


@pytest.mark.parametrize(("name", "field"), [
    ("a", "a"), ("aB_1", "aB_1"), ("namespace", "__namespace__"), ("a-b", "a__dash__b"), ("a.b", "a__dot__b"), ("a/b", "a__slash__b"),
    ("a__b", "a__underscores__b"), ("in", "__in__"), ("int", "int"), ("-a", "__dash__a"),
])
def test_names_are_escaped_and_back(name: str, field: str) -> None:
    assert escape(name) == field
    assert unescape(field) == name


@pytest.mark.parametrize("name", ["", "1a", "a b", "é", "a!"])
def test_names_that_no_expression_can_have(name: str) -> None:
    assert escape(name) is None


def test_types_of_fields_are_named_after_their_path() -> None:
    type_ = type_of(SCHEMA)
    assert type_ is not None

    with pytest.raises(CompileError, match=r"'_==_' applied to '\(selfType.spec.template, int\)'"):
        compile_expression("self.spec.template == 1", {"self": type_})
