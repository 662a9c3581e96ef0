"""port-forward: connections of a client, each to one port of the Pod, dialled by the Pod's kubelet inside the Pod's network.

How the client speaks is told apart here: SPDY, SPDY within a WebSocket (KEP-4006), or channels of a WebSocket.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

import grpc.aio
from aiohttp import web

from control_plane.apiserver.streaming.nodes import NodeConnections, is_opened, refusal, translated
from control_plane.apiserver.streaming.spdy_upgrade import wants_spdy, wants_websocket
from kube.apimachinery.errors import BadRequest
from kube.rpc.v1.node_pb2 import DialFrame, DialTarget
from kube.rpc.v1.node_pb2_grpc import NodeServiceStub


class Local(Protocol):
    """The client's end of one connection."""

    @property
    def was_reset(self) -> bool:
        """The client has given the connection up, both ways."""

    async def read(self) -> bytes:
        """b"" when the client has closed its half, or everything."""

    async def write(self, data: bytes) -> None:
        """Raises ConnectionError."""

    async def close(self) -> None:
        """The Pod has closed its half."""


class Ports:
    """Of one Pod."""

    def __init__(self, service: NodeServiceStub, namespace: str, pod: str, uid: str) -> None:
        self._service = service
        self._namespace, self._pod, self._uid = namespace, pod, uid

    async def refused(self) -> web.Response | None:
        """Why none can be forwarded. Raises ApiError when the node cannot be reached."""

        async def frames() -> AsyncIterator[DialFrame]:
            yield DialFrame(target=DialTarget(namespace=self._namespace, pod=self._pod))

        call = self._service.Dial(frames())
        try:
            return None if await is_opened(call) else await refusal(call)
        finally:
            call.cancel()

    async def forward(self, port: int, local: Local) -> str:
        """Until both halves are closed. Returns what went wrong, in upstream's words, or ""."""

        async def frames() -> AsyncIterator[DialFrame]:
            yield DialFrame(target=DialTarget(namespace=self._namespace, pod=self._pod, port=port))
            if not await is_opened(call):
                return
            while data := await local.read():
                yield DialFrame(data=data)
            if local.was_reset:
                call.cancel()
            yield DialFrame(close_write=True)

        call = self._service.Dial(frames())
        try:
            async for frame in call:
                if frame.WhichOneof("frame") == "data":
                    await local.write(frame.data)
                else:
                    await local.close()
        except grpc.aio.AioRpcError as error:
            return f"error forwarding port {port} to pod {self._uid}, uid : {translated(error).message}"
        except asyncio.CancelledError:
            if not call.cancelled():
                raise
        except ConnectionError:
            pass                # the client is gone
        finally:
            call.cancel()
        return ""


async def serve_port_forward(
    request: web.BaseRequest, nodes: NodeConnections, node_name: str, namespace: str, pod: str, uid: str,
) -> web.StreamResponse:
    """Raises BadRequest when the client asks for no upgrade, or for no port."""
    if not wants_spdy(request) and not wants_websocket(request):
        raise BadRequest("Upgrade request required")
    ports = Ports(nodes.service(node_name), namespace, pod, uid)
    if refused := await ports.refused():
        return refused
    from control_plane.apiserver.streaming import port_forward_spdy, port_forward_websocket  # lazily: few clusters ever need them

    if wants_spdy(request):
        return await port_forward_spdy.serve(request, ports)
    if port_forward_spdy.wants_tunnel(request):
        return await port_forward_spdy.serve_tunnel(request, ports)
    return await port_forward_websocket.serve(request, ports)
