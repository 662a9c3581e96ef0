"""The node half of the block driver on real loop devices: a limit that holds, one node at a time, growth, and nothing left behind."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from kube.csi.block_store import MIB, BlockStore
from kube.csi.calls import capability, error_text, open_channel, serving
from kube.csi.names import ZONE
from kube.csi.v1 import csi_pb2 as pb
from kube.csi.v1 import csi_pb2_grpc
from node_agent.runtime.mounts import unmount_below
from node_agent.volumes.persistent import disks
from node_agent.volumes.persistent.csi.block_driver import RAW, BlockNode

pytestmark = pytest.mark.skipif(not (shutil.which("mkfs.ext4") and os.path.exists("/dev/loop-control")), reason="no loop devices here")


@asynccontextmanager
async def node(folder: Path, store: BlockStore, name: str = "n1") -> AsyncIterator[Any]:
    def add(server: grpc.aio.Server) -> None:
        csi_pb2_grpc.add_NodeServicer_to_server(BlockNode(store, name, lambda: {ZONE: "east"}), server)

    try:
        async with serving(folder / f"{name}.sock", add), open_channel(folder / f"{name}.sock") as channel:
            yield csi_pb2_grpc.NodeStub(channel)
    finally:
        unmount_below(str(folder))
        for image in (folder / "volumes").glob("*.img"):
            for device in disks.run("losetup", "-n", "-O", "NAME", "-j", str(image)).split():
                disks.run("losetup", "-d", device)


def stage(place: Path, volume: str = "v") -> pb.NodeStageVolumeRequest:
    return pb.NodeStageVolumeRequest(
        volume_id=volume, staging_target_path=str(place), volume_capability=capability(["ReadWriteOnce"], fs_type="ext4"))


def publish(staged: Path, place: Path, *, readonly: bool = False) -> pb.NodePublishVolumeRequest:
    return pb.NodePublishVolumeRequest(volume_id="v", staging_target_path=str(staged), target_path=str(place), readonly=readonly)


@pytest.mark.req("PVC-04", "VOL-09")
async def test_a_volume_is_a_disk_of_its_size(tmp_path: Path) -> None:
    store = BlockStore(tmp_path / "volumes")
    store.create("v", 16 * MIB, {})
    store.attach("v", "n1")
    staged, pod = tmp_path / "staged", tmp_path / "pod"
    async with node(tmp_path, store) as stub:
        info = await stub.NodeGetInfo(pb.NodeGetInfoRequest())
        assert (info.node_id, dict(info.accessible_topology.segments)) == ("n1", {ZONE: "east"})
        for _ in range(2):      # every call may come twice
            await stub.NodeStageVolume(stage(staged))
            await stub.NodePublishVolume(publish(staged, pod))
        size = os.statvfs(pod)
        assert 10 * MIB < size.f_blocks * size.f_frsize <= 16 * MIB
        with pytest.raises(OSError, match="No space left on device") as full:
            (pod / "big").write_bytes(bytes(20 * MIB))
        assert full.value.errno == errno.ENOSPC
        (pod / "big").unlink()
        (pod / "kept").write_text("x")
        await stub.NodePublishVolume(publish(staged, tmp_path / "reader", readonly=True))
        with pytest.raises(OSError, match="Read-only file system"):
            (tmp_path / "reader" / "y").write_text("y")
        for target in (pod, tmp_path / "reader"):
            await stub.NodeUnpublishVolume(pb.NodeUnpublishVolumeRequest(volume_id="v", target_path=str(target)))
        await stub.NodeUnstageVolume(pb.NodeUnstageVolumeRequest(volume_id="v", staging_target_path=str(staged)))
        assert not staged.exists()
        assert not pod.exists()
        await stub.NodeStageVolume(stage(staged))
        assert (staged / "kept").read_text() == "x"
    assert await asyncio.to_thread(loops_of, store, "v") == []


def loops_of(store: BlockStore, volume: str) -> list[str]:
    return disks.run("losetup", "-n", "-O", "NAME", "-j", str(store.image(volume))).split()


@pytest.mark.req("VOL-07")
async def test_one_node_at_a_time(tmp_path: Path) -> None:
    store = BlockStore(tmp_path / "volumes")
    store.create("v", 16 * MIB, {})
    store.attach("v", "n1")
    async with node(tmp_path, store) as first, node(tmp_path, store, "n2") as second:
        await first.NodeStageVolume(stage(tmp_path / "one"))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await second.NodeStageVolume(stage(tmp_path / "two"))
        assert error_text(refused.value) == "rpc error: code = FailedPrecondition desc = volume 'v' is not attached to node n2"
        store.detach("v", "n1")     # by force: the first node still has it mounted
        store.attach("v", "n2")
        with pytest.raises(grpc.aio.AioRpcError, match="is still mounted elsewhere"):
            await second.NodeStageVolume(stage(tmp_path / "two"))


async def test_a_file_system_follows_its_volume(tmp_path: Path) -> None:
    """While it is mounted where the kernel lets us, else with the next mount."""
    store = BlockStore(tmp_path / "volumes")
    store.create("v", 16 * MIB, {})
    store.attach("v", "n1")
    staged = tmp_path / "staged"
    async with node(tmp_path, store) as stub:
        await stub.NodeStageVolume(stage(staged))
        (staged / "kept").write_text("x")
        store.expand("v", 64 * MIB)
        request = pb.NodeExpandVolumeRequest(volume_id="v", volume_path=str(staged), staging_target_path=str(staged))
        try:
            await stub.NodeExpandVolume(request)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                raise
            await stub.NodeUnstageVolume(pb.NodeUnstageVolumeRequest(volume_id="v", staging_target_path=str(staged)))
            await stub.NodeStageVolume(stage(staged))
            await stub.NodeExpandVolume(request)
        size = os.statvfs(staged)
        assert size.f_blocks * size.f_frsize > 40 * MIB
        assert (staged / "kept").read_text() == "x"


async def test_a_raw_volume_is_the_device_itself(tmp_path: Path) -> None:
    store = BlockStore(tmp_path / "volumes")
    store.create("v", 16 * MIB, {})
    store.attach("v", "n1")
    staged, target, raw = tmp_path / "staged", tmp_path / "device", capability(["ReadWriteOnce"], block=True)
    async with node(tmp_path, store) as stub:
        for _ in range(2):
            await stub.NodeStageVolume(
                pb.NodeStageVolumeRequest(volume_id="v", staging_target_path=str(staged), volume_capability=raw))
            await stub.NodePublishVolume(pb.NodePublishVolumeRequest(
                volume_id="v", staging_target_path=str(staged), target_path=str(target), volume_capability=raw))
        assert target.is_block_device()
        store.expand("v", 24 * MIB)
        await stub.NodeExpandVolume(
            pb.NodeExpandVolumeRequest(volume_id="v", volume_path=str(target), staging_target_path=str(staged)))
        with target.open("rb") as device:
            assert device.seek(0, os.SEEK_END) == 24 * MIB
        await stub.NodeUnpublishVolume(pb.NodeUnpublishVolumeRequest(volume_id="v", target_path=str(target)))
        await stub.NodeUnstageVolume(pb.NodeUnstageVolumeRequest(volume_id="v", staging_target_path=str(staged)))
        assert not target.exists()
        assert not staged.exists()
    assert await asyncio.to_thread(loops_of, store, "v") == []


async def test_a_pods_file_cannot_pass_for_the_mark_of_another_volumes_device(tmp_path: Path) -> None:
    store = BlockStore(tmp_path / "volumes")
    for name in ("v", "w"):
        store.create(name, 16 * MIB, {})
        store.attach(name, "n1")
    staged, raw, target = tmp_path / "staged", tmp_path / "raw", tmp_path / "pod"
    async with node(tmp_path, store) as stub:
        await stub.NodeStageVolume(pb.NodeStageVolumeRequest(
            volume_id="w", staging_target_path=str(raw), volume_capability=capability(["ReadWriteOnce"], block=True)))
        await stub.NodeStageVolume(stage(staged))
        (staged / RAW).write_text((raw / RAW).read_text())

        await stub.NodePublishVolume(publish(staged, target))

        assert target.is_dir()
        await stub.NodeUnpublishVolume(pb.NodeUnpublishVolumeRequest(volume_id="v", target_path=str(target)))
        assert (staged / RAW).exists()
        await stub.NodeUnstageVolume(pb.NodeUnstageVolumeRequest(volume_id="v", staging_target_path=str(staged)))
        assert await asyncio.to_thread(loops_of, store, "w")
        await stub.NodeUnstageVolume(pb.NodeUnstageVolumeRequest(volume_id="w", staging_target_path=str(raw)))
    assert await asyncio.to_thread(loops_of, store, "w") == []


async def test_what_holds_another_file_system_is_left_alone(tmp_path: Path) -> None:
    store = BlockStore(tmp_path / "volumes")
    store.create("v", 16 * MIB, {})
    store.attach("v", "n1")
    await asyncio.to_thread(disks.run, "mkfs.ext2", "-q", "-F", str(store.image("v")))
    async with node(tmp_path, store) as stub:
        with pytest.raises(grpc.aio.AioRpcError, match="already contains ext2"):
            await stub.NodeStageVolume(stage(tmp_path / "staged"))
