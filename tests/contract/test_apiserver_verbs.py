"""create, get, update, patch and their refusals, over HTTPS against a real etcd."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import pytest

from tests.support.api_calls import JSON_PATCH, STRATEGIC_PATCH, Api, config_map, deployment, new_namespace, pod
from tests.support.apiserver import RunningApiserver

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]


async def test_what_is_created_can_be_read(api: Api) -> None:
    path = await new_namespace(api, "create")

    code, created = await api.post(f"{path}/configmaps", config_map("a", key="value"))
    _, read = await api.get(f"{path}/configmaps/a")

    assert code == 201
    assert read == created
    assert read["data"] == {"key": "value"}
    assert {"uid", "resourceVersion", "creationTimestamp"} <= read["metadata"].keys()


async def test_generate_name_gives_distinct_names(api: Api) -> None:
    path = await new_namespace(api, "generate")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "a-"}}

    names = {(await api.post(f"{path}/configmaps", body))[1]["metadata"]["name"] for _ in range(5)}

    assert len(names) == 5
    assert all(name.startswith("a-") and len(name) == 7 for name in names)


async def test_a_name_is_taken_once(api: Api) -> None:
    path = await new_namespace(api, "taken")
    await api.post(f"{path}/configmaps", config_map("a"))

    code, status = await api.post(f"{path}/configmaps", config_map("a"))

    assert (code, status["reason"], status["message"]) == (409, "AlreadyExists", 'configmaps "a" already exists')


async def test_an_update_on_an_old_version_is_a_conflict(api: Api) -> None:
    path = await new_namespace(api, "conflict")
    _, first = await api.post(f"{path}/configmaps", config_map("a", key="1"))
    _, second = await api.put(f"{path}/configmaps/a", {**first, "data": {"key": "2"}})

    code, status = await api.put(f"{path}/configmaps/a", {**first, "data": {"key": "3"}})

    assert second["data"] == {"key": "2"}
    assert (code, status["reason"]) == (409, "Conflict")
    assert status["message"] == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


async def test_an_update_that_changes_nothing_writes_nothing(api: Api) -> None:
    path = await new_namespace(api, "noop")
    _, first = await api.post(f"{path}/configmaps", config_map("a", key="1"))

    _, second = await api.put(f"{path}/configmaps/a", config_map("a", key="1"))

    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


@pytest.mark.parametrize(("content_type", "patch"), [
    pytest.param("application/merge-patch+json", {"data": {"b": "2", "a": None}}, id="merge"),
    pytest.param(JSON_PATCH, [{"op": "remove", "path": "/data/a"}, {"op": "add", "path": "/data/b", "value": "2"}], id="json"),
    pytest.param(STRATEGIC_PATCH, {"data": {"b": "2", "a": None}}, id="strategic"),
])
async def test_the_three_patch_types(api: Api, content_type: str, patch: object) -> None:
    path = await new_namespace(api, "patch-" + content_type.partition("/")[2].partition("-")[0])
    await api.post(f"{path}/configmaps", config_map("a", a="1"))

    code, patched = await api.patch(f"{path}/configmaps/a", patch, content_type)

    assert (code, patched["data"]) == (200, {"b": "2"})


async def test_concurrent_patches_all_land(api: Api) -> None:
    path = await new_namespace(api, "race")
    await api.post(f"{path}/configmaps", config_map("a"))

    answers = await asyncio.gather(*(api.patch(f"{path}/configmaps/a", {"data": {f"k{n}": "x"}}) for n in range(20)))
    _, read = await api.get(f"{path}/configmaps/a")

    assert {code for code, _ in answers} == {200}
    assert len(read["data"]) == 20


async def test_status_and_spec_are_written_apart(api: Api) -> None:
    path = await new_namespace(api, "status", service_account=True)
    base = "/apis/apps/v1/namespaces/status/deployments"
    await api.post(base, deployment("web", 3))

    _, by_status = await api.patch(f"{base}/web/status", {"spec": {"replicas": 9}, "status": {"replicas": 1}})
    _, by_spec = await api.patch(f"{base}/web", {"spec": {"replicas": 2}, "status": {"replicas": 7}})

    assert (by_status["spec"]["replicas"], by_status["status"]["replicas"], by_status["metadata"]["generation"]) == (3, 1, 1)
    assert (by_spec["spec"]["replicas"], by_spec["status"]["replicas"], by_spec["metadata"]["generation"]) == (2, 1, 2)
    assert path


async def test_scale_reads_and_writes_replicas(api: Api) -> None:
    await new_namespace(api, "scale")
    base = "/apis/apps/v1/namespaces/scale/deployments"
    await api.post(base, deployment("web", 3))

    _, scale = await api.get(f"{base}/web/scale")
    await api.patch(f"{base}/web/scale", {"spec": {"replicas": 5}})
    _, after = await api.get(f"{base}/web")

    assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == ("Scale", {"replicas": 3}, "app=web")
    assert after["spec"]["replicas"] == 5


@pytest.mark.parametrize(("validation", "code"), [("Strict", 400), ("Warn", 201), ("Ignore", 201)])
async def test_unknown_fields(api: Api, validation: str, code: int) -> None:
    path = await new_namespace(api, f"unknown-{validation.lower()}")
    body = {**config_map("a"), "dada": {}}

    async with api.session.post(f"{path}/configmaps", json=body, params={"fieldValidation": validation}) as answer:
        text, warnings = await answer.text(), answer.headers.getall("Warning", [])

    assert answer.status == code
    assert ('unknown field \\"dada\\"' in text) is (validation == "Strict")
    assert warnings == (['299 - "unknown field \\"dada\\""'] if validation == "Warn" else [])


async def test_a_wrong_type_is_told_in_the_decoders_words(api: Api) -> None:
    body = {**deployment("web"), "spec": {"replicas": "three"}}

    code, status = await api.post("/apis/apps/v1/namespaces/default/deployments", body)

    assert code == 400
    assert status["message"] == (
        'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field '
        "DeploymentSpec.spec.replicas of type int32"
    )


async def test_an_invalid_object_names_its_causes(api: Api) -> None:
    code, status = await api.post("/api/v1/namespaces/default/configmaps", config_map("Not_A_Name"))

    assert (code, status["reason"]) == (422, "Invalid")
    assert status["message"].startswith('ConfigMap "Not_A_Name" is invalid: metadata.name: Invalid value: "Not_A_Name":')
    assert status["details"]["causes"][0]["field"] == "metadata.name"


@pytest.mark.parametrize(("method", "path", "code", "message"), [
    ("GET", "/api/v1/namespaces/default/pods/none", 404, 'pods "none" not found'),
    ("GET", "/api/v1/namespaces/default/frogs", 404, "the server could not find the requested resource"),
    ("GET", "/apis/apps/v9", 404, "the server could not find the requested resource"),
    ("GET", "/api/v1/namespaces/default/pods/none/frog", 404, "the server could not find the requested resource"),
    ("POST", "/api/v1/namespaces/default/pods/none", 405, "the server does not allow this method on the requested resource"),
    ("DELETE", "/api/v1/namespaces", 405, "the server does not allow this method on the requested resource"),
])
async def test_what_is_not_there(api: Api, method: str, path: str, code: int, message: str) -> None:
    answered, status = await api.call(method, path)

    assert (answered, status["kind"], status["message"]) == (code, "Status", message)


@pytest.mark.parametrize("path", [
    "/nothing/here", "/apis/frogs.io", "/apis/frogs.io/v1/frogs", "/livez/frog", "/openapi/v3/apis/frogs.io/v1",
])
async def test_below_paths_of_nobody_is_a_line_of_text(server: RunningApiserver, path: str) -> None:
    async with server.session() as session, session.get(path) as answer:
        assert (answer.status, await answer.text()) == (404, "404 page not found\n")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_dry_run_leaves_nothing(api: Api) -> None:
    path = await new_namespace(api, "dry")

    code, created = await api.post(f"{path}/configmaps", config_map("a"), dryRun="All")
    missing, _ = await api.get(f"{path}/configmaps/a")

    assert (code, missing) == (201, 404)
    assert created["metadata"]["uid"]


async def test_a_pod_is_bound_once(api: Api) -> None:
    path = await new_namespace(api, "bind", service_account=True)
    await api.post(f"{path}/pods", pod("p"))
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n1"}}

    first, _ = await api.post(f"{path}/pods/p/binding", binding)
    second, status = await api.post(f"{path}/pods/p/binding", binding)
    _, bound = await api.get(f"{path}/pods/p")

    assert (first, second) == (201, 409)
    assert status["message"] == 'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"'
    assert bound["spec"]["nodeName"] == "n1"
    assert bound["status"]["conditions"][0]["type"] == "PodScheduled"


async def test_a_service_account_gets_a_token_that_is_good(api: Api, server: RunningApiserver) -> None:
    path = await new_namespace(api, "token", service_account=True)

    code, answer = await api.post(f"{path}/serviceaccounts/default/token", {"spec": {"expirationSeconds": 600}})
    token = answer["status"]["token"]
    async with server.anonymous_session(Authorization=f"Bearer {token}") as session:
        review = await Api(session).post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
    _, reviewed = await api.post("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}})

    assert code == 201
    assert review[1]["status"]["userInfo"]["username"] == "system:serviceaccount:token:default"
    assert reviewed["status"]["authenticated"] is True


@pytest.mark.req("ADM-01")
async def test_nobody_is_let_in_without_right(api: Api, server: RunningApiserver) -> None:
    async with server.anonymous_session() as session:
        anonymous = await Api(session).get("/api/v1/nodes")
    async with server.anonymous_session(Authorization="Bearer nonsense") as session:
        unknown = await Api(session).get("/api/v1/nodes")
    async with server.session(server.pki.identity("bob")) as session:
        bob = await Api(session).get("/api/v1/namespaces/default/pods")

    assert (anonymous[0], unknown[0], bob[0]) == (403, 401, 403)
    assert unknown[1]["message"] == "Unauthorized"
    assert bob[1]["message"] == (
        'pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "default"'
    )


async def test_impersonation_takes_the_rights_of_the_other(api: Api) -> None:
    as_bob = {"Impersonate-User": "bob", "Impersonate-Group": "students"}

    code, _ = await api.get("/api/v1/nodes", headers=as_bob)
    _, review = await api.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, headers=as_bob)

    assert code == 403
    assert review["status"]["userInfo"] == {"username": "bob", "groups": ["students", "system:authenticated"]}


async def test_a_body_that_is_too_large_is_refused(api: Api) -> None:
    body = io.BytesIO(json.dumps(config_map("big", key="x" * (4 << 20))).encode())

    async with api.session.post("/api/v1/namespaces/default/configmaps", data=body) as answer:
        status = await answer.json()

    assert (answer.status, status["reason"]) == (413, "RequestEntityTooLarge")


async def test_doubled_keys_are_warned_of_unless_that_is_declined(api: Api) -> None:
    path = await new_namespace(api, "doubled") + "/configmaps"
    body = b'{"metadata": {"name": "a"}, "data": {"a": "1", "a": "2"}}'

    headers = {"Content-Type": "application/json"}
    async with api.session.post(f"{path}?dryRun=All", data=body, headers=headers) as answer:
        warned = answer.headers.getall("Warning")
    async with api.session.post(f"{path}?dryRun=All&fieldValidation=Ignore", data=body, headers=headers) as answer:
        assert "Warning" not in answer.headers

    assert warned == ['299 - "duplicate field \\"data.a\\""']


@pytest.mark.parametrize(("method", "path", "code"), [
    ("POST", "/api/v1/watch/namespaces/default/configmaps", 405), ("HEAD", "/api/v1/namespaces/default/configmaps", 405),
    ("HEAD", "/apis", 200), ("DELETE", "/version", 405), ("GET", "/api/v1/namespaces/default/configmaps?timeout=soon", 400),
    ("GET", "/api/v1/namespaces/default/configmaps?timeout=1m30s", 200), ("DELETE", "/api/v1/namespaces/default/configmaps/a?dryRun=", 422),
    ("PUT", "/api/v1/namespaces/default/configmaps/kube-root-ca.crt", 400),
])
async def test_methods_and_parameters(api: Api, method: str, path: str, code: int) -> None:
    body, headers = (b"{}", {"Content-Type": "application/json"}) if method == "PUT" else (None, {})

    async with api.session.request(method, path, data=body, headers=headers) as answer:
        assert answer.status == code


async def test_a_watch_from_the_start_is_a_watch_list(api: Api) -> None:
    path = await new_namespace(api, "watch-list") + "/configmaps"
    await api.post(path, config_map("a"))

    async with api.watch(path, resourceVersion="0", allowWatchBookmarks="true") as watch:
        added, bookmark = await watch.next(), await watch.next()

    assert (added[0], added[1]["metadata"]["name"]) == ("ADDED", "a")
    assert (bookmark[0], bookmark[1]["metadata"]["annotations"]) == ("BOOKMARK", {"k8s.io/initial-events-end": "true"})


@pytest.mark.parametrize(("patch", "code", "message"), [
    ({"metadata": {"uid": "other"}}, 409, "Precondition failed: UID in precondition: other, UID in object meta: "),
    ({"metadata": {"resourceVersion": "1"}}, 409, "the object has been modified"),
    ({"metadata": None}, 400, "the name of the object (a based on URL) was undeterminable: name must be provided"),
])
async def test_a_patch_keeps_to_its_object(api: Api, patch: dict[str, Any], code: int, message: str) -> None:
    path = await new_namespace(api, f"patched-{len(message)}") + "/configmaps"
    await api.post(path, config_map("a"))

    answered, status = await api.patch(f"{path}/a", patch)

    assert (answered, message in status["message"]) == (code, True), status


async def test_the_uid_in_a_patch_of_the_status_must_be_the_objects(api: Api) -> None:
    """So a kubelet makes sure that it does not write about the Pod that came after."""
    path = await new_namespace(api, "patched-status") + "/resourcequotas"
    await api.post(path, {"metadata": {"name": "a"}, "spec": {"hard": {"pods": "1"}}})

    code, status = await api.patch(f"{path}/a/status", {"metadata": {"uid": "other"}, "status": {"hard": {"pods": "2"}}})

    assert (code, status["reason"]) == (409, "Conflict")
