"""What nobody should send, sent all the same: a clean Status each time, no traceback, no leak, no way around a right."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio
import pytest
import pytest_asyncio

from kube.apimachinery.errors import Invalid
from kube.apimachinery.resources import SCHEME
from kube.client.grpc_channel import CHANNEL_OPTIONS
from kube.client.grpc_transport import GrpcTransport, to_api_error
from kube.client.transport import Location, WriteOptions
from kube.process.config import TlsFiles
from kube.process.tls import client_context, grpc_channel_credentials
from kube.rpc.v1 import objects_pb2 as pb
from kube.rpc.v1.objects_pb2_grpc import ObjectServiceStub
from tests.support.api_calls import JSON_PATCH, MERGE_PATCH, Api, config_map, new_namespace
from tests.support.apiserver import RunningApiserver, running_apiserver
from tests.support.certificate_requests import certificate_request

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]

MAPS = "/api/v1/namespaces/default/configmaps"
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
YAML = "application/yaml"
NO_GZIP = b"POST " + MAPS.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningApiserver]:
    async with running_apiserver(tmp_path_factory.mktemp("apiserver")) as running:
        yield running
        assert "Traceback" not in running.log      # whatever was sent above


def continue_token(revision: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": "a\0"}).encode()).decode()


@pytest.mark.parametrize(("body", "content_type", "code"), [
    pytest.param(b"[" * 100_000, "application/json", 400, id="deep json"),
    pytest.param(b'{"a":' * 800 + b"1" + b"}" * 800, "application/json", 400, id="deep json, well-formed"),
    pytest.param(b"[" * 100_000, YAML, 400, id="deep yaml"),
    pytest.param(b"metadata: {name: a}\ndata: &a {b: *a}", YAML, 400, id="recursive yaml"),
    pytest.param(b"metadata: {name: nonstring}\ndata: {1: x}\n2: 3\n", YAML, 201, id="yaml keys that are no text"),
    pytest.param(b'{"metadata":{"name":"u\xff"}}', "application/json", 400, id="not utf-8"),
    pytest.param(b'{"metadata":{"name":NaN}}', "application/json", 400, id="NaN"),
    pytest.param(b'{"metadata":{"name":"a","generation":' + b"9" * 5000 + b"}}", "application/json", 400, id="huge number"),
    pytest.param(b"", "application/json", 400, id="nothing"),
    pytest.param(b"null", "application/json", 422, id="null"),
    pytest.param(b"{}", "text/plain", 415, id="plain text"),
    pytest.param(b"k8s\0\x0a\x01", "application/vnd.kubernetes.protobuf", 400, id="protobuf cut short"),
    pytest.param(b'{"metadata":{"name":"big"},"data":{"a":"' + b"x" * 3_300_000 + b'"}}', "application/json", 413, id="over 3 MB"),
    pytest.param(b'{"metadata":{"name":"big"},"data":{"a":"' + b"x" * 2_000_000 + b'"}}', "application/json", 422, id="over 1 MB"),
])
async def test_bodies(api: Api, body: bytes, content_type: str, code: int) -> None:
    async with api.session.post(MAPS, data=io.BytesIO(body), headers={"Content-Type": content_type}) as answer:
        status = await answer.json()

    assert answer.status == code, status
    assert code == 201 or status["kind"] == "Status"


@pytest.mark.parametrize(("query", "code"), [
    pytest.param({"resourceVersion": "9" * 30}, 400, id="version beyond int64"),
    pytest.param({"resourceVersion": "9" * 5000}, 400, id="version beyond int"),
    pytest.param({"resourceVersion": "\u0661"}, 400, id="version in other digits"),
    pytest.param({"limit": "9" * 30}, 400, id="limit beyond int64"),
    pytest.param({"limit": "-1"}, 200, id="negative limit"),
    pytest.param({"timeoutSeconds": "9" * 30, "watch": "1"}, 400, id="time-out beyond int64"),
    pytest.param({"continue": continue_token(10**30), "limit": "1"}, 400, id="continue beyond int64"),
    pytest.param({"continue": continue_token(10**9), "limit": "1"}, 504, id="continue in the future"),
    pytest.param({"continue": "\u00e4", "limit": "1"}, 400, id="continue that is no token"),
    pytest.param({"fieldSelector": "\0"}, 400, id="field selector"),
    pytest.param({"labelSelector": "\udcff".encode("utf-8", "replace").decode() + "("}, 400, id="label selector"),
])
async def test_queries(api: Api, query: dict[str, str], code: int) -> None:
    answered, body = await api.get(MAPS, **query)

    assert answered == code, body
    if query == {"limit": "-1"}:
        assert "continue" not in body["metadata"]


async def test_waiting_for_the_far_future_is_given_up(api: Api) -> None:
    answered, body = await api.get(MAPS, resourceVersion=str(10**15))

    assert (answered, body["details"]["causes"][0]["reason"]) == (504, "ResourceVersionTooLarge")


@pytest.mark.parametrize(("content_type", "body", "code"), [
    pytest.param(JSON_PATCH, [{"op": "copy", "from": "/data", "path": f"/data/c{n}"} for n in range(60)], 422, id="doubling copies"),
    pytest.param(JSON_PATCH, [{"op": "test", "path": "/metadata/name", "value": "target"}] * 10_001, 413, id="10,001 operations"),
    pytest.param(MERGE_PATCH, b'{"data":' * 900 + b"1" + b"}" * 900, 400, id="deep"),
    pytest.param("application/strategic-merge-patch+json", b'{"data":' * 900 + b"1" + b"}" * 900, 400, id="deep strategic"),
    pytest.param("application/json", {}, 415, id="no patch"),
])
async def test_patches(api: Api, content_type: str, body: Any, code: int) -> None:
    await api.post(MAPS, config_map("target", a="x" * 1000))
    began = time.monotonic()

    answered, status = await api.patch(f"{MAPS}/target", body, content_type)

    assert answered == code, status
    assert time.monotonic() - began < 60      # what doubles or is quadratic takes hours


@pytest.mark.parametrize(("method", "path", "code"), [
    ("GET", "/api/v1//namespaces/default/configmaps/", 200), ("GET", "/api/v1/namespaces/%2e%2e/configmaps/a", 404),
    ("GET", f"{MAPS}/a%2Fb", 404), ("GET", f"{MAPS}/%00", 404), ("GET", f"{MAPS}/%ff", 404), ("GET", "/%ff", 404),
    ("GET", f"{MAPS}/a/b/c/d", 404), ("OPTIONS", MAPS, 405), ("PROPFIND", MAPS, 405), ("POST", "/version", 405),
])
async def test_paths_and_methods(api: Api, method: str, path: str, code: int) -> None:
    answered, _ = await api.call(method, path)

    assert answered == code


async def test_warnings_cannot_bring_headers_of_their_own(api: Api) -> None:
    body = {"metadata": {"name": "warned"}, "a\r\nSet-Cookie: x": 1, **{f"unknown{n}": 1 for n in range(500)}}

    async with api.session.post(MAPS, json=body, params={"fieldValidation": "Warn"}) as answer:
        warnings = answer.headers.getall("Warning")

    assert answer.status == 201
    assert warnings[0] == '299 - "unknown field \\"a  Set-Cookie: x\\""'
    assert sum(map(len, warnings)) < 8192 and "Set-Cookie" not in answer.headers


async def test_options_of_a_delete_must_be_such(api: Api) -> None:
    await api.post(MAPS, config_map("kept"))

    code, status = await api.delete(f"{MAPS}/kept", {"kind": "Pod", "apiVersion": "v1"})

    assert (code, status["message"]) == (400, "decoded object cannot be converted to DeleteOptions")
    assert (await api.get(f"{MAPS}/kept"))[0] == 200


async def test_metrics_know_only_names_of_the_api(api: Api) -> None:
    for number in range(20):
        await api.get(f"/apis/group{number}/v1/things{number}")
    await api.call("PROPFIND", "/healthz")

    async with api.session.get("/metrics") as answer:
        text = await answer.text()

    assert "things1" not in text and "PROPFIND" not in text
    assert 'verb="OTHER"' in text


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def limited(server: RunningApiserver, api: Api) -> TlsFiles:
    """A user who may read the ConfigMap `mine` and no other."""
    await new_namespace(api, "limited")
    verbs = ["get", "list", "watch", "deletecollection"]
    rule = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["mine"], "verbs": verbs}
    base = RBAC.replace("default", "limited")
    await api.post(f"{base}/roles", {"metadata": {"name": "mine"}, "rules": [rule]})
    await api.post(f"{base}/rolebindings", {
        "metadata": {"name": "mine"}, "roleRef": {"kind": "Role", "name": "mine", "apiGroup": "rbac.authorization.k8s.io"},
        "subjects": [{"kind": "User", "name": "limited"}],
    })
    for name in ("mine", "theirs"):
        await api.post("/api/v1/namespaces/limited/configmaps", config_map(name))
    return server.pki.identity("limited")


async def test_a_right_to_one_name_shows_no_other(server: RunningApiserver, limited: TlsFiles) -> None:
    path = "/api/v1/namespaces/limited/configmaps"

    async with server.session(limited) as session:
        mine = Api(session)
        listed = await mine.get(path, fieldSelector="metadata.name=mine")
        everything = await mine.get(path)
        async with session.get(f"/api/v1/watch{path.removeprefix('/api/v1')}/mine", params={"timeoutSeconds": "1"}) as answer:
            watched = await answer.text()
        other = await mine.get(f"/api/v1/watch{path.removeprefix('/api/v1')}/mine", fieldSelector="metadata.namespace=limited")

    assert (listed[0], [item["metadata"]["name"] for item in listed[1]["items"]]) == (200, ["mine"])
    assert everything[0] == 403
    assert '"name":"mine"' in watched and "theirs" not in watched
    assert (other[0], other[1]["message"]) == (400, "fieldSelector metadata.name doesn't match requested name")


async def test_a_right_to_one_name_shows_no_other_over_grpc(server: RunningApiserver, limited: TlsFiles) -> None:
    at = pb.Coordinates(version="v1", resource="configmaps", namespace="limited", name="mine")
    target = f"127.0.0.1:{server.grpc_port}"

    async with grpc.aio.secure_channel(target, grpc_channel_credentials(limited), options=CHANNEL_OPTIONS) as channel:
        stub: Any = ObjectServiceStub(channel)
        listed = await stub.List(pb.ListRequest(at=at))
        stream = stub.Watch(pb.WatchRequest(at=at))
        first = await stream.read()
        stream.cancel()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.DeleteCollection(pb.DeleteCollectionRequest(at=at))

    assert [json.loads(item)["metadata"]["name"] for item in listed.items] == ["mine"]
    assert [json.loads(event.object)["metadata"]["name"] for event in first.events] == ["mine"]
    assert to_api_error(caught.value).code == 405


async def test_the_owner_of_a_namespace_owns_nothing_outside(server: RunningApiserver, api: Api) -> None:
    await new_namespace(api, "owned")
    await api.post("/apis/rbac.authorization.k8s.io/v1/namespaces/owned/rolebindings", {
        "metadata": {"name": "owner"}, "subjects": [{"kind": "User", "name": "owner"}],
        "roleRef": {"kind": "ClusterRole", "name": "cluster-admin", "apiGroup": "rbac.authorization.k8s.io"},
    })
    identity, codes = server.pki.identity("owner"), []
    async with server.session(identity) as session:
        owner = Api(session)
        for path in ("nodes", "nodes/n", "namespaces", "namespaces/default"):
            codes.append((await owner.get(f"/api/v1/namespaces/owned/{path}"))[0])
        codes.append((await owner.delete("/api/v1/namespaces/owned/namespaces/limited"))[0])
        codes.append((await owner.get("/apis/rbac.authorization.k8s.io/v1/namespaces/owned/clusterroles"))[0])
        own = await owner.get("/api/v1/namespaces/owned")
    at = pb.Coordinates(version="v1", resource="namespaces", namespace="owned", name="default")
    async with grpc.aio.secure_channel(f"127.0.0.1:{server.grpc_port}", grpc_channel_credentials(identity)) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ObjectServiceStub(channel).Get(pb.GetRequest(at=at))

    assert codes == [404] * 6
    assert (own[0], to_api_error(caught.value).code) == (200, 404)


async def test_impersonation_is_seen_in_any_case(api: Api) -> None:
    code, status = await api.get(MAPS, headers={"IMPERSONATE-USER": "nobody"})

    assert (code, status["reason"]) == (403, "Forbidden")


async def test_a_status_too_large_for_headers_still_comes_over_grpc(server: RunningApiserver) -> None:
    body = json.dumps({"metadata": {"name": "q"}, "data": {f"wrong/{number}": "x" for number in range(1000)}}).encode()
    transport = GrpcTransport(server.access())
    row = SCHEME.for_path("", "v1", "configmaps")
    assert row is not None
    try:
        with pytest.raises(Invalid, match='ConfigMap "q" is invalid'):
            await transport.create(Location(row, "default"), body, WriteOptions())
    finally:
        await transport.close()


@pytest.mark.parametrize("head", [
    pytest.param(b"FOO / HTTP/1.1\r\nHost: x\r\n\r\n", id="method"),
    pytest.param(b"\0\1garbage\r\n\r\n", id="garbage"),
    pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", id="two lengths"),
    pytest.param(b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", id="long line"),
    pytest.param(NO_GZIP, id="no gzip"),
])
async def test_what_is_no_http_is_a_bad_request(server: RunningApiserver, head: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=client_context(server.admin))
    writer.write(head)

    answer = await asyncio.wait_for(reader.read(4096), 60)
    writer.close()

    assert answer.split()[1] == b"400"      # and no traceback, which the fixture looks for


async def test_names_that_are_no_text_are_answered(server: RunningApiserver) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=client_context(server.admin))
    writer.write(b"GET " + MAPS.encode() + b" HTTP/1.1\r\nHost: x\r\nImpersonate-User: \xff\xfe\r\n\r\n")

    answer = await asyncio.wait_for(reader.read(4096), 60)
    writer.close()

    assert answer.split()[1] == b"403"


async def test_more_ports_than_there_are_take_none(api: Api) -> None:
    ports = [{"name": f"p{number}", "port": number + 1} for number in range(3000)]
    body = {"metadata": {"name": "greedy"}, "spec": {"type": "NodePort", "ports": ports}}
    began = time.monotonic()

    code, status = await api.post("/api/v1/namespaces/default/services", body)
    modest = {"metadata": {"name": "modest"}, "spec": {"type": "NodePort", "ports": ports[:2]}}
    other, _ = await api.post("/api/v1/namespaces/default/services", modest)

    assert (code, other) == (500, 201)
    assert status["message"] == "Internal error occurred: failed to allocate a nodePort: range is full"
    assert time.monotonic() - began < 60      # what doubles or is quadratic takes hours


async def test_others_are_answered_while_a_large_document_is_read(api: Api) -> None:
    document = b"metadata: {name: large}\nx:\n" + b"- 1\n" * 100_000
    slow = asyncio.create_task(api.post(MAPS, document, content_type=YAML))
    answered = 0
    while not slow.done():
        assert (await api.get("/version"))[0] == 200
        answered += 1

    assert (await slow)[0] == 201
    assert answered > 3


async def test_a_document_of_very_many_nodes_is_refused(api: Api) -> None:
    async with api.session.post(MAPS, data=io.BytesIO(b"x: [" + b"1," * 400_000 + b"1]"), headers={"Content-Type": YAML}) as answer:
        status = await answer.json()

    assert answer.status == 400
    assert "(must be of type ConfigMap): yaml: document has more than 250000 nodes" in status["message"]


async def test_a_certificate_request_says_who_really_asked(server: RunningApiserver, api: Api) -> None:
    body = certificate_request("asked", "example.com/x", username="root", groups=["system:masters"])

    code, made = await api.post("/apis/certificates.k8s.io/v1/certificatesigningrequests", body, headers={"Impersonate-User": "nobody"})
    asked, stored = await api.post("/apis/certificates.k8s.io/v1/certificatesigningrequests", body)

    assert (code, asked) == (403, 201), made
    assert (stored["spec"]["username"], stored["spec"]["groups"]) == ("kubernetes-admin", ["system:masters", "system:authenticated"])
