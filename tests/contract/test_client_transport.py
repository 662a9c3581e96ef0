"""What every Transport promises: gRPC and REST against a real apiserver, and the in-memory one that controllers' tests use."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing

import msgspec
import pytest
import pytest_asyncio

from kube.api.core_v1 import ConfigMap, Namespace, Node
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.client.client import Client
from kube.client.grpc_transport import GrpcTransport
from kube.client.informer import InformerFactory
from kube.client.objects import key_of
from kube.client.rest_transport import RestTransport
from kube.client.transport import EventType, PatchKind
from tests.support.apiserver import RunningApiserver, running_apiserver
from tests.support.controllers import eventually
from tests.support.memory_transport import MemoryTransport

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.etcd]
HISTORY = 50
CONFIG_MAPS = SCHEME.for_kind(ConfigMap.GVK)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def apiserver(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningApiserver]:
    async with running_apiserver(tmp_path_factory.mktemp("apiserver"), watch_cache_events=HISTORY) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module", params=["memory", "grpc", "rest"])
async def client(request: pytest.FixtureRequest, apiserver: RunningApiserver) -> AsyncIterator[Client]:
    if request.param == "memory":
        async with Client(MemoryTransport()) as memory:
            await memory.create(Namespace(metadata=ObjectMeta(name="default")))
            yield memory
        return
    server = apiserver
    transport = GrpcTransport(server.access()) if request.param == "grpc" else RestTransport.connect(
        server.url, ca_file=server.admin.ca_file, cert_file=server.admin.cert_file, key_file=server.admin.key_file)
    async with Client(transport) as real:
        yield real


def config_map(**labels: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(namespace="default", name=f"cm-{uuid.uuid4().hex[:8]}", labels=labels), data={"a": "1"})


async def test_the_users_web_proxy_is_not_asked(apiserver: RunningApiserver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("grpc_proxy", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with asyncio.timeout(60), Client(GrpcTransport(apiserver.access())) as client:
        assert (await client.create(config_map())).data == {"a": "1"}


async def test_what_was_created_can_be_read(client: Client) -> None:
    created = await client.create(config_map())

    read = await client.get(ConfigMap, key_of(created))

    assert read == created
    assert read.metadata.uid
    assert read.metadata.resource_version
    assert read.data == {"a": "1"}


async def test_an_update_with_an_old_resource_version_conflicts(client: Client) -> None:
    first = await client.create(config_map())
    await client.update(msgspec.structs.replace(first, data={"a": "2"}))

    with pytest.raises(errors.Conflict, match="the object has been modified"):
        await client.update(msgspec.structs.replace(first, data={"a": "3"}))


async def test_errors_are_those_of_the_status_object(client: Client) -> None:
    missing = NamespacedName("default", "nobody")
    with pytest.raises(errors.NotFound, match='configmaps "nobody" not found') as raised:
        await client.get(ConfigMap, missing)
    assert raised.value.details["name"] == "nobody"

    held = await client.create(config_map())
    with pytest.raises(errors.AlreadyExists, match="already exists"):
        await client.create(ConfigMap(metadata=ObjectMeta(namespace="default", name=held.metadata.name)))


@pytest.mark.parametrize(("kind", "patch"), [
    pytest.param(PatchKind.MERGE, {"data": {"a": None, "b": "2"}}, id="merge"),
    pytest.param(PatchKind.STRATEGIC, {"data": {"a": None, "b": "2"}}, id="strategic"),
    pytest.param(
        PatchKind.JSON, [{"op": "remove", "path": "/data/a"}, {"op": "add", "path": "/data/b", "value": "2"}], id="json"),
])
async def test_patches(client: Client, kind: PatchKind, patch: dict[str, object]) -> None:
    held = await client.create(config_map())

    patched = await client.patch(ConfigMap, key_of(held), patch, kind=kind)

    assert patched.data == {"b": "2"}


async def test_lists_are_selected_by_labels_and_fields(client: Client) -> None:
    mark = uuid.uuid4().hex[:8]
    first = await client.create(config_map(mark=mark, app="web"))
    second = await client.create(config_map(mark=mark, app="db"))

    by_label = await client.list(ConfigMap, "default", label_selector=f"mark={mark},app=web")
    by_field = await client.list(ConfigMap, field_selector=f"metadata.name={second.metadata.name}")

    assert [*by_label] == [first]
    assert [*by_field] == [second]


async def test_a_watch_from_a_lists_version_misses_nothing_and_repeats_nothing(client: Client) -> None:
    mark = uuid.uuid4().hex[:8]
    before = await client.create(config_map(mark=mark))
    listing = await client.list(ConfigMap, "default", label_selector=f"mark={mark}")
    after = await client.create(config_map(mark=mark))
    await client.update(msgspec.structs.replace(before, data={"a": "2"}))
    await client.delete(ConfigMap, key_of(after))

    seen = []
    async with asyncio.timeout(60), aclosing(client.watch(
        ConfigMap, "default", resource_version=listing.resource_version, label_selector=f"mark={mark}", allow_bookmarks=False
    )) as events:
        async for event in events:
            seen.append((event.type, event.object.metadata.name))
            if len(seen) == 3:
                break

    assert seen == [
        (EventType.ADDED, after.metadata.name), (EventType.MODIFIED, before.metadata.name),
        (EventType.DELETED, after.metadata.name),
    ]


async def test_metadata_alone(client: Client) -> None:
    held = await client.create(config_map())
    assert CONFIG_MAPS is not None

    listing = await client.dynamic.list(
        CONFIG_MAPS, "default", field_selector=f"metadata.name={held.metadata.name}", metadata_only=True)

    (only,) = listing.items
    assert only["metadata"]["uid"] == held.metadata.uid
    assert "data" not in only


async def test_deletion_is_guarded_by_the_uid(client: Client) -> None:
    held = await client.create(config_map())
    with pytest.raises(errors.Conflict):
        await client.delete(ConfigMap, key_of(held), uid=str(uuid.uuid4()))

    await client.delete(ConfigMap, key_of(held), uid=held.metadata.uid)

    with pytest.raises(errors.NotFound):
        await client.get(ConfigMap, key_of(held))


async def test_status_is_written_apart_from_the_spec(client: Client) -> None:
    node = await client.create(Node(metadata=ObjectMeta(name=f"n-{uuid.uuid4().hex[:8]}")))
    both = msgspec.structs.replace(
        node, spec=msgspec.structs.replace(node.spec, unschedulable=True),
        status=msgspec.structs.replace(node.status, phase="Running"))

    written = await client.update_status(both)

    assert written.status.phase == "Running"
    assert not written.spec.unschedulable


async def test_a_guaranteed_update_survives_others_writes(client: Client) -> None:
    held = await client.create(config_map())

    async def add(name: str) -> None:
        await client.guaranteed_update(
            ConfigMap, key_of(held), lambda cm: msgspec.structs.replace(cm, data={**cm.data, name: "x"}), attempts=10)

    await asyncio.gather(*(add(f"k{number}") for number in range(4)))

    assert {*(await client.get(ConfigMap, key_of(held))).data} == {"a", "k0", "k1", "k2", "k3"}


async def test_an_informer_follows(client: Client) -> None:
    mark = uuid.uuid4().hex[:8]
    first = await client.create(config_map(mark=mark))
    told: list[str] = []
    async with InformerFactory(client) as informers:
        informer = informers.informer(ConfigMap, namespace="default", label_selector=f"mark={mark}")
        informer.add_handler(
            lambda obj: told.append(f"add {obj.data['a']}"), lambda old, new: told.append(f"update {old.data['a']} {new.data['a']}"),
            lambda obj: told.append(f"delete {obj.data['a']}"))
        await informers.start()
        await informers.wait_synced()
        assert [obj.metadata.name for obj in informer.store.list()] == [first.metadata.name]
        await client.update(msgspec.structs.replace(first, data={"a": "2"}))
        await client.delete(ConfigMap, key_of(first))

        async def gone() -> bool:
            return len(told) == 3

        await eventually(gone, what="three calls of handlers")

    assert told == ["add 1", "update 1 2", "delete 2"]
    assert not informer.store.list()


async def test_a_watch_that_is_too_old_is_told_so(client: Client) -> None:
    held = first = await client.create(config_map())
    for number in range(HISTORY + 2):
        held = await client.update(msgspec.structs.replace(held, data={"a": str(number)}))
    if isinstance(client.transport, MemoryTransport):
        client.transport.compact()

    events = client.watch(ConfigMap, "default", resource_version=first.metadata.resource_version)
    with pytest.raises(errors.Expired, match="too old resource version"):
        await asyncio.wait_for(anext(events), 60)
