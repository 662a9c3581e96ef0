"""Custom objects: types and limits, ratcheting, pruning, defaults, lists, embedded objects, rules, columns."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from control_plane.apiserver.custom import defaulting
from control_plane.apiserver.custom.columns import table_of
from control_plane.apiserver.custom.embedded import coerce, embedded_causes
from control_plane.apiserver.custom.failures import cause_of
from control_plane.apiserver.custom.formats import FORMATS
from control_plane.apiserver.custom.kind import Definition
from control_plane.apiserver.custom.list_types import list_causes
from control_plane.apiserver.custom.pruning import prune
from control_plane.apiserver.custom.rules import Rules
from control_plane.apiserver.custom.strategy import CustomResourceStrategy
from control_plane.apiserver.custom.structural import Structural
from control_plane.apiserver.custom.values import ABSENT, Node
from kube.apimachinery.jsonpath import JsonPath, JsonPathError
from kube.apimachinery.regex import compiled
from kube.apimachinery.scheme import ResourceType
from tests.support.custom_kinds import custom, definition, version

Json = dict[str, Any]
TEXT: Json = {"type": "string"}


def told(schema: Json, value: Any, old: Any = ABSENT) -> list[str]:
    """Of a value at `v`."""
    node = Node(Structural({"type": "object", "properties": {"v": schema}}))
    before = ABSENT if old is ABSENT else {"v": old}
    return [f"{cause.field}: {cause.message}" for cause in map(cause_of, node.validate({"v": value}, before))]


@pytest.mark.parametrize(("schema", "value", "words"), [
    (TEXT, 1, 'v: Invalid value: "integer": v in body must be of type string: "integer"'),
    (TEXT, None, 'v: Invalid value: "null": v in body must be of type string: "null"'),
    ({"type": "integer"}, 1.5, 'v: Invalid value: "number": v in body must be of type integer: "number"'),
    ({"type": "integer", "format": "int32"}, 2**31,
     '<nil>: Invalid value: "": Checked value must be of type integer with format int32 in v'),
    ({"type": "boolean"}, "true", 'v: Invalid value: "string": v in body must be of type boolean: "string"'),
    ({"x-kubernetes-int-or-string": True}, True, 'v: Invalid value: "boolean": v in body must be of type integer,string: "boolean"'),
    ({"type": "string", "maxLength": 2}, "abc", "v: Too long: may not be more than 2 bytes"),
    ({"type": "string", "minLength": 2}, "a", 'v: Invalid value: "a": v in body should be at least 2 chars long'),
    ({"type": "string", "pattern": "^a$"}, "a\n", 'v: Invalid value: "a\\n": v in body should match \'^a$\''),
    ({"type": "string", "enum": ["a", "b"]}, "c", 'v: Unsupported value: "c": supported values: "a", "b"'),
    ({"type": "string", "format": "ipv4"}, "1.2.3", 'v: Invalid value: "1.2.3": v in body must be of type ipv4: "1.2.3"'),
    ({"type": "integer", "minimum": 1, "exclusiveMinimum": True}, 1, "v: Invalid value: 1: v in body should be greater than 1"),
    ({"type": "number", "maximum": 1.5}, 1.75, "v: Invalid value: 1.75: v in body should be less than or equal to 1.5"),
    ({"type": "integer", "multipleOf": 3}, 4, "v: Invalid value: 4: v in body should be a multiple of 3"),
    ({"type": "array", "items": TEXT, "maxItems": 1}, ["a", "b"], "v: Too many: 2: must have at most 1 item"),
    ({"type": "array", "items": TEXT, "minItems": 1}, [], "v: Invalid value: 0: v in body should have at least 1 items"),
    ({"type": "array", "items": TEXT}, ["a", 1], 'v[1]: Invalid value: "integer": v[1] in body must be of type string: "integer"'),
    ({"type": "object", "additionalProperties": TEXT}, {"a": 1},
     'v.a: Invalid value: "integer": v.a in body must be of type string: "integer"'),
    ({"type": "object", "properties": {"a": TEXT}, "required": ["a"]}, {}, "v.a: Required value"),
    ({"type": "object", "maxProperties": 1}, {"a": 1, "b": 2}, "v: Too many: 2: must have at most 1 item"),
    ({"type": "integer", "not": {"minimum": 5}}, 6, '<nil>: Invalid value: "": "v" must not validate the schema (not)'),
    ({"type": "integer", "oneOf": [{"minimum": 5}, {"minimum": 3}]}, 6,
     '<nil>: Invalid value: "": "v" must validate one and only one schema (oneOf). Found 2 valid alternatives'),
    ({"type": "integer", "anyOf": [{"minimum": 5}, {"maximum": 1}]}, 3,
     '<nil>: Invalid value: "": "v" must validate at least one schema (anyOf)'),
    ({"type": "integer", "allOf": [{"minimum": 5}]}, 3,
     '<nil>: Invalid value: "": "v" must validate all the schemas (allOf). None validated'),
])
def test_values_are_refused_in_upstreams_words(schema: Json, value: Any, words: str) -> None:
    assert words in told(schema, value)


@pytest.mark.parametrize(("schema", "value"), [
    ({"type": "integer"}, 5.0), ({"type": "number"}, 5), ({"type": "string", "nullable": True}, None), ({}, {"any": ["thing"]}),
    ({"x-kubernetes-int-or-string": True}, "50%"), ({"type": "string", "format": "unheard-of"}, "x"),
    ({"type": "string", "format": "date-time"}, "2026-01-01T00:00:00Z"), ({"type": "number", "multipleOf": 0.1}, 0.3),
])
def test_values_that_hold(schema: Json, value: Any) -> None:
    assert told(schema, value) == []


@pytest.mark.parametrize(("name", "good", "bad"), [
    ("uri", "https://example.com/x", "not one"), ("hostname", "a.example.com", "-a-"), ("cidr", "10.0.0.0/8", "10.0.0.0"),
    ("ipv6", "::1", "1.2.3.4"), ("mac", "00:00:5e:00:53:01", "00:00"), ("byte", "aGk=", "%"), ("date", "2026-02-28", "2026-02-30"),
    ("duration", "1h30m", "soon"), ("uuid4", "9e107d9d-4f0a-4a0b-8b1d-1d9a6e2f3c4d", "9e107d9d-4f0a-1a0b-8b1d-1d9a6e2f3c4d"),
    ("email", "a@example.com", "a"), ("k8sshortname", "a-b", "A"), ("hexcolor", "#ff00ff", "pink"), ("isbn13", "978-0321751041", "1"),
])
def test_formats(name: str, good: str, bad: str) -> None:
    assert FORMATS[name](good)
    assert not FORMATS[name](bad)


@pytest.mark.parametrize(("text", "holds"), [
    ("1.5h", True), (".5s", True), ("+3m", True), ("3 weeks", True), ("12345678901234567890 days", False), ("5 parsecs 2 days", True),
    ("", False), ("1.", False), ("2 xyz", False), ("7secs", True),
])
def test_durations(text: str, holds: bool) -> None:
    assert FORMATS["duration"](text) is holds


@pytest.mark.parametrize("unit", ["1", "1.", "1 ", "a", "a.", "-", "1h", ":", "<", "0", "f"])
def test_no_format_takes_longer_than_its_text_is_long(unit: str) -> None:
    """One that took the square of the length would not end today."""
    text = unit * 300_000
    for check in FORMATS.values():
        check(text)
        check(text + "!")


@pytest.mark.parametrize(("pattern", "matches", "differs"), [
    (r"^[[:alpha:]]+$", "abc", "ab1"), (r"^\pL+$", "größe", "1"), (r"\Aab\z", "ab", "ab\n"), (r"^(?P<x>a)$", "a", "b"),
    (r"^\d$", "5", "\u0665"), (r"^[]a]+$", "]a", "b"),
])
def test_patterns_of_gos_dialect(pattern: str, matches: str, differs: str) -> None:
    assert compiled(pattern).matches(matches)
    assert not compiled(pattern).matches(differs)


def test_what_is_unchanged_is_not_held_against_an_update() -> None:
    schema: Json = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 1}, "b": {"type": "string", "maxLength": 1}}}

    assert told(schema, {"a": "long", "b": "x"}, {"a": "long", "b": "y"}) == []
    assert told(schema, {"a": "longer"}, {"a": "long"}) != []


def test_items_are_correlated_by_their_keys() -> None:
    item: Json = {"type": "object", "properties": {"name": TEXT, "v": {"type": "string", "maxLength": 1}}}
    by_key: Json = {"type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    held, new = [{"name": "a", "v": "long"}], [{"name": "b", "v": "x"}, {"name": "a", "v": "long"}]

    assert told(by_key, new, held) == []
    assert told({"type": "array", "items": item}, new, held) != []


def test_unknown_fields_go_and_are_told() -> None:
    schema = Structural({"type": "object", "properties": {
        "spec": {"type": "object", "properties": {"known": TEXT, "list": {"type": "array", "items": {"type": "object"}}}},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"in": {"type": "object"}}},
    }})
    obj = {"kind": "K", "metadata": {"x": 1}, "more": 1, "spec": {"known": "a", "odd": 1, "list": [{"odd": 2}]},
           "free": {"any": {"thing": 1}, "in": {"odd": 3}}}
    unknown: list[str] = []

    prune(obj, schema, unknown)

    assert obj == {"kind": "K", "metadata": {"x": 1}, "spec": {"known": "a", "list": [{}]}, "free": {"any": {"thing": 1}, "in": {}}}
    assert sorted(unknown) == ["free.in.odd", "more", "spec.list[0].odd", "spec.odd"]


def test_defaults_fill_what_is_missing_or_null() -> None:
    schema = Structural({"type": "object", "properties": {
        "a": {"type": "string", "default": "x"}, "b": {"type": "string", "default": "y", "nullable": True}, "c": TEXT,
        "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"n": {"type": "integer", "default": 1}}}},
    }})
    obj: Json = {"a": None, "b": None, "c": None, "map": {"k": {}}}

    defaulting.drop_nulls(obj, schema)
    defaulting.fill(obj, schema)

    assert obj == {"a": "x", "b": None, "map": {"k": {"n": 1}}}


@pytest.mark.parametrize(("schema", "value", "message"), [
    ({"type": "array", "x-kubernetes-list-type": "set", "items": TEXT}, ["a", "b", "a"], 'v[2]: Duplicate value: "a"'),
    ({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"], "items": {"type": "object"}},
     [{"n": 1}, {"n": 1}], 'v[1]: Duplicate value: {"n":1}'),
])
def test_sets_and_maps_hold_each_item_once(schema: Json, value: Any, message: str) -> None:
    found = list_causes({"v": value}, Structural({"type": "object", "properties": {"v": schema}}))

    assert [f"{cause.field}: {cause.message}" for cause in found] == [message]


def test_embedded_objects_have_metadata() -> None:
    schema = Structural({"type": "object", "properties": {"pod": {
        "type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}}})
    unknown: list[str] = []
    obj: Json = {"pod": {"kind": "Pod", "metadata": {"name": "a", "odd": 1}, "spec": {}}}

    assert coerce(obj, schema, unknown) is None
    assert unknown == ["pod.metadata.odd"]
    assert [f"{cause.field}: {cause.message}" for cause in embedded_causes(obj, schema)] == ["pod.apiVersion: Required value"]


def test_rules_have_messages_paths_and_old_values() -> None:
    rules = Rules.of(Structural({"type": "object", "properties": {"spec": {
        "type": "object", "properties": {"n": {"type": "integer"}, "once": {"type": "string", "maxLength": 9}},
        "x-kubernetes-validations": [
            {"rule": "self.n > 1", "messageExpression": "'not ' + 'enough'", "fieldPath": ".n"},
            {"rule": "!has(oldSelf.once) || self.once == oldSelf.once", "message": "may not change"},
            {"rule": "oldSelf.hasValue() || self.n < 9", "optionalOldSelf": True, "message": "starts small"},
        ]}}}))
    assert rules is not None

    def said(new: Json, old: Json | None = None) -> list[str]:
        found = rules.validate({"spec": new}, {"spec": old} if old is not None else None)
        return [f"{cause.field}: {cause.message}" for cause in found]

    assert said({"n": 2, "once": "a"}) == []
    assert said({"n": 0}) == ["spec.n: Invalid value: not enough"]
    assert said({"n": 9}) == ["spec: Invalid value: starts small"]
    assert said({"n": 9, "once": "b"}, {"n": 2, "once": "a"}) == ["spec: Invalid value: may not change"]
    assert said({"n": 0}, {"n": 0}) == []


def strategy(**more: Any) -> CustomResourceStrategy:
    crd = definition("crontabs", "CronTab", version(**more))
    made = Definition({**crd, "metadata": {**crd["metadata"], "uid": "u"}}).versions["v1"]
    row = ResourceType("stable.example.com", "v1", "CronTab", "crontabs", subresources=("status",), custom=made)
    return CustomResourceStrategy(row, made)


def test_generations_count_what_is_wanted() -> None:
    rules = strategy(subresources={"status": {}})
    old = custom("a", spec={"cronSpec": "* * * * *"}, status={"n": 1})
    old["metadata"]["generation"] = 4
    same, changed = copy.deepcopy(old), copy.deepcopy(old)
    same |= {"status": {"n": 2}}
    same["metadata"]["labels"] = {"a": "b"}
    changed["spec"]["image"] = "x"

    rules.prepare_for_update(same, old)
    rules.prepare_for_update(changed, old)

    assert (same["metadata"]["generation"], same["status"]) == (4, {"n": 1})
    assert changed["metadata"]["generation"] == 5


def test_finalizers_without_a_domain_are_warned_of() -> None:
    obj = custom("a")
    obj["metadata"]["finalizers"] = ["hold", "example.com/hold", "orphan"]

    assert strategy().warnings(obj, None) == [
        'metadata.finalizers: "hold": prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers']


@pytest.mark.parametrize(("path", "found"), [
    ("{.spec.a}", [1]), ("{.spec.list[*].n}", ["x", "y"]), ("{.spec.list[-1].n}", ["y"]), ("{.spec.list[?(@.n=='x')].v}", [1]),
    ("{.metadata.annotations['a\\.b/c']}", ["z"]), ("{.metadata.annotations.a\\.b/c}", ["z"]), ("{.spec.nothing}", []),
    ("{.spec.list[0:1].n}", ["x"]), ("{..n}", ["x", "y"]), ("{.spec['a','list'][0].n}", ["x"]),
])
def test_json_paths(path: str, found: list[Any]) -> None:
    obj = {"spec": {"a": 1, "list": [{"n": "x", "v": 1}, {"n": "y", "v": 2}]}, "metadata": {"annotations": {"a.b/c": "z"}}}

    assert JsonPath(path).find(obj) == found


def test_json_paths_that_are_none() -> None:
    with pytest.raises(JsonPathError):
        JsonPath("{.spec[}")


def test_cells_are_of_their_columns_type() -> None:
    kinds = (("string", ".spec.list"), ("integer", ".spec.f"), ("boolean", ".spec.b"), ("date", ".spec.when"), ("string", ".spec.none"))
    table = table_of([{"name": kind, "type": kind, "jsonPath": path} for kind, path in kinds])
    obj = {"metadata": {"name": "a"}, "spec": {"list": ["x"], "f": 3.9, "b": True, "when": "2026-01-01T00:00:00Z"}}

    assert table.cells(obj, datetime(2026, 1, 1, 1, tzinfo=UTC)) == ["a", '["x"]', 3, True, "60m", None]
