"""Claims and volumes: who fits whom, which phase follows, what the events say."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from control_plane.controllers.volume.binder import PersistentVolumeBinder
from control_plane.controllers.volume.ephemeral import EphemeralVolumeController
from control_plane.volumes.matching import best_match, mismatch, topology_allows
from kube.api.core_v1 import Event, PersistentVolume, PersistentVolumeClaim, Pod, TopologySelectorTerm
from kube.api.storage_v1 import StorageClass
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.node_selector import NodePlace, reaches
from tests.support.controllers import eventually, memory_client, running

CLAIM = NamespacedName("a", "data")


def volume(
    name: str = "pv1", *, size: str = "1Gi", phase: str = "Available", labels: dict[str, str] | None = None, **spec: Any,
) -> PersistentVolume:
    body = {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "persistentVolumeReclaimPolicy": "Retain",
            "volumeMode": "Filesystem", "nfs": {"server": "s", "path": "/"}, **spec}
    return msgspec.convert(
        {"metadata": {"name": name, "labels": labels or {}}, "spec": body, "status": {"phase": phase}}, PersistentVolume)


def claim(name: str = "data", *, size: str = "500Mi", annotations: dict[str, str] | None = None, **spec: Any) -> PersistentVolumeClaim:
    body = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, "volumeMode": "Filesystem",
            "storageClassName": "", **spec}
    metadata = {"namespace": "a", "name": name, "uid": f"uid-of-{name}", "annotations": annotations or {}}
    return msgspec.convert({"metadata": metadata, "spec": body}, PersistentVolumeClaim)


def storage_class(name: str = "fast", *, default: bool = False, **fields: Any) -> StorageClass:
    marks = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
    return msgspec.convert({"metadata": {"name": name, "annotations": marks}, "provisioner": "example.com/disk", **fields}, StorageClass)


def on(*nodes: str) -> dict[str, Any]:
    wanted = {"key": "kubernetes.io/hostname", "operator": "In", "values": nodes}
    return {"required": {"nodeSelectorTerms": [{"matchExpressions": [wanted]}]}}


def chosen(a_claim: PersistentVolumeClaim, *volumes: PersistentVolume, **options: Any) -> str:
    found = best_match(a_claim, volumes, **options)
    return found.metadata.name if found is not None else ""


@pytest.mark.req("PVC-02")
@pytest.mark.parametrize(("asked", "offered", "expected"), [
    ({}, [volume("big", size="5Gi"), volume("fits", size="600Mi"), volume("small", size="100Mi")], "fits"),
    ({}, [volume("other", storageClassName="slow")], ""),
    ({"storageClassName": "slow"}, [volume("none"), volume("slow", storageClassName="slow")], "slow"),
    ({"accessModes": ["ReadWriteMany"]}, [volume("once"), volume("many", accessModes=["ReadWriteMany", "ReadWriteOnce"])], "many"),
    ({}, [volume("many", accessModes=["ReadWriteMany", "ReadWriteOnce"], size="500Mi"), volume("once")], "once"),
    ({"volumeMode": "Block"}, [volume("fs"), volume("block", volumeMode="Block")], "block"),
    ({"selector": {"matchLabels": {"disk": "ssd"}}}, [volume("hdd", labels={"disk": "hdd"}), volume("ssd", labels={"disk": "ssd"})], "ssd"),
    ({}, [volume("taken", claimRef={"namespace": "b", "name": "data"})], ""),
    ({}, [volume("free"), volume("mine", size="9Gi", claimRef={"namespace": "a", "name": "data"})], "mine"),
    ({}, [volume("pending", phase="Pending"), volume("released", phase="Released")], ""),
    ({"volumeAttributesClassName": "gold"}, [volume("plain"), volume("gold", volumeAttributesClassName="gold")], "gold"),
])
def test_the_best_volume_for_a_claim(asked: dict[str, Any], offered: list[PersistentVolume], expected: str) -> None:
    assert chosen(claim(**asked), *offered) == expected


@pytest.mark.req("PVC-03", "PVC-11")
def test_a_delayed_claim_is_matched_for_a_node_only() -> None:
    local = volume("local", nodeAffinity=on("n1"))
    assert chosen(claim(), local, delayed=True) == ""
    assert chosen(claim(), local, delayed=True, node=NodePlace("n1", {"kubernetes.io/hostname": "n1"})) == "local"
    assert chosen(claim(), local, delayed=True, node=NodePlace("n2", {"kubernetes.io/hostname": "n2"})) == ""
    reserved = volume("mine", claimRef={"namespace": "a", "name": "data"})
    assert chosen(claim(), reserved, delayed=True) == "mine"


@pytest.mark.parametrize(("operator", "values", "labels", "expected"), [
    ("In", ["a", "b"], {"zone": "b"}, True), ("In", ["a"], {}, False), ("NotIn", ["a"], {"zone": "b"}, True),
    ("NotIn", ["a"], {}, True), ("Exists", [], {"zone": ""}, True), ("DoesNotExist", [], {"zone": "a"}, False),
    ("Gt", ["4"], {"zone": "5"}, True), ("Lt", ["4"], {"zone": "x"}, False),
])
def test_node_affinity_of_volumes(operator: str, values: list[str], labels: dict[str, str], expected: bool) -> None:
    term = {"matchExpressions": [{"key": "zone", "operator": operator, "values": values}]}
    held = volume(nodeAffinity={"required": {"nodeSelectorTerms": [term]}})
    assert reaches(NodePlace("n", labels), held.spec.node_affinity) is expected
    assert reaches(NodePlace("n", labels), volume().spec.node_affinity)


def test_allowed_topologies() -> None:
    terms = msgspec.convert([{"matchLabelExpressions": [{"key": "zone", "values": ["a", "b"]}]}], tuple[TopologySelectorTerm, ...])
    assert topology_allows((), {})
    assert topology_allows(terms, {"zone": "b"})
    assert not topology_allows(terms, {"zone": "c"})


@pytest.mark.parametrize(("wanted", "held", "why"), [
    ({}, {}, ""), ({"size": "2Gi"}, {}, "requested PV is too small"), ({"storageClassName": "x"}, {}, "storageClassName does not match"),
    ({"volumeMode": "Block"}, {}, "incompatible volumeMode"), ({"accessModes": ["ReadWriteMany"]}, {}, "incompatible accessMode"),
    ({"volumeAttributesClassName": "x"}, {}, "volumeAttributesClassName does not match"),
])
def test_why_a_named_volume_does_not_do(wanted: dict[str, Any], held: dict[str, Any], why: str) -> None:
    assert mismatch(volume(**held), claim(**wanted)) == why


async def phases(client: Client, name: str = "pv1") -> tuple[str, str]:
    async def phase(kind: Any, key: NamespacedName) -> str:
        try:
            return str((await client.get(kind, key)).status.phase)
        except errors.NotFound:
            return "gone"

    return await phase(PersistentVolume, NamespacedName("", name)), await phase(PersistentVolumeClaim, CLAIM)


async def told(client: Client, message: str) -> bool:
    return any(message in event.message for event in (await client.list(Event)).items)


@pytest.mark.req("PVC-01", "PVC-02", "PVC-13")
async def test_a_volume_is_bound_then_released_and_kept() -> None:
    client, _ = memory_client()
    async with running(client, PersistentVolumeBinder):
        await client.create(volume(phase="Pending"))
        await eventually(lambda: is_now(client, ("Available", "gone")), what="a new volume is Available")
        await client.create(claim())
        await eventually(lambda: is_now(client, ("Bound", "Bound")), what="both are Bound")
        bound = await client.get(PersistentVolumeClaim, CLAIM)
        assert (bound.spec.volume_name, bound.status.capacity, bound.status.access_modes) == ("pv1", {"storage": "1Gi"}, ("ReadWriteOnce",))
        assert set(bound.metadata.annotations) == {"pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller"}
        held = await client.get(PersistentVolume, NamespacedName("", "pv1"))
        assert held.metadata.annotations == {"pv.kubernetes.io/bound-by-controller": "yes"}
        assert held.spec.claim_ref is not None
        assert (held.spec.claim_ref.name, held.spec.claim_ref.uid) == ("data", bound.metadata.uid)
        await client.create(claim("second"))
        await eventually(
            lambda: told(client, "no persistent volumes available for this claim and no storage class is set"), what="nothing is left")
        await client.delete(PersistentVolumeClaim, CLAIM)
        await eventually(lambda: is_now(client, ("Released", "gone")), what="the volume is Released, and stays")


async def is_now(client: Client, expected: tuple[str, str], name: str = "pv1") -> bool:
    return await phases(client, name) == expected


@pytest.mark.req("PVC-01")
@pytest.mark.parametrize(("policy", "message"), [
    ("Delete", 'error getting deleter volume plugin for volume "pv1": no deletable volume plugin matched'),
    ("Recycle", "No recycler plugin found for the volume!"),
])
async def test_what_cannot_be_reclaimed_fails(policy: str, message: str) -> None:
    client, _ = memory_client()
    async with running(client, PersistentVolumeBinder):
        await client.create(volume(persistentVolumeReclaimPolicy=policy))
        await client.create(claim())
        await eventually(lambda: is_now(client, ("Bound", "Bound")), what="both are Bound")
        await client.delete(PersistentVolumeClaim, CLAIM)
        await eventually(lambda: is_now(client, ("Failed", "gone")), what="the volume has Failed")
        assert (await client.get(PersistentVolume, NamespacedName("", "pv1"))).status.message == message
        await eventually(lambda: told(client, message), what="the event")


async def test_a_claim_whose_volume_is_gone_is_lost() -> None:
    client, _ = memory_client()
    async with running(client, PersistentVolumeBinder):
        await client.create(volume())
        await client.create(claim())
        await eventually(lambda: is_now(client, ("Bound", "Bound")), what="both are Bound")
        await client.delete(PersistentVolume, NamespacedName("", "pv1"))
        await eventually(lambda: is_now(client, ("gone", "Lost")), what="the claim is Lost")
        await eventually(lambda: told(client, "Bound claim has lost its PersistentVolume. Data on the volume is lost!"), what="event")


async def test_a_claim_that_names_its_volume() -> None:
    client, _ = memory_client()
    async with running(client, PersistentVolumeBinder):
        await client.create(claim(volumeName="pv1", size="2Gi"))
        await client.create(volume())
        await eventually(lambda: told(client, 'Cannot bind to requested volume "pv1": requested PV is too small'), what="event")
        await client.create(volume("pv2", size="2Gi", claimRef={"namespace": "b", "name": "x"}))
        await client.create(claim("other", volumeName="pv2"))
        await eventually(lambda: told(client, 'volume "pv2" already bound to a different claim.'), what="event")


@pytest.mark.req("PVC-08", "PVC-11")
async def test_what_a_pending_claim_waits_for() -> None:
    client, _ = memory_client()
    async with running(client, PersistentVolumeBinder):
        await client.create(storage_class("late", volumeBindingMode="WaitForFirstConsumer"))
        await client.create(storage_class("old", provisioner="kubernetes.io/gce-pd", volumeBindingMode="Immediate"))
        await client.create(storage_class("none", provisioner="kubernetes.io/no-provisioner", volumeBindingMode="Immediate"))
        for name in ("late", "old", "none", "missing"):
            await client.create(claim(name, storageClassName=name))
        for text in (
            "waiting for first consumer to be created before binding",
            "Waiting for a volume to be created either by the external provisioner 'pd.csi.storage.gke.io' or manually by the system",
            "no volume plugin matched name: kubernetes.io/no-provisioner",
            'storageclass.storage.k8s.io "missing" not found',
        ):
            await eventually(lambda text=text: told(client, text), what=text)  # type: ignore[misc]
        asked = await client.get(PersistentVolumeClaim, NamespacedName("a", "old"))
        assert asked.metadata.annotations["volume.kubernetes.io/storage-provisioner"] == "pd.csi.storage.gke.io"
        volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "late"}}]
        await client.create(msgspec.convert({"metadata": {"namespace": "a", "name": "p"}, "spec": {"volumes": volumes}}, Pod))
        await eventually(lambda: told(client, "waiting for pod p to be scheduled"), what="its Pod is named")


async def test_a_default_class_that_comes_late_is_given_to_waiting_claims() -> None:
    client, _ = memory_client()
    async with running(client, PersistentVolumeBinder):
        waiting = claim()
        await client.create(msgspec.structs.replace(waiting, spec=msgspec.structs.replace(waiting.spec, storage_class_name=None)))
        await client.create(claim("none"))
        await eventually(lambda: is_now(client, ("gone", "Pending")), what="it waits")
        await client.create(storage_class(default=True))

        async def classes() -> bool:
            held = {one.metadata.name: one.spec.storage_class_name for one in (await client.list(PersistentVolumeClaim)).items}
            return held == {"data": "fast", "none": ""}

        await eventually(classes, what="the claim without a class has the default one")


async def test_the_claim_of_an_ephemeral_volume() -> None:
    client, _ = memory_client()
    template = {"metadata": {"labels": {"k": "v"}}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    pod = {"metadata": {"namespace": "a", "name": "p", "uid": "u1"},
           "spec": {"volumes": [{"name": "v", "ephemeral": {"volumeClaimTemplate": template}}]}}
    await client.create(claim("q-v"))
    async with running(client, EphemeralVolumeController):
        await client.create(msgspec.convert(pod, Pod))
        other = {**pod, "metadata": {"namespace": "a", "name": "q"}}
        await client.create(msgspec.convert(other, Pod))

        async def made() -> bool:
            try:
                held = await client.get(PersistentVolumeClaim, NamespacedName("a", "p-v"))
            except errors.NotFound:
                return False
            owner = held.metadata.owner_references[0]
            return (owner.kind, owner.name, owner.controller, held.metadata.labels) == ("Pod", "p", True, {"k": "v"})

        await eventually(made, what="the claim is the Pod's")
        await eventually(lambda: told(client, "PVC a/q-v was not created for pod a/q (pod is not owner)"), what="a stranger's claim")
