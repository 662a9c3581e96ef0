"""The cluster's own CSI driver behind a real socket: volumes made, attached, enlarged, taken away, and what goes wrong said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import msgspec
import pytest

from control_plane.controllers.managed import ControllerContext, ManagedController
from control_plane.controllers.volume.attach import AttachDetachController
from control_plane.controllers.volume.binder import PersistentVolumeBinder
from control_plane.controllers.volume.csi.attacher import CsiAttacher
from control_plane.controllers.volume.csi.driver import CsiDriver, call
from control_plane.controllers.volume.csi.provisioner import CsiProvisioner
from control_plane.controllers.volume.csi.resizer import CsiResizer
from control_plane.controllers.volume.expand import VolumeExpandController
from kube.api.core_v1 import Event, Node, PersistentVolume, PersistentVolumeClaim, Pod
from kube.api.storage_v1 import CSIDriver, CSINode, StorageClass, VolumeAttachment
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.csi.block_store import MIB, Attached, BlockStore, NoRoom, NotThere, Unfit
from kube.csi.calls import capability, error_text
from kube.csi.names import DRIVER, ZONE, attachment_name
from kube.csi.v1 import csi_pb2 as pb
from tests.support.controllers import eventually, memory_client, running

CLAIM = NamespacedName("a", "data")
NODE = {"metadata": {"name": "n1", "labels": {ZONE: "east"}}, "status": {}}
CSI_NODE = {"metadata": {"name": "n1"}, "spec": {"drivers": [{"name": DRIVER, "nodeID": "n1", "topologyKeys": [ZONE]}]}}
CLASS = {
    "metadata": {"name": "standard"}, "provisioner": DRIVER, "volumeBindingMode": "WaitForFirstConsumer", "reclaimPolicy": "Delete",
    "allowVolumeExpansion": True, "mountOptions": ["noatime"],
}


def claim(size: str = "10Mi", **spec: Any) -> PersistentVolumeClaim:
    body = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, "storageClassName": "standard",
            "volumeMode": "Filesystem", **spec}
    metadata = {"namespace": "a", "name": "data", "uid": "u1", "annotations": {"volume.kubernetes.io/selected-node": "n1"}}
    return msgspec.convert({"metadata": metadata, "spec": body}, PersistentVolumeClaim)


def pod(node: str = "n1") -> Pod:
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
    body = {"metadata": {"namespace": "a", "name": "p", "uid": "p1"}, "spec": {"nodeName": node, "volumes": volumes}}
    return msgspec.convert(body, Pod)


@asynccontextmanager
async def cluster(folder: Path) -> AsyncIterator[Client]:
    """All controllers that volumes need, and a node that has registered the driver."""
    client, _ = memory_client()
    await client.create(msgspec.convert(NODE, Node))
    await client.create(msgspec.convert(CSI_NODE, CSINode))
    await client.create(msgspec.convert(CLASS, StorageClass))
    async with CsiDriver(folder / "volumes", folder / "csi.sock") as driver:
        def with_driver(kind: Any) -> Any:
            def make(context: ControllerContext) -> ManagedController[Any]:
                made: ManagedController[Any] = kind(context, driver)
                return made

            return make

        own = map(with_driver, (CsiProvisioner, CsiAttacher, CsiResizer))
        async with running(client, PersistentVolumeBinder, AttachDetachController, VolumeExpandController, *own):
            yield client


async def bound(client: Client) -> bool:
    return (await client.get(PersistentVolumeClaim, CLAIM)).status.phase == "Bound"


async def volume_of(client: Client) -> PersistentVolume:
    return await client.get(PersistentVolume, NamespacedName("", "pvc-" + (await client.get(PersistentVolumeClaim, CLAIM)).metadata.uid))


async def told(client: Client, *words: str) -> bool:
    return any(all(word in event.message for word in words) for event in (await client.list(Event)).items)


@pytest.mark.req("PVC-07", "PVC-11", "VOL-09")
async def test_a_claim_gets_a_volume_and_both_go_again(tmp_path: Path) -> None:
    async with cluster(tmp_path) as client:
        await client.create(claim())
        await eventually(lambda: bound(client), what="the claim is bound")
        made = await volume_of(client)
        assert made.spec.csi is not None
        assert (made.spec.csi.driver, made.spec.csi.fs_type, made.spec.capacity) == (DRIVER, "ext4", {"storage": "10Mi"})
        assert (made.spec.mount_options, made.spec.storage_class_name) == (("noatime",), "standard")
        assert made.metadata.annotations["pv.kubernetes.io/provisioned-by"] == DRIVER
        assert made.spec.node_affinity is not None
        assert made.spec.node_affinity.required is not None
        wanted = made.spec.node_affinity.required.node_selector_terms[0].match_expressions[0]
        assert (wanted.key, wanted.values) == (ZONE, ("east",))
        image = tmp_path / "volumes" / f"{made.metadata.name}.img"
        assert (image.stat().st_size, image.stat().st_blocks) == (10 * MIB, 0)
        assert (await client.get(CSIDriver, NamespacedName("", DRIVER))).spec.attach_required
        await eventually(lambda: told(client, f"Successfully provisioned volume {made.metadata.name}"), what="event")
        await client.delete(PersistentVolumeClaim, CLAIM)

        async def gone() -> bool:
            return not (await client.list(PersistentVolume)).items and not list((tmp_path / "volumes").iterdir())

        await eventually(gone, what="the volume and its file are gone")


@pytest.mark.req("VOL-07", "VOL-09")
async def test_a_volume_is_attached_where_its_pod_is_and_nowhere_else(tmp_path: Path) -> None:
    async with cluster(tmp_path) as client:
        await client.create(claim())
        await client.create(pod())
        await eventually(lambda: bound(client), what="the claim is bound")
        handle = (await volume_of(client)).metadata.name
        first = NamespacedName("", attachment_name(handle, DRIVER, "n1"))

        async def attached() -> bool:
            try:
                return bool((await client.get(VolumeAttachment, first)).status.attached)
            except errors.NotFound:
                return False

        await eventually(attached, what="the volume is attached")
        await eventually(lambda: told(client, f'AttachVolume.Attach succeeded for volume "{handle}"'), what="event")

        async def reported() -> bool:
            held = (await client.get(Node, NamespacedName("", "n1"))).status.volumes_attached
            return [one.name for one in held] == [f"kubernetes.io/csi/{DRIVER}^{handle}"]

        await eventually(reported, what="the Node says so")
        await client.create(msgspec.convert({"metadata": {"name": "n2"}}, Node))
        other = pod("n2")
        await client.create(msgspec.structs.replace(other, metadata=msgspec.structs.replace(other.metadata, name="q", uid="q1")))
        await eventually(lambda: told(client, f'Multi-Attach error for volume "{handle}" Volume is already used by pod(s) p'), what="event")
        await client.delete(Pod, NamespacedName("a", "q"))
        await client.delete(Pod, NamespacedName("a", "p"))

        async def detached() -> bool:
            return not (await client.list(VolumeAttachment)).items and not BlockStore(tmp_path / "volumes").get(handle).node

        await eventually(detached, what="the volume is detached")


async def test_what_the_kubelet_has_in_use_stays_attached(tmp_path: Path) -> None:
    async with cluster(tmp_path) as client:
        await client.create(claim())
        await client.create(pod())
        await eventually(lambda: bound(client), what="the claim is bound")
        handle = (await volume_of(client)).metadata.name
        name = NamespacedName("", attachment_name(handle, DRIVER, "n1"))

        async def has_attachment() -> bool:
            return bool((await client.list(VolumeAttachment)).items)

        async def use(volumes: list[str]) -> None:
            def changed(node: Node) -> Node:
                return msgspec.structs.replace(node, status=msgspec.structs.replace(node.status, volumes_in_use=tuple(volumes)))

            await client.guaranteed_update(Node, NamespacedName("", "n1"), changed, subresource="status")

        await use([f"kubernetes.io/csi/{DRIVER}^{handle}"])
        await eventually(has_attachment, what="the attachment is made")
        await client.delete(Pod, NamespacedName("a", "p"))
        foreign = {"metadata": {"name": "of-others"}, "spec": {"attacher": "x", "nodeName": "n1", "source": {"persistentVolumeName": "y"}}}
        await client.create(msgspec.convert(foreign, VolumeAttachment))
        assert not (await client.get(VolumeAttachment, name)).metadata.deletion_timestamp
        await use([])

        async def left() -> list[str]:
            return [one.metadata.name for one in (await client.list(VolumeAttachment)).items]

        async def only_others() -> bool:
            return await left() == ["of-others"]

        await eventually(only_others, what="ours is gone, that of others stays")


async def test_a_claim_that_grows(tmp_path: Path) -> None:
    async with cluster(tmp_path) as client:
        await client.create(claim())
        await eventually(lambda: bound(client), what="the claim is bound")

        def larger(held: PersistentVolumeClaim) -> PersistentVolumeClaim:
            return msgspec.structs.replace(held, spec=msgspec.structs.replace(held.spec, resources=claim("20Mi").spec.resources))

        await client.guaranteed_update(PersistentVolumeClaim, CLAIM, larger)

        async def pending() -> bool:
            status = (await client.get(PersistentVolumeClaim, CLAIM)).status
            return [one.type for one in status.conditions] == ["FileSystemResizePending"] and status.allocated_resource_statuses == {
                "storage": "NodeResizePending"}

        await eventually(pending, what="the node's part is left")
        made = await volume_of(client)
        assert made.spec.capacity == {"storage": "20Mi"}
        assert (tmp_path / "volumes" / f"{made.metadata.name}.img").stat().st_size == 20 * MIB
        for words in ("External resizer is resizing volume", "Require file system resize of volume on node",
                      "waiting for an external controller to expand this PVC"):
            await eventually(lambda words=words: told(client, words), what=words)  # type: ignore[misc]


async def test_what_the_driver_refuses_is_told(tmp_path: Path) -> None:
    async with cluster(tmp_path) as client:
        await client.create(claim(accessModes=["ReadWriteMany"]))
        await eventually(lambda: told(
            client, 'failed to provision volume with StorageClass "standard": rpc error: code = InvalidArgument desc = a volume serves'
            " one node at a time"), what="event")
        assert (await client.get(PersistentVolumeClaim, CLAIM)).status.phase == "Pending"


@pytest.mark.req("VOL-06")
async def test_a_shared_folder_serves_many_nodes(tmp_path: Path) -> None:
    async with cluster(tmp_path) as client:
        shared = {**CLASS, "metadata": {"name": "shared"}, "parameters": {"type": "shared-folder"}, "volumeBindingMode": "Immediate"}
        await client.create(msgspec.convert(shared, StorageClass))
        await client.create(claim(accessModes=["ReadWriteMany"], storageClassName="shared"))
        await eventually(lambda: bound(client), what="the claim is bound")
        made = await volume_of(client)
        assert made.spec.csi is not None
        assert (made.spec.node_affinity, made.spec.csi.fs_type) == (None, "")
        assert (tmp_path / "volumes" / f"{made.metadata.name}.dir").is_dir()
        for node in ("n1", "n2"):
            BlockStore(tmp_path / "volumes").attach(made.metadata.name, node)
        await client.delete(PersistentVolumeClaim, CLAIM)

        async def gone() -> bool:
            return not list((tmp_path / "volumes").iterdir())

        await eventually(gone, what="the folder is gone")


@pytest.mark.req("VOL-09")
async def test_the_drivers_socket_speaks_csi(tmp_path: Path) -> None:
    async with CsiDriver(tmp_path / "volumes", tmp_path / "csi.sock") as driver:
        stub = await driver.controller()
        wanted = capability(["ReadWriteOnce"], fs_type="ext4", multi_writer=True)
        assert wanted.access_mode.mode == pb.VolumeCapability.AccessMode.SINGLE_NODE_MULTI_WRITER
        request = pb.CreateVolumeRequest(
            name="v", capacity_range=pb.CapacityRange(required_bytes=5 * MIB), volume_capabilities=[wanted])
        first, again = await call(stub, "CreateVolume", request), await call(stub, "CreateVolume", request)
        assert first == again
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(stub, "ControllerPublishVolume", pb.ControllerPublishVolumeRequest(volume_id="nothing", node_id="n1"))
        assert error_text(refused.value) == "rpc error: code = NotFound desc = volume 'nothing' not found"


def test_the_store_of_volumes(tmp_path: Path) -> None:
    store = BlockStore(tmp_path / "v")
    assert store.create("a", 5 * MIB + 1, {}).capacity_bytes == 6 * MIB
    with pytest.raises(Unfit):
        store.create("a", 9 * MIB, {})
    with pytest.raises(Unfit):
        store.create("b", 9 * MIB, {}, limit_bytes=MIB)
    with pytest.raises(NoRoom):
        store.create("c", 1 << 60, {})
    for name in ("../a", "", ".a"):
        with pytest.raises(NotThere):
            store.get(name)
    store.attach("a", "n1")
    with pytest.raises(Attached, match="attached to node n1"):
        store.attach("a", "n2")
    with pytest.raises(Attached, match="still attached"):
        store.delete("a")
    store.detach("a", "n2")
    assert store.get("a").node == "n1"
    store.detach("a", "n1")
    store.delete("a")
    store.delete("a")
    assert list((tmp_path / "v").iterdir()) == []
