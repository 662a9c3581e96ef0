"""What is refused before anything is evaluated, in cel-go's words and layout."""

from __future__ import annotations

import pytest

from kube.cel import CompileError
from kube.cel import compile as compile_expression
from kube.cel.errors import InstantiationError, ResultTypeError
from kube.cel.types import DYN, INT, STRING, ObjectType, list_of

VARIABLES = {"self": ObjectType("T", {"a": INT, "names": list_of(STRING)}), "d": DYN}


@pytest.mark.parametrize(("source", "line", "column", "message"), [
    ("x", 1, 1, "undeclared reference to 'x' (in container '')"),
    ("1 + 'a' == 2", 1, 3, "found no matching overload for '_+_' applied to '(int, string)'"),
    ("self.b == 1", 1, 5, "undefined field 'b'"),
    ("self.a.b == 1", 1, 7, "type 'int' does not support field selection"),
    ("self.a.startsWith('x')", 1, 18, "found no matching overload for 'startsWith' applied to 'int.(string)'"),
    ("self.names.all(n, n > 1)", 1, 21, "found no matching overload for '_>_' applied to '(string, int)'"),
    ("nope(1)", 1, 5, "undeclared reference to 'nope' (in container '')"),
    ("true && 1", 1, 9, "expected type 'bool' but found 'int'"),
    ("[1, 'a'] == []", 1, 5, "expected type 'int' but found 'string'"),
    ("{'a': 1, 'b': 'x'} == {}", 1, 15, "expected type 'int' but found 'string'"),
    ("self.a.all(x, true)", 1, 5, "expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)"),
    ("[1].all(1, true)", 1, 9, "argument must be a simple name"),
    ("[1].map(x.y, true) == []", 1, 10, "argument is not an identifier"),
    ("has(d)", 1, 5, "invalid argument to has() macro"),
    ("let == 1", 1, 1, "reserved identifier: let"),
    ("9223372036854775808 == 1", 1, 1, "invalid int literal"),
    ("18446744073709551616u == 1u", 1, 1, "invalid uint literal"),
    ("duration('1x') == d", 1, 10, "invalid duration argument"),
    ("timestamp('yesterday') == d", 1, 11, "invalid timestamp argument"),
    ("'a'.matches('(')", 1, 13, "invalid matches argument"),
    ("'%d'.format(['x']) == ''", 1, 14, "error during formatting: decimal clause can only be used on integers, was given string"),
    ("'%d %d'.format([1]) == ''", 1, 15, "index 1 out of range"),
    ("1 == 1 )", 1, 8, "Syntax error: extraneous input ')' expecting <EOF>"),
    ("!-(1)", 1, 2, "Syntax error: extraneous input '-' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, "
                    "NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"),
    ("(1 == 1", 1, 8, "Syntax error: mismatched input '<EOF>' expecting ')'"),
    ("true &&\n\tx", 2, 2, "undeclared reference to 'x' (in container '')"),
    ("Pod{} == d", 1, 4, "undeclared reference to 'Pod' (in container '')"),
    ("int{} == d", 1, 4, "'int' is not a message type"),
    ("math.abs(1) == 1", 1, 1, "undeclared reference to 'math' (in container '')"),
    ("'a'.reverse() == 'a'", 1, 12, "found no matching overload for 'reverse' applied to 'string.()'"),
])
def test_faults_are_reported_with_their_place(source: str, line: int, column: int, message: str) -> None:
    with pytest.raises(CompileError) as caught:
        compile_expression(source, VARIABLES)

    assert str(caught.value).split("\n")[0] == f"ERROR: <input>:{line}:{column}: {message}"


def test_the_source_is_shown_with_a_caret() -> None:
    with pytest.raises(CompileError) as caught:
        compile_expression("'é' == x", {})

    assert str(caught.value) == "ERROR: <input>:1:8: undeclared reference to 'x' (in container '')\n | 'é' == x\n | .．.....^"


def test_all_faults_are_reported_in_the_order_of_the_source() -> None:
    with pytest.raises(CompileError) as caught:
        compile_expression("a == 1 && b == 2", {})

    assert [issue.offset for issue in caught.value.issues] == [0, 10]


@pytest.mark.parametrize("source", [
    pytest.param("(" * 300 + "true" + ")" * 300, id="parentheses"), pytest.param("[" * 300 + "]" * 300 + " == []", id="lists"),
])
def test_nesting_has_a_limit(source: str) -> None:
    with pytest.raises(CompileError, match="expression recursion limit exceeded: 250"):
        compile_expression(source, VARIABLES)


@pytest.mark.parametrize("source", [
    pytest.param("1" + " + 1" * 300 + " == 1", id="sums"), pytest.param("d" + ".a" * 300 + " == 1", id="selections"),
    pytest.param("d" + "[0]" * 300 + " == 1", id="indices"),
])
def test_chains_have_a_limit(source: str) -> None:
    with pytest.raises(CompileError, match="max recursion depth exceeded"):
        compile_expression(source, VARIABLES)


def test_length_has_a_limit() -> None:
    with pytest.raises(CompileError, match="expression code point size exceeds limit: size: 100008, limit 100000"):
        compile_expression(f"'{'a' * 100_001}' == d", VARIABLES)


def test_long_chains_of_logic_stay_shallow() -> None:
    assert compile_expression(" || ".join(["false"] * 5000), {}).evaluate({}) is False


def test_a_result_of_another_type_is_refused() -> None:
    with pytest.raises(ResultTypeError) as caught:
        compile_expression("1", {})

    assert str(caught.value) == "must evaluate to bool but got int"


@pytest.mark.parametrize(("source", "message"), [
    ("duration(null) == duration('1s')", "no such overload: duration"),
    ("int('x') == 1", "type conversion error from 'string' to 'int'"),
    ("'a'.find('[') == ''", "error parsing regexp: missing closing ]: `[`"),
])
def test_constants_that_cannot_be_used_spoil_the_program(source: str, message: str) -> None:
    with pytest.raises(InstantiationError) as caught:
        compile_expression(source, {})

    assert str(caught.value) == message


def test_types_can_be_mixed_where_they_are_dyn_or_formatted() -> None:
    assert compile_expression("[dyn(1), dyn('a')].size() == 2", {}).evaluate({}) is True
    assert compile_expression("'%d %s'.format([1, 'a']) == '1 a'", {}).evaluate({}) is True
