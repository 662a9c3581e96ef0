"""Objects of extension servers, seen by the controllers that deal with every kind: over gRPC through a real apiserver."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from control_plane.controllers.garbage_collector.controller import GarbageCollector
from control_plane.controllers.namespace.controller import NamespaceController
from kube.api.core_v1 import ConfigMap, Namespace
from kube.api.meta_v1 import ObjectMeta, OwnerReference
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.grpc_transport import GrpcTransport
from kube.client.objects import owner_reference
from kube.process.config import TlsFiles
from tests.support.api_calls import Api
from tests.support.apiserver import RunningApiserver
from tests.support.apiserver_pki import TestPki
from tests.support.controllers import eventually, running
from tests.support.etcd import running_etcd
from tests.support.extension_server import GROUP, VERSION, KeepingExtensionServer, running_extension_server

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]

WITHIN_S = 60.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningApiserver]:
    directory = tmp_path_factory.mktemp("extension-kinds")
    proxies = TestPki(directory / "proxies")
    async with running_etcd(directory / "etcd", tls=True) as etcd:
        apiserver = RunningApiserver(
            directory / "apiserver", etcd, TestPki(directory / "pki"), front_proxy=proxies.identity("front-proxy-client"),
            requestheader_client_ca_file=proxies.ca_file, requestheader_allowed_names=("front-proxy-client",),
        )
        try:
            await apiserver.start()
            yield apiserver
        finally:
            await apiserver.kill()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def extension(server: RunningApiserver) -> AsyncIterator[KeepingExtensionServer]:
    identity = server.pki.identity("wardle", host="api.default.svc")
    trusting = TlsFiles(cert_file=identity.cert_file, key_file=identity.key_file, ca_file=server.config.requestheader_client_ca_file)
    keeping = KeepingExtensionServer()
    async with running_extension_server(trusting, keeping), server.session() as session:
        api = Api(session)
        await api.post("/api/v1/namespaces/default/services", {
            "metadata": {"name": "api"}, "spec": {"type": "ExternalName", "externalName": "localhost"}})
        bundle = base64.b64encode(Path(server.pki.ca_file).read_bytes()).decode()
        name, services = f"{VERSION}.{GROUP}", "/apis/apiregistration.k8s.io/v1/apiservices"
        await api.post(services, {"metadata": {"name": name}, "spec": {
            "group": GROUP, "version": VERSION, "groupPriorityMinimum": 2000, "versionPriority": 15, "caBundle": bundle,
            "service": {"namespace": "default", "name": "api", "port": keeping.port}}})

        async def available() -> bool:
            _, held = await api.get(f"{services}/{name}")
            return any(one["status"] == "True" for one in (held.get("status") or {}).get("conditions") or ())

        await eventually(available, within_s=WITHIN_S, what="the extension server is available")
        yield keeping


@pytest_asyncio.fixture(loop_scope="module")
async def client(server: RunningApiserver) -> AsyncIterator[Client]:
    async with Client(GrpcTransport(server.access())) as made:
        yield made


async def is_gone(client: Client, kind: type[ConfigMap] | type[Namespace], key: NamespacedName) -> bool:
    try:
        await client.get(kind, key)
    except errors.NotFound:
        return True
    return False


async def test_a_namespace_takes_its_extension_objects_with_it(client: Client, extension: KeepingExtensionServer) -> None:
    for name in ("going", "staying"):
        await client.create(Namespace(metadata=ObjectMeta(name=name)))
        extension.keep(name, "a", uid=f"{name}-a")
    await client.delete(Namespace, NamespacedName("", "going"))

    async with running(client, NamespaceController):
        await eventually(lambda: is_gone(client, Namespace, NamespacedName("", "going")), within_s=WITHIN_S, what="it is gone")

    assert list(extension.kept) == [("staying", "a")]


async def test_a_namespace_waits_for_an_extension_server_that_is_away(client: Client, extension: KeepingExtensionServer) -> None:
    key = NamespacedName("", "waiting")
    await client.create(Namespace(metadata=ObjectMeta(name=key.name)))
    extension.keep(key.name, "a", uid="waiting-a")
    extension.broken = True
    try:
        await client.delete(Namespace, key)
        async with running(client, NamespaceController):

            async def says_so() -> bool:
                conditions = {one.type: one for one in (await client.get(Namespace, key)).status.conditions}
                failing = conditions.get("NamespaceDeletionContentFailure"), conditions.get("NamespaceDeletionDiscoveryFailure")
                return any(one is not None and one.status == "True" for one in failing)

            await eventually(says_so, within_s=WITHIN_S, what="its conditions tell why it stays")
            extension.broken = False
            await eventually(lambda: is_gone(client, Namespace, key), within_s=2 * WITHIN_S, what="it goes when the server is back")
    finally:
        extension.broken = False


async def test_owners_and_dependents_that_an_extension_server_keeps(client: Client, extension: KeepingExtensionServer) -> None:
    extension.keep("default", "owner", uid="owner-uid")

    def owned(name: str, owner: str, uid: str) -> ConfigMap:
        ref = OwnerReference(api_version=f"{GROUP}/{VERSION}", kind="Flunder", name=owner, uid=uid)
        return ConfigMap(metadata=ObjectMeta(namespace="default", name=name, owner_references=(ref,)))

    await client.create(owned("kept", "owner", "owner-uid"))
    await client.create(owned("left", "gone", "gone-uid"))
    master = await client.create(ConfigMap(metadata=ObjectMeta(namespace="default", name="master")))
    kept, left = NamespacedName("default", "kept"), NamespacedName("default", "left")
    async with running(client, GarbageCollector):
        await eventually(lambda: is_gone(client, ConfigMap, left), within_s=WITHIN_S, what="what a gone owner left")
        assert not await is_gone(client, ConfigMap, kept)

        async def watched() -> bool:
            return bool(extension._watches)

        await eventually(watched, within_s=WITHIN_S, what="flunders are watched")
        extension.keep("default", "servant", uid="servant-uid", ownerReferences=[msgspec.to_builtins(owner_reference(master))])
        extension.drop("default", "owner")
        await eventually(lambda: is_gone(client, ConfigMap, kept), within_s=WITHIN_S, what="the dependent of a deleted flunder")
        await client.delete(ConfigMap, NamespacedName("default", "master"))

        async def dismissed() -> bool:
            return ("default", "servant") not in extension.kept

        await eventually(dismissed, within_s=WITHIN_S, what="a flunder whose owner was deleted")
