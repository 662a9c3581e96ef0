"""The node half of the cluster's own driver: a volume's file becomes a disk with a file system, mounted where the kubelet asks.

It listens on csi.sock and makes itself known by plugins_registry, as any driver does; but inside the kubelet's process, and only once
the cluster has its CSIDriver object, which the provisioner makes for the first claim.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import grpc

from kube.csi.block_store import MAX_VOLUMES_PER_NODE, VERSION, Attached, BlockStore, BlockVolume, InUse, Unfit
from kube.csi.calls import answering, serving
from kube.csi.names import DRIVER, ZONE
from kube.csi.v1 import csi_pb2 as pb
from kube.csi.v1 import csi_pb2_grpc, registration_pb2, registration_pb2_grpc
from kube.process.log import get_logger
from node_agent.runtime.mounts import bind, mounted_from
from node_agent.runtime.syscalls import unmount
from node_agent.volumes.persistent import disks
from node_agent.volumes.persistent.csi.registration import CSI_PLUGIN, FOLDER

SOCKET: Final = f"plugins/{DRIVER}/csi.sock"
REGISTRATION: Final = f"{FOLDER}/block-reg.sock"
Context = grpc.aio.ServicerContext[Any, Any]
Rpc = pb.NodeServiceCapability.RPC
RAW: Final = "loop-device"      # a file where a volume of mode Block is staged: the device's name, and in a second line its image

log = get_logger("csi-driver")


async def run_block_driver(root_dir: Path, volumes_dir: Path, node_name: str, labels: Callable[[], Mapping[str, str]]) -> None:
    """Until cancelled."""
    socket = root_dir / SOCKET

    def add_services(server: grpc.aio.Server) -> None:
        csi_pb2_grpc.add_IdentityServicer_to_server(_Identity(), server)
        csi_pb2_grpc.add_NodeServicer_to_server(BlockNode(BlockStore(volumes_dir), node_name, labels), server)

    def add_registration(server: grpc.aio.Server) -> None:
        registration_pb2_grpc.add_RegistrationServicer_to_server(_Registration(str(socket)), server)

    async with serving(socket, add_services), serving(root_dir / REGISTRATION, add_registration):
        log.info("driver listens", driver=DRIVER, socket=str(socket), folder=str(volumes_dir))
        await asyncio.Event().wait()


class _Identity(csi_pb2_grpc.IdentityServicer):
    async def GetPluginInfo(self, request: pb.GetPluginInfoRequest, context: Context) -> pb.GetPluginInfoResponse:  # noqa: N802
        return pb.GetPluginInfoResponse(name=DRIVER, vendor_version=VERSION)

    async def Probe(self, request: pb.ProbeRequest, context: Context) -> pb.ProbeResponse:  # noqa: N802
        return pb.ProbeResponse()


class _Registration(registration_pb2_grpc.RegistrationServicer):
    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    async def GetInfo(self, request: registration_pb2.InfoRequest, context: Context) -> registration_pb2.PluginInfo:  # noqa: N802
        return registration_pb2.PluginInfo(type=CSI_PLUGIN, name=DRIVER, endpoint=self._endpoint, supported_versions=["1.0.0"])

    async def NotifyRegistrationStatus(  # noqa: N802
        self, request: registration_pb2.RegistrationStatus, context: Context
    ) -> registration_pb2.RegistrationStatusResponse:
        if not request.plugin_registered:
            log.warning("the kubelet did not register the driver", error=request.error)
        return registration_pb2.RegistrationStatusResponse()


class BlockNode(csi_pb2_grpc.NodeServicer):
    def __init__(self, store: BlockStore, node_name: str, labels: Callable[[], Mapping[str, str]]) -> None:
        self._store = store
        self._node_name = node_name
        self._labels = labels

    async def NodeGetInfo(self, request: pb.NodeGetInfoRequest, context: Context) -> pb.NodeGetInfoResponse:  # noqa: N802
        zone = self._labels().get(ZONE)
        return pb.NodeGetInfoResponse(
            node_id=self._node_name, max_volumes_per_node=MAX_VOLUMES_PER_NODE,
            accessible_topology=pb.Topology(segments={ZONE: zone}) if zone else None)

    async def NodeGetCapabilities(  # noqa: N802
        self, request: pb.NodeGetCapabilitiesRequest, context: Context
    ) -> pb.NodeGetCapabilitiesResponse:
        kinds = (Rpc.STAGE_UNSTAGE_VOLUME, Rpc.EXPAND_VOLUME, Rpc.SINGLE_NODE_MULTI_WRITER)
        return pb.NodeGetCapabilitiesResponse(capabilities=[pb.NodeServiceCapability(rpc=Rpc(type=kind)) for kind in kinds])

    async def NodeStageVolume(self, request: pb.NodeStageVolumeRequest, context: Context) -> pb.NodeStageVolumeResponse:  # noqa: N802
        async with answering(log, context, "NodeStageVolume", volume=request.volume_id, path=request.staging_target_path):
            await asyncio.to_thread(self._stage, request)
        return pb.NodeStageVolumeResponse()

    async def NodeUnstageVolume(  # noqa: N802
        self, request: pb.NodeUnstageVolumeRequest, context: Context
    ) -> pb.NodeUnstageVolumeResponse:
        async with answering(log, context, "NodeUnstageVolume", volume=request.volume_id, path=request.staging_target_path):
            await asyncio.to_thread(_let_go, request.staging_target_path)
        return pb.NodeUnstageVolumeResponse()

    async def NodePublishVolume(  # noqa: N802
        self, request: pb.NodePublishVolumeRequest, context: Context
    ) -> pb.NodePublishVolumeResponse:
        async with answering(log, context, "NodePublishVolume", volume=request.volume_id, path=request.target_path):
            await asyncio.to_thread(_publish, request)
        return pb.NodePublishVolumeResponse()

    async def NodeUnpublishVolume(  # noqa: N802
        self, request: pb.NodeUnpublishVolumeRequest, context: Context
    ) -> pb.NodeUnpublishVolumeResponse:
        async with answering(log, context, "NodeUnpublishVolume", volume=request.volume_id, path=request.target_path):
            await asyncio.to_thread(_let_go, request.target_path)
        return pb.NodeUnpublishVolumeResponse()

    async def NodeExpandVolume(self, request: pb.NodeExpandVolumeRequest, context: Context) -> pb.NodeExpandVolumeResponse:  # noqa: N802
        wanted = request.capacity_range.required_bytes
        async with answering(log, context, "NodeExpandVolume", volume=request.volume_id, bytes=wanted):
            volume = await asyncio.to_thread(self._expand, request)
        return pb.NodeExpandVolumeResponse(capacity_bytes=volume.capacity_bytes)

    def _expand(self, request: pb.NodeExpandVolumeRequest) -> BlockVolume:
        volume = self._store.get(request.volume_id)
        try:
            if not volume.shared:
                _grow(request.staging_target_path or request.volume_path)
        except disks.NotWhileMountedError as error:
            raise InUse(str(error)) from error
        return volume

    def _stage(self, request: pb.NodeStageVolumeRequest) -> None:
        place = request.staging_target_path
        if mounted_from(place):
            return
        volume, image = self._store.get(request.volume_id), str(self._store.image(request.volume_id))
        if volume.shared:
            os.makedirs(place, exist_ok=True)
            bind(str(self._store.folder(request.volume_id)), place)
            return
        if volume.node != self._node_name:
            raise Attached(f"volume {volume.id!r} is not attached to node {self._node_name}")
        raw = request.volume_capability.WhichOneof("access_type") == "block"
        if raw and _raw_device(place):
            return
        if held := _loop_devices(image):
            # Another node of this machine has not let go of it: two kernels' worth of writes would be its end.
            raise Attached(f"volume {volume.id!r} is still mounted elsewhere ({' '.join(held)})")
        if raw:
            os.makedirs(place, exist_ok=True)
            _attach_raw(place, image)
            return
        fs_type = disks.format_if_empty(image, request.volume_capability.mount.fs_type or "ext4")
        if volume.expanded:
            disks.grow_unmounted(image)
        os.makedirs(place, exist_ok=True)
        disks.mount(image, place, fs_type, ("loop", *request.volume_capability.mount.mount_flags))


def _loop_devices(image: str) -> list[str]:
    return disks.run("losetup", "-n", "-O", "NAME", "-j", image).split()


def _attach_raw(place: str, image: str) -> None:
    device = disks.run("losetup", "-f", "--show", image)
    try:
        Path(place, RAW).write_text(f"{device}\n{image}")
    except OSError:
        disks.run("losetup", "-d", device)
        raise


def _raw_device(staged: str) -> str:
    """The loop device of a volume of mode Block that is staged there; "" for none. It stays until NodeUnstageVolume.

    After the machine was off its name may be another volume's. Where a file system is mounted, such a file is the Pod's own.
    """
    if mounted_from(staged):
        return ""
    try:
        device, image = Path(staged, RAW).read_text().split("\n")
    except (OSError, ValueError):
        return ""
    return device if device in _loop_devices(image) else ""


def _publish(request: pb.NodePublishVolumeRequest) -> None:
    target = request.target_path
    if device := _raw_device(request.staging_target_path):
        Path(target).touch()
        bind(device, target)
        return
    if not mounted_from(request.staging_target_path):
        raise Unfit(f"volume {request.volume_id!r} is not staged")
    os.makedirs(target, exist_ok=True)
    bind(request.staging_target_path, target, read_only=request.readonly)


def _let_go(place: str) -> None:
    """The loop device of a file system goes with its last mount."""
    unmount(place)
    if os.path.isfile(place):
        os.unlink(place)
    elif os.path.isdir(place):
        if device := _raw_device(place):
            disks.run("losetup", "-d", device)
        if not mounted_from(place):
            Path(place, RAW).unlink(missing_ok=True)
        os.rmdir(place)


def _grow(place: str) -> None:
    if raw := _raw_device(place):
        disks.run("losetup", "-c", raw)
        return
    device = mounted_from(place)
    disks.run("losetup", "-c", device)
    disks.grow(device, place)
