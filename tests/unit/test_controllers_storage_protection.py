"""Claims, volumes and attribute classes stay while they are used, and go then."""

from __future__ import annotations

import msgspec
import pytest

from control_plane.controllers.storage_protection import AttributesProtection, ClaimProtection, VolumeProtection
from kube.api.core_v1 import (
    EphemeralVolumeSource,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimSpec,
    PersistentVolumeClaimVolumeSource,
    PersistentVolumeStatus,
    Pod,
    PodSpec,
    Volume,
)
from kube.api.meta_v1 import ObjectMeta, OwnerReference
from kube.api.storage_v1 import VolumeAttributesClass
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.objects import T
from tests.support.controllers import eventually, memory_client, running

CLAIM = NamespacedName("a", "data")


def pod(node: str = "n", *, volume: Volume | None = None) -> Pod:
    volume = volume or Volume(name="v", persistent_volume_claim=PersistentVolumeClaimVolumeSource(claim_name="data"))
    return Pod(metadata=ObjectMeta(namespace="a", name="p"), spec=PodSpec(node_name=node, volumes=(volume,)))


def claim(**metadata: object) -> PersistentVolumeClaim:
    return PersistentVolumeClaim(metadata=ObjectMeta(
        namespace="a", name="data", finalizers=("kubernetes.io/pvc-protection",), **metadata))  # type: ignore[arg-type]


async def is_gone(client: Client, kind: type[T], key: NamespacedName) -> bool:
    try:
        await client.get(kind, key)
    except errors.NotFound:
        return True
    return False


@pytest.mark.req("ADM-17")
async def test_a_claim_stays_while_a_pod_uses_it() -> None:
    client, _ = memory_client()
    await client.create(pod())
    await client.create(claim())
    await client.delete(PersistentVolumeClaim, CLAIM)
    async with running(client, ClaimProtection):
        await client.create(PersistentVolumeClaim(metadata=ObjectMeta(namespace="a", name="other")))

        async def other_is_protected() -> bool:
            other = await client.get(PersistentVolumeClaim, NamespacedName("a", "other"))
            return other.metadata.finalizers == ("kubernetes.io/pvc-protection",)

        await eventually(other_is_protected, what="what has no finalizer gets it")
        assert (await client.get(PersistentVolumeClaim, CLAIM)).metadata.deletion_timestamp
        await client.delete(Pod, NamespacedName("a", "p"), grace_period_s=0)
        await eventually(lambda: is_gone(client, PersistentVolumeClaim, CLAIM), what="the claim goes after the Pod")


async def test_a_pod_that_runs_nowhere_holds_no_claim() -> None:
    client, _ = memory_client()
    await client.create(pod(node=""))
    await client.create(claim())
    async with running(client, ClaimProtection):
        await client.delete(PersistentVolumeClaim, CLAIM)
        await eventually(lambda: is_gone(client, PersistentVolumeClaim, CLAIM), what="the claim goes")


async def test_an_ephemeral_volume_is_used_by_its_own_pod_alone() -> None:
    client, _ = memory_client()
    made = await client.create(pod(volume=Volume(name="cache", ephemeral=EphemeralVolumeSource())))
    owner = OwnerReference(api_version="v1", kind="Pod", name="p", uid=made.metadata.uid, controller=True)
    names = NamespacedName("a", "p-cache")
    await client.create(msgspec.structs.replace(claim(owner_references=(owner,)), metadata=msgspec.structs.replace(
        claim(owner_references=(owner,)).metadata, name="p-cache")))
    await client.delete(PersistentVolumeClaim, names)
    async with running(client, ClaimProtection):
        await client.delete(Pod, NamespacedName("a", "p"), grace_period_s=0)
        await eventually(lambda: is_gone(client, PersistentVolumeClaim, names), what="it goes with its Pod")


@pytest.mark.req("ADM-17")
async def test_a_volume_stays_while_it_is_bound() -> None:
    client, _ = memory_client()
    key = NamespacedName("", "disk")
    metadata = ObjectMeta(name="disk", finalizers=("kubernetes.io/pv-protection",))
    await client.create(PersistentVolume(metadata=metadata, status=PersistentVolumeStatus(phase="Bound")))
    await client.delete(PersistentVolume, key)
    async with running(client, VolumeProtection):
        held = await client.get(PersistentVolume, key)
        assert held.metadata.deletion_timestamp
        await client.update_status(msgspec.structs.replace(held, status=PersistentVolumeStatus(phase="Released")))
        await eventually(lambda: is_gone(client, PersistentVolume, key), what="it goes when it is released")


async def test_a_class_stays_while_a_claim_names_it() -> None:
    client, _ = memory_client()
    gold = NamespacedName("", "gold")
    await client.create(VolumeAttributesClass(metadata=ObjectMeta(name="gold", finalizers=("kubernetes.io/vac-protection",))))
    await client.create(msgspec.structs.replace(claim(), spec=PersistentVolumeClaimSpec(volume_attributes_class_name="gold")))
    await client.delete(VolumeAttributesClass, gold)
    async with running(client, AttributesProtection):
        held = await client.get(PersistentVolumeClaim, CLAIM)
        assert not await is_gone(client, VolumeAttributesClass, gold)
        await client.update(msgspec.structs.replace(held, spec=PersistentVolumeClaimSpec(volume_attributes_class_name="silver")))
        await eventually(lambda: is_gone(client, VolumeAttributesClass, gold), what="it goes when nobody names it")
