"""API aggregation: an extension server behind a real apiserver, reached as its Service's endpoint."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from kube.process.config import TlsFiles
from tests.support.apiserver import Kubectl, RunningApiserver
from tests.support.apiserver_pki import TestPki
from tests.support.etcd import running_etcd
from tests.support.extension_server import BASE, GROUP, VERSION, ExtensionServer, flunder, running_extension_server

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]

SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
NAME = f"{VERSION}.{GROUP}"
FLUNDERS = f"{BASE}/namespaces/default/flunders"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
WITHIN_S = 60.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningApiserver]:
    directory = tmp_path_factory.mktemp("aggregation")
    proxies = TestPki(directory / "proxies")
    async with running_etcd(directory / "etcd", tls=True) as etcd:
        running = RunningApiserver(
            directory / "apiserver", etcd, TestPki(directory / "pki"), front_proxy=proxies.identity("front-proxy-client"),
            requestheader_client_ca_file=proxies.ca_file, requestheader_allowed_names=("front-proxy-client",),
        )
        try:
            await running.start()
            yield running
        finally:
            await running.kill()


@pytest_asyncio.fixture(loop_scope="module")
async def session(server: RunningApiserver) -> AsyncIterator[aiohttp.ClientSession]:
    async with server.session() as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def extension(server: RunningApiserver, session: aiohttp.ClientSession) -> AsyncIterator[ExtensionServer]:
    """Its certificate is of the apiserver's PKI, for its Service's name; clients must be of the front proxy's CA."""
    identity = server.pki.identity("wardle", host="api.default.svc")
    trusting = TlsFiles(cert_file=identity.cert_file, key_file=identity.key_file, ca_file=server.config.requestheader_client_ca_file)
    async with running_extension_server(trusting) as running:
        await publish(session)
        yield running
        for path in (f"{SERVICES}/{NAME}", "/api/v1/namespaces/default/services/api",
                     "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/api"):
            async with session.delete(path):
                pass


async def publish(session: aiohttp.ClientSession) -> None:
    """No EndpointSlice may name a loopback address, but a Service may have a name that is one."""
    await post(session, "/api/v1/namespaces/default/services", {
        "metadata": {"name": "api"}, "spec": {"type": "ExternalName", "externalName": "localhost"}})


def api_service(server: RunningApiserver, extension: ExtensionServer, **spec: Any) -> dict[str, Any]:
    bundle = base64.b64encode(Path(server.pki.ca_file).read_bytes()).decode()
    return {"metadata": {"name": NAME}, "spec": {
        "group": GROUP, "version": VERSION, "groupPriorityMinimum": 2000, "versionPriority": 15, "caBundle": bundle,
        "service": {"namespace": "default", "name": "api", "port": extension.port}, **spec,
    }}


async def post(session: aiohttp.ClientSession, path: str, obj: dict[str, Any]) -> dict[str, Any]:
    async with session.post(path, json=obj) as answer:
        made: dict[str, Any] = await answer.json()
        assert answer.status == 201, made
        return made


async def get(session: aiohttp.ClientSession, path: str, **headers: str) -> Any:
    async with session.get(path, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json(content_type=None)


async def condition(session: aiohttp.ClientSession, reason: str, name: str = NAME) -> dict[str, Any]:
    """The condition Available, once it has that reason."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            held = (await get(session, f"{SERVICES}/{name}")).get("status", {}).get("conditions", [])
            if held and held[0]["reason"] == reason:
                found: dict[str, Any] = held[0]
                return found
            await asyncio.sleep(0.05)


async def registered(session: aiohttp.ClientSession, server: RunningApiserver, extension: ExtensionServer, **spec: Any) -> None:
    await post(session, SERVICES, api_service(server, extension, **spec))
    await condition(session, "Passed")


async def test_what_is_served_here_has_local_api_services(session: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(WITHIN_S):
        while True:
            if len(items := (await get(session, SERVICES))["items"]) >= 22:
                break
            await asyncio.sleep(0.05)
    found = {one["metadata"]["name"]: one for one in items}

    apps = found["v1.apps"]
    assert apps["metadata"]["labels"] == {"kube-aggregator.kubernetes.io/automanaged": "onstart"}
    assert apps["spec"] == {"group": "apps", "version": "v1", "groupPriorityMinimum": 17800, "versionPriority": 15}
    told = apps["status"]["conditions"][0]
    assert (told["type"], told["status"], told["reason"], told["message"]) == (
        "Available", "True", "Local", "Local APIServices are always available")
    assert {"v1.", "v1.batch", "v2.autoscaling"} <= found.keys()
    assert "v1.apiregistration.k8s.io" not in found


async def test_custom_kinds_have_one_while_they_are_served(session: aiohttp.ClientSession) -> None:
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    schema = {"openAPIV3Schema": {"type": "object"}}
    await post(session, definitions, {"metadata": {"name": "things.agg.example.com"}, "spec": {
        "group": "agg.example.com", "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
    }})
    async with asyncio.timeout(WITHIN_S):
        while True:
            async with session.get(f"{SERVICES}/v1.agg.example.com") as answer:
                if answer.status == 200:
                    made = await answer.json()
                    break
            await asyncio.sleep(0.05)
        assert made["metadata"]["labels"] == {"kube-aggregator.kubernetes.io/automanaged": "true"}
        assert (made["spec"]["groupPriorityMinimum"], made["spec"]["versionPriority"]) == (1000, 100)
        async with session.delete(f"{definitions}/things.agg.example.com"):
            pass
        while True:
            async with session.get(f"{SERVICES}/v1.agg.example.com") as answer:
                if answer.status == 404:
                    return
            await asyncio.sleep(0.05)


async def test_requests_go_to_the_extension_server_as_their_user(
    session: aiohttp.ClientSession, server: RunningApiserver, extension: ExtensionServer
) -> None:
    await registered(session, server, extension)

    listed = await get(session, f"{FLUNDERS}?labelSelector=a%3Db", Authorization="Basic c2VjcmV0", **{
        "X-Remote-User": "mallory", "X-Remote-Extra-Role": "root"})
    made = await post(session, FLUNDERS, flunder("b"))
    asked, = [one for one in extension.requests(FLUNDERS) if one["method"] == "GET"]
    headers = asked["headers"]

    assert listed["items"] == [flunder()]
    assert made == flunder("b")
    assert asked["path"] == f"{FLUNDERS}?labelSelector=a%3Db"
    assert asked["certificate"] == "front-proxy-client"
    assert [value for name, value in headers if name == "x-remote-user"] == ["kubernetes-admin"]
    assert [value for name, value in headers if name == "x-remote-group"] == ["system:masters", "system:authenticated"]
    assert not [name for name, _ in headers if name == "authorization" or name == "x-remote-extra-role"]
    assert [value for name, value in headers if name.startswith("x-remote-extra-authentication.kubernetes.io%2f")]


async def test_who_may_not_is_refused_before(
    session: aiohttp.ClientSession, server: RunningApiserver, extension: ExtensionServer
) -> None:
    await registered(session, server, extension)

    async with server.session(server.pki.identity("bob")) as bob, bob.get(FLUNDERS) as answer:
        said = await answer.json()

    assert (answer.status, said["reason"]) == (403, "Forbidden")
    assert said["message"] == (
        f'flunders.{GROUP} is forbidden: User "bob" cannot list resource "flunders" in API group "{GROUP}" in the namespace "default"')
    assert not extension.requests(FLUNDERS)


async def test_upgrades_go_through(session: aiohttp.ClientSession, server: RunningApiserver, extension: ExtensionServer) -> None:
    await registered(session, server, extension)

    async with session.ws_connect(f"{FLUNDERS}/a/log") as socket:
        await socket.send_str("hello")
        said = await socket.receive_str(timeout=WITHIN_S)

    assert said == "echo hello"
    assert extension.requests(f"{FLUNDERS}/a/log")[0]["user"] == "kubernetes-admin"


async def test_discovery_and_openapi_show_its_resources(
    session: aiohttp.ClientSession, server: RunningApiserver, extension: ExtensionServer
) -> None:
    await registered(session, server, extension)

    groups = (await get(session, "/apis"))["groups"]
    group = await get(session, f"/apis/{GROUP}")
    items = (await get(session, "/apis", Accept=AGGREGATED))["items"]
    item = next(one for one in items if one["metadata"]["name"] == GROUP)
    index = await get(session, "/openapi/v3")
    document = await get(session, index["paths"][BASE.lstrip("/")]["serverRelativeURL"])

    version = {"groupVersion": f"{GROUP}/{VERSION}", "version": VERSION}
    assert groups[0]["name"] == "apiregistration.k8s.io"
    assert groups[-1] == {"name": GROUP, "versions": [version], "preferredVersion": version}
    assert [one["metadata"]["name"] for one in items] == [one["name"] for one in groups]
    assert group == {"kind": "APIGroup", "apiVersion": "v1", **groups[-1]}
    kind = {"group": GROUP, "version": VERSION, "kind": "Flunder"}
    assert item["versions"] == [{"version": VERSION, "freshness": "Current", "resources": [{
        "resource": "flunders", "scope": "Namespaced", "singularResource": "flunder", "verbs": ["create", "get", "list"],
        "responseKind": kind, "shortNames": ["fl"], "subresources": [{"subresource": "status", "responseKind": kind, "verbs": ["get"]}],
    }]}]
    assert document["info"] == {"title": "wardle"}


async def test_kubectl_reads_its_resources(
    session: aiohttp.ClientSession, server: RunningApiserver, extension: ExtensionServer
) -> None:
    await registered(session, server, extension)
    kubectl = Kubectl(server.kubeconfig())

    assert await kubectl("get", "fl", "-o", "name") == f"flunder.{GROUP}/a\n"
    assert (await kubectl("get", "apiservice", NAME, "--no-headers")).split()[:3] == [NAME, "default/api", "True"]
    assert f"{GROUP}/{VERSION}" in await kubectl("api-versions")
    assert await kubectl("create", "-f", "-", "-o", "name", stdin=json.dumps(flunder("b"))) == f"flunder.{GROUP}/b\n"


async def test_a_server_that_is_away_is_unavailable_and_stale(
    session: aiohttp.ClientSession, server: RunningApiserver, extension: ExtensionServer
) -> None:
    await registered(session, server, extension)
    async with session.delete("/api/v1/namespaces/default/services/api") as answer:
        assert answer.status == 200

    told = await condition(session, "ServiceNotFound")
    async with session.get(FLUNDERS) as answer:
        refusal = (answer.status, await answer.text())
    items = (await get(session, "/apis", Accept=AGGREGATED))["items"]
    version, = next(one for one in items if one["metadata"]["name"] == GROUP)["versions"]

    assert told["status"] == "False"
    assert told["message"] == 'service/api in "default" is not present'
    assert refusal == (503, "service unavailable\n")
    assert (version["freshness"], [one["resource"] for one in version["resources"]]) == ("Stale", ["flunders"])


async def test_endpoints_count(session: aiohttp.ClientSession, server: RunningApiserver, extension: ExtensionServer) -> None:
    async with session.delete("/api/v1/namespaces/default/services/api") as answer:
        assert answer.status == 200
    await post(session, "/api/v1/namespaces/default/services", {"metadata": {"name": "api"}, "spec": {"ports": [{"port": extension.port}]}})
    await post(session, SERVICES, api_service(server, extension))

    without = await condition(session, "EndpointsNotFound")
    await post(session, "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", {
        "metadata": {"name": "api", "labels": {"kubernetes.io/service-name": "api"}}, "addressType": "IPv4",
        "endpoints": [{"addresses": ["192.0.2.77"], "conditions": {"ready": False}}], "ports": [{"name": "", "port": 1}],
    })
    unready = await condition(session, "MissingEndpoints")

    assert without["message"] == 'cannot find endpointslices for service/api in "default"'
    assert unready["message"] == 'endpointslices for service/api in "default" have no addresses with port name ""'


async def test_a_server_that_fails_its_check_comes_back(
    session: aiohttp.ClientSession, server: RunningApiserver, extension: ExtensionServer
) -> None:
    extension.broken = True
    await post(session, SERVICES, api_service(server, extension))

    told = await condition(session, "FailedDiscoveryCheck")
    extension.broken = False
    await condition(session, "Passed")

    url = f"https://localhost:{extension.port}{BASE}"
    assert told["message"] == f"failing or missing response from {url}: bad status from {url}: 500"


async def test_a_certificate_of_another_name_is_not_believed(
    session: aiohttp.ClientSession, server: RunningApiserver, extension: ExtensionServer
) -> None:
    proxies = base64.b64encode(Path(server.config.requestheader_client_ca_file).read_bytes()).decode()
    await registered(session, server, extension, caBundle=proxies)

    async with session.get(FLUNDERS) as answer:
        refusal = (answer.status, await answer.text())

    assert refusal[0] == 503
    assert refusal[1].startswith("error trying to reach service: tls: failed to verify certificate: ")
    assert not extension.requests(FLUNDERS)


async def test_extension_servers_find_what_they_need_to_trust_us(session: aiohttp.ClientSession, server: RunningApiserver) -> None:
    data = (await get(session, "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"))["data"]
    role = await get(session, "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/roles/extension-apiserver-authentication-reader")

    assert data["client-ca-file"] == Path(server.pki.ca_file).read_text()
    assert data["requestheader-client-ca-file"] == Path(server.config.requestheader_client_ca_file).read_text()
    assert data["requestheader-allowed-names"] == '["front-proxy-client"]'
    assert data["requestheader-username-headers"] == '["X-Remote-User"]'
    assert role["rules"][0]["resourceNames"] == ["extension-apiserver-authentication"]


async def test_an_apiserver_that_starts_again_knows_its_extension_servers(
    session: aiohttp.ClientSession, server: RunningApiserver, extension: ExtensionServer
) -> None:
    await registered(session, server, extension)

    await server.kill()
    await server.start()
    listed = await get(session, FLUNDERS)
    async with asyncio.timeout(WITHIN_S):
        while True:
            items = (await get(session, "/apis", Accept=AGGREGATED))["items"]
            version, = next(one for one in items if one["metadata"]["name"] == GROUP)["versions"]
            if version["freshness"] == "Current":
                break
            await asyncio.sleep(0.05)

    assert listed["items"] == [flunder()]
    assert [one["resource"] for one in version["resources"]] == ["flunders"]


async def test_the_api_service_may_be_wrong_in_upstreams_words(
    session: aiohttp.ClientSession, server: RunningApiserver, extension: ExtensionServer
) -> None:
    async with session.post(SERVICES, json=api_service(server, extension, insecureSkipTLSVerify=True, versionPriority=0)) as answer:
        said = await answer.json()

    assert answer.status == 422
    assert said["message"] == (
        f'APIService.apiregistration.k8s.io "{NAME}" is invalid: [spec.versionPriority: Invalid value: 0: must be positive and less than '
        "1000, spec.insecureSkipTLSVerify: Invalid value: true: may not be true if caBundle is present]")


async def test_conditions_of_others_stay(session: aiohttp.ClientSession, server: RunningApiserver, extension: ExtensionServer) -> None:
    await registered(session, server, extension)
    held = await get(session, f"{SERVICES}/{NAME}")
    held["status"]["conditions"].append({"type": "StatusUpdated", "status": "True", "reason": "E2E", "message": "Set from a test"})

    async with session.put(f"{SERVICES}/{NAME}/status", json=held) as answer:
        assert answer.status == 200, await answer.text()
    async with session.delete("/api/v1/namespaces/default/services/api") as answer:
        assert answer.status == 200
    told = await condition(session, "ServiceNotFound")
    conditions = (await get(session, f"{SERVICES}/{NAME}/status"))["status"]["conditions"]

    assert told["status"] == "False"
    assert [one["type"] for one in conditions] == ["Available", "StatusUpdated"]
