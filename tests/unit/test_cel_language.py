"""The language: what expressions give, after the themes of the CEL specification's conformance tests."""

from __future__ import annotations

import math
from typing import Any

import pytest

from kube.cel import EvaluationError
from kube.cel import compile as compile_expression
from kube.cel.types import DYN, INT, STRING, ObjectType, Type, list_of, map_of
from kube.cel.values import Duration, Timestamp, TypeValue, UInt, equal

VALUES: list[tuple[str, Any]] = [
    # literals
    ("42", 42), ("-42", -42), ("0x2A", 42), ("42u", UInt(42)), ("0x2Au", UInt(42)), ("1.5e2", 150.0), (".5", 0.5), ("true", True),
    ("null", None),
    ("'a\\tb'", "a\tb"), (r"'\x41\u00e9\U0001F600\101'", "Aé😀A"), (r"r'\n'", "\\n"), ('"""a\n"b" """', 'a\n"b" '),
    (r"b'\xff\303'", b"\xff\xc3"),
    ("b'é'", "é".encode()), (r"br'\x41'", b"\\x41"), ("[1, 2,]", [1, 2]), ("{'a': 1, 'b': 2}", {"a": 1, "b": 2}), ("1 // one\n + 1", 2),
    # numbers
    ("7 / 2", 3), ("-7 / 2", -3), ("-7 % 2", -1), ("7 % -2", 1), ("7u / 2u", UInt(3)), ("2 + 3 * 4 - 1", 13), ("(2 + 3) * 4", 20),
    ("--1", 1),
    ("1.0 / 0.0", math.inf), ("-1.0 / 0.0", -math.inf), ("9223372036854775807 - 1", 2**63 - 2), ("-9223372036854775808", -(2**63)),
    ("18446744073709551615u", UInt(2**64 - 1)),
    # equality and order
    ("1 == 1", True), ("dyn(1) == 1u", True), ("dyn(1) == 1.0", True), ("dyn(1) == '1'", False), ("dyn(true) == 1", False),
    ("0.0 / 0.0 == 0.0 / 0.0", False), ("[1, 2] == [1, 2]", True), ("[dyn(1)] == [1.0]", True), ("{'a': 1} == {'a': 1}", True),
    ("b'a' < b'b'", True),
    ("'Z' < 'a'", True), ("1 < 2.5", True), ("2u > 1", True), ("false < true", True), ("[1] != [2]", True), ("null == null", True),
    # logic absorbs errors
    ("true || 1 / 0 > 0", True), ("1 / 0 > 0 || true", True), ("false && 1 / 0 > 0", False), ("1 / 0 > 0 && false", False),
    ("!!true", True),
    ("true ? 1 : 1 / 0", 1), ("false ? 1 / 0 : 2", 2), ("true ? (false ? 1 : 2) : 3", 2), ("false ? 1 : true ? 2 : 3", 2),
    # lists and maps
    ("[1, 2, 3][1]", 2), ("dyn([1, 2])[1.0]", 2), ("{'a': 1}.a", 1), ("{1: 'a'}[1]", "a"), ("{dyn(1): 'a'}[1u]", "a"),
    ("1 in [1, 2]", True),
    ("'a' in {'a': 1}", True), ("3 in [1, 2]", False), ("dyn(1u) in [1]", True), ("[1] + [2]", [1, 2]), ("size([1, 2])", 2),
    ("{'a': 1}.size()", 1),
    ("has({'a': 1}.a)", True), ("has({'a': 1}.b)", False),
    # macros
    ("[1, 2].all(x, x > 0)", True), ("[1, 2].all(x, x > 1)", False), ("[].all(x, x > 0)", True), ("{'a': 1}.all(k, k == 'a')", True),
    ("[1, 0, 2].exists(x, 2 / x == 1)", True), ("[0, 1].all(x, 1 / x == 2)", False), ("[1, 2].exists_one(x, x == 1)", True),
    ("[1, 1].exists_one(x, x == 1)", False), ("[1, 2].map(x, x * 2)", [2, 4]), ("[1, 2, 3].map(x, x > 1, x * 2)", [4, 6]),
    ("[1, 2, 3].filter(x, x % 2 == 1)", [1, 3]), ("{'b': 1}.map(k, k)", ["b"]), ("[[1], [2, 3]].map(x, x.map(y, y + 1))", [[2], [3, 4]]),
    ("[[1, 2], [3]].all(x, x.exists(y, y > 1))", True),
    # two variables
    ("[5, 6].all(i, v, v == i + 5)", True), ("{'a': 1}.exists(k, v, k == 'a' && v == 1)", True), ("[5, 6].existsOne(i, v, v == 6)", True),
    ("[5, 6].transformList(i, v, i + v)", [5, 7]), ("[5, 6].transformList(i, v, i > 0, v)", [6]),
    ("{'a': 1}.transformMap(k, v, v + 1)", {"a": 2}),
    ("['x', 'y'].transformMap(i, v, v + 'z')", {0: "xz", 1: "yz"}), ("{'a': 1}.transformMapEntry(k, v, {v: k})", {1: "a"}),
    # optionals
    ("{'a': 1}.?a.value()", 1), ("{'a': 1}.?b.orValue(7)", 7), ("{'a': {'b': 2}}.?a.b.orValue(0)", 2), ("[1][?0].hasValue()", True),
    ("[1][?5].hasValue()", False), ("optional.none().or(optional.of(3)).value()", 3), ("optional.of(2).optMap(x, x * 3).value()", 6),
    ("optional.none().optMap(x, x + 1).hasValue()", False), ("{'a': {}}.?a.optFlatMap(m, m.?b).hasValue()", False),
    ("[?optional.none(), 1]", [1]),
    ("{?'a': optional.of(1), ?'b': optional.none()}", {"a": 1}), ("optional.ofNonZeroValue('').hasValue()", False),
    ("[1, 2].last().value()", 2),
    ("[optional.of(1), optional.none()].unwrapOpt()", [1]),
    # strings
    ("'héllo'.size()", 5), ("'hello'.contains('ell')", True), ("'hello'.startsWith('he')", True), ("'a' + 'b'", "ab"),
    ("'abc'.matches('^a.c$')", True),
    ("matches('xabc', 'b')", True), ("'a\\n'.matches('a$')", False), ("b'ab' + b'c'", b"abc"),
    # conversions
    ("int('12')", 12), ("int(3.9)", 3), ("int(-3.9)", -3), ("uint(3)", UInt(3)), ("double('1.5')", 1.5), ("string(1.5)", "1.5"),
    ("string(1e21)", "1e+21"),
    ("string(1234567.0)", "1.234567e+06"), ("string(0.00001)", "1e-05"), ("string(true)", "true"), ("string(b'abc')", "abc"),
    ("bytes('é')", "é".encode()),
    ("bool('TRUE')", True), ("int(timestamp('1970-01-01T00:01:00Z'))", 60), ("string(duration('1h30m'))", "5400s"),
    ("string(duration('100ms'))", "0.1s"),
    ("string(timestamp('2020-02-29T12:00:00.500+01:00'))", "2020-02-29T12:00:00.5+01:00"), ("type(1)", TypeValue("int")),
    ("type(type(1)) == type", True), ("type(timestamp(0)) == google.protobuf.Timestamp", True), ("type([1]) == list", True),
    # time
    ("timestamp('2009-02-13T23:31:30Z').getFullYear()", 2009), ("timestamp('2009-02-13T23:31:30Z').getMonth()", 1),
    ("timestamp('2009-02-13T23:31:30Z').getDayOfMonth()", 12), ("timestamp('2009-02-13T23:31:30Z').getDate()", 13),
    ("timestamp('2009-02-13T23:31:30Z').getDayOfWeek()", 5), ("timestamp('2009-02-13T23:31:30Z').getDayOfYear()", 43),
    ("timestamp('2009-02-13T23:31:30Z').getDate('+11:00')", 14), ("timestamp('2009-02-13T23:31:30.123Z').getMilliseconds()", 123),
    ("timestamp('2009-02-13T23:31:30Z').getHours('-08:00')", 15), ("duration('3730s').getMinutes()", 62),
    ("duration('-1.5h').getHours()", -1),
    ("timestamp('2020-01-01T00:00:00Z') + duration('1h')", Timestamp(1577840400 * 10**9)),
    ("timestamp('2020-01-01T01:00:00Z') - timestamp('2020-01-01T00:00:00Z')", Duration(3600 * 10**9)),
    ("duration('1m') < duration('1h')", True),
]


@pytest.mark.parametrize(("source", "value"), VALUES, ids=[source for source, _ in VALUES])
def test_an_expression_has_its_value(source: str, value: Any) -> None:
    found = compile_expression(source, {}, result=None).evaluate({})

    assert equal(found, value)
    assert type(found) is type(value)


@pytest.mark.parametrize(("source", "message"), [
    ("1 / 0", "division by zero"), ("1 % 0", "modulus by zero"), ("1u / 0u", "division by zero"),
    ("9223372036854775807 + 1", "integer overflow"),
    ("-9223372036854775808 - 1", "integer overflow"), ("4611686018427387904 * 2", "integer overflow"),
    ("-(-9223372036854775808)", "integer overflow"),
    ("0u - 1u", "unsigned integer overflow"), ("{'a': 1}['b']", "no such key: b"), ("{'a': 1}.b", "no such key: b"),
    ("[1][3]", "index out of bounds: 3"),
    ("dyn('a') + 1", "no such overload: _+_"), ("dyn('a') && true", "no such overload"), ("1 / 0 > 0 || false", "division by zero"),
    ("[0, 1].all(x, 1 / x > 0)", "division by zero"), ("[1, 2].map(x, x / 0)", "division by zero"),
    ("optional.none().value()", "optional.none() dereference"),
    ("int(['x'][0])", "type conversion error from 'string' to 'int'"), ("uint([-1][0])", "unsigned integer overflow"),
    ("int([1e99][0])", "integer overflow"),
    ("0.0 / 0.0 < 1.0", "NaN values cannot be ordered"), ("timestamp('9999-12-31T23:59:59Z') + duration('1s')", "timestamp overflow"),
    ("string([b'\\xff'][0])", "invalid UTF-8 in bytes, cannot convert to string"),
    ("timestamp(0).getHours('Nowhere/No')", "unknown time zone Nowhere/No"),
    ("[1, 1].transformMapEntry(i, v, {v: i})", "insert failed: key 1 already exists"),
    ("dyn(1).all(x, true)", "got 'int', expected iterable type"),
])
def test_an_expression_fails_with_cel_gos_words(source: str, message: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        compile_expression(source, {}, result=None).evaluate({})

    assert str(caught.value) == message


@pytest.mark.parametrize(("source", "variables", "bindings", "value"), [
    ("x + 1", {"x": INT}, {"x": 2}, 3),
    ("a.b.c", {"a": map_of(STRING, map_of(STRING, INT))}, {"a": {"b": {"c": 5}}}, 5),
    ("a[0].b", {"a": list_of(map_of(STRING, INT))}, {"a": [{"b": 1}]}, 1),
    ("x.y", {"x": DYN, "x.y": INT}, {"x.y": 7, "x": {}}, 7),
    ("[1].map(x, x + y)", {"x": STRING, "y": INT}, {"y": 2}, [3]),
    ("dyn(x) == 3", {"x": DYN}, {"x": 3.0}, True),
    ("o.__namespace__ + o.a__dash__b", {"o": ObjectType("O", {"__namespace__": STRING, "a__dash__b": STRING},
                                                        keys={"__namespace__": "namespace", "a__dash__b": "a-b"})},
     {"o": {"namespace": "x", "a-b": "y"}}, "xy"),
])
def test_variables_are_bound_by_name(source: str, variables: dict[str, Type], bindings: dict[str, Any], value: Any) -> None:
    assert compile_expression(source, variables, result=None).evaluate(bindings) == value


def test_a_variable_without_a_binding_is_missed_only_where_it_is_used() -> None:
    variables = {"x": INT, "y": INT}

    assert compile_expression("x == 1", variables).evaluate({"x": 1}) is True
    with pytest.raises(EvaluationError, match=r"no such attribute\(s\): y"):
        compile_expression("x == y", variables).evaluate({"x": 1})


def test_a_null_field_of_an_object_counts_as_missing() -> None:
    variables = {"o": ObjectType("O", {"a": STRING})}

    assert compile_expression("has(o.a)", variables).evaluate({"o": {"a": None}}) is False
    with pytest.raises(EvaluationError, match="no such key: a"):
        compile_expression("o.a == ''", variables).evaluate({"o": {"a": None}})


def test_data_of_another_type_than_declared_is_an_error_that_logic_absorbs() -> None:
    program = compile_expression("s.startsWith('a') || true", {"s": STRING})

    assert program.evaluate({"s": None}) is True
    with pytest.raises(EvaluationError, match="no such overload"):
        compile_expression("s.startsWith('a')", {"s": STRING}).evaluate({"s": 5})


def test_objects_can_be_made_where_their_types_are_given() -> None:
    spec = ObjectType("Object.spec", {"replicas": INT})
    types = {"Object": ObjectType("Object", {"spec": spec}), "Object.spec": spec}

    source = "Object{spec: Object.spec{replicas: 1, ?replicas: optional.none()}}"
    program = compile_expression(source, {}, types=types, result=types["Object"])

    assert program.evaluate({}) == {"spec": {"replicas": 1}}


def test_bindings_are_computed_once_and_only_when_needed() -> None:
    bind = frozenset({"bindings"})

    assert compile_expression("cel.bind(x, 1 + 1, x * x)", {}, result=INT, extensions=bind).evaluate({}) == 4
    assert compile_expression("cel.bind(x, 1 / 0, true || x == 1)", {}, extensions=bind).evaluate({}) is True


def test_one_program_can_be_evaluated_again_and_again() -> None:
    program = compile_expression("xs.transformMap(i, x, x)", {"xs": list_of(INT)}, result=None)

    assert program.evaluate({"xs": [1]}) == {0: 1}
    assert program.evaluate({"xs": [2, 3]}) == {0: 2, 1: 3}
