"""Identity and Controller of the cluster's own block driver: volumes are sparse files, attached to one node at a time."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc

from kube.csi.block_store import VERSION, BlockStore
from kube.csi.calls import answering
from kube.csi.names import DISK, DRIVER, SHARED_FOLDER, TYPE
from kube.csi.v1 import csi_pb2 as pb
from kube.csi.v1 import csi_pb2_grpc
from kube.process.log import Logger

Context = grpc.aio.ServicerContext[Any, Any]
Mode = pb.VolumeCapability.AccessMode
ONE_NODE = {Mode.SINGLE_NODE_WRITER, Mode.SINGLE_NODE_READER_ONLY, Mode.SINGLE_NODE_SINGLE_WRITER, Mode.SINGLE_NODE_MULTI_WRITER}
Rpc = pb.ControllerServiceCapability.RPC


class BlockIdentity(csi_pb2_grpc.IdentityServicer):
    async def GetPluginInfo(  # noqa: N802  gRPC's name
        self, request: pb.GetPluginInfoRequest, context: Context
    ) -> pb.GetPluginInfoResponse:
        return pb.GetPluginInfoResponse(name=DRIVER, vendor_version=VERSION)

    async def GetPluginCapabilities(  # noqa: N802
        self, request: pb.GetPluginCapabilitiesRequest, context: Context
    ) -> pb.GetPluginCapabilitiesResponse:
        kinds = (pb.PluginCapability.Service.CONTROLLER_SERVICE, pb.PluginCapability.Service.VOLUME_ACCESSIBILITY_CONSTRAINTS)
        services = [pb.PluginCapability(service=pb.PluginCapability.Service(type=kind)) for kind in kinds]
        online = pb.PluginCapability.VolumeExpansion(type=pb.PluginCapability.VolumeExpansion.ONLINE)
        return pb.GetPluginCapabilitiesResponse(capabilities=[*services, pb.PluginCapability(volume_expansion=online)])

    async def Probe(self, request: pb.ProbeRequest, context: Context) -> pb.ProbeResponse:  # noqa: N802
        return pb.ProbeResponse()


class BlockController(csi_pb2_grpc.ControllerServicer):
    def __init__(self, store: BlockStore, log: Logger) -> None:
        self._store = store
        self._log = log

    async def CreateVolume(  # noqa: N802
        self, request: pb.CreateVolumeRequest, context: Context
    ) -> pb.CreateVolumeResponse:
        size = request.capacity_range
        async with answering(self._log, context, "CreateVolume", name=request.name, bytes=size.required_bytes):
            shared = request.parameters.get(TYPE, DISK) == SHARED_FOLDER
            if problem := _problem(request, shared=shared):
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, problem)
            segments = _chosen(request.accessibility_requirements)
            volume = await asyncio.to_thread(
                self._store.create, request.name, size.required_bytes, segments, limit_bytes=size.limit_bytes, shared=shared)
        topology = [pb.Topology(segments=volume.topology)] if volume.topology else []
        return pb.CreateVolumeResponse(
            volume=pb.Volume(volume_id=volume.id, capacity_bytes=volume.capacity_bytes, accessible_topology=topology))

    async def DeleteVolume(  # noqa: N802
        self, request: pb.DeleteVolumeRequest, context: Context
    ) -> pb.DeleteVolumeResponse:
        async with answering(self._log, context, "DeleteVolume", volume=request.volume_id):
            await asyncio.to_thread(self._store.delete, request.volume_id)
        return pb.DeleteVolumeResponse()

    async def ControllerPublishVolume(  # noqa: N802
        self, request: pb.ControllerPublishVolumeRequest, context: Context
    ) -> pb.ControllerPublishVolumeResponse:
        async with answering(self._log, context, "ControllerPublishVolume", volume=request.volume_id, node=request.node_id):
            await asyncio.to_thread(self._store.attach, request.volume_id, request.node_id)
        return pb.ControllerPublishVolumeResponse()

    async def ControllerUnpublishVolume(  # noqa: N802
        self, request: pb.ControllerUnpublishVolumeRequest, context: Context
    ) -> pb.ControllerUnpublishVolumeResponse:
        async with answering(self._log, context, "ControllerUnpublishVolume", volume=request.volume_id, node=request.node_id):
            await asyncio.to_thread(self._store.detach, request.volume_id, request.node_id)
        return pb.ControllerUnpublishVolumeResponse()

    async def ControllerExpandVolume(  # noqa: N802
        self, request: pb.ControllerExpandVolumeRequest, context: Context
    ) -> pb.ControllerExpandVolumeResponse:
        wanted = request.capacity_range.required_bytes
        async with answering(self._log, context, "ControllerExpandVolume", volume=request.volume_id, bytes=wanted):
            volume = await asyncio.to_thread(self._store.expand, request.volume_id, wanted)
        return pb.ControllerExpandVolumeResponse(capacity_bytes=volume.capacity_bytes, node_expansion_required=True)

    async def ControllerGetCapabilities(  # noqa: N802
        self, request: pb.ControllerGetCapabilitiesRequest, context: Context
    ) -> pb.ControllerGetCapabilitiesResponse:
        kinds = (Rpc.CREATE_DELETE_VOLUME, Rpc.PUBLISH_UNPUBLISH_VOLUME, Rpc.EXPAND_VOLUME, Rpc.SINGLE_NODE_MULTI_WRITER)
        return pb.ControllerGetCapabilitiesResponse(
            capabilities=[pb.ControllerServiceCapability(rpc=Rpc(type=kind)) for kind in kinds])


def _problem(request: pb.CreateVolumeRequest, *, shared: bool) -> str:
    kind = request.parameters.get(TYPE, DISK)
    if kind not in (DISK, SHARED_FOLDER):
        return f"parameter {TYPE} must be {DISK} or {SHARED_FOLDER}, not {kind!r}"
    for wanted in request.volume_capabilities:
        if not shared and wanted.access_mode.mode not in ONE_NODE:
            return f"a volume serves one node at a time: {Mode.Mode.Name(wanted.access_mode.mode)} is not supported"
        if shared and wanted.WhichOneof("access_type") == "block":
            return f"a {SHARED_FOLDER} is no block device"
    return ""


def _chosen(wanted: pb.TopologyRequirement) -> dict[str, str]:
    """Where the volume is to be: the first place preferred, else the first allowed; {}: anywhere."""
    for place in (*wanted.preferred, *wanted.requisite):
        return dict(place.segments)
    return {}


