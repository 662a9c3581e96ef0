"""The gRPC door, with the client that our components use, and with bare stubs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import msgspec
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kube.api.core_v1 import ConfigMap, Namespace
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery.errors import AlreadyExists, Conflict, Expired, Forbidden, NotFound
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.grpc_transport import GrpcTransport
from kube.process.tls import grpc_channel_credentials
from tests.support.apiserver import RunningApiserver, running_apiserver

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningApiserver]:
    async with running_apiserver(tmp_path_factory.mktemp("apiserver"), watch_cache_events=50) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(server: RunningApiserver) -> AsyncIterator[Client]:
    async with Client(GrpcTransport(server.access())) as made:
        yield made


def config_map(name: str, **data: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data=data)


async def test_an_object_lives_through_the_grpc_door(client: Client) -> None:
    key = NamespacedName("default", "life")

    created = await client.create(config_map("life", a="1"))
    updated = await client.update(msgspec.structs.replace(created, data={"a": "2"}))
    patched = await client.patch(ConfigMap, key, {"data": {"b": "3"}})
    read = await client.get(ConfigMap, key)
    await client.delete(ConfigMap, key)

    assert (updated.data, patched.data) == ({"a": "2"}, {"a": "2", "b": "3"})
    assert read == patched
    with pytest.raises(NotFound, match='configmaps "life" not found'):
        await client.get(ConfigMap, key)


async def test_errors_are_the_same_as_over_http(client: Client, server: RunningApiserver) -> None:
    created = await client.create(config_map("errors"))
    await client.patch(ConfigMap, NamespacedName("default", "errors"), {"data": {"a": "1"}})

    with pytest.raises(AlreadyExists, match='configmaps "errors" already exists'):
        await client.create(config_map("errors"))
    with pytest.raises(Conflict, match="the object has been modified"):
        await client.update(msgspec.structs.replace(created, data={"a": "2"}))
    async with Client(GrpcTransport(server.access(server.pki.identity("bob")))) as bob:
        with pytest.raises(Forbidden, match='configmaps is forbidden: User "bob" cannot list resource "configmaps"'):
            await bob.list(ConfigMap)


async def test_watch_goes_on_from_a_list(client: Client) -> None:
    listing = await client.list(Namespace)
    seen = []

    async def follow() -> None:
        async for event in client.watch(ConfigMap, "default", resource_version=listing.resource_version):
            seen.append((event.type.name, event.object.metadata.name))
            if event.type.name == "DELETED" and event.object.metadata.name == "watched":
                return

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(follow())
        await client.create(config_map("watched"))
        await client.delete(ConfigMap, NamespacedName("default", "watched"))

    assert seen[-2:] == [("ADDED", "watched"), ("DELETED", "watched")]


async def test_a_watch_that_is_too_old_is_expired(client: Client) -> None:
    first = await client.create(config_map("old"))
    for number in range(60):
        await client.patch(ConfigMap, NamespacedName("default", "old"), {"data": {"n": str(number)}})

    with pytest.raises(Expired):
        async for _ in client.watch(ConfigMap, "default", resource_version=first.metadata.resource_version):
            pass


async def test_health_and_reflection_are_on(server: RunningApiserver) -> None:
    channel = grpc.aio.secure_channel(f"127.0.0.1:{server.grpc_port}", grpc_channel_credentials(server.admin))
    async with channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(service="kube.rpc.v1.ObjectService"))

    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_without_a_certificate_of_the_ca_nobody_comes_in(server: RunningApiserver) -> None:
    with open(server.pki.ca_file, "rb") as file:  # noqa: ASYNC230
        credentials = grpc.ssl_channel_credentials(root_certificates=file.read())
    async with grpc.aio.secure_channel(f"127.0.0.1:{server.grpc_port}", credentials) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Check(health_pb2.HealthCheckRequest(), timeout=60)

    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
