"""Requests beyond plain objects: connections, custom kinds, conditions. Webhooks are real HTTPS servers, called by a real apiserver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.api_calls import Api, config_map, pod
from tests.support.apiserver import RunningApiserver
from tests.support.webhook_bench import BASE, EVERYTHING, hooked_api
from tests.support.webhooks import Json, WebhookServer, ca_bundle, configuration, deny, patch, rule, webhook

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]

NAME = "reach.test.example"


@pytest_asyncio.fixture(loop_scope="module")
async def api(server: RunningApiserver) -> AsyncIterator[Api]:
    async with hooked_api(server, "reach") as made:
        yield made


async def configure(api: Api, kind: str, hook: Json) -> None:
    code, said = await api.post(f"{BASE}/{kind.lower()}webhookconfigurations", configuration(kind, "c", hook))
    assert code == 201, said


@pytest.mark.req("ADM-01")
@pytest.mark.parametrize(("path", "kind", "resource", "subresource"), [
    pytest.param("/api/v1/namespaces/reach/pods/p/exec?command=id&stdout=true", "PodExecOptions", "pods", "exec", id="exec"),
    pytest.param("/api/v1/namespaces/reach/pods/p/attach?stdout=true", "PodAttachOptions", "pods", "attach", id="attach"),
    pytest.param("/api/v1/namespaces/reach/pods/p/portforward?ports=80", "PodPortForwardOptions", "pods", "portforward", id="port-forward"),
    pytest.param("/api/v1/namespaces/reach/pods/p/proxy/", "PodProxyOptions", "pods", "proxy", id="Pod proxy"),
    pytest.param("/api/v1/namespaces/reach/services/s/proxy/", "ServiceProxyOptions", "services", "proxy", id="Service proxy"),
    pytest.param("/api/v1/nodes/n/proxy/healthz", "NodeProxyOptions", "nodes", "proxy", id="Node proxy"),
])
async def test_connections_are_asked_about(
    api: Api, server: RunningApiserver, hooks: WebhookServer, path: str, kind: str, resource: str, subresource: str
) -> None:
    await api.post("/api/v1/namespaces/reach/pods", pod("p", nodeName="n"))
    hooks.serves("/check", lambda review: deny(review, message="no way in", code=403))
    hook = webhook(NAME, hooks.url("/check"), ca_bundle(server.admin), rule("*/*", operations=("CONNECT",)))
    await configure(api, "Validating", hook)

    code, said = await api.get(path)
    asked, = hooks.asked("/check")

    assert (code, said["message"]) == (403, f'admission webhook "{NAME}" denied the request: no way in')
    assert asked["kind"] == {"group": "", "version": "v1", "kind": kind}
    assert (asked["operation"], asked["resource"]["resource"], asked["subResource"]) == ("CONNECT", resource, subresource)
    assert (asked["object"]["kind"], asked["oldObject"], asked["options"]) == (kind, None, None)


async def test_command_and_streams_of_an_exec_are_shown(api: Api, server: RunningApiserver, hooks: WebhookServer) -> None:
    await api.post("/api/v1/namespaces/reach/pods", pod("p", nodeName="n"))
    hooks.serves("/check", deny)
    hook = webhook(NAME, hooks.url("/check"), ca_bundle(server.admin), rule("pods/exec", operations=("CONNECT",)))
    await configure(api, "Validating", hook)

    await api.get("/api/v1/namespaces/reach/pods/p/exec?command=ls&command=-l&stdout=true&tty=true")
    asked, = hooks.asked("/check")

    shown = {key: asked["object"][key] for key in ("command", "container", "stdout", "tty")}
    assert shown == {"command": ["ls", "-l"], "container": "main", "stdout": True, "tty": True}


WIDGETS: Json = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "widgets.reach.example"},
    "spec": {"group": "reach.example", "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"}, "versions": [
        {"name": name, "served": True, "storage": name == "v1", "schema": {"openAPIV3Schema": {"type": "object", "properties": {
            "spec": {"type": "object", "properties": {"size": {"type": "integer"}, "shape": {"type": "string", "default": "round"}}}}}}}
        for name in ("v1", "v2")
    ]},
}


@pytest.mark.req("WHK-04")
async def test_custom_kinds(api: Api, server: RunningApiserver, hooks: WebhookServer) -> None:
    """The webhook knows v1 only, and is asked about a v2 object in v1; what it adds is pruned, defaulted and validated."""
    code, said = await api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", WIDGETS)
    assert code == 201, said
    at = "/apis/reach.example/v2/namespaces/reach/widgets"
    async with asyncio.timeout(60):
        while (await api.get(at))[0] != 200:  # noqa: ASYNC110 (another process makes it so)
            await asyncio.sleep(0.05)
    size: list[Json] = [{"op": "add", "path": "/spec", "value": {"size": 3, "nobody": "knows"}}]
    hooks.serves("/size", lambda review: patch(review, *size))
    hook = webhook(NAME, hooks.url("/size"), ca_bundle(server.admin), rule("widgets", groups=("reach.example",), versions=("v1",)))
    await configure(api, "Mutating", hook)

    code, made = await api.post(at, {"apiVersion": "reach.example/v2", "kind": "Widget", "metadata": {"name": "one"}})
    size[0]["value"] = {"size": "large"}
    refused = await api.post(at, {"apiVersion": "reach.example/v2", "kind": "Widget", "metadata": {"name": "two"}})
    asked = hooks.asked("/size")[0]

    assert (code, made["apiVersion"], made["spec"]) == (201, "reach.example/v2", {"size": 3, "shape": "round"})
    assert (asked["resource"]["version"], asked["requestResource"]["version"]) == ("v1", "v2")
    assert (asked["kind"]["version"], asked["requestKind"]["version"], asked["object"]["apiVersion"]) == ("v1", "v2", "reach.example/v1")
    assert refused[0] in (422, 500)
    assert (await api.get(f"{at}/two"))[0] == 404


async def test_conditions_decide_whether_a_webhook_is_called(api: Api, server: RunningApiserver, hooks: WebhookServer) -> None:
    conditions = [{"name": "not-mine", "expression": "!request.name.startsWith('mine-')"}]
    hooks.serves("/check", lambda review: deny(review, message="no"))
    hook = webhook(NAME, hooks.url("/check"), ca_bundle(server.admin), rule("configmaps"), matchConditions=conditions)
    await configure(api, "Validating", hook)

    codes = [(await api.post("/api/v1/namespaces/reach/configmaps", config_map(name)))[0] for name in ("mine-a", "theirs")]
    hook["matchConditions"] = [{"name": "bad", "expression": "request.nothing"}]
    code, said = await api.post(f"{BASE}/validatingwebhookconfigurations", configuration("Validating", "other", hook))

    assert codes == [201, 400]
    assert code == 422
    assert 'webhooks[0].matchConditions[0].expression: Invalid value: "request.nothing": compilation failed: ERROR: <input>:1:8: ' in (
        said["message"])


async def test_a_webhook_cannot_lock_in_its_own_configuration(api: Api, server: RunningApiserver, hooks: WebhookServer) -> None:
    hooks.serves("/check", lambda review: deny(review, message="nothing at all"))
    await configure(api, "Validating", webhook(NAME, hooks.url("/check"), ca_bundle(server.admin), EVERYTHING))
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {
        "resourceAttributes": {"verb": "get", "resource": "pods"}}}

    assert (await api.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review))[0] == 201
    assert (await api.post("/api/v1/namespaces/reach/configmaps", config_map("x")))[0] == 400
    assert (await api.delete(f"{BASE}/validatingwebhookconfigurations/c"))[0] == 200
    assert (await api.post("/api/v1/namespaces/reach/configmaps", config_map("x")))[0] == 201
