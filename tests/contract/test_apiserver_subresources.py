"""Subresources: which verbs they have, what they change, and what they refuse. Answers were compared with upstream's kube-apiserver."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.apiserver import running_apiserver

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]

Json = dict[str, Any]
CORE = "/api/v1/namespaces/default"
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"


class Api:
    def __init__(self, session: Any) -> None:
        self._session = session

    async def __call__(self, method: str, path: str, body: Json | None = None, kind: str = "application/json") -> tuple[int, Json]:
        async with self._session.request(method, path, json=body, headers={"Content-Type": kind}) as answer:
            return answer.status, await answer.json()

    async def refusal(self, method: str, path: str, body: Json | None = None, kind: str = "application/json") -> tuple[int, str]:
        code, status = await self(method, path, body, kind)
        return code, status["message"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with running_apiserver(tmp_path_factory.mktemp("apiserver")) as server, server.session() as session:
        call = Api(session)
        await call("POST", f"{CORE}/serviceaccounts", {"metadata": {"name": "default"}})
        yield call


async def pod(api: Api, name: str) -> str:
    """Its path."""
    container = {"name": "c", "image": "x", "resources": {"requests": {"cpu": "100m", "memory": "10Mi"}}}
    code, made = await api("POST", f"{CORE}/pods", {"metadata": {"name": name}, "spec": {"containers": [container]}})
    assert code == 201, made
    return f"{CORE}/pods/{name}"


def binding(name: str, **metadata: str) -> Json:
    return {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name, **metadata}, "target": {"kind": "Node", "name": "n1"}}


async def test_binding(api: Api) -> None:
    path = await pod(api, "bound")

    assert await api.refusal("POST", f"{path}/binding", binding("other")) == (400, "name in URL does not match name in Binding object")
    assert await api.refusal("POST", f"{CORE}/bindings", binding("")) == (400, "Name parameter required.")
    code, why = await api.refusal("POST", f"{path}/binding", binding("bound", uid="another"))
    assert (code, "AdditionalErrorMsg: Precondition failed: UID in precondition: another" in why) == (409, True)
    assert (await api("POST", f"{path}/binding?dryRun=All", binding("bound")))[0] == 201
    assert "nodeName" not in (await api("GET", path))[1]["spec"]
    assert (await api("POST", f"{path}/binding", binding("bound")))[0] == 201
    assert await api.refusal("POST", f"{path}/binding", binding("bound")) == (
        409, 'Operation cannot be fulfilled on pods/binding "bound": pod bound is already assigned to node "n1"')
    assert [(await api(method, f"{path}/binding"))[0] for method in ("GET", "DELETE")] == [405, 405]


async def test_resize(api: Api) -> None:
    path = await pod(api, "resized")

    def containers(*changes: Json) -> Json:
        return {"spec": {"containers": list(changes)}}

    code, grown = await api("PATCH", f"{path}/resize", containers({"name": "c", "resources": {"requests": {"cpu": "200m"}}}), STRATEGIC)
    assert (code, grown["spec"]["containers"][0]["resources"]["requests"]) == (200, {"cpu": "200m", "memory": "10Mi"})
    assert grown["metadata"]["generation"] == 2
    _, same = await api("PATCH", f"{path}/resize", {"metadata": {"labels": {"a": "b"}}, "spec": {"hostname": "h"}}, MERGE)
    assert "labels" not in same["metadata"]
    assert "hostname" not in same["spec"]
    for change, why in (
        (containers({"name": "new", "image": "x"}), "spec.containers: Forbidden: containers may not be added or removed on resize"),
        (containers({"name": "c", "resources": {"limits": {"cpu": "200m", "memory": "10Mi"}}}),
         'spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing'),
    ):
        code, message = await api.refusal("PATCH", f"{path}/resize", change, STRATEGIC)
        assert (code, why in message) == (422, True), message
    renamed = {**same, "spec": {**same["spec"], "containers": [{**same["spec"]["containers"][0], "name": "other"}]}}
    assert await api.refusal("PUT", f"{path}/resize", renamed) == (
        422, 'Pod "resized" is invalid: spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize')


async def test_ephemeral_containers(api: Api) -> None:
    path = await pod(api, "debugged") + "/ephemeralcontainers"

    async def added(**container: Any) -> tuple[int, Json]:
        return await api("PATCH", path, {"spec": {"ephemeralContainers": [{"name": "d", "image": "b", **container}]}}, STRATEGIC)

    assert (await added(targetContainerName="c"))[0] == 200
    assert 'existing ephemeral containers "d" may not be changed' in (await added(image="other"))[1]["message"]
    _, status = await api("PATCH", path, {"spec": {"ephemeralContainers": None}}, MERGE)
    assert 'existing ephemeral containers "d" may not be removed' in status["message"]
    for container, why in (
        ({"name": "e", "targetContainerName": "nope"}, 'targetContainerName: Not found: "nope"'),
        ({"name": "e", "ports": [{"containerPort": 80}]}, "ports: Forbidden: cannot be set for an Ephemeral Container"),
        ({"name": "c"}, 'name: Duplicate value: "c"'),
    ):
        code, status = await added(**container)
        assert (code, why in status["message"]) == (422, True), status["message"]
    assert [(await api(method, path))[0] for method in ("GET", "DELETE")] == [200, 405]


async def test_tokens(api: Api) -> None:
    path = f"{CORE}/serviceaccounts/default/token"
    bound = {"kind": "Foo", "apiVersion": "v1", "name": "x"}

    code, made = await api("POST", path, {"spec": {"expirationSeconds": None, "boundObjectRef": None}})
    assert (code, made["spec"]["expirationSeconds"], bool(made["status"]["token"])) == (201, 3600, True)
    refused = await api.refusal("POST", path, {"spec": {"boundObjectRef": bound}})
    assert refused == (400, "cannot bind token to object of type /v1, Kind=Foo")
    assert await api.refusal("POST", path, {"metadata": {"name": "other"}, "spec": {}}) == (
        422, 'TokenRequest.authentication.k8s.io "default" is invalid: metadata.name: Invalid value: "other": '
        "must match the service account name if specified")
    assert [(await api(method, path))[0] for method in ("GET", "PUT")] == [405, 405]


@pytest.mark.parametrize(("collection", "template"), [
    ("/apis/apps/v1/namespaces/default/deployments", {"matchLabels": {"a": "d"}}),
    ("/apis/apps/v1/namespaces/default/replicasets", {"matchLabels": {"a": "d"}}),
    ("/apis/apps/v1/namespaces/default/statefulsets", {"matchLabels": {"a": "d"}}),
    (f"{CORE}/replicationcontrollers", {"a": "d"}),
])
async def test_scale(api: Api, collection: str, template: Json) -> None:
    pods = {"metadata": {"labels": {"a": "d"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    await api("POST", collection, {"metadata": {"name": "d"}, "spec": {"replicas": 1, "selector": template, "template": pods}})
    path = f"{collection}/d/scale"
    _, scale = await api("GET", path)

    assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == ("Scale", {"replicas": 1}, "a=d")
    assert (await api("PUT", path, {**scale, "spec": {"replicas": 3}}))[1]["spec"] == {"replicas": 3}
    assert (await api("PUT", path, {**scale, "spec": {"replicas": 4}}))[0] == 409      # an old resourceVersion
    assert (await api("PATCH", path, {"spec": {"replicas": 5}}, MERGE))[1]["spec"] == {"replicas": 5}
    code, why = await api.refusal("PATCH", path, {"spec": {"replicas": -1}}, MERGE)
    assert (code, why) == (422, 'Scale.autoscaling "d" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0')
    code, why = await api.refusal("PATCH", path, {"spec": {"replicas": "many"}}, MERGE)
    assert (code, "cannot unmarshal string into Go struct field ScaleSpec.spec.replicas of type int32" in why) == (422, True)
    assert (await api("GET", f"{collection}/d"))[1]["spec"]["replicas"] == 5


async def test_finalize_and_approval(api: Api) -> None:
    _, namespace = await api("POST", "/api/v1/namespaces", {"metadata": {"name": "ended"}})
    path = "/api/v1/namespaces/ended/finalize"

    def finalizers(*names: str) -> Json:
        return {**namespace, "metadata": {"name": "ended"}, "spec": {"finalizers": list(names)}}

    code, kept = await api("PUT", path, finalizers("kubernetes", "example.com/x"))
    assert (code, kept["spec"]["finalizers"]) == (200, ["kubernetes", "example.com/x"])
    code, why = await api.refusal("PUT", path, finalizers("bad"))
    assert (code, 'spec.finalizers[0]: Invalid value: "bad": name is neither a standard finalizer name' in why) == (422, True)
    assert [(await api(method, path, {}))[0] for method in ("GET", "POST", "DELETE")] == [405, 405, 405]


async def test_an_autoscaler_looks_the_same_whichever_version_made_it(api: Api) -> None:
    spec = {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}}
    seen = []
    for version in ("v1", "v2"):
        path = f"/apis/autoscaling/{version}/namespaces/default/horizontalpodautoscalers"
        assert (await api("POST", path, {"metadata": {"name": f"by-{version}"}, "spec": spec}))[0] == 201
        _, in_v1 = await api("GET", f"/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers/by-{version}")
        _, in_v2 = await api("GET", f"/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/by-{version}")
        seen.append((in_v1["status"], in_v2["status"], in_v1["metadata"]["generation"]))

    assert seen == [({"currentReplicas": 0, "desiredReplicas": 0}, {"currentMetrics": None, "desiredReplicas": 0}, 1)] * 2
