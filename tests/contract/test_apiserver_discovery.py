"""Discovery, OpenAPI, health and version, as the real kubectl and the official client read them."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.support.api_calls import Api
from tests.support.apiserver import Kubectl, RunningApiserver

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture
def kubectl(server: RunningApiserver) -> Kubectl:
    return Kubectl(server.kubeconfig())


@pytest.mark.req("ARC-02", "RES-01")
async def test_kubectl_finds_the_kinds_by_short_names(kubectl: Kubectl) -> None:
    printed = await kubectl("api-resources", "--no-headers")

    words = [line.split() for line in printed.splitlines()]
    assert len(words) > 60
    assert ["deployments", "deploy", "apps/v1", "true", "Deployment"] in words
    assert ["nodes", "no", "v1", "false", "Node"] in words


@pytest.mark.req("ARC-02")
async def test_both_forms_of_discovery_say_the_same(api: Api) -> None:
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    async with api.session.get("/apis", headers={"Accept": accept}) as answer:
        aggregated, etag, content_type = await answer.json(), answer.headers["ETag"], answer.headers["Content-Type"]
    async with api.session.get("/apis", headers={"Accept": accept, "If-None-Match": etag}) as answer:
        unchanged = answer.status
    _, groups = await api.get("/apis")

    assert content_type == accept
    assert unchanged == 304
    assert [item["metadata"]["name"] for item in aggregated["items"]] == [group["name"] for group in groups["groups"]]
    for item in aggregated["items"]:
        for version in item["versions"]:
            _, legacy = await api.get(f"/apis/{item['metadata']['name']}/{version['version']}")
            plain = {one["name"]: one["kind"] for one in legacy["resources"] if "/" not in one["name"]}
            assert plain == {one["resource"]: one["responseKind"]["kind"] for one in version["resources"]}


async def test_subresources_are_discovered(api: Api) -> None:
    _, core = await api.get("/api/v1")

    found = {one["name"]: one for one in core["resources"]}
    assert {"pods/log", "pods/exec", "pods/eviction", "pods/binding", "namespaces/finalize", "serviceaccounts/token"} <= found.keys()
    assert (found["pods/eviction"]["group"], found["pods/eviction"]["kind"]) == ("policy", "Eviction")


@pytest.mark.req("ARC-02")
@pytest.mark.modern_kubectl
async def test_kubectl_explains_from_openapi(kubectl: Kubectl) -> None:
    printed = await kubectl("explain", "deployment.spec.strategy")

    assert "KIND:       Deployment" in printed
    assert "rollingUpdate" in printed


@pytest.mark.req("ARC-02")
async def test_kubectl_applies_creates_and_prints(kubectl: Kubectl) -> None:
    manifest = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"a": "1"}})

    first = await kubectl("apply", "-f", "-", stdin=manifest)
    second = await kubectl("apply", "-f", "-", stdin=manifest.replace('"1"', '"2"'))
    by_protobuf = await kubectl("create", "deployment", "web", "--image=busybox")
    table = await kubectl("get", "deployments,configmaps")
    dry = await kubectl("apply", "--dry-run=server", "-f", "-", stdin=manifest)

    assert (first, second) == ("configmap/applied created\n", "configmap/applied configured\n")
    assert by_protobuf == "deployment.apps/web created\n"
    assert "deployment.apps/web   0/1     0            0" in table
    assert dry == "configmap/applied configured (server dry run)\n"


@pytest.mark.modern_kubectl
async def test_kubectl_names_an_unknown_field(kubectl: Kubectl) -> None:
    manifest = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bad"}, "dada": {"a": "1"}})

    printed = await kubectl("apply", "-f", "-", stdin=manifest, fails=True)

    assert 'strict decoding error: unknown field "dada"' in printed


async def test_openapi_v2_is_there_for_both_of_its_readers(api: Api) -> None:
    async with api.session.get("/openapi/v2") as answer:
        document = await answer.json()
    wanted = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    async with api.session.get("/openapi/v2", headers={"Accept": wanted}) as answer:
        proto, content_type = await answer.read(), answer.headers["Content-Type"]

    assert document["swagger"] == "2.0"
    assert "io.k8s.api.core.v1.Pod" in document["definitions"]
    assert content_type == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    assert b"io.k8s.api.core.v1.Pod" in proto


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", "/readyz/etcd", "/livez/ping"])
async def test_health(server: RunningApiserver, path: str) -> None:
    async with server.anonymous_session() as session, session.get(path) as answer:
        assert (answer.status, await answer.text()) == (200 if path.count("/") == 1 else 403, await answer.text())
    async with server.session() as session, session.get(path, params={"verbose": ""}) as answer:
        text = await answer.text()

    assert "check passed" in text if path.count("/") == 1 else text == "ok"


async def test_version_and_paths(api: Api) -> None:
    _, version = await api.get("/version")
    _, paths = await api.get("/")

    assert (version["gitVersion"], version["major"], version["minor"]) == ("v1.37.0", "1", "37")
    assert {"/api/v1", "/apis/apps/v1", "/healthz", "/metrics", "/openapi/v3", "/version"} <= set(paths["paths"])


async def test_requests_are_counted(api: Api) -> None:
    await api.get("/api/v1/namespaces/default")
    async with api.session.get("/metrics") as answer:
        text = await answer.text()

    assert (
        'apiserver_request_total{code="200",group="",resource="namespaces",scope="resource",subresource="",verb="GET",version="v1"}'
    ) in text
    assert "apiserver_request_duration_seconds_bucket" in text


async def test_watches_are_counted_while_they_last(api: Api) -> None:
    line = 'apiserver_longrunning_requests{group="",resource="secrets",scope="cluster",subresource="",verb="WATCH",version="v1"} '

    async def held() -> float:
        async with api.session.get("/metrics") as answer:
            return next((float(text.removeprefix(line)) for text in (await answer.text()).splitlines() if text.startswith(line)), 0.0)

    before = await held()
    async with api.session.get("/api/v1/secrets?watch=true"):
        assert await held() == before + 1

    async with asyncio.timeout(60):
        while await held() != before:  # noqa: ASYNC110 - the server notices by itself
            await asyncio.sleep(0.05)


YAML, PROTOBUF = "application/yaml", "application/vnd.kubernetes.protobuf"


@pytest.mark.parametrize("path", ["/api", "/apis", "/api/v1", "/apis/apps", "/apis/apps/v1"])
async def test_discovery_in_other_forms(server: RunningApiserver, path: str) -> None:
    async with server.session() as session:
        async with session.get(path, headers={"Accept": YAML}) as answer:
            assert (answer.content_type, "\nkind: API" in "\n" + await answer.text()) == (YAML, True)
        async with session.get(path, headers={"Accept": PROTOBUF}) as answer:
            assert (answer.content_type, (await answer.read())[:4]) == (PROTOBUF, b"k8s\0")
        async with session.get(path, headers={"Accept": "application/cbor"}) as answer:
            assert answer.status == 406


async def test_a_hash_of_another_state_leads_to_the_current_one(server: RunningApiserver) -> None:
    async with server.session() as session:
        async with session.get("/openapi/v3") as answer:
            current = (await answer.json())["paths"]["apis/apps/v1"]["serverRelativeURL"]
        async with session.get("/openapi/v3/apis/apps/v1?hash=OLD", allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (301, current)
        async with session.get(current) as answer:
            assert (answer.status, answer.headers["Cache-Control"]) == (200, "public, immutable")
        protobuf = "application/com.github.proto-openapi.spec.v3.v1.0+protobuf"
        async with session.get("/openapi/v3/apis/apps/v1", headers={"Accept": f"{protobuf}, */*;q=0.1"}) as answer:
            assert (answer.status, answer.headers["Content-Type"], (await answer.read())[:7]) == (200, protobuf, b"\n\x053.0.0")
        async with session.get("/openapi/v3/apis/apps/v1", headers={"Accept": "text/html"}) as answer:
            assert (answer.status, await answer.text()) == (406, "")
