"""Types of admission policies: which kinds are looked at, and what is said of expressions. The sentences are those of upstream v1.37.1."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from control_plane.controllers.policy_status.schemas import Definitions, of_custom_kind
from control_plane.controllers.policy_status.type_checking import issues_of, kinds_of, type_of_kind, warnings_of
from kube.api.admissionregistration_v1 import ValidatingAdmissionPolicySpec
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupVersionKind
from kube.cel.types import DYN
from tests.support.policies import policy

DEPLOYMENTS = {"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"]}
BUILT_IN = [row for row in SCHEME if row.custom is None]
CRONTAB = GroupVersionKind("stable.example.com", "v1", "CronTab")
CRONTABS: dict[str, Any] = {"spec": {"versions": [{"name": "v1", "schema": {"openAPIV3Schema": {"type": "object", "properties": {
    "spec": {"type": "object", "properties": {
        "replicas": {"type": "integer"}, "port": {"x-kubernetes-int-or-string": True},
        "any": {"x-kubernetes-preserve-unknown-fields": True},
        "template": {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
    }},
}}}}]}}


def spec_of(*validations: Any, rules: Any = (DEPLOYMENTS,), **spec: Any) -> ValidatingAdmissionPolicySpec:
    return msgspec.convert(policy("p", *validations, rules=list(rules), **spec)["spec"], ValidatingAdmissionPolicySpec)


def checked(spec: ValidatingAdmissionPolicySpec) -> list[tuple[str, str]]:
    definitions, params = Definitions(), DYN
    if spec.param_kind is not None:
        held = definitions.of_kind(GroupVersionKind.of(spec.param_kind.api_version, spec.param_kind.kind))
        params = type_of_kind(held, "Params") if held else DYN
    issues = []
    for row in kinds_of(spec, BUILT_IN):
        schema = definitions.of_kind(row.gvk)
        assert schema is not None
        issues.append(issues_of(spec, row.gvk, type_of_kind(schema, row.kind), params))
    return [(one.field_ref, one.warning) for one in warnings_of(spec, issues)]


def custom_issues(*expressions: str) -> dict[str, str]:
    schema = of_custom_kind(CRONTABS, "v1", Definitions())
    assert schema is not None
    return issues_of(spec_of(*expressions), CRONTAB, type_of_kind(schema, "CronTab"), DYN)


def test_a_confused_expression_and_message_are_told_as_upstream_does() -> None:
    found = checked(spec_of({"expression": "object.spec.replicas > '1'", "messageExpression": "'got ' + object.spec.replicas"}))

    assert found == [
        ("spec.validations[0].expression",
         "apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_>_' applied to '(int, string)'\n"
         " | object.spec.replicas > '1'\n | .....................^\n"),
        ("spec.validations[0].messageExpression",
         "apps/v1, Kind=Deployment: ERROR: <input>:1:8: found no matching overload for '_+_' applied to '(string, int)'\n"
         " | 'got ' + object.spec.replicas\n | .......^\n"),
    ]


@pytest.mark.parametrize("expression", [
    "object.spec.replicas > 1",
    "object.spec.strategy.rollingUpdate.maxSurge.anything == 1",
    "object.metadata.creationTimestamp > timestamp('2020-01-01T00:00:00Z') && object.metadata.labels.app == 'a'",
    "object.spec.template.spec.containers.all(c, c.image.startsWith('a'))",
    "oldObject == null || oldObject.spec.replicas == object.spec.replicas",
    "request.userInfo.username == namespaceObject.metadata.name && authorizer.group('').resource('pods').check('get').allowed()",
    "variables.replicas > 1 && variables.template.anything == 1",
    "params.data['most'] == 'a'",
])
def test_what_fits_is_not_told(expression: str) -> None:
    variables = [{"name": "replicas", "expression": "object.spec.replicas"}, {"name": "template", "expression": "object.spec.template"}]
    assert checked(spec_of(expression, variables=variables, paramKind={"apiVersion": "v1", "kind": "ConfigMap"})) == []


@pytest.mark.parametrize(("expression", "said"), [
    ("object.spec.maxRetries < 10", "undefined field 'maxRetries'"),
    ("object.spec.template.spec.containers.all(c, c.imag == '')", "undefined field 'imag'"),
    ("has(object.spec.template.spec.overhead)", "undefined field 'overhead'"),              # upstream gives quantities no type
    ("params.nope == 1", "undefined field 'nope'"),
    ("variables.replicas == 'a'", "found no matching overload for '_==_' applied to '(int, string)'"),
    ("variables.none == 1", "undefined field 'none'"),
    ("namespaceObject.spec.x == 1", "undefined field 'x'"),
    ("authorizer.requestResource.check('get').allowed()", "unexpected failed resolution of 'kubernetes.authorization.Authorizer'"),
])
def test_what_does_not_fit_is_told(expression: str, said: str) -> None:
    variables = [{"name": "replicas", "expression": "object.spec.replicas"}, {"name": "wrong", "expression": "object.nope"}]
    found = checked(spec_of(expression, variables=variables, paramKind={"apiVersion": "v1", "kind": "ConfigMap"}))

    assert [path for path, _ in found] == ["spec.validations[0].expression"]
    assert said in found[0][1]


def test_each_kind_has_its_part_of_the_warning() -> None:
    core = {**DEPLOYMENTS, "apiGroups": [""], "resources": ["pods", "configmaps"]}
    found = checked(spec_of("object.data.a == 'b'", rules=[DEPLOYMENTS, core]))

    head, tail = "ERROR: <input>:1:7: undefined field 'data'", " | object.data.a == 'b'\n | ......^\n"
    assert found == [("spec.validations[0].expression", f"/v1, Kind=Pod: {head}\n{tail}\napps/v1, Kind=Deployment: {head}\n{tail}")]


@pytest.mark.parametrize(("rule", "kinds"), [
    pytest.param(DEPLOYMENTS, ["Deployment"], id="one"),
    pytest.param({**DEPLOYMENTS, "resources": ["replicasets", "deployments", "deployments/status"]}, ["Deployment", "ReplicaSet"],
                 id="sorted, without subresources"),
    pytest.param({**DEPLOYMENTS, "resources": ["*", "deployments"]}, ["Deployment"], id="resources with a wildcard say nothing"),
    pytest.param({**DEPLOYMENTS, "apiGroups": ["*"]}, [], id="any group"),
    pytest.param({**DEPLOYMENTS, "apiVersions": ["v1", "*"]}, [], id="any version"),
    pytest.param({**DEPLOYMENTS, "resources": ["widgets"]}, [], id="unknown"),
    pytest.param({"apiGroups": [""], "apiVersions": ["v1"], "resources": ["events"]}, ["Event", "Event"], id="the core group is any group"),
])
def test_which_kinds_are_looked_at(rule: dict[str, Any], kinds: list[str]) -> None:
    assert [row.kind for row in kinds_of(spec_of("true", rules=[rule]), BUILT_IN)] == kinds


def test_at_most_ten_kinds_are_looked_at() -> None:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": [row.plural for row in BUILT_IN if row.version == "v1"]}
    assert len(kinds_of(spec_of("true", rules=[rule, DEPLOYMENTS]), BUILT_IN)) == 10


def test_a_custom_kind_is_what_its_definition_says_and_an_object() -> None:
    assert custom_issues(
        "object.spec.replicas > 1", "object.spec.port.anything == 1", "object.metadata.labels.a == object.kind",
        "object.spec.template.metadata.labels.a == 'b'",
    ) == {}
    found = custom_issues(
        "object.spec.replicas > '1'", "object.spec.maxRetries < 10", "object.spec.any == 1", "object.spec.template.data == 1")
    assert [text.partition("\n")[0].partition(": ERROR: <input>:")[2].partition(": ")[2] for text in found.values()] == [
        "found no matching overload for '_>_' applied to '(int, string)'", "undefined field 'maxRetries'", "undefined field 'any'",
        "undefined field 'data'",
    ]
