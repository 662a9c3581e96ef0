"""gRPC channels to the kubelets' NodeService, by node; one per address, kept open."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc
import grpc.aio

from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.errors import ApiError, InternalError, ServiceUnavailable, from_status, not_found
from kube.apimachinery.meta import NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import ResourceType
from kube.process.config import TlsFiles
from kube.process.tls import grpc_channel_credentials
from kube.rpc.v1.node_pb2_grpc import NodeServiceStub

STATUS_METADATA: Final = "kube-status-bin"
_OPTIONS: Final = (
    ("grpc.keepalive_time_ms", 310_000),            # gRPC servers end the connection of a client that pings more than every 5 minutes
    ("grpc.enable_http_proxy", 0),                  # these connections stay on the machine, whatever the user's environment says
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),     # a kubelet that restarts is back in a second
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


def _nodes() -> ResourceType:
    row = SCHEME.for_path("", "v1", "nodes")
    assert row is not None
    return row


class NodeConnections:
    def __init__(self, cache: WatchCache, tls: TlsFiles, port: int) -> None:
        self._cache = cache
        self._tls = tls
        self._port = port
        self._credentials: grpc.ChannelCredentials | None = None
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._resource = _nodes()

    @classmethod
    @asynccontextmanager
    async def open(cls, cache: WatchCache, tls: TlsFiles, port: int) -> AsyncIterator[NodeConnections]:
        connections = cls(cache, tls, port)
        try:
            yield connections
        finally:
            for channel in connections._channels.values():
                await channel.close(grace=None)

    def service(self, node_name: str) -> NodeServiceStub:
        """Raises NotFound for a node that is not there, InternalError for one without an address."""
        target = self._target(node_name)
        channel = self._channels.get(target)
        if channel is None:
            if self._credentials is None:
                self._credentials = grpc_channel_credentials(self._tls)
            channel = self._channels[target] = grpc.aio.secure_channel(target, self._credentials, options=_OPTIONS)
        return NodeServiceStub(channel)

    def _target(self, node_name: str) -> str:
        node = self._cache.get(self._resource, NamespacedName("", node_name))
        if node is None:
            raise not_found(self._resource.group_resource, node_name)
        addresses = (node.obj.get("status") or {}).get("addresses") or []
        address = next((one["address"] for one in addresses if one.get("type") == "InternalIP"), None)
        if address is None:
            raise InternalError(f"Internal error occurred: no preferred addresses found; known addresses: {addresses}")
        host = f"[{address}]" if ipaddress.ip_address(address).version == 6 else address
        return f"{host}:{self._port}"


def translated(error: grpc.aio.AioRpcError, node_name: str) -> ApiError:
    """The Status that the node sent with a failed call, or what the failure itself says."""
    for key, value in error.trailing_metadata() or ():
        if key == STATUS_METADATA:
            status: dict[str, Any] = json.loads(value)
            return from_status(status)
    if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return ServiceUnavailable(f"Internal error occurred: error dialing node {node_name}: {error.details()}")
    return InternalError(f"Internal error occurred: {error.details()}")
