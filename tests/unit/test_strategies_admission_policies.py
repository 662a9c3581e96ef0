"""What is wrong with admission policies and bindings, in upstream's words."""

from __future__ import annotations

from typing import Any

import pytest

from control_plane.apiserver.strategies.registry import strategy_for
from kube.apimachinery.meta import JsonObject
from tests.support.memory_store import resource_of
from tests.support.policies import applied, binding, mutating, param_ref, patched, policy
from tests.support.webhooks import rule


def problems(obj: JsonObject, old: JsonObject | None = None) -> list[tuple[str, str]]:
    strategy = strategy_for(resource_of(obj))
    strategy.default(obj)
    return [(cause.field, cause.message) for cause in strategy.validate_object(obj, old)]


def variable(name: str, expression: str) -> JsonObject:
    return {"name": name, "expression": expression}


@pytest.mark.parametrize("good", [
    pytest.param(policy("p", "object.data.size() < 3"), id="simple"),
    pytest.param(policy("p", "variables.n < params.most", variables=[variable("n", "object.data.size()")],
                        paramKind={"apiVersion": "v1", "kind": "ConfigMap"}), id="variables and params"),
    pytest.param(policy("p", "variables.b > 1", variables=[variable("a", "1"), variable("b", "variables.a + 1")]), id="chained variables"),
    pytest.param(policy("p", "authorizer.requestResource.check('get').allowed()", "authorizer.path('/x').check('get').allowed()"),
                 id="authorizer"),
    pytest.param(policy("p", "namespaceObject.metadata.labels['a'] == 'b' && request.operation == 'CREATE' && oldObject == null"),
                 id="names"),
    pytest.param(policy("p", "namespaceObject.metadata.creationTimestamp < timestamp('2100-01-01T00:00:00Z')"), id="times"),
    pytest.param(policy("p", auditAnnotations=[{"key": "k", "valueExpression": "'a' + request.name"}]), id="annotations alone"),
    pytest.param(binding("b", "p", "Warn", "Audit"), id="binding"),
    pytest.param(binding("b", "p", paramRef=param_ref("x", namespace="ns")), id="binding with params"),
    pytest.param(mutating("m", applied("Object{metadata: Object.metadata{labels: {'a': 'b'}}}")), id="apply"),
    pytest.param(mutating("m", patched("[JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('a/b'), value: 'x'}]")),
                 id="patch"),
    pytest.param(mutating("m", patched("true ? [JSONPatch{op: 'add', path: '/x', value: Object.spec{a: 1}}] : []")),
                 id="patch with object"),
    pytest.param(binding("b", "m", kind="Mutating"), id="binding of a mutation"),
])
def test_valid_ones_pass(good: JsonObject) -> None:
    assert problems(good) == []


VALIDATIONS = "spec.validations[0]"


@pytest.mark.parametrize(("validation", "field", "message"), [
    pytest.param("object.", "expression", "compilation failed: ERROR: <input>:1:8: Syntax error: ", id="syntax"),
    pytest.param("nope", "expression", "undeclared reference to 'nope' (in container '')", id="unknown name"),
    pytest.param("variables.x", "expression", "undeclared reference to 'variables' (in container '')", id="no variables"),
    pytest.param("params.x == 1", "expression", "undeclared reference to 'params' (in container '')", id="no params"),
    pytest.param("request.nope == 1", "expression", "undefined field 'nope'", id="unknown field"),
    pytest.param("1", "expression", 'Invalid value: "1": must evaluate to bool but got int', id="not bool"),
    pytest.param("object.spec", "expression", "must evaluate to bool but got dyn", id="dyn is not bool"),
    pytest.param(" ", "expression", "Required value: expression is not specified", id="no expression"),
    pytest.param({"expression": "true", "messageExpression": "1"}, "messageExpression", "must evaluate to string but got int",
                 id="message"),
    pytest.param({"expression": "true", "messageExpression": "authorizer.path('/').check('get').reason()"}, "messageExpression",
                 "undeclared reference to 'authorizer'", id="messages do not ask the authorizer"),
    pytest.param({"expression": "true", "messageExpression": " "}, "messageExpression",
                 'Invalid value: " ": must be non-empty if specified',
                 id="blank message expression"),
    pytest.param({"expression": "true", "message": " "}, "message", "message must be non-empty if specified", id="blank message"),
    pytest.param({"expression": "true", "message": "a\nb"}, "message", "message must not contain line breaks", id="lines"),
    pytest.param({"expression": "true", "reason": "Gone"}, "reason",
                 'Unsupported value: "Gone": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge"', id="reason"),
])
def test_a_wrong_validation(validation: Any, field: str, message: str) -> None:
    [(at, said)] = problems(policy("p", validation))

    assert at == f"{VALIDATIONS}.{field}"
    assert message in said


@pytest.mark.parametrize(("spec", "field", "message"), [
    pytest.param({"failurePolicy": "Retry"}, "failurePolicy", 'Unsupported value: "Retry": supported values: "Fail", "Ignore"',
                 id="failure"),
    pytest.param({"paramKind": {"kind": "X"}}, "paramKind.apiVersion", "Required value", id="param version"),
    pytest.param({"paramKind": {"apiVersion": "a/b/c", "kind": "X"}}, "paramKind.apiVersion", "unexpected GroupVersion string: a/b/c",
                 id="group"),
    pytest.param({"match": {"resourceRules": []}}, "matchConstraints.resourceRules", "Required value", id="no rules"),
    pytest.param({"match": {"matchPolicy": "Near"}}, "matchConstraints.matchPolicy", 'Unsupported value: "Near"', id="match policy"),
    pytest.param({"rules": [{**rule("pods"), "resourceNames": ["a/b"]}]}, "matchConstraints.resourceRules[0].resourceNames[0]",
                 "may not contain '/'", id="names"),
    pytest.param({"matchConditions": [{"name": "a", "expression": "1"}]}, "matchConditions[0].expression", "must evaluate to bool",
                 id="condition"),
    pytest.param({"matchConditions": [{"name": "a", "expression": "variables.x"}], "variables": [variable("x", "true")]},
                 "matchConditions[0].expression", "undeclared reference to 'variables'", id="conditions have no variables"),
    pytest.param({"variables": [variable("in", "1")]}, "variables[0].name", "must be a valid CEL identifier", id="reserved"),
    pytest.param({"variables": [variable("a", "variables.b"), variable("b", "1")]}, "variables[0].expression", "undefined field 'b'",
                 id="order"),
    pytest.param({"auditAnnotations": [{"key": "k", "valueExpression": "1"}]}, "auditAnnotations[0].valueExpression",
                 "must evaluate to one of [string null_type] but got int", id="annotation"),
])
def test_a_wrong_policy(spec: JsonObject, field: str, message: str) -> None:
    [(at, said)] = problems(policy("p", "true", **spec))

    assert at == f"spec.{field}"
    assert message in said


def test_an_empty_policy() -> None:
    said = "Required value: validations or auditAnnotations must contain at least one item"
    assert problems(policy("p")) == [("spec.validations", said), ("spec.auditAnnotations", said)]


@pytest.mark.parametrize(("wrong", "field", "message"), [
    pytest.param(binding("b", ""), "policyName", "Required value", id="no policy"),
    pytest.param(binding("b", "p", "Deny", "Warn"), "validationActions", "must not contain both Deny and Warn", id="deny and warn"),
    pytest.param(binding("b", "p", validationActions=[]), "validationActions", "Required value",
                 id="no action"),
    pytest.param(binding("b", "p", "Audit", "Audit"), "validationActions[1]", 'Duplicate value: "Audit"', id="twice"),
    pytest.param(binding("b", "p", "Log"), "validationActions[0]", 'supported values: "Audit", "Deny", "Warn"', id="unknown"),
    pytest.param(binding("b", "p", paramRef=param_ref()), "paramRef", "one of name or selector must be specified", id="no params"),
    pytest.param(binding("b", "p", paramRef={"name": "x"}), "paramRef.parameterNotFoundAction", "Required value", id="not found action"),
])
def test_a_wrong_binding(wrong: JsonObject, field: str, message: str) -> None:
    [(at, said)] = problems(wrong)

    assert at == f"spec.{field}"
    assert message in said


@pytest.mark.parametrize(("wrong", "field", "message"), [
    pytest.param(mutating("m"), "mutations", "mutations must contain at least one item", id="nothing"),
    pytest.param(mutating("m", {"patchType": "Merge"}), "mutations[0].patchType", "Unsupported value", id="type"),
    pytest.param(mutating("m", {"patchType": "JSONPatch"}), "mutations[0].jsonPatch", "must be specified when patchType is JSONPatch",
                 id="none"),
    pytest.param(mutating("m", applied("{'a': 1}")), "mutations[0].applyConfiguration.expression",
                 "must evaluate to Object but got map(string, int)", id="a map is no Object"),
    pytest.param(mutating("m", patched("Object{}")), "mutations[0].jsonPatch.expression",
                 "must evaluate to list(JSONPatch) but got Object", id="an Object is no patch"),
    pytest.param(mutating("m", patched("[JSONPatch{nope: 1}]")), "mutations[0].jsonPatch.expression", "undefined field 'nope'", id="field"),
    pytest.param(mutating("m", applied("Object{}"), reinvocationPolicy=""), "reinvocationPolicy", "Required value", id="reinvocation"),
    pytest.param(mutating("m", applied("Object{}"), match={"resourceRules": [rule("pods", operations=("DELETE",))]}),
                 "matchConstraints.resourceRules[0].operations[0]", 'Unsupported value: "DELETE"', id="nothing to change"),
])
def test_a_wrong_mutation(wrong: JsonObject, field: str, message: str) -> None:
    [(at, said)] = problems(wrong)

    assert at == f"spec.{field}"
    assert message in said


def test_conditions_that_stay_are_not_looked_at_again() -> None:
    held = policy("p", "true", matchConditions=[{"name": "a", "expression": "removedFunction()"}])

    assert problems(policy("p", "false", matchConditions=held["spec"]["matchConditions"]), held) == []


@pytest.mark.parametrize("made", [policy("p", "true"), binding("b", "p", matchResources={"resourceRules": [rule("pods")]})])
def test_defaults(made: JsonObject) -> None:
    strategy_for(resource_of(made)).default(made)

    spec = made["spec"]
    match = spec.get("matchConstraints") or spec["matchResources"]
    assert (match["matchPolicy"], match["namespaceSelector"], match["objectSelector"]) == ("Equivalent", {}, {})
    assert match["resourceRules"][0]["scope"] == "*"
    assert spec.get("failurePolicy", "Fail") == "Fail"
