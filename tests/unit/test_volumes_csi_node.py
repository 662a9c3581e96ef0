"""A CSI driver of somebody else: registered by its socket, called in the right order, taken off again. And what a claim may go wrong by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import msgspec
import pytest

from kube.api.core_v1 import Node, PersistentVolume, PersistentVolumeClaim, Pod
from kube.api.storage_v1 import CSIDriver, CSINode, VolumeAttachment
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.events import EventRecorder
from kube.client.informer import InformerFactory
from kube.csi.calls import serving
from kube.csi.names import attachment_name
from kube.csi.v1 import csi_pb2 as pb
from kube.csi.v1 import csi_pb2_grpc, registration_pb2, registration_pb2_grpc
from node_agent.volumes.persistent.csi.volume_data import staging_folder
from node_agent.volumes.persistent.storage import PersistentStorage
from node_agent.volumes.plugin import VolumeError, VolumeTask
from tests.support.controllers import eventually, memory_client

NAME = "disk.example.com"
ATTACHED = attachment_name("h1", NAME, "n1")


class Driver(csi_pb2_grpc.NodeServicer, registration_pb2_grpc.RegistrationServicer):
    """Notes what it is asked for; mounts nothing."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.calls: list[str] = []
        self.contexts: dict[str, str] = {}
        self.registered = False
        self.refuse = ""

    async def GetInfo(self, request: Any, context: Any) -> registration_pb2.PluginInfo:  # noqa: N802
        return registration_pb2.PluginInfo(type="CSIPlugin", name=NAME, endpoint=self.endpoint, supported_versions=["1.0.0"])

    async def NotifyRegistrationStatus(self, request: Any, context: Any) -> registration_pb2.RegistrationStatusResponse:  # noqa: N802
        self.registered = request.plugin_registered
        return registration_pb2.RegistrationStatusResponse()

    async def NodeGetInfo(self, request: Any, context: Any) -> pb.NodeGetInfoResponse:  # noqa: N802
        return pb.NodeGetInfoResponse(node_id="id-of-n1", accessible_topology=pb.Topology(segments={"rack": "r1"}))

    async def NodeGetCapabilities(self, request: Any, context: Any) -> pb.NodeGetCapabilitiesResponse:  # noqa: N802
        kind = pb.NodeServiceCapability.RPC(type=pb.NodeServiceCapability.RPC.STAGE_UNSTAGE_VOLUME)
        return pb.NodeGetCapabilitiesResponse(capabilities=[pb.NodeServiceCapability(rpc=kind)])

    async def NodeStageVolume(self, request: Any, context: Any) -> pb.NodeStageVolumeResponse:  # noqa: N802
        if self.refuse:
            await context.abort(grpc.StatusCode.INTERNAL, self.refuse)
        self.calls.append(f"stage {request.volume_id} {dict(request.publish_context)}")
        return pb.NodeStageVolumeResponse()

    async def NodePublishVolume(self, request: Any, context: Any) -> pb.NodePublishVolumeResponse:  # noqa: N802
        self.calls.append(f"publish {request.volume_id[:4]} readonly={request.readonly}")
        self.contexts = dict(request.volume_context)
        Path(request.target_path).mkdir()
        return pb.NodePublishVolumeResponse()

    async def NodeUnpublishVolume(self, request: Any, context: Any) -> pb.NodeUnpublishVolumeResponse:  # noqa: N802
        self.calls.append(f"unpublish {request.volume_id[:4]}")
        return pb.NodeUnpublishVolumeResponse()

    async def NodeUnstageVolume(self, request: Any, context: Any) -> pb.NodeUnstageVolumeResponse:  # noqa: N802
        self.calls.append(f"unstage {request.volume_id}")
        return pb.NodeUnstageVolumeResponse()


def made(kind: Any, **body: Any) -> Any:
    return msgspec.convert(body, kind)


def volume(**spec: Any) -> PersistentVolume:
    body = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "claimRef": {"namespace": "a", "name": "data", "uid": "u1"},
            "csi": {"driver": NAME, "volumeHandle": "h1", "fsType": "ext4", "volumeAttributes": {"k": "v"}}, **spec}
    found: PersistentVolume = made(PersistentVolume, metadata={"name": "pv1"}, spec=body)
    return found


def claim(**status: Any) -> PersistentVolumeClaim:
    found: PersistentVolumeClaim = made(
        PersistentVolumeClaim, metadata={"namespace": "a", "name": "data", "uid": "u1"}, spec={"volumeName": "pv1"},
        status={"phase": "Bound", "capacity": {"storage": "1Gi"}, **status})
    return found


def task(root: Path, uid: str = "p1", source: dict[str, Any] | None = None, **container: Any) -> VolumeTask:
    volumes = [{"name": "v", **(source or {"persistentVolumeClaim": {"claimName": "data"}})}]
    pod: Pod = made(
        Pod, metadata={"namespace": "a", "name": uid, "uid": uid},
        spec={"volumes": volumes, "serviceAccountName": "sa", "containers": [{"name": "c", **container}]})
    return VolumeTask(pod=pod, volume=pod.spec.volumes[0], pod_dir=root / "pods" / uid)


@asynccontextmanager
async def node(root: Path, *objects: Any) -> AsyncIterator[tuple[PersistentStorage, Client]]:
    client, _ = memory_client()
    labels = {"kubernetes.io/hostname": "n1"}
    uid = "u1"
    own = made(Node, metadata={"name": "n1", "uid": "n", "labels": labels})
    for one in (own, *sorted(objects, key=lambda one: one.kind, reverse=True)):        # claims before volumes
        written = await client.create(_claimed(one, uid))
        uid = written.metadata.uid if isinstance(one, PersistentVolumeClaim) else uid

    async def secrets(namespace: str, name: str) -> None:
        return None

    async with InformerFactory(client) as informers, EventRecorder(client, "kubelet") as events:
        storage = PersistentStorage(client, informers, events, "n1", root, lambda: labels, secrets, None)
        running = asyncio.create_task(storage.run())
        try:
            yield storage, client
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def _claimed(obj: Any, uid: str) -> Any:
    """A volume whose claim has got its uid from the server."""
    reference = obj.spec.claim_ref if isinstance(obj, PersistentVolume) else None
    if reference is None or reference.uid != "u1":
        return obj
    spec = msgspec.structs.replace(obj.spec, claim_ref=msgspec.structs.replace(reference, uid=uid))
    return msgspec.structs.replace(obj, spec=spec)


@asynccontextmanager
async def driver(root: Path) -> AsyncIterator[Driver]:
    one = Driver(str(root / "d.sock"))

    def add_node(server: grpc.aio.Server) -> None:
        csi_pb2_grpc.add_NodeServicer_to_server(one, server)

    def add_registration(server: grpc.aio.Server) -> None:
        registration_pb2_grpc.add_RegistrationServicer_to_server(one, server)

    async with serving(root / "d.sock", add_node), serving(root / "plugins_registry" / "d-reg.sock", add_registration):
        yield one


async def drivers(client: Client) -> list[tuple[str, str, tuple[str, ...]]]:
    held = await client.get(CSINode, NamespacedName("", "n1"))
    return [(one.name, one.node_id, one.topology_keys) for one in held.spec.drivers]


@pytest.mark.req("VOL-09", "PVC-05")
async def test_a_driver_comes_works_and_goes(tmp_path: Path) -> None:
    attachment = made(
        VolumeAttachment, metadata={"name": ATTACHED}, spec={"attacher": NAME, "nodeName": "n1"},
        status={"attached": True, "attachmentMetadata": {"lun": "7"}})
    told = made(CSIDriver, metadata={"name": NAME}, spec={"attachRequired": True, "podInfoOnMount": True, "fsGroupPolicy": "None"})
    async with node(tmp_path, volume(), claim(), attachment, told) as (storage, client):
        with pytest.raises(VolumeError, match=f"driver name {NAME} not found in the list of registered CSI drivers"):
            await storage.plugin.set_up(task(tmp_path))
        async with driver(tmp_path) as one:
            async def registered() -> bool:
                return one.registered and await drivers(client) == [(NAME, "id-of-n1", ("rack",))]

            await eventually(registered, what="the driver is registered")
            known = await client.get(Node, NamespacedName("", "n1"))
            assert known.metadata.labels["rack"] == "r1"
            assert known.metadata.annotations["csi.volume.kubernetes.io/nodeid"] == f'{{"{NAME}":"id-of-n1"}}'

            mounted = await storage.plugin.set_up(task(tmp_path))
            again = await storage.plugin.set_up(task(tmp_path, "p2"))
            assert mounted.path == str(tmp_path / "pods/p1/volumes/kubernetes.io~csi/pv1/mount")
            assert one.calls == [
                "stage h1 {'lun': '7'}", "publish h1 readonly=False", "stage h1 {'lun': '7'}", "publish h1 readonly=False"]
            assert one.contexts["csi.storage.k8s.io/serviceAccount.name"] == "sa"
            assert one.contexts["k"] == "v"
            in_use = (await client.get(Node, NamespacedName("", "n1"))).status.volumes_in_use
            assert in_use == (f"kubernetes.io/csi/{NAME}^h1",)

            one.calls.clear()
            for path in (mounted.path, again.path):
                await storage.plugin.tear_down(Path(path).parent)
            assert one.calls == ["unpublish h1", "unpublish h1", "unstage h1"]
            assert not staging_folder(tmp_path, NAME, "h1").exists()
            assert (await client.get(Node, NamespacedName("", "n1"))).status.volumes_in_use == ()

        async def forgotten() -> bool:
            return await drivers(client) == []

        await eventually(forgotten, what="the driver is off the CSINode")


async def test_a_driver_that_took_the_place_of_another_is_registered_anew(tmp_path: Path) -> None:
    """A socket is renamed over the one that is there: nobody sees the folder without one."""
    (tmp_path / "next").mkdir()
    async with node(tmp_path) as (_, client), driver(tmp_path) as one:
        async def registered() -> bool:
            return one.registered

        await eventually(registered, what="the first is registered")
        async with driver(tmp_path / "next") as another:
            async def taken_over() -> bool:
                return another.registered and await drivers(client) == [(NAME, "id-of-n1", ("rack",))]

            (tmp_path / "next/plugins_registry/d-reg.sock").rename(tmp_path / "plugins_registry/d-reg.sock")
            await eventually(taken_over, what="the second is registered")


async def test_a_volume_of_the_pod_itself_and_what_a_driver_refuses(tmp_path: Path) -> None:
    told = made(CSIDriver, metadata={"name": NAME}, spec={"attachRequired": False, "podInfoOnMount": True})
    async with node(tmp_path, volume(), claim(), told) as (storage, _), driver(tmp_path) as one:
        async def registered() -> bool:
            return one.registered

        await eventually(registered, what="the driver is registered")
        inline = {"csi": {"driver": NAME, "readOnly": True, "volumeAttributes": {"size": "small"}}}
        mounted = await storage.plugin.set_up(task(tmp_path, source=inline))
        assert one.calls == ["publish csi- readonly=True"]
        assert mounted.read_only
        assert (one.contexts["csi.storage.k8s.io/ephemeral"], one.contexts["size"]) == ("true", "small")
        await storage.plugin.tear_down(Path(mounted.path).parent)
        assert one.calls[-1] == "unpublish csi-"
        one.refuse = "disk on fire"
        words = 'MountVolume.MountDevice failed for volume "pv1" : rpc error: code = Internal desc = disk on fire'
        with pytest.raises(VolumeError, match=f"^{words}$"):
            await storage.plugin.set_up(task(tmp_path, "p2"))


@pytest.mark.parametrize(("objects", "words"), [
    ([], "error processing PVC a/data: failed to fetch PVC from API server"),
    ([claim(phase="Pending")], "error processing PVC a/data: PVC is not bound"),
    ([claim()], "failed to fetch PV pv1 from API server"),
    ([claim(), volume(claimRef={"namespace": "a", "name": "data", "uid": "other"})], "PersistentVolume pv1 is bound to another claim"),
    ([claim(), volume(nodeAffinity={"required": {"nodeSelectorTerms": [
        {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["n2"]}]}]}})],
     'MountVolume.NodeAffinity check failed for volume "pv1" : no matching NodeSelectorTerms'),
    ([claim(), volume(volumeMode="Block")], "volume v has volumeMode Block, but is specified in volumeMounts"),
    ([claim(), volume(csi=None, rbd={"image": "i", "monitors": ["m"]})],
     'failed to get Plugin from volumeSpec for volume "pv1" err=no volume plugin matched'),
    ([claim(), volume(csi=None, awsElasticBlockStore={"volumeID": "v"})], "driver name ebs.csi.aws.com not found"),
    ([claim(), volume(csi=None, local={"path": "/nowhere"})], 'path "/nowhere" does not exist'),
    ([claim(), volume(csi=None, iscsi={"iqn": "i"})], '"iscsiadm": executable file not found'),
])
@pytest.mark.req("VOL-06", "VOL-07")
async def test_what_is_wrong_with_a_claim(tmp_path: Path, objects: list[Any], words: str) -> None:
    async with node(tmp_path, *objects) as (storage, _):
        with pytest.raises(VolumeError) as wrong:
            await storage.plugin.set_up(task(tmp_path, volumeMounts=[{"name": "v", "mountPath": "/d"}]))
    assert words in str(wrong.value)


async def test_one_pod_of_a_node_has_a_read_write_once_pod_volume(tmp_path: Path) -> None:
    (tmp_path / "pods/other/volumes/kubernetes.io~csi/pv1").mkdir(parents=True)
    async with node(tmp_path, claim(), volume(accessModes=["ReadWriteOncePod"])) as (storage, _):
        words = 'volume "pv1" : volume uses the ReadWriteOncePod access mode and is already in use by another pod'
        with pytest.raises(VolumeError, match=f"^MountVolume.SetUp failed for {words}$"):
            await storage.plugin.set_up(task(tmp_path))
