"""Admission policies over HTTPS: what clients see of refusals, warnings, mutations, and of wrong policies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from tests.support.api_calls import Api, config_map, deployment
from tests.support.apiserver import RunningApiserver
from tests.support.policies import BASE, Json, applied, binding, mutating, param_ref, patched, policy
from tests.support.webhooks import rule

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]

MAPS = "/api/v1/namespaces/judged/configmaps"
PLURALS = {
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies", "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
    "MutatingAdmissionPolicy": "mutatingadmissionpolicies", "MutatingAdmissionPolicyBinding": "mutatingadmissionpolicybindings",
}
LIMIT_KIND = {"apiVersion": "rules.example.com/v1", "kind": "Limit"}
LIMITS = "/apis/rules.example.com/v1/limits"
DEFINITION: Json = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "limits.rules.example.com"},
    "spec": {
        "group": "rules.example.com", "scope": "Cluster", "names": {"plural": "limits", "singular": "limit", "kind": "Limit"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
            "type": "object", "properties": {"most": {"type": "integer"}},
        }}}],
    },
}


@pytest_asyncio.fixture(loop_scope="module")
async def api(server: RunningApiserver) -> AsyncIterator[Api]:
    async with server.session() as session:
        made = Api(session)
        await made.post("/api/v1/namespaces", {"metadata": {"name": "judged", "labels": {"judged": "yes"}}})
        yield made
        for plural in PLURALS.values():
            await made.delete(f"{BASE}/{plural}")
        await made.delete(MAPS)


async def make(api: Api, *objects: Json) -> None:
    for obj in objects:
        code, said = await api.post(f"{BASE}/{PLURALS[obj['kind']]}", obj)
        assert code == 201, said


async def becomes(what: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while True:
            if await what():
                return
            await asyncio.sleep(0.01)


async def until(api: Api, name: str, wanted: int, **data: str) -> Json:
    """Policies take effect when the cache has them: a moment after they are written."""
    async with asyncio.timeout(60):
        while True:
            code, said = await api.post(MAPS, config_map(name, **data), dryRun="All")
            if code == wanted:
                return said
            await asyncio.sleep(0.01)


async def test_a_refusal(api: Api) -> None:
    validation = {"expression": "!has(object.data.bad)", "message": "nothing bad", "reason": "Forbidden"}
    await make(api, policy("p", validation), binding("b", "p"))
    said = await until(api, "x", 403, bad="1")

    message = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: nothing bad"
    assert said["message"] == f'configmaps "x" is forbidden: {message}'
    assert (said["reason"], said["code"]) == ("Forbidden", 403)
    assert said["details"] == {"name": "x", "kind": "configmaps", "causes": [{"message": message}]}
    assert (await api.post(MAPS, config_map("x", good="1")))[0] == 201
    code, said = await api.patch(f"{MAPS}/x", {"data": {"bad": "1"}})
    assert (code, said["message"]) == (403, f'configmaps "x" is forbidden: {message}')


async def test_it_ends_with_its_binding(api: Api) -> None:
    await make(api, policy("p", "false"), binding("b", "p"))
    await until(api, "x", 422)
    await api.delete(f"{BASE}/validatingadmissionpolicybindings/b")

    await until(api, "x", 201)


async def test_a_warning(api: Api) -> None:
    await make(api, policy("p", {"expression": "false", "messageExpression": "'is ' + object.metadata.name"}), binding("b", "p", "Warn"))
    async with asyncio.timeout(60):
        while True:
            async with api.session.post(MAPS, params={"dryRun": "All"}, json=config_map("x")) as answer:
                assert answer.status == 201
                if warning := answer.headers.get("Warning"):
                    break
            await asyncio.sleep(0.01)

    assert warning == "299 - \"Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': is x\""


async def test_a_custom_kind_as_parameter(api: Api) -> None:
    await api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", DEFINITION)

    async def served() -> bool:
        return (await api.post(LIMITS, {**LIMIT_KIND, "metadata": {"name": "few"}, "most": 1}))[0] == 201

    await becomes(served)
    most = {"expression": "object.data.size() <= params.most", "messageExpression": "'at most ' + string(params.most)"}
    await make(api, policy("p", most, paramKind=LIMIT_KIND), binding("b", "p", paramRef=param_ref("few")))

    assert (await until(api, "x", 422, a="1", b="2"))["message"].endswith("denied request: at most 1")
    assert (await api.post(MAPS, config_map("y", a="1"), dryRun="All"))[0] == 201
    await api.patch(f"{LIMITS}/few", {"most": 2})
    await until(api, "x", 201, a="1", b="2")


async def test_deletion_and_subresources(api: Api) -> None:
    kept = [rule("configmaps", operations=("DELETE",)), rule("deployments/scale", groups=("apps",))]
    await make(api, policy("p", {"expression": "request.operation != 'DELETE' || oldObject.metadata.name != 'kept'", "message": "kept"},
                           {"expression": "request.subResource != 'scale' || object.spec.replicas < 3", "message": "few"}, rules=kept),
               binding("b", "p", matchResources={"namespaceSelector": {"matchLabels": {"judged": "yes"}}}))
    await api.post(MAPS, config_map("kept"))
    await api.post("/apis/apps/v1/namespaces/judged/deployments", deployment("d"))

    async def is_kept() -> bool:
        return (await api.delete(f"{MAPS}/kept", dryRun="All"))[0] == 422

    await becomes(is_kept)
    scale = "/apis/apps/v1/namespaces/judged/deployments/d/scale"
    assert (await api.patch(scale, {"spec": {"replicas": 2}}))[0] == 200
    code, said = await api.patch(scale, {"spec": {"replicas": 3}})
    assert (code, said["message"].rpartition(": ")[2]) == (422, "few")
    await api.delete(f"{BASE}/validatingadmissionpolicybindings/b")
    await api.delete("/apis/apps/v1/namespaces/judged/deployments/d")


@pytest.mark.parametrize(("wrong", "message"), [
    pytest.param(policy("p", "object.spec.replicas > 'x'", "1 + true"),
                 'ValidatingAdmissionPolicy.admissionregistration.k8s.io "p" is invalid: spec.validations[1].expression: '
                 'Invalid value: "1 + true": '
                 "compilation failed: ERROR: <input>:1:3: "
                 "found no matching overload for '_+_' applied to '(int, bool)'\n | 1 + true\n | ..^", id="overload"),
    pytest.param(binding("b", "p", "Deny", "Warn"),
                 'ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io "b" is invalid: spec.validationActions: Invalid value: '
                 '["Deny","Warn"]: must not contain both Deny and Warn (repeating the same validation failure information in the API '
                 "response and headers serves no purpose)", id="actions"),
])
async def test_wrong_ones_are_refused(api: Api, wrong: Json, message: str) -> None:
    code, said = await api.post(f"{BASE}/{PLURALS[wrong['kind']]}", wrong)

    assert (code, said["reason"], said["message"]) == (422, "Invalid", message)


@pytest.mark.parametrize("mutation", [
    pytest.param(applied("Object{metadata: Object.metadata{labels: {'by': request.userInfo.username}}}"), id="apply"),
    pytest.param(patched("[JSONPatch{op: 'add', path: '/metadata/labels', value: {'by': request.userInfo.username}}]"), id="patch"),
])
async def test_a_mutation(api: Api, mutation: Json) -> None:
    await make(api, mutating("m", mutation), binding("b", "m", kind="Mutating"))

    async def labelled() -> bool:
        return "labels" in (await api.post(MAPS, config_map("x", a="1"), dryRun="All"))[1]["metadata"]

    await becomes(labelled)
    code, made = await api.post(MAPS, config_map("x", a="1"))
    assert (code, made["metadata"]["labels"], made["data"]) == (201, {"by": "kubernetes-admin"}, {"a": "1"})
    assert (await api.get(f"{MAPS}/x"))[1]["metadata"]["labels"] == {"by": "kubernetes-admin"}


@pytest.mark.req("ADM-01")
async def test_policies_that_refuse_see_what_policies_that_change_made(api: Api) -> None:
    await make(api, mutating("m", applied("Object{data: {'a': 'changed'}}")), binding("b", "m", kind="Mutating"),
               policy("p", "object.data.a == 'sent'"), binding("b", "p"))

    await until(api, "x", 422, a="sent")


async def test_a_mutation_that_fails(api: Api) -> None:
    await make(api, mutating("m", applied("Object{data: {'a': object.data.nope}}")), binding("b", "m", kind="Mutating"))
    said = await until(api, "x", 403, a="1")

    assert (said["reason"], said["message"]) == (
        "Invalid", "policy 'm' with binding 'b' denied request: expression 'Object{data: {'a': object.data.nope}}' resulted in error: "
        "no such key: nope")


async def test_their_objects_count_generations_and_have_defaults(api: Api) -> None:
    await make(api, policy("p", "true"))
    path = f"{BASE}/validatingadmissionpolicies/p"
    changed: Any = {"spec": {"validations": [{"expression": "1 == 1"}]}}
    code, made = await api.patch(path, changed)

    assert (code, made["metadata"]["generation"], made["spec"]["failurePolicy"]) == (200, 2, "Fail")
    match = made["spec"]["matchConstraints"]
    assert (match["matchPolicy"], match["namespaceSelector"], match["resourceRules"][0]["scope"]) == ("Equivalent", {}, "*")
