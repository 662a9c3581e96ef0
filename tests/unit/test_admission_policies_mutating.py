"""What mutating policies make of objects, one after the other, and in a second round."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.apiserver.admission.policies.mutating import MutatingAdmissionPolicy
from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.authorization.authorizer import Authorizer
from control_plane.apiserver.registry.object_meta import deep_copy
from control_plane.apiserver.strategies.registry import strategy_for
from kube.apimachinery.errors import ApiError
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.resources import SCHEME
from tests.support.api_calls import pod
from tests.support.memory_store import memory_cache, resource_of
from tests.support.policies import applied, binding, mutating, param_ref, patched

pytestmark = pytest.mark.asyncio
NAMESPACE: JsonObject = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
CONFIG_MAP: JsonObject = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "default"}, "data": {"a": "1"}}
LABELLED = applied("Object{metadata: Object.metadata{labels: {'seen': 'yes'}}}")


def counting(key: str) -> JsonObject:
    """Adds one character to a value at each call."""
    return patched(f"[JSONPatch{{op: 'add', path: '/data/{key}', value: object.data[?'{key}'].orValue('') + 'i'}}]")


async def change(
    stored: Iterable[JsonObject], obj: JsonObject = CONFIG_MAP, *, rounds: int = 1, between: JsonObject | None = None
) -> AdmissionRequest:
    """The request after its rounds; `between` is merged into data before the second."""
    objects = [NAMESPACE, *stored]
    for made in objects:
        strategy_for(resource_of(made)).default(made)
    obj = deep_copy(obj)
    obj["metadata"].setdefault("namespace", "default")
    request = AdmissionRequest(
        user=UserInfo("bob"), operation=Operation.CREATE, resource=resource_of(obj), namespace="default", name=obj["metadata"]["name"],
        obj=obj,
    )
    async with memory_cache(*objects) as (_, cache):
        plugin = MutatingAdmissionPolicy(AdmissionContext(cache, SCHEME, Authorizer(cache)))
        await plugin.admit(request)
        if rounds == 2 and (request.wants_second_round or between):
            obj["data"].update(between or {})
            request.second_round = True
            await plugin.admit(request)
    return request


def bound(*policies: JsonObject) -> list[JsonObject]:
    return [*policies, *(binding(f"b-{one['metadata']['name']}", one["metadata"]["name"], kind="Mutating") for one in policies)]


async def made(*mutations: JsonObject, obj: JsonObject = CONFIG_MAP, **spec: Any) -> JsonObject:
    found = (await change(bound(mutating("m", *mutations, resources=("*",), **spec)), obj)).obj
    assert found is not None
    return found


@pytest.mark.parametrize("mutation", [
    pytest.param(LABELLED, id="apply"),
    pytest.param(patched("[JSONPatch{op: 'add', path: '/metadata/labels', value: {'seen': 'yes'}}]"), id="patch"),
    pytest.param(patched("[JSONPatch{op: 'add', path: '/metadata/labels', value: {}}, "
                         "JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('seen'), value: string('yes')}]"),
                 id="steps"),
])
async def test_a_label(mutation: JsonObject) -> None:
    assert (await made(mutation))["metadata"]["labels"] == {"seen": "yes"}


async def test_lists_merge_by_their_keys() -> None:
    side = "Object.spec.initContainers{name: 'side', image: 'proxy', restartPolicy: 'Always'}"
    sidecar = applied(f"Object{{spec: Object.spec{{initContainers: [{side}], "
                      "containers: [Object.spec.containers{name: 'main', env: [Object.spec.containers.env{name: 'A', value: 'b'}]}]}}")
    found = await made(sidecar, obj=pod("x"))

    assert [(one["name"], one["image"], one["restartPolicy"]) for one in found["spec"]["initContainers"]] == [("side", "proxy", "Always")]
    [main] = found["spec"]["containers"]
    assert (main["image"], main["env"]) == ("busybox", [{"name": "A", "value": "b"}])
    assert found["spec"]["initContainers"][0]["terminationMessagePath"] == "/dev/termination-log"     # defaulted as what a client sends


async def test_a_patch_may_hold_objects() -> None:
    env = "[JSONPatch{op: 'add', path: '/spec/containers/0/env', value: [Object.spec.containers.env{name: 'A', value: 'b'}]}]"

    assert (await made(patched(env), obj=pod("x")))["spec"]["containers"][0]["env"] == [{"name": "A", "value": "b"}]


async def test_a_patch_whose_test_fails_changes_nothing() -> None:
    steps = "[JSONPatch{op: 'add', path: '/data/b', value: '2'}, JSONPatch{op: 'test', path: '/data/a', value: 'other'}]"
    request = await change(bound(mutating("m", patched(steps))))

    assert request.obj is not None
    assert request.obj["data"] == {"a": "1"}
    assert not request.wants_second_round


@pytest.mark.parametrize(("mutation", "message"), [
    pytest.param(applied("Object{spec: Object.wrong{}}"), 'type mismatch: unexpected type name "Object.wrong", expected "Object.spec", '
                 "which matches field name path from root Object type", id="name of a type"),
    pytest.param(applied("Object{nope: 1}"),
                 "error applying patch: failed to convert patch object to typed object: .nope: field not declared in schema", id="field"),
    pytest.param(applied("Object{data: {'a': object.nope}}"), "resulted in error: no such key: nope", id="evaluation"),
    pytest.param(patched("[JSONPatch{op: 'remove', path: '/data/nope'}]"), "JSONPath: ", id="path"),
])
async def test_failures(mutation: JsonObject, message: str) -> None:
    with pytest.raises(ApiError) as refused:
        await made(mutation)
    await made(mutation, failurePolicy="Ignore")

    status = refused.value.to_status()
    assert status["message"].startswith("policy 'm' with binding 'b-m' denied request: ")
    assert message in status["message"]
    assert (status["code"], status["reason"]) == (403, "Invalid")
    assert status["details"]["causes"] == [{"message": status["message"]}]


async def test_what_is_owned_whole_is_not_merged_with() -> None:
    selector = applied("Object{spec: Object.spec{nodeSelector: {'a': 'b'}}}")

    with pytest.raises(ApiError, match=r"may not mutate atomic arrays, maps or structs: \.spec\.nodeSelector"):
        await made(selector, obj=pod("x", nodeSelector={"c": "d"}))


async def test_variables_params_and_conditions() -> None:
    limits = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "limits", "namespace": "default"}, "data": {"most": "7"}}
    policy = mutating(
        "m", patched("[JSONPatch{op: 'add', path: '/data/most', value: variables.most}]"),
        paramKind={"apiVersion": "v1", "kind": "ConfigMap"},
        variables=[{"name": "most", "expression": "params.data.most"}],
        matchConditions=[{"name": "a", "expression": "params.data.most == '7' && object.data.a == '1'"}],
    )
    request = await change([limits, policy, binding("b", "m", kind="Mutating", paramRef=param_ref("limits"))])

    assert request.obj is not None
    assert request.obj["data"] == {"a": "1", "most": "7"}


async def test_they_see_what_those_before_them_made() -> None:
    request = await change(bound(mutating("a", counting("x")), mutating("b", counting("x"), counting("x"))))

    assert request.obj is not None
    assert request.obj["data"]["x"] == "iii"


@pytest.mark.parametrize(("policy", "between", "calls"), [
    pytest.param("Never", {}, "i", id="never"),
    pytest.param("IfNeeded", {}, "ii", id="another one changed it"),
    pytest.param("Never", {"z": "1"}, "i", id="never, though a plugin changed it"),
])
async def test_the_second_round(policy: str, between: JsonObject, calls: str) -> None:
    stored = bound(mutating("a", counting("a-calls"), reinvocationPolicy=policy), mutating("b", LABELLED))
    request = await change(stored, rounds=2, between=between)

    assert request.obj is not None
    assert request.obj["data"]["a-calls"] == calls


async def test_the_last_one_is_not_asked_again_when_nothing_came_after_it() -> None:
    stored = bound(mutating("a", counting("a-calls"), reinvocationPolicy="IfNeeded"))
    alone, after = await change(stored, rounds=2), await change(stored, rounds=2, between={"z": "1"})

    assert alone.obj is not None and after.obj is not None
    assert (alone.obj["data"]["a-calls"], after.obj["data"]["a-calls"]) == ("i", "ii")
