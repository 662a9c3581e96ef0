"""matchConditions: whether a webhook is called is decided by expressions over the request."""

from __future__ import annotations

from typing import Any

import pytest

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.apiserver.admission.webhooks.configuration import Webhooks
from control_plane.apiserver.admission.webhooks.selection import Selection
from control_plane.apiserver.admission.webhooks.versions import Views
from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.authorization.authorizer import Authorizer
from control_plane.apiserver.strategies.webhooks import validate_match_conditions
from kube.apimachinery.errors import Forbidden
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.resources import SCHEME
from tests.support.memory_store import memory_cache, resource_of
from tests.support.webhooks import configuration, rule, webhook

BOB = UserInfo("bob", groups=("devs",))
POD: JsonObject = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {"a": "b"}}, "spec": {"nodeName": "n"}}


async def holds(*expressions: str, user: UserInfo = BOB, **more: Any) -> bool:
    conditions = [{"name": f"c{number}", "expression": expression} for number, expression in enumerate(expressions)]
    hook = webhook("a.b.c", "https://h/", "", rule("pods"), matchConditions=conditions, **more)
    asked = AdmissionRequest(user=user, operation=Operation.CREATE, resource=resource_of(POD), namespace="default", name="p", obj=POD)
    async with memory_cache(configuration("Validating", "c", hook)) as (_, cache):
        candidate, = Webhooks(cache, SCHEME, "validatingwebhookconfigurations").candidates(asked)
        return await Selection(AdmissionContext(cache, SCHEME, Authorizer(cache))).chosen(candidate, asked, Views(asked))


@pytest.mark.parametrize(("expression", "held"), [
    pytest.param("request.operation == 'CREATE' && request.namespace == 'default'", True, id="request"),
    pytest.param("request.resource.resource == 'pods' && request.kind.kind == 'Pod' && !request.dryRun", True, id="coordinates"),
    pytest.param("!('system:nodes' in request.userInfo.groups)", True, id="not from nodes"),
    pytest.param("request.userInfo.username.startsWith('system:')", False, id="user"),
    pytest.param("object.metadata.labels['a'] == 'b' && oldObject == null", True, id="object"),
    pytest.param("has(request.subResource)", False, id="no subresource"),
    pytest.param("authorizer.group('').resource('pods').namespace('default').check('create').allowed()", False, id="authorizer"),
    pytest.param("authorizer.requestResource.check('create').allowed()", False, id="the request's resource"),
])
async def test_one_condition(expression: str, held: bool) -> None:
    assert await holds(expression) is held


async def test_rights_are_those_of_who_asks() -> None:
    expression = "authorizer.requestResource.check('breakglass').allowed()"

    assert await holds(expression, user=UserInfo("root", groups=("system:masters",)))
    assert not await holds(expression)


async def test_all_must_hold_and_a_false_one_outweighs_a_broken_one() -> None:
    broken = "object.spec.nothing == 'x'"

    assert await holds("true", "1 + 1 == 2")
    assert not await holds("true", "false")
    assert not await holds(broken, "false")
    with pytest.raises(Forbidden) as refused:
        await holds("true", broken)
    assert str(refused.value) == (
        f"pods \"p\" is forbidden: expression '{broken}' resulted in error: no such key: nothing")
    assert not await holds(broken, failurePolicy="Ignore")


@pytest.mark.parametrize(("expression", "message"), [
    pytest.param("object.x", "must evaluate to bool but got dyn", id="no boolean"),
    pytest.param("nobody == 1", "compilation failed: ERROR: <input>:1:1: undeclared reference to 'nobody' (in container '')",
                 id="unknown variable"),
    pytest.param("request.nothing == ''", "compilation failed: ERROR: <input>:1:8: undefined field 'nothing'", id="unknown field"),
    pytest.param("1 +", "compilation failed: ERROR: <input>:1:4: Syntax error: ", id="no expression"),
])
def test_expressions_are_compiled_when_they_are_written(expression: str, message: str) -> None:
    (cause,) = validate_match_conditions([{"name": "n", "expression": expression}], "m", set())

    assert cause.field == "m[0].expression"
    assert message in cause.message
    assert validate_match_conditions([{"name": "n", "expression": expression}], "m", {expression}) == []


def test_names_of_conditions_are_unique() -> None:
    conditions = [{"name": "n", "expression": "true"}] * 2 + [{"name": "a b", "expression": "true"}, {"expression": "true"}]

    causes = [f"{cause.field}: {cause.message}" for cause in validate_match_conditions(conditions, "m", set())]

    assert causes[0] == 'm[1].name: Duplicate value: "n"'
    assert causes[1].startswith('m[2].name: Invalid value: "a b": name part must consist of')
    assert causes[2] == "m[3].name: Required value"
