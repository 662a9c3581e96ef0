"""What expressions cost when they run, and what they may cost at most: figures that Kubernetes' own tests state as stable."""

from __future__ import annotations

from typing import Any

import pytest

from kube.cel import CostExceeded
from kube.cel import compile as compile_expression
from kube.cel.library.authorizer import Authorizer, Decision
from kube.cel.program import PER_CALL_LIMIT
from kube.cel.schema import max_cardinality, type_of
from kube.cel.types import AUTHORIZER, Type

STRING = {"type": "string"}
INTEGER = {"type": "integer"}
BYTES = {"type": "string", "format": "byte"}


def obj(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def array(items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


def mapping(values: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values, **more}


def typed(schema: dict[str, Any]) -> Type:
    found = type_of(schema)
    assert found is not None
    return found


TEXT = "Rook takes 👑"
MAP_LIST = array(obj(k=STRING, v=STRING, v2=STRING), **{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]})
ROWS = [{"k": "a1", "v": "b1"}, {"k": "a2", "v": "b2"}, {"k": "a3", "v": "b3", "v2": "z"}]
RUNTIME: list[tuple[str, dict[str, Any], dict[str, Any], int]] = [
    ("self.a == self.b", obj(a=STRING, b=STRING), {"a": TEXT, "b": TEXT}, 6),
    ("self.a.startsWith('Rook')", obj(a=STRING), {"a": TEXT}, 3),
    ("self.a.matches('^[^0-9]*$')", obj(a=STRING), {"a": TEXT}, 8),
    ("type(self.a) == string", obj(a=STRING), {"a": TEXT}, 4),
    ("self.a.charAt(3) == 'k'", obj(a=STRING), {"a": TEXT}, 4),
    ("self.a.split(' ') == ['Rook', 'takes', '👑']", obj(a=STRING), {"a": TEXT}, 6),
    ("self.a.replace(' ', 'x') == 'Rookxtakesx👑'", obj(a=STRING), {"a": TEXT}, 7),
    ("self.a == b'AB'", obj(a=BYTES), {"a": "QUI="}, 3),
    ("double(5) < 10.0", obj(a=INTEGER), {}, 1),
    ("self.a in ['Pending', 'Available']", obj(a=STRING), {"a": "Pending"}, 2),
    ("1 in self.a", obj(a=array(INTEGER)), {"a": [1, 2, 3]}, 5),
    ("self.a[0] in self.a", obj(a=array(INTEGER)), {"a": [1, 2, 3]}, 8),
    ("self.a + [4, 5] == [1, 2, 3, 4, 5]", obj(a=array(INTEGER)), {"a": [1, 2, 3]}, 4),
    ("has(self.a) && has(self.b)", obj(a=INTEGER, b=INTEGER), {"a": 1, "b": 2}, 2),
    ("self.val.all(k, self.val[k] > 0)", obj(val=mapping(INTEGER)), {"val": {"b": 1, "d": 2}}, 17),
    ("self.val.exists_one(k, self.val[k] == 2)", obj(val=mapping(INTEGER)), {"val": {"b": 1, "d": 2}}, 14),
    ("size(self.val.filter(k, self.val[k] > 1)) == 1", obj(val=mapping(INTEGER)), {"val": {"b": 1, "d": 2}}, 26),
    ("self.val.all(k, v, v > 0)", obj(val=mapping(INTEGER)), {"val": {"b": 1, "d": 2}}, 13),
    ("self.val.transformMap(k, v, v + 1).size() == 2", obj(val=mapping(INTEGER)), {"val": {"b": 1, "d": 2}}, 15),
    ("self.rows.exists(m, m.k == 'a1' && m.v == 'b1')", obj(rows=MAP_LIST), {"rows": ROWS}, 16),
    ("self.rows.map(m, m.v).exists(v, v == 'b1')", obj(rows=MAP_LIST), {"rows": ROWS}, 55),
    ("self.rows.filter(m, has(m.v2) && m.v2 == 'z').size() == 1", obj(rows=MAP_LIST), {"rows": ROWS}, 24),
    ("self.rows.exists(m, m.v2 == 'z')", obj(rows=MAP_LIST), {"rows": ROWS}, 24),
    ("!self.rows.all(m, m.v2 != 'z')", obj(rows=MAP_LIST), {"rows": ROWS}, 22),
    ("self.rows.transformList(i, m, m.v).size() == 3", obj(rows=MAP_LIST), {"rows": ROWS}, 47),
    ("self.a.map(e, e * 20).filter(e, e > 50).exists(e, e == 60)", obj(a=array(INTEGER)), {"a": [1, 1, 2, 2, 3, 3, 4, 5]}, 194),
    ("optional.of('a').optMap(v, v == 'value').hasValue()", obj(), {}, 8),
    ("self.o.?field.orValue('v') == 'a'", obj(o=obj(field=STRING)), {"o": {"field": "a"}}, 4),
    ("self.o.?absent == optional.none()", obj(o=obj(absent=STRING)), {"o": {}}, 4),
    ("[-3, 1, -5, -2, 4].sortBy(e, -(e * e)) == [-5, 4, -3, -2, 1]", obj(), {}, 145),
    ("['c', 'a', 'a', 'b', 'a', 'b', 'c', 'c'].distinct() == ['c', 'a', 'b']", obj(), {}, 146),
    ("quantity('50k').add(quantity('20')) == quantity('50.02k')", obj(), {}, 5),
]


@pytest.mark.parametrize(("rule", "schema", "value", "cost"), RUNTIME, ids=[row[0] for row in RUNTIME])
def test_an_evaluation_costs_what_upstream_counts(rule: str, schema: dict[str, Any], value: dict[str, Any], cost: int) -> None:
    program = compile_expression(rule, {"self": typed(schema)})

    assert program.evaluate_with_cost({"self": value}) == (True, cost)


NUMBER = {"type": "number"}
DATE_TIME = {"type": "string", "format": "date-time"}
DURATION = {"type": "string", "format": "duration"}
INT_OR_STRING = {"x-kubernetes-int-or-string": True}
ROW = {"type": "object", "required": ["required"], "properties": {"required": STRING, "optional": STRING}}
ESTIMATES: list[tuple[str, dict[str, Any], int]] = [
    ("self.all(x, true)", array(NUMBER), 4718591), ("self.all(x, true)", array(NUMBER, maxItems=10), 32),
    ("self.all(x, true)", array(STRING), 3145727), ("self.all(x, true)", array({"type": "boolean"}), 1887437),
    ("self.all(x, true)", array(array(NUMBER)), 3145727), ("self.all(x, true)", array(ROW), 555128),
    ("self.all(x, true)", mapping(NUMBER), 1348169), ("self.all(x, true)", mapping(STRING), 1179647),
    ("self.all(x, true)", array(DURATION), 2359295), ("self.all(x, true)", array(DATE_TIME), 428963),
    ("self.all(x, true)", array({"type": "string", "format": "date"}), 725936), ("self.all(x, true)", array(INT_OR_STRING), 4718591),
    ("self.all(x, self.all(y, true))", array(NUMBER, maxItems=10), 352),
    ("self.contains('test')", STRING, 314574), ("self.contains('test')", {**STRING, "maxLength": 10}, 5),
    ("self.startsWith('test')", STRING, 2),
    ("size(self + \"hello\") > size(\"hello\")", STRING, 314578), ("self[1] == 0.0", array(NUMBER), 2),
    ("self[1] == self[1]", array(STRING), 314577),
    ("self.matches(\"x\")", STRING, 314574), ("self.matches(\"x\")", {**STRING, "maxLength": 50}, 22),
    ("self == \"x\"", {**STRING, "maxLength": 0}, 1), ("self == b\"x\"", BYTES, 2),
    ("self.all(x, x.contains(self[x]))", mapping(STRING), 2752507),
    ("self.all(x, x[\"y\"].required == \"z\")", array(mapping(ROW)), 7340027), ("self[0].x > 2.0", array(mapping(NUMBER)), 4),
    ("self[0].getHours() == 2", array(DURATION), 4), ("self[\"a\"] == self[\"b\"]", mapping(DATE_TIME), 8),
    ("self.find('[0-9]+') == ''", STRING, 629147), ("self.join(' ') == 'aa bb'", array(STRING), 329853068905),
    ("self.join(' ') == 'aa bb'", array({**STRING, "maxLength": 10}, maxItems=10), 43),
    ("self.isSorted() == true", array(STRING), 329854432052),
    ("self.str.replace(self.before, self.after) == 'does not matter'",
     obj(str=STRING, before={**STRING, "maxLength": 2}, after={**STRING, "maxLength": 4}), 629154),
    ("self.str.split(self.separator) == []", obj(str=STRING, separator=STRING), 629160), ("self.lowerAscii() == 'lower!'", STRING, 314575),
    ("oldSelf.size() == self.size()", mapping(INTEGER), 5), ("self.contains('A')", {**STRING, "enum": ["A", "LongValue"]}, 2),
    ("isQuantity(self)", INT_OR_STRING, 314574),
]


@pytest.mark.parametrize(("rule", "schema", "most"), ESTIMATES, ids=[f"{row[0]} {number}" for number, row in enumerate(ESTIMATES)])
def test_the_most_that_a_rule_can_cost_is_told_from_its_schema(rule: str, schema: dict[str, Any], most: int) -> None:
    type_ = typed(schema)
    program = compile_expression(rule, {"self": type_, "oldSelf": type_})

    assert program.estimated_cost()[1] == most


@pytest.mark.parametrize(("source", "estimate", "cost"), [
    ("cidr('192.168.0.0/16').containsIP('192.169.0.1')", (5, 8), 5), ("ip('2001:db8:3333:4444:5555:6666:7777:8888').family()", (5, 5), 5),
    ("cidr('2001:db8::/32').containsCIDR(cidr('2001:db8::/126'))", (7, 11), 7), ("url('https:://kubernetes.io/').getHost()", (4, 4), 4),
    ("format.named('dns1123Subdomain').value().validate('my-name')", (34, 34), 17),
    ("sets.equivalent([1, 2, 3], [3u, 2.0, 1])", (39, 39), 39),
    ("authorizer.path('/healthz').check('get').allowed()", (350003, 350003), 350003), ("semver('1.2.3').major()", (2, 2), 2),
    ("{'a': 1, 'b': 2}.transformMapEntry(k, v, {k: v + 1})", (131, 131), 131), ("[1, 2].exists(i, v, v > 0)", (19, 23), 20),
    ("authorizer.group('').resource('pods').fieldSelector('spec.nodeName=example-node-name.fully.qualified.domain.name.example.com')",
     (1821, 1821), 1821),
])
def test_libraries_cost_what_upstream_charges(source: str, estimate: tuple[int, int], cost: int) -> None:
    """Without folding of constants, as upstream's tests have it."""
    program = compile_expression(source, {"authorizer": AUTHORIZER}, result=None, fold_constants=False, homogeneous=False)

    assert program.estimated_cost() == estimate
    assert program.evaluate_with_cost({"authorizer": Authorizer(lambda _: Decision(True))})[1] == cost


def test_sizes_can_be_given_by_path() -> None:
    program = compile_expression("self.names.all(n, n.contains('x'))", {"self": typed(obj(names=array(STRING)))})
    asked = {("self", "names"): (0, 10), ("self", "names", "@items"): (0, 100)}

    assert program.estimated_cost(lambda path: asked.get(path)) == (3, 3 + 10 * (2 + 1 + 1 + 10))


def test_a_loop_ends_when_the_budget_is_used_up() -> None:
    numbers = {"xs": list(range(2000))}
    program = compile_expression("self.xs.all(x, self.xs.all(y, x + y >= 0))", {"self": typed(obj(xs=array(INTEGER)))})

    with pytest.raises(CostExceeded, match="operation cancelled: actual cost limit exceeded"):
        program.evaluate({"self": numbers})
    assert program.evaluate({"self": numbers}, budget=100 * PER_CALL_LIMIT) is True


def test_nothing_absorbs_an_exceeded_budget() -> None:
    program = compile_expression("true || self.xs.all(x, x > 0) || true", {"self": typed(obj(xs=array(INTEGER)))})
    absorbing = compile_expression("self.xs.all(x, x >= 0) || true", {"self": typed(obj(xs=array(INTEGER)))})

    assert program.evaluate({"self": {"xs": [1]}}, budget=5) is True
    with pytest.raises(CostExceeded):
        absorbing.evaluate({"self": {"xs": list(range(100))}}, budget=50)


def test_cardinality_is_told_from_the_shortest_json() -> None:
    assert max_cardinality(typed(STRING)) == 3 * 1024 * 1024 // 3
    assert max_cardinality(typed(ROW)) == 3 * 1024 * 1024 // (2 + len("required") + 2 + 4 + 1)
