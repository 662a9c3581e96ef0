"""gRPC channels to the kubelets' NodeService, one per node, kept open while its address is the same.

A kubelet's certificate is checked against its node's name, and not against the address in the Node's status: machines come back with other
addresses, and another machine may by then have the old one.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import grpc
import grpc.aio
from aiohttp import web

from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.errors import ApiError, InternalError, from_status, not_found
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
    ("grpc.http2.bdp_probe", 0),                    # else a fast stream's window grows to tens of megabytes
    ("grpc.http2.lookahead_bytes", 1 << 20),
    ("grpc.initial_reconnect_backoff_ms", 100),     # a kubelet that restarts is back in a second
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


def _nodes() -> ResourceType:
    row = SCHEME.for_path("", "v1", "nodes")
    assert row is not None
    return row


class _Connection(NamedTuple):
    target: str
    channel: grpc.aio.Channel


class NodeConnections:
    def __init__(self, cache: WatchCache, tls: TlsFiles, port: int) -> None:
        self._cache = cache
        self._tls = tls
        self._port = port
        self._credentials: grpc.ChannelCredentials | None = None
        self._open: dict[str, _Connection] = {}                 # by node
        self._closing: set[asyncio.Task[None]] = set()
        self._resource = _nodes()

    @classmethod
    @asynccontextmanager
    async def open(cls, cache: WatchCache, tls: TlsFiles, port: int) -> AsyncIterator[NodeConnections]:
        connections = cls(cache, tls, port)
        try:
            yield connections
        finally:
            for connection in connections._open.values():
                await connection.channel.close(grace=None)
            await asyncio.gather(*connections._closing)

    def service(self, node_name: str) -> NodeServiceStub:
        """Raises NotFound for a node that is not there, InternalError for one without an address."""
        target = self.target(node_name)
        connection = self._open.get(node_name)
        if connection is None or connection.target != target:
            if connection is not None:
                self._close(connection.channel)
            connection = self._open[node_name] = _Connection(target, self._connect(target, node_name))
        return NodeServiceStub(connection.channel)

    def _connect(self, target: str, node_name: str) -> grpc.aio.Channel:
        if self._credentials is None:
            self._credentials = grpc_channel_credentials(self._tls)
        options = (*_OPTIONS, ("grpc.ssl_target_name_override", node_name))
        return grpc.aio.secure_channel(target, self._credentials, options=options)

    def _close(self, channel: grpc.aio.Channel) -> None:
        """The node is not there any more: what still runs over the channel has nobody at its other end."""
        task = asyncio.ensure_future(channel.close(grace=None))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def target(self, node_name: str) -> str:
        """Its address and port. Raises NotFound, InternalError."""
        node = self._cache.get(self._resource, NamespacedName("", node_name))
        if node is None:
            raise not_found(self._resource.group_resource, node_name)
        addresses = (node.obj.get("status") or {}).get("addresses") or []
        address = next((one["address"] for one in addresses if one.get("type") == "InternalIP"), None)
        if address is None:
            raise InternalError(f"Internal error occurred: no preferred addresses found; known addresses: {addresses}")
        host = f"[{address}]" if ipaddress.ip_address(address).version == 6 else address
        return f"{host}:{self._port}"


async def is_opened(call: grpc.aio.StreamStreamCall[Any, Any]) -> bool:
    """Waits for the node's word that it takes input. To a call that is about to fail nothing may be written: gRPC would take the failed
    write for the reason, and the node's own be lost."""
    return any(key == "opened" for key, _ in await call.initial_metadata())


class NotReached(ApiError):
    """The message is Go's of a failed connect."""


def translated(error: grpc.aio.AioRpcError) -> ApiError:
    """The Status that the node sent with a failed call, or what the failure itself says."""
    for key, value in error.trailing_metadata() or ():
        if key == STATUS_METADATA:
            status: dict[str, Any] = json.loads(value)
            return from_status(status)
    if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return NotReached(_in_words_of_go(error.details() or ""))
    return InternalError(f"Internal error occurred: {error.details()}")


async def refusal(call: grpc.aio.StreamStreamCall[Any, Any]) -> web.Response:
    """Why a call was not opened: what the node said, as its kubelet would. Raises ApiError when it cannot be reached."""
    try:
        await call.read()
    except grpc.aio.AioRpcError as error:
        told = translated(error)
        if isinstance(told, NotReached):
            raise ApiError(f"error dialing backend: {told.message}") from error
        return web.Response(status=told.code, text=told.message)
    raise InternalError("Internal error occurred: the node ended the stream without a word")


def _in_words_of_go(details: str) -> str:
    """"dial tcp 172.30.0.12:10251: connect: connection refused", out of gRPC's own description."""
    found = re.search(r"ipv[46]:(\S+): (?:Failed to connect to remote host: )?(.*)", details)
    if found is None:
        if "Socket closed" in details:      # a connection that had stood
            return "unexpected EOF"
        broken = re.search(r"(?:recvmsg|sendmsg):([A-Za-z ]+)", details)
        return f"read tcp: {broken[1].strip().lower()}" if broken else details
    address, why = found[1], found[2]
    if refused := re.match(r"(?:[\w()]+: )?(Connection (?:refused|reset by peer|timed out)|No route to host|Network is unreachable)", why):
        why = f"connect: {refused[1].lower()}"
    elif "shutdown" in why.lower() or "timed out" in why.lower():
        why = "i/o timeout"
    return f"dial tcp {address}: {why}"
