"""Pods with claims: which Nodes fit, in which words the others are refused, what is written before the Pod is bound."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from control_plane.scheduler.cache import SchedulerCache
from control_plane.scheduler.changes import ObjectChange
from control_plane.scheduler.framework import ClusterEvent, CycleState
from control_plane.scheduler.plugins.node_volume_limits import NodeVolumeLimits
from control_plane.scheduler.plugins.volume_binding import VolumeBinding
from control_plane.scheduler.plugins.volume_restrictions import VolumeRestrictions
from control_plane.scheduler.plugins.volume_zone import VolumeZone
from control_plane.scheduler.pod_info import PodInfo
from control_plane.scheduler.volume_objects import VolumeObjects
from kube.api.core_v1 import PersistentVolume, PersistentVolumeClaim, Volume
from kube.api.storage_v1 import CSIDriver, CSINode, CSIStorageCapacity, StorageClass
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.informer import InformerFactory
from tests.support.controllers import eventually, memory_client
from tests.support.scheduling import cache_of, fitting, node, pod, reasons

BOUND = {"pv.kubernetes.io/bind-completed": "yes"}
NODES = (node("n1", labels={"zone": "a"}), node("n2", labels={"zone": "b"}), node("n3"))


def volume(
    name: str = "pv1", *, zone: str = "", size: str = "1Gi", metadata: dict[str, Any] | None = None, **spec: Any,
) -> PersistentVolume:
    term = {"matchExpressions": [{"key": "zone", "operator": "In", "values": [zone]}]}
    affinity = {"nodeAffinity": {"required": {"nodeSelectorTerms": [term]}}} if zone else {}
    body = {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "storageClassName": "late", **affinity, **spec}
    return msgspec.convert(
        {"metadata": {"name": name, **(metadata or {})}, "spec": body, "status": {"phase": "Available"}}, PersistentVolume)


def claim(name: str = "data", *, annotations: dict[str, str] | None = None, **spec: Any) -> PersistentVolumeClaim:
    body = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "500Mi"}}, "storageClassName": "late", **spec}
    metadata = {"namespace": "default", "name": name, "uid": f"uid-of-{name}", "annotations": annotations or {}}
    return msgspec.convert({"metadata": metadata, "spec": body}, PersistentVolumeClaim)


def storage_class(name: str = "late", provisioner: str = "kubernetes.io/no-provisioner", **fields: Any) -> StorageClass:
    body = {"metadata": {"name": name}, "provisioner": provisioner, "volumeBindingMode": "WaitForFirstConsumer", **fields}
    return msgspec.convert(body, StorageClass)


def user_of(*claims: str, name: str = "web") -> PodInfo:
    listed = [{"name": one, "persistentVolumeClaim": {"claimName": one}} for one in claims]
    return pod(name, spec={"volumes": msgspec.convert(listed, tuple[Volume, ...])})


@asynccontextmanager
async def seen(*objects: Any) -> AsyncIterator[tuple[VolumeObjects, Client]]:
    client, _ = memory_client()
    for one in objects:
        await client.create(one)
    async with InformerFactory(client) as informers:
        found = VolumeObjects(client, informers)
        await informers.start()
        await informers.wait_synced()
        yield found, client


async def refused(objects: Sequence[Any], a_pod: PodInfo, cache: SchedulerCache | None = None) -> tuple[str, set[str], list[str]]:
    """VolumeBinding's answer: the words of PreFilter, or the Nodes that fit and why others do not."""
    held = cache or cache_of(*NODES)
    async with seen(*objects) as (found, _):
        plugin, state = VolumeBinding(found), CycleState()
        early = plugin.pre_filter(state, a_pod, held.nodes)
        if early is not None and early.rejected:
            return early.rejected, set(), []
        verdict = plugin.filter(state, a_pod, held.nodes)
        return "", fitting(verdict, held.nodes), reasons(verdict)


@pytest.mark.req("PVC-02", "PVC-09")
@pytest.mark.parametrize(("objects", "words"), [
    ([], 'persistentvolumeclaim "data" not found'),
    ([storage_class("now", volumeBindingMode="Immediate"), claim(storageClassName="now")],
     "pod has unbound immediate PersistentVolumeClaims"),
    ([storage_class(), claim(volumeName="pv1")], "pod has unbound immediate PersistentVolumeClaims"),
])
async def test_no_node_can_take_a_pod_whose_claim_is_not_ready(objects: list[Any], words: str) -> None:
    assert (await refused(objects, user_of("data")))[0] == words


@pytest.mark.req("PVC-03", "PVC-12")
async def test_a_bound_volume_decides_where_its_pods_go() -> None:
    objects = [claim(annotations=BOUND, volumeName="pv1"), volume(zone="a")]
    assert await refused(objects, user_of("data")) == ("", {"n1"}, ["node(s) didn't match PersistentVolume's node affinity"])
    gone = [claim(annotations=BOUND, volumeName="pv1")]
    assert (await refused(gone, user_of("data")))[2] == ["node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"]


@pytest.mark.req("PVC-11")
@pytest.mark.parametrize(("objects", "fits", "words"), [
    ([storage_class(), claim(), volume(zone="b")], {"n2"}, ["node(s) didn't find available persistent volumes to bind"]),
    ([storage_class(), claim(), claim("more"), volume(zone="b")], set(), ["node(s) didn't find available persistent volumes to bind"]),
    ([storage_class(provisioner="example.com/disk"), claim()], {"n1", "n2", "n3"}, []),
    ([storage_class(provisioner="example.com/disk", allowedTopologies=[
        {"matchLabelExpressions": [{"key": "zone", "values": ["a"]}]}]), claim()],
     {"n1"}, ["node(s) didn't find available persistent volumes to bind"]),
    ([storage_class(provisioner="example.com/disk"), claim(annotations={"volume.kubernetes.io/selected-node": "n3"})],
     {"n3"}, ["node(s) didn't find available persistent volumes to bind"]),
])
async def test_a_waiting_claim_fits_where_it_can_get_a_volume(objects: list[Any], fits: set[str], words: list[str]) -> None:
    names = ["data", "more"] if any(one.metadata.name == "more" for one in objects) else ["data"]
    assert await refused(objects, user_of(*names)) == ("", fits, words)


async def test_a_driver_that_counts_its_room() -> None:
    driver = msgspec.convert({"metadata": {"name": "example.com/disk"}, "spec": {"storageCapacity": True}}, CSIDriver)
    room = msgspec.convert({
        "metadata": {"name": "c", "namespace": "default"}, "storageClassName": "late", "capacity": "1Gi",
        "nodeTopology": {"matchLabels": {"zone": "a"}}}, CSIStorageCapacity)
    objects = [storage_class(provisioner="example.com/disk"), claim(), driver, room]
    assert await refused(objects, user_of("data")) == ("", {"n1"}, ["node(s) did not have enough free storage"])


@pytest.mark.req("PVC-11")
async def test_before_a_pod_is_bound_its_claims_are() -> None:
    cache = cache_of(*NODES)
    made = [storage_class(), storage_class("made", "example.com/disk"), claim(), claim("fresh", storageClassName="made"), volume(zone="b")]
    async with seen(*made) as (found, client):
        plugin, state, a_pod = VolumeBinding(found), CycleState(), user_of("data", "fresh")
        assert plugin.pre_filter(state, a_pod, cache.nodes) is None
        assert fitting(plugin.filter(state, a_pod, cache.nodes), cache.nodes) == {"n2"}
        assert plugin.reserve(state, a_pod, "n2") is None
        again = CycleState()
        plugin.pre_filter(again, user_of("data", name="other"), cache.nodes)
        taken = found.volume("pv1")
        assert taken is not None
        assert taken.spec.claim_ref is not None
        binding = asyncio.create_task(plugin.pre_bind(state, a_pod, "n2"))

        async def written() -> bool:
            asked = await client.get(PersistentVolumeClaim, NamespacedName("default", "fresh"))
            held = await client.get(PersistentVolume, NamespacedName("", "pv1"))
            return (asked.metadata.annotations.get("volume.kubernetes.io/selected-node") == "n2"
                    and held.spec.claim_ref is not None and held.spec.claim_ref.name == "data")

        await eventually(written, what="the volume is the claim's, the other claim has its Node")
        assert not binding.done()
        for name, to in (("data", "pv1"), ("fresh", "pv2")):
            held = await client.get(PersistentVolumeClaim, NamespacedName("default", name))
            annotations = {**held.metadata.annotations, **BOUND}
            await client.update(msgspec.structs.replace(
                held, metadata=msgspec.structs.replace(held.metadata, annotations=annotations),
                spec=msgspec.structs.replace(held.spec, volume_name=to)))
        async with asyncio.timeout(30):
            assert await binding is None


async def test_a_provisioner_that_gives_up_sends_the_pod_back() -> None:
    cache = cache_of(*NODES)
    async with seen(storage_class(provisioner="example.com/disk"), claim()) as (found, client):
        plugin, state, a_pod = VolumeBinding(found), CycleState(), user_of("data")
        plugin.pre_filter(state, a_pod, cache.nodes)
        plugin.filter(state, a_pod, cache.nodes)
        plugin.reserve(state, a_pod, "n1")
        binding = asyncio.create_task(plugin.pre_bind(state, a_pod, "n1"))
        key = NamespacedName("default", "data")

        async def selected() -> bool:
            return "volume.kubernetes.io/selected-node" in (await client.get(PersistentVolumeClaim, key)).metadata.annotations

        await eventually(selected, what="the claim has its Node")
        held = await client.get(PersistentVolumeClaim, key)
        await client.update(msgspec.structs.replace(held, metadata=msgspec.structs.replace(held.metadata, annotations={})))
        async with asyncio.timeout(30):
            status = await binding
        assert status is not None
        assert 'provisioning failed for PVC "data"' in status.reason


async def test_one_pod_alone_has_a_read_write_once_pod_claim() -> None:
    held = claim(annotations=BOUND, volumeName="pv1", accessModes=["ReadWriteOncePod"])
    cache = cache_of(*NODES, placed={"n1": [user_of("data", name="first")]})
    async with seen(held, claim("free")) as (found, _):
        plugin, state = VolumeRestrictions(found, cache), CycleState()
        assert plugin.pre_filter(state, user_of("data"), cache.nodes) is None
        verdict = plugin.filter(state, user_of("data"), cache.nodes)
        assert (fitting(verdict, cache.nodes), reasons(verdict)) == (set(), [
            "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod"])
        other = plugin.pre_filter(CycleState(), user_of("free"), cache.nodes)
        assert other is not None
        assert other.skip
        missing = plugin.pre_filter(CycleState(), user_of("missing"), cache.nodes)
        assert missing is not None
        assert missing.rejected == 'persistentvolumeclaim "missing" not found'


async def test_the_zone_labels_of_a_volume() -> None:
    zone = "topology.kubernetes.io/zone"
    nodes = cache_of(node("n1", labels={zone: "a"}), node("n2", labels={zone: "b"}), node("n3"))
    objects = [claim(annotations=BOUND, volumeName="pv1"), volume(metadata={"labels": {zone: "a"}})]
    async with seen(*objects) as (found, _):
        plugin, state = VolumeZone(found), CycleState()
        assert plugin.pre_filter(state, user_of("data"), nodes.nodes) is None
        verdict = plugin.filter(state, user_of("data"), nodes.nodes)
        assert (fitting(verdict, nodes.nodes), reasons(verdict)) == ({"n1", "n3"}, ["node(s) had no available volume zone"])


async def test_a_node_takes_no_more_volumes_than_its_driver_can_attach() -> None:
    entry = {"name": "d", "nodeID": "n1", "allocatable": {"count": 1}}
    csi_node = msgspec.convert({"metadata": {"name": "n1"}, "spec": {"drivers": [entry]}}, CSINode)
    made: list[Any] = [csi_node]
    for name in ("one", "two"):
        made += [claim(name, annotations=BOUND, volumeName=name), volume(name, csi={"driver": "d", "volumeHandle": name})]
    cache = cache_of(*NODES, placed={"n1": [user_of("one", name="first")]})
    async with seen(*made) as (found, _):
        plugin = NodeVolumeLimits(found, cache)
        for wanted, fits in (("one", {"n1", "n2", "n3"}), ("two", {"n2", "n3"})):
            state = CycleState()
            plugin.pre_filter(state, user_of(wanted), cache.nodes)
            verdict = plugin.filter(state, user_of(wanted), cache.nodes)
            assert fitting(verdict, cache.nodes) == fits
        assert reasons(verdict) == ["node(s) exceed max volume count"]


async def test_what_is_worth_another_try() -> None:
    async with seen() as (found, _):
        plugin = VolumeBinding(found)
        mine, other = claim(), claim("other")
        assert plugin.helped_by_object(user_of("data"), ObjectChange(ClusterEvent.CLAIM_ADD, mine))
        assert not plugin.helped_by_object(user_of("data"), ObjectChange(ClusterEvent.CLAIM_ADD, other))
        assert plugin.helped_by_object(user_of("data"), ObjectChange(ClusterEvent.VOLUME, volume()))
        same = ObjectChange(ClusterEvent.STORAGE_CLASS, storage_class(), storage_class())
        assert not plugin.helped_by_object(user_of("data"), same)
