"""ReplicationControllers: the ReplicaSet controller's work for the older kind, over an in-memory apiserver."""

from __future__ import annotations

import msgspec

from control_plane.controllers.replicaset.controller import ReplicaSetController, ReplicationControllerController
from kube.api.apps_v1 import ReplicaSet, ReplicaSetSpec
from kube.api.core_v1 import Container, Pod, PodSpec, PodTemplateSpec, ReplicationController, ReplicationControllerSpec
from kube.api.meta_v1 import LabelSelector, ObjectMeta
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.objects import controller_of
from tests.support.controllers import eventually, memory_client, running

KEY = NamespacedName("default", "web")
LABELS = {"app": "web"}
TEMPLATE = PodTemplateSpec(metadata=ObjectMeta(labels=LABELS), spec=PodSpec(containers=(Container(name="c", image="i"),)))


def replication_controller(replicas: int) -> ReplicationController:
    return ReplicationController(
        metadata=ObjectMeta(namespace="default", name="web"),
        spec=ReplicationControllerSpec(replicas=replicas, selector=LABELS, template=TEMPLATE))


async def has_replicas(client: Client, count: int) -> bool:
    held = await client.get(ReplicationController, KEY)
    return held.status.replicas == count and held.status.observed_generation == held.metadata.generation


async def test_it_creates_counts_and_deletes() -> None:
    client, _ = memory_client()
    await client.create(replication_controller(3))
    async with running(client, ReplicationControllerController):
        await eventually(lambda: has_replicas(client, 3), what="three replicas")
        owners = [controller_of(pod) for pod in await client.list(Pod, "default")]
        assert [(owner.api_version, owner.kind, owner.name) for owner in owners if owner] == [("v1", "ReplicationController", "web")] * 3

        await client.patch(ReplicationController, KEY, {"spec": {"replicas": 1}})

        await eventually(lambda: has_replicas(client, 1), what="one replica")
    assert len(await client.list(Pod, "default")) == 1


async def test_it_adopts_orphans_and_releases_what_no_longer_matches() -> None:
    client, _ = memory_client()
    orphan = NamespacedName("default", "orphan")
    await client.create(Pod(metadata=ObjectMeta(namespace="default", name="orphan", labels=LABELS)))
    await client.create(replication_controller(1))
    async with running(client, ReplicationControllerController):

        async def adopted() -> bool:
            return controller_of(await client.get(Pod, orphan)) is not None

        await eventually(adopted, what="the orphan is adopted")
        held = await client.get(Pod, orphan)
        await client.update(msgspec.structs.replace(held, metadata=msgspec.structs.replace(held.metadata, labels={"app": "other"})))

        async def released() -> bool:
            return controller_of(await client.get(Pod, orphan)) is None and len(await client.list(Pod, "default")) == 2

        await eventually(released, what="it is released and replaced")


async def test_a_refused_pod_is_a_condition_until_it_is_taken() -> None:
    client, transport = memory_client()
    created = await client.create(replication_controller(2))
    transport.failures = [errors.Forbidden('pods "web-x" is forbidden: exceeded quota: q')]
    async with running(client, ReplicationControllerController):
        await eventually(lambda: has_replicas(client, 2), what="two replicas")

        async def cleared() -> bool:
            return not (await client.get(ReplicationController, KEY)).status.conditions

        await eventually(cleared, what="no failure any more")
    history = client.watch(ReplicationController, "default", resource_version=created.metadata.resource_version)
    first = (await anext(history)).object.status.conditions
    assert [(held.type, held.status, held.reason) for held in first] == [("ReplicaFailure", "True", "FailedCreate")]


async def test_both_kinds_beside_each_other_keep_to_their_own_pods() -> None:
    client, _ = memory_client()
    await client.create(replication_controller(2))
    await client.create(ReplicaSet(
        metadata=ObjectMeta(namespace="default", name="web"),
        spec=ReplicaSetSpec(replicas=3, selector=LabelSelector(match_labels=LABELS), template=TEMPLATE)))
    async with running(client, ReplicaSetController, ReplicationControllerController):

        async def both() -> bool:
            rs = await client.get(ReplicaSet, KEY)
            return rs.status.replicas == 3 and await has_replicas(client, 2)

        await eventually(both, what="three and two")
        assert len(await client.list(Pod, "default")) == 5
