"""Which webhooks are meant by which requests, and in which version they see them."""

from __future__ import annotations

from typing import Any

import pytest

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.apiserver.admission.webhooks.configuration import Webhooks
from control_plane.apiserver.admission.webhooks.rules import Rule
from control_plane.apiserver.admission.webhooks.selection import Selection
from control_plane.apiserver.admission.webhooks.versions import Views
from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.authorization.authorizer import Authorizer
from kube.apimachinery.errors import NotFound
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import ResourceType
from tests.support.memory_store import memory_cache
from tests.support.webhooks import configuration, rule, webhook

BOB = UserInfo("bob")
NAMESPACE: JsonObject = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default", "labels": {"team": "blue"}}}


def row(group: str, version: str, plural: str) -> ResourceType:
    found = SCHEME.for_path(group, version, plural)
    assert found is not None
    return found


PODS, NODES, DEPLOYMENTS = row("", "v1", "pods"), row("", "v1", "nodes"), row("apps", "v1", "deployments")
NAMESPACES, CONFIG_MAPS = row("", "v1", "namespaces"), row("", "v1", "configmaps")


def request(resource: ResourceType, operation: Operation = Operation.CREATE, **more: Any) -> AdmissionRequest:
    namespace = "default" if resource.namespaced else ""
    return AdmissionRequest(user=BOB, operation=operation, resource=resource, **{"namespace": namespace, "name": "x", **more})


@pytest.mark.req("WHK-02")
@pytest.mark.parametrize(("asked", "operation", "resource", "subresource", "matches"), [
    pytest.param(rule("pods"), Operation.CREATE, PODS, "", True, id="exact"),
    pytest.param(rule("pods"), Operation.DELETE, PODS, "", False, id="other operation"),
    pytest.param(rule("pods", operations=("*",)), Operation.CONNECT, PODS, "", True, id="all operations"),
    pytest.param(rule("pods"), Operation.CREATE, PODS, "eviction", False, id="a plain name is no subresource"),
    pytest.param(rule("pods/*"), Operation.CREATE, PODS, "eviction", True, id="all subresources"),
    pytest.param(rule("pods/*"), Operation.CREATE, PODS, "", True, id="with the object itself"),
    pytest.param(rule("*/eviction"), Operation.CREATE, PODS, "eviction", True, id="a subresource of all"),
    pytest.param(rule("*"), Operation.CREATE, PODS, "eviction", False, id="all, without subresources"),
    pytest.param(rule("*/*"), Operation.CREATE, PODS, "eviction", True, id="all and their subresources"),
    pytest.param(rule("*", groups=("*",)), Operation.CREATE, DEPLOYMENTS, "", True, id="all groups"),
    pytest.param(rule("*"), Operation.CREATE, DEPLOYMENTS, "", False, id="another group"),
    pytest.param(rule("deployments", groups=("apps",), versions=("v1beta1",)), Operation.CREATE, DEPLOYMENTS, "", False,
                 id="another version"),
    pytest.param(rule("*", scope="Cluster"), Operation.CREATE, PODS, "", False, id="only cluster-scoped"),
    pytest.param(rule("*", scope="Cluster"), Operation.CREATE, NODES, "", True, id="cluster-scoped"),
    pytest.param(rule("*", scope="Namespaced"), Operation.CREATE, NAMESPACES, "", False, id="a Namespace is cluster-scoped"),
    pytest.param(rule("*", scope="*"), Operation.CREATE, NODES, "", True, id="any scope"),
])
def test_rules(asked: JsonObject, operation: Operation, resource: ResourceType, subresource: str, matches: bool) -> None:
    assert Rule.of(asked).matches(operation, resource, subresource) is matches


async def chosen(asked: AdmissionRequest, *configurations: JsonObject) -> list[str]:
    """configuration/webhook of those that would be called, with the version they see."""
    async with memory_cache(NAMESPACE, *configurations) as (_, cache):
        webhooks = Webhooks(cache, SCHEME, "validatingwebhookconfigurations")
        selection, views = Selection(AdmissionContext(cache, SCHEME, Authorizer(cache))), Views(asked)
        return [
            f"{one.webhook.configuration}/{one.webhook.name} {one.resource.api_version}" for one in webhooks.candidates(asked)
            if await selection.chosen(one, asked, views)
        ]


def validating(name: str, *webhooks: JsonObject) -> JsonObject:
    return configuration("Validating", name, *webhooks)


def hook(name: str, *rules: JsonObject, **more: Any) -> JsonObject:
    return webhook(name, "https://hook.example", "", *rules, **more)


@pytest.mark.req("WHK-02")
async def test_configurations_are_asked_by_name_and_webhooks_as_they_stand() -> None:
    found = await chosen(
        request(PODS), validating("b", hook("z", rule("pods")), hook("y", rule("configmaps")), hook("x", rule("*"))),
        validating("a", hook("last", rule("pods")), hook("last", rule("pods"))),
    )

    assert found == ["a/last v1", "a/last v1", "b/z v1", "b/x v1"]


async def test_configurations_of_admission_and_questions_about_rights_are_left_alone() -> None:
    everything = validating("all", hook("all", rule("*/*", groups=("*",), versions=("*",), operations=("*",))))
    group = "admissionregistration.k8s.io"

    for resource in (
        row(group, "v1", "mutatingwebhookconfigurations"), row(group, "v1", "validatingadmissionpolicies"),
        row("authorization.k8s.io", "v1", "subjectaccessreviews"), row("authentication.k8s.io", "v1", "tokenreviews"),
    ):
        assert await chosen(request(resource), everything) == []
    assert await chosen(request(NODES), everything) == ["all/all v1"]


@pytest.mark.parametrize(("policy", "found"), [
    pytest.param("Equivalent", ["c/h autoscaling/v2"], id="converted to the version of the rule"),
    pytest.param("Exact", [], id="only as asked for"),
])
async def test_other_versions_of_the_same_objects(policy: str, found: list[str]) -> None:
    scalers = validating("c", hook("h", rule("horizontalpodautoscalers", groups=("autoscaling",), versions=("v2",)), matchPolicy=policy))

    assert await chosen(request(row("autoscaling", "v1", "horizontalpodautoscalers")), scalers) == found


async def test_an_object_is_converted_and_comes_back() -> None:
    v1, v2 = row("autoscaling", "v1", "horizontalpodautoscalers"), row("autoscaling", "v2", "horizontalpodautoscalers")
    obj = {"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "x"}, "spec": {
        "maxReplicas": 3, "targetCPUUtilizationPercentage": 50, "scaleTargetRef": {"kind": "Deployment", "name": "d"}}}
    asked = request(v1, obj=obj)
    views = Views(asked)

    seen = views.new(v2)
    assert seen is not None
    assert (seen["apiVersion"], seen["spec"]["metrics"][0]["resource"]["name"]) == ("autoscaling/v2", "cpu")
    views.replace({**seen, "spec": {**seen["spec"], "maxReplicas": 5}}, v2)

    assert asked.obj is obj
    assert (obj["apiVersion"], obj["spec"]) == ("autoscaling/v1", {
        "maxReplicas": 5, "targetCPUUtilizationPercentage": 50, "scaleTargetRef": {"kind": "Deployment", "name": "d"}})


@pytest.mark.req("WHK-02")
@pytest.mark.parametrize(("asked", "team", "found"), [
    pytest.param(request(PODS), "blue", True, id="in the namespace"),
    pytest.param(request(PODS), "red", False, id="in another"),
    pytest.param(request(NODES), "red", True, id="cluster-scoped objects are never left out"),
    pytest.param(request(NAMESPACES, obj={"metadata": {"name": "n", "labels": {"team": "red"}}}), "red", True, id="a new Namespace"),
    pytest.param(request(NAMESPACES, Operation.DELETE, name="default"), "blue", True, id="a Namespace that goes"),
    pytest.param(request(NAMESPACES, Operation.DELETE, name="default"), "red", False, id="another Namespace that goes"),
])
async def test_namespace_selector(asked: AdmissionRequest, team: str, found: bool) -> None:
    selecting = hook("h", rule("*", operations=("*",)), namespaceSelector={"matchExpressions": [
        {"key": "team", "operator": "In", "values": [team, "other"]}]})

    assert bool(await chosen(asked, validating("c", selecting))) is found


async def test_a_missing_namespace_is_said_only_where_the_webhook_was_meant() -> None:
    selecting = validating("c", hook("h", rule("pods"), namespaceSelector={"matchLabels": {"a": "b"}}))

    with pytest.raises(NotFound, match='namespaces "nope" not found'):
        await chosen(request(PODS, namespace="nope"), selecting)
    assert await chosen(request(CONFIG_MAPS, namespace="nope"), selecting) == []


@pytest.mark.parametrize(("obj", "old", "found"), [
    pytest.param({"a": "b"}, None, True, id="the new object"),
    pytest.param({"a": "c"}, {"a": "b"}, True, id="the old one"),
    pytest.param({"a": "c"}, {"a": "c"}, False, id="neither"),
    pytest.param(None, {"a": "b"}, True, id="a deletion"),
])
async def test_object_selector(obj: JsonObject | None, old: JsonObject | None, found: bool) -> None:
    def pod(labels: JsonObject | None) -> JsonObject | None:
        return None if labels is None else {"metadata": {"name": "x", "labels": labels}}

    asked = request(PODS, Operation.UPDATE if obj else Operation.DELETE, obj=pod(obj), old=pod(old))
    selecting = hook("h", rule("pods", operations=("*",)), objectSelector={"matchLabels": {"a": "b"}})

    assert bool(await chosen(asked, validating("c", selecting))) is found


async def test_the_table_follows_the_configurations() -> None:
    async with memory_cache(NAMESPACE) as (store, cache):
        webhooks = Webhooks(cache, SCHEME, "validatingwebhookconfigurations")
        assert (webhooks.all, webhooks.candidates(request(PODS))) == ((), ())

        await store.put(validating("a", hook("h", rule("pods"))), validating("b", hook("i", rule("pods"))))
        await cache.fresh()
        before = webhooks.candidates(request(PODS))
        await store.put(validating("b", hook("j", rule("pods"))))
        await cache.fresh()
        after = webhooks.candidates(request(PODS))
        await store.remove(validating("a"))
        await cache.fresh()

        assert [one.webhook.name for one in before] == ["h", "i"]
        assert [one.webhook.name for one in after] == ["h", "j"]
        assert after[0].webhook is before[0].webhook, "what did not change is not compiled again"
        assert [one.webhook.name for one in webhooks.candidates(request(PODS))] == ["j"]
