"""Namespaces: what each is given, and how one is emptied."""

from __future__ import annotations

from control_plane.controllers.namespace.conditions import Remaining, conditions
from control_plane.controllers.namespace.controller import NamespaceController
from control_plane.controllers.root_ca import RootCaPublisher
from control_plane.controllers.service_account import ServiceAccountController
from kube.api.core_v1 import ConfigMap, Namespace, Pod, Secret, ServiceAccount
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.transport import ListQuery, Location
from kube.process.clock import SystemClock
from tests.support.controllers import eventually, memory_client, running
from tests.support.memory_transport import MemoryTransport


async def exists(client: Client, name: str) -> bool:
    try:
        await client.get(Namespace, NamespacedName("", name))
    except errors.NotFound:
        return False
    return True


async def test_every_namespace_has_a_service_account_and_the_root_ca_and_keeps_them() -> None:
    client, _ = memory_client()
    await client.create(Namespace(metadata=ObjectMeta(name="a")))
    async with running(client, ServiceAccountController, lambda context: RootCaPublisher(context, "PEM")):

        async def furnished() -> bool:
            accounts, maps = await client.list(ServiceAccount, "a"), await client.list(ConfigMap, "a")
            return [held.metadata.name for held in accounts] == ["default"] and [held.data for held in maps] == [{"ca.crt": "PEM"}]

        await eventually(furnished, what="both are there")
        await client.delete(ServiceAccount, NamespacedName("a", "default"))
        await client.patch(ConfigMap, NamespacedName("a", "kube-root-ca.crt"), {"data": {"ca.crt": "wrong"}})
        await eventually(furnished, what="both are restored")


async def test_a_deleted_namespace_is_emptied_then_gone() -> None:
    client, _ = memory_client()
    await client.create(Namespace(metadata=ObjectMeta(name="a")))
    await client.create(Pod(metadata=ObjectMeta(namespace="a", name="p")))
    await client.create(Secret(metadata=ObjectMeta(namespace="a", name="s")))
    await client.create(Secret(metadata=ObjectMeta(namespace="default", name="s")))
    async with running(client, NamespaceController):
        await client.delete(Namespace, NamespacedName("", "a"))

        async def gone() -> bool:
            return not await exists(client, "a")

        await eventually(gone, what="the namespace is gone")
    assert not (await client.list(Pod, "a")).items
    assert [held.metadata.namespace for held in await client.list(Secret)] == ["default"]


async def test_what_holds_a_namespace_is_said_in_its_status() -> None:
    client, _ = memory_client()
    await client.create(Namespace(metadata=ObjectMeta(name="a")))
    held = await client.create(ConfigMap(metadata=ObjectMeta(namespace="a", name="c", finalizers=("example.com/keep",))))
    async with running(client, NamespaceController):
        await client.delete(Namespace, NamespacedName("", "a"))

        async def said() -> bool:
            namespace = await client.get(Namespace, NamespacedName("", "a"))
            return any(condition.type == "NamespaceFinalizersRemaining" and condition.status == "True"
                       for condition in namespace.status.conditions)

        await eventually(said, what="the finalizer is named")
        await client.patch(ConfigMap, NamespacedName("a", held.metadata.name), {"metadata": {"finalizers": None}})

        async def gone() -> bool:
            return not await exists(client, "a")

        await eventually(gone, what="the namespace is gone")


def test_conditions_in_upstreams_words() -> None:
    remaining = Remaining(resources={"pods.": 2}, finalizers={"example.com/keep": 1})
    messages = {held.type: held.message for held in conditions((), remaining, SystemClock().now())}
    assert messages["NamespaceContentRemaining"] == "Some resources are remaining: pods. has 2 resource instances"
    assert messages["NamespaceFinalizersRemaining"] == (
        "Some content in the namespace has finalizers remaining: example.com/keep in 1 resource instances")


def test_groups_that_cannot_be_looked_into_keep_a_namespace() -> None:
    stale = "stale GroupVersion discovery: metrics.k8s.io/v1beta1"
    remaining = Remaining(unknown={"metrics.k8s.io/v1beta1": stale, "a.example.com/v1": "service unavailable"})

    found = {one.type: (one.status, one.reason, one.message) for one in conditions((), remaining, SystemClock().now())}

    assert not remaining.nothing
    assert found["NamespaceDeletionDiscoveryFailure"] == (
        "True", "DiscoveryFailed",
        "Discovery failed for some groups, 2 failing: unable to retrieve the complete list of server APIs: "
        f"a.example.com/v1: service unavailable, metrics.k8s.io/v1beta1: {stale}")
    assert found["NamespaceContentRemaining"][0] == "False"


async def test_pods_that_cannot_be_deleted_do_not_keep_the_rest() -> None:
    client, _ = memory_client()
    await client.create(Namespace(metadata=ObjectMeta(name="going")))
    await client.create(Pod(metadata=ObjectMeta(namespace="going", name="p")))
    await client.create(Secret(metadata=ObjectMeta(namespace="going", name="s")))
    transport = client.transport
    assert isinstance(transport, MemoryTransport)
    delete_collection = transport.delete_collection

    async def refusing(at: Location, query: ListQuery, options: bytes) -> bytes:
        if at.resource.plural == "pods":
            raise errors.Forbidden("no")
        return await delete_collection(at, query, options)

    transport.delete_collection = refusing  # type: ignore[method-assign]
    await client.delete(Namespace, NamespacedName("", "going"))
    async with running(client, NamespaceController):

        async def emptied() -> bool:
            return not await client.list(Secret, "going")

        await eventually(emptied, what="its Secret goes")
    assert await exists(client, "going")
