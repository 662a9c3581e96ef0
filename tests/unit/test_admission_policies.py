"""Policies asked about requests: what matches, what they say, what fails, what it may cost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.apiserver.admission.policies.validating import ValidatingAdmissionPolicy
from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.authorization.authorizer import Authorizer
from control_plane.apiserver.strategies.registry import strategy_for
from kube.apimachinery.errors import ApiError
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.resources import SCHEME
from tests.support.memory_store import memory_cache, resource_of
from tests.support.policies import binding, param_ref, policy
from tests.support.webhooks import rule

pytestmark = pytest.mark.asyncio
BOB = UserInfo("bob", groups=("dev",))
NAMESPACE: JsonObject = {
    "apiVersion": "v1", "kind": "Namespace",
    "metadata": {"name": "default", "labels": {"team": "blue"}, "creationTimestamp": "2026-01-02T03:04:05Z"},
}
CONFIG_MAP: JsonObject = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "default"}, "data": {"a": "1"}}
COSTLY = "[1,2,3,4,5,6,7,8,9,10].all(x, [1,2,3,4,5,6,7,8,9,10].all(y, [1,2,3,4,5,6,7,8,9,10].all(z, object.data.a != 'b')))"


def params(name: str, **more: Any) -> JsonObject:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default", **more}, "data": {"most": name}}


async def ask(stored: Iterable[JsonObject], obj: JsonObject | None = CONFIG_MAP, **more: Any) -> AdmissionRequest:
    """The request after admission. Raises what refuses it."""
    objects = [NAMESPACE, *stored]
    for made in objects:
        strategy_for(resource_of(made)).default(made)
    shown = obj or more["old"]
    metadata = shown["metadata"]
    request = AdmissionRequest(**{
        "user": BOB, "operation": Operation.CREATE, "resource": resource_of(shown), "namespace": metadata.get("namespace", ""),
        "name": metadata["name"], "obj": obj, **more,
    })
    async with memory_cache(*objects) as (_, cache):
        await ValidatingAdmissionPolicy(AdmissionContext(cache, SCHEME, Authorizer(cache))).validate(request)
    return request


async def refusal(stored: Iterable[JsonObject], **more: Any) -> ApiError:
    with pytest.raises(ApiError) as refused:
        await ask(stored, **more)
    return refused.value


@pytest.mark.parametrize(("expression", "holds"), [
    ("object.data.a == '1'", True), ("object.data.a == '2'", False), ("has(object.data.b)", False), ("oldObject == null", True),
    ("request.operation == 'CREATE' && request.userInfo.username == 'bob' && 'dev' in request.userInfo.groups", True),
    ("request.kind.kind == 'ConfigMap' && request.resource.resource == 'configmaps' && request.name == 'x'", True),
    ("namespaceObject.metadata.labels.team == 'blue'", True), ("namespaceObject.metadata.name == 'other'", False),
    ("namespaceObject.metadata.creationTimestamp.getFullYear() == 2026", True),
    ("authorizer.requestResource.check('create').allowed()", False),
    ("variables.size == 1", True), ("variables.twice == 3", False), ("variables.nothing == null", True),
    ("false && variables.broken", False), ("true || variables.broken", True),
])
async def test_expressions_see_the_request(expression: str, holds: bool) -> None:
    variables = [{"name": "size", "expression": "object.data.size()"}, {"name": "twice", "expression": "variables.size * 2"},
                 {"name": "broken", "expression": "object.nope == 1"}, {"name": "nothing", "expression": "null"}]
    stored = [policy("p", expression, variables=variables), binding("b", "p")]

    if holds:
        await ask(stored)
    else:
        assert (await refusal(stored)).message.endswith(f"failed expression: {expression}")


@pytest.mark.parametrize(("validation", "code", "reason", "message"), [
    pytest.param({"message": "no a"}, 422, "Invalid", "no a", id="message"),
    pytest.param({"message": "no", "reason": "Forbidden"}, 403, "Forbidden", "no", id="forbidden"),
    pytest.param({"reason": "RequestEntityTooLarge"}, 413, "RequestEntityTooLarge", "failed expression: object.data.a == '2'",
                 id="too large"),
    pytest.param({"messageExpression": "'a is ' + object.data.a"}, 422, "Invalid", "a is 1", id="expression"),
    pytest.param({"messageExpression": "object.data.b", "message": "fallback"}, 422, "Invalid", "fallback", id="it fails"),
    pytest.param({"messageExpression": "'a\\nb'", "message": "fallback"}, 422, "Invalid", "fallback", id="two lines"),
    pytest.param({"messageExpression": "'  '"}, 422, "Invalid", "failed expression: object.data.a == '2'", id="blank"),
])
async def test_what_a_refusal_says(validation: JsonObject, code: int, reason: str, message: str) -> None:
    refused = await refusal([policy("p", {"expression": "object.data.a == '2'", **validation}), binding("b", "p")])

    whole = f"ValidatingAdmissionPolicy 'p' with binding 'b' denied request: {message}"
    status = refused.to_status()
    assert (status["code"], status["reason"], status["message"]) == (code, reason, f'configmaps "x" is forbidden: {whole}')
    assert status["details"] == {"name": "x", "kind": "configmaps", "causes": [{"message": whole}]}


async def test_warnings_and_notes_do_not_refuse() -> None:
    request = await ask([policy("p", "true", {"expression": "false", "message": "no"}), binding("b", "p", "Warn", "Audit")])

    assert request.warnings == ["Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': no"]
    assert request.annotations == {"validation.policy.admission.k8s.io/validation_failure":
                                   '[{"message":"no","policy":"p","binding":"b","expressionIndex":1,"validationActions":["Warn","Audit"]}]'}


async def test_a_policy_without_a_binding_says_nothing() -> None:
    await ask([policy("p", "false"), binding("b", "other")])


@pytest.mark.parametrize(("expression", "message"), [
    ("object.nope == 1", "expression 'object.nope == 1' resulted in error: no such key: nope"),
    ("variables.v == 1", "expression 'variables.v == 1' resulted in error: composited variable \"v\" fails to evaluate: no such key: nope"),
    (f"{COSTLY} && [{', '.join(['1'] * 1000)}].all(q, {COSTLY})",
     "resulted in error: operation cancelled: actual cost limit exceeded"),
])
async def test_failures_refuse_unless_they_are_to_be_ignored(expression: str, message: str) -> None:
    variables = [{"name": "v", "expression": "object.nope"}]
    bound = binding("b", "p")

    refused = await refusal([policy("p", expression, variables=variables), bound])
    await ask([policy("p", expression, variables=variables, failurePolicy="Ignore"), bound])

    assert (refused.code, refused.reason) == (422, "Invalid")
    assert message in refused.message


async def test_all_expressions_share_a_budget() -> None:
    expression = f"[{', '.join(['1'] * 100)}].all(q, {COSTLY})"
    refused = await refusal([policy("p", *[expression] * 40), binding("b", "p")])

    assert refused.message.endswith("validation failed due to running out of cost budget, no further validation rules will be run")


async def test_match_conditions() -> None:
    def asked(*conditions: str, **spec: Any) -> list[JsonObject]:
        named = [{"name": f"c{index}", "expression": one} for index, one in enumerate(conditions)]
        return [policy("p", "false", matchConditions=named, **spec), binding("b", "p")]

    await ask(asked("true", "object.data.a == '2'"))
    await ask(asked("object.nope", "false"))
    await ask(asked("object.nope == 1", failurePolicy="Ignore"))
    assert (await refusal(asked("object.nope == 1"))).message.endswith("expression 'object.nope == 1' resulted in error: no such key: nope")
    assert (await refusal(asked("true"))).message.endswith("failed expression: false")


@pytest.mark.parametrize(("match", "refused"), [
    pytest.param({"namespaceSelector": {"matchLabels": {"team": "blue"}}}, True, id="namespace"),
    pytest.param({"namespaceSelector": {"matchLabels": {"team": "red"}}}, False, id="other namespace"),
    pytest.param({"objectSelector": {"matchLabels": {"a": "b"}}}, False, id="other labels"),
    pytest.param({"resourceRules": [{**rule("configmaps"), "resourceNames": ["x", "y"]}]}, True, id="name"),
    pytest.param({"resourceRules": [{**rule("configmaps"), "resourceNames": ["y"]}]}, False, id="other name"),
    pytest.param({"excludeResourceRules": [{**rule("configmaps"), "resourceNames": ["x"]}]}, False, id="excluded"),
    pytest.param({"excludeResourceRules": [rule("secrets")]}, True, id="another one excluded"),
    pytest.param({"resourceRules": [rule("configmaps", operations=("DELETE",))]}, False, id="other operation"),
])
@pytest.mark.parametrize("where", ["policy", "binding"])
async def test_what_is_meant(match: JsonObject, refused: bool, where: str) -> None:
    stored = [policy("p", "false", match=match if where == "policy" else {}),
              binding("b", "p", matchResources=match if where == "binding" else None)]
    if refused:
        await refusal(stored)
    else:
        await ask(stored)


async def test_deletion_has_no_object() -> None:
    deleting = [rule("configmaps", operations=("DELETE",))]
    stored = [policy("p", "object == null && oldObject.data.a == '2'", rules=deleting), binding("b", "p")]

    await refusal(stored, obj=None, old=CONFIG_MAP, operation=Operation.DELETE)


async def test_another_version_of_the_same_objects() -> None:
    stored = [policy("p", "object.apiVersion == 'v1' && request.kind.group == '' && request.requestKind.group == 'events.k8s.io'",
                     rules=[rule("events")]), binding("b", "p")]
    event: JsonObject = {"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "x", "namespace": "default"}, "note": "n"}

    await ask(stored, event)


async def test_namespace_object_is_null_where_there_is_none() -> None:
    stored = [policy("p", "namespaceObject == null", rules=[rule("namespaces", "nodes")]), binding("b", "p")]

    await ask(stored, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})
    await ask(stored, NAMESPACE)


MAPS = {"apiVersion": "v1", "kind": "ConfigMap"}


@pytest.mark.parametrize(("ref", "message"), [
    pytest.param(param_ref("1"), None, id="name"),
    pytest.param(param_ref("2"), "1 is not 2", id="another name"),
    pytest.param(param_ref(selector={"matchLabels": {"set": "a"}}), "1 is not 2", id="each of a set counts"),
    pytest.param(param_ref("nope"), "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction",
                 id="missing"),
    pytest.param(param_ref("nope", "Allow"), None, id="missing, and allowed"),
    pytest.param(param_ref(namespace="other", name="1"), "no params found", id="in another namespace"),
    pytest.param(None, "expression 'object.data.a == params.data.most' resulted in error: no such key: data", id="none: null"),
])
async def test_params(ref: JsonObject | None, message: str | None) -> None:
    validation = {"expression": "object.data.a == params.data.most", "messageExpression": "object.data.a + ' is not ' + params.data.most"}
    stored = [params("1", labels={"set": "a"}), params("2", labels={"set": "a"}), policy("p", validation, paramKind=dict(MAPS)),
              binding("b", "p", paramRef=ref)]
    if message is None:
        await ask(stored)
    else:
        assert message in (await refusal(stored)).message


@pytest.mark.parametrize(("kind", "ref", "obj", "message"), [
    pytest.param({"apiVersion": "x.example.com/v1", "kind": "Nope"}, param_ref("1"), CONFIG_MAP,
                 "'p' denied request: failed to configure policy: failed to find resource referenced by paramKind: "
                 "'x.example.com/v1, Kind=Nope'", id="unknown kind"),
    pytest.param({"apiVersion": "v1", "kind": "Node"}, param_ref("1", namespace="a"), CONFIG_MAP,
                 "paramRef.namespace must not be provided for a cluster-scoped `paramKind`", id="no namespace there"),
    pytest.param(dict(MAPS), param_ref("1"), {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}},
                 "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources", id="which namespace"),
])
async def test_params_that_cannot_be(kind: JsonObject, ref: JsonObject, obj: JsonObject, message: str) -> None:
    stored = [policy("p", "true", resources=("configmaps", "nodes"), paramKind=kind), binding("b", "p", paramRef=ref)]

    assert message in (await refusal(stored, obj=obj)).message


async def test_audit_annotations() -> None:
    notes = [{"key": "a", "valueExpression": "'param ' + params.data.most"}, {"key": "same", "valueExpression": "request.name"},
             {"key": "none", "valueExpression": "false ? 'x' : null"}]
    both = param_ref(selector={"matchLabels": {"set": "a"}})
    request = await ask([params("1", labels={"set": "a"}), params("2", labels={"set": "a"}),
                         policy("p", auditAnnotations=notes[:2], paramKind=dict(MAPS)), binding("b", "p", paramRef=both)])

    assert request.annotations == {"p/a": "param 1, param 2", "p/same": "x"}


async def test_an_annotation_that_fails_refuses_whatever_the_actions_are() -> None:
    stored = [policy("p", auditAnnotations=[{"key": "a", "valueExpression": "object.nope"}]), binding("b", "p", "Warn")]
    stored[0]["spec"]["auditAnnotations"][0]["valueExpression"] = "string(object.nope)"

    assert "resulted in error: no such key: nope" in (await refusal(stored)).message


async def test_policies_do_not_judge_policies() -> None:
    stored = [policy("p", "false", rules=[rule("*", groups=("*",), versions=("*",))]), binding("b", "p")]

    await ask(stored, policy("other", "true"))


async def test_what_is_compiled_stays_until_it_changes() -> None:
    first, bound = policy("p", "object.data.a == '1'"), binding("b", "p")
    for made in (first, bound):
        strategy_for(resource_of(made)).default(made)
    async with memory_cache(NAMESPACE, first, bound) as (store, cache):
        plugin = ValidatingAdmissionPolicy(AdmissionContext(cache, SCHEME, Authorizer(cache)))
        [held] = plugin._policies.all
        compiled = held.expressions
        await store.put(binding("c", "p"))
        await cache.fresh()
        assert [one.name for one in plugin._policies.all[0].bindings] == ["b", "c"]
        assert plugin._policies.all[0].expressions is compiled
        await store.put(policy("p", "object.data.a == '2'"))
        await cache.fresh()
        assert plugin._policies.all[0].expressions is not compiled


async def test_who_writes_a_binding_may_read_its_parameters() -> None:
    judged, bound = policy("p", "true", paramKind=dict(MAPS)), binding("b", "p", paramRef=param_ref("1", namespace="default"))
    who, kind = "&{bob  [dev] map[]}", "(kind=ConfigMap, apiVersion=v1)"

    assert (await refusal([], obj=judged)).causes[0].to_dict() == {
        "reason": "FieldValueForbidden", "field": "spec.paramKind",
        "message": f'Forbidden: user {who} must have "get" permission on all objects of the referenced paramKind {kind}',
    }
    assert (await refusal([judged], obj=bound)).causes[0].to_dict() == {
        "reason": "FieldValueForbidden", "field": "spec.paramRef",
        "message": f'Forbidden: user {who} does not have "get" permission on the object referenced by paramRef',
    }
    await ask([judged], bound, user=UserInfo("root", groups=("system:masters",)))
    await ask([judged], bound, operation=Operation.UPDATE, old=bound)
