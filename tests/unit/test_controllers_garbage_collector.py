"""Dependents of gone owners: background, foreground, orphan; and what must never be deleted."""

from __future__ import annotations

import msgspec
import pytest

from control_plane.controllers.garbage_collector.controller import GarbageCollector
from control_plane.controllers.garbage_collector.graph import Graph, Item, OwnedMetadata
from control_plane.controllers.garbage_collector.references import Fate, Owners, OwnerState, fate
from kube.api.core_v1 import ConfigMap, Event, Node, Secret
from kube.api.meta_v1 import ObjectMeta, OwnerReference
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.client.client import Client
from kube.client.objects import ApiObject, owner_reference
from kube.client.transport import Location, PatchKind, WriteOptions
from tests.support.controllers import eventually, memory_client, running
from tests.support.memory_transport import MemoryTransport

POD_ROW = SCHEME.for_path("", "v1", "pods")


def config_map(name: str, *owners: ApiObject, namespace: str = "default") -> ConfigMap:
    refs = tuple(owner_reference(owner) for owner in owners)
    return ConfigMap(metadata=ObjectMeta(namespace=namespace, name=name, owner_references=refs))


async def exists(client: Client, name: str) -> bool:
    try:
        await client.get(ConfigMap, NamespacedName("default", name))
    except errors.NotFound:
        return False
    return True


@pytest.mark.parametrize(("states", "has_dependents", "expected"), [
    ((), False, Fate.KEEP),
    ((OwnerState.SOLID,), True, Fate.KEEP),
    ((OwnerState.SOLID, OwnerState.DANGLING), False, Fate.DROP_REFERENCES),
    ((OwnerState.DANGLING,), False, Fate.DELETE),
    ((OwnerState.WAITING,), False, Fate.DELETE),
    ((OwnerState.WAITING, OwnerState.DANGLING), True, Fate.DELETE_FOREGROUND),
])
def test_fate(states: tuple[OwnerState, ...], has_dependents: bool, expected: Fate) -> None:
    owners = Owners()
    for number, state in enumerate(states):
        owners.add(OwnerReference(uid=str(number)), state)
    assert fate(owners, has_dependents=has_dependents) is expected


def test_the_graph_forgets_links_that_were_dropped() -> None:
    assert POD_ROW is not None
    graph = Graph()
    ref = OwnerReference(uid="owner", block_owner_deletion=True)
    graph.put(Item(POD_ROW, OwnedMetadata(uid="a", owner_references=(ref,))))
    assert [item.uid for item in graph.blocking_dependents("owner")] == ["a"]

    graph.put(Item(POD_ROW, OwnedMetadata(uid="a")))

    assert not [*graph.dependents("owner")]


async def test_background_deletion_reaches_the_dependents_dependents() -> None:
    client, _ = memory_client()
    top = await client.create(config_map("top"))
    middle = await client.create(config_map("middle", top))
    await client.create(config_map("bottom", middle))
    async with running(client, GarbageCollector):
        await client.delete(ConfigMap, NamespacedName("default", "top"), propagation_policy="Background")

        async def gone() -> bool:
            return not await exists(client, "middle") and not await exists(client, "bottom")

        await eventually(gone, what="middle and bottom are gone")


async def test_in_foreground_the_owner_goes_last() -> None:
    client, transport = memory_client()
    top = await client.create(config_map("top"))
    middle = await client.create(config_map("middle", top))
    await client.create(config_map("bottom", middle))
    start = (await client.list(ConfigMap, "default")).resource_version
    async with running(client, GarbageCollector):
        await client.delete(ConfigMap, NamespacedName("default", "top"), propagation_policy="Foreground")

        async def gone() -> bool:
            return not (await client.list(ConfigMap, "default")).items

        await eventually(gone, what="all three are gone")
    order: list[str] = []
    history = client.watch(ConfigMap, "default", resource_version=start)
    while len(order) < 3:
        event = await anext(history)
        if event.type == "DELETED":
            order.append(event.object.metadata.name)
    assert order == ["bottom", "middle", "top"]
    assert transport.calls


async def test_orphaned_dependents_stay_without_their_owner() -> None:
    client, _ = memory_client()
    top = await client.create(config_map("top"))
    await client.create(config_map("child", top))
    async with running(client, GarbageCollector):

        async def known() -> bool:
            return True

        await eventually(known)
        await client.delete(ConfigMap, NamespacedName("default", "top"), propagation_policy="Orphan")

        async def gone() -> bool:
            return not await exists(client, "top")

        await eventually(gone, what="the owner is gone")
    child = await client.get(ConfigMap, NamespacedName("default", "child"))
    assert not child.metadata.owner_references


async def test_an_owner_that_was_replaced_under_its_name_does_not_hold_its_dependents() -> None:
    client, _ = memory_client()
    first = await client.create(config_map("top"))
    await client.delete(ConfigMap, NamespacedName("default", "top"))
    await client.create(config_map("top"))
    await client.create(config_map("child", first))
    async with running(client, GarbageCollector):

        async def gone() -> bool:
            return not await exists(client, "child")

        await eventually(gone, what="the child of the first is gone")
    assert await exists(client, "top")


async def test_one_solid_owner_keeps_an_object_which_forgets_the_gone_one() -> None:
    client, _ = memory_client()
    gone_owner = await client.create(config_map("gone"))
    solid = await client.create(config_map("solid"))
    await client.delete(ConfigMap, NamespacedName("default", "gone"))
    await client.create(config_map("child", gone_owner, solid))
    async with running(client, GarbageCollector):

        async def forgot() -> bool:
            child = await client.get(ConfigMap, NamespacedName("default", "child"))
            return [ref.name for ref in child.metadata.owner_references] == ["solid"]

        await eventually(forgot, what="only the solid owner is left")


class LateOwner(MemoryTransport):
    """Between the look at the child and its deletion the child gets another owner."""

    solid: ConfigMap | None = None

    async def delete(self, at: Location, options: bytes) -> bytes:
        if at.name == "child" and self.solid is not None:
            refs = [msgspec.to_builtins(owner_reference(self.solid))]
            self.solid = None
            await self.patch(at, PatchKind.MERGE, msgspec.json.encode({"metadata": {"ownerReferences": refs}}), WriteOptions())
        return await super().delete(at, options)


async def test_an_object_that_found_a_new_owner_meanwhile_is_kept() -> None:
    transport = LateOwner()
    client = Client(transport)
    gone_owner = await client.create(config_map("gone"))
    await client.delete(ConfigMap, NamespacedName("default", "gone"))
    transport.solid = await client.create(config_map("solid"))
    await client.create(config_map("child", gone_owner))
    async with running(client, GarbageCollector):

        async def refused() -> bool:
            return transport.solid is None

        await eventually(refused, what="the deletion was tried")
        witness = await client.create(config_map("witness"))
        await client.create(config_map("last", witness))
        await client.delete(ConfigMap, NamespacedName("default", "witness"))

        async def witnessed() -> bool:
            return not await exists(client, "last")

        await eventually(witnessed, what="the collector went on")

    child = await client.get(ConfigMap, NamespacedName("default", "child"))
    assert [ref.name for ref in child.metadata.owner_references] == ["solid"]


async def test_kinds_nobody_knows_and_owners_in_other_scopes_delete_nothing() -> None:
    client, _ = memory_client()
    unknown = OwnerReference(api_version="example.com/v1", kind="Thing", name="t", uid="u1")
    await client.create(ConfigMap(metadata=ObjectMeta(namespace="default", name="a", owner_references=(unknown,))))
    namespaced = OwnerReference(api_version="v1", kind="Secret", name="s", uid="u2")
    await client.create(Node(metadata=ObjectMeta(name="n", owner_references=(namespaced,))))
    node = await client.create(Node(metadata=ObjectMeta(name="owner")))
    await client.create(config_map("b", node))
    async with running(client, GarbageCollector):
        witness = await client.create(Secret(metadata=ObjectMeta(namespace="default", name="w")))
        await client.create(config_map("c", witness))
        await client.delete(Secret, NamespacedName("default", "w"))

        async def witnessed() -> bool:
            return not await exists(client, "c")

        await eventually(witnessed, what="the collector works")
    assert await exists(client, "a")
    assert await exists(client, "b")
    assert (await client.get(Node, NamespacedName("", "n"))).metadata.name == "n"


async def test_an_owner_of_another_namespace_is_none() -> None:
    client, _ = memory_client()
    owner = await client.create(config_map("owner"))
    await client.create(config_map("right", owner))
    strays = [config_map("stray", owner, namespace="other"), config_map("misnamed", owner), config_map("other-kind", owner)]
    ref = owner_reference(owner)
    misnamed = {"misnamed": {"name": "somebody"}, "other-kind": {"kind": "Secret"}}
    for stray in strays:
        wrong = msgspec.structs.replace(ref, **misnamed.get(stray.metadata.name, {}))
        metadata = msgspec.structs.replace(stray.metadata, owner_references=(wrong,))
        await client.create(msgspec.structs.replace(stray, metadata=metadata))
    async with running(client, GarbageCollector):

        async def gone() -> bool:
            return {held.metadata.name for held in await client.list(ConfigMap)} == {"owner", "right"}

        await eventually(gone, what="what names an owner that is not there")

        async def told() -> bool:
            return any(
                event.reason == "OwnerRefInvalidNamespace" and event.message.endswith('does not exist in namespace "other"')
                for event in await client.list(Event, "other"))

        await eventually(told, what="an event says why")
