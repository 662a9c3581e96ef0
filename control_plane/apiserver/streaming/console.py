"""exec and attach: a client on one side, NodeService frames on the other, copied until either ends.

What the client speaks is the clients' matter: console_websocket.py, console_spdy.py. The node is asked first, and what it refuses is an
HTTP answer; then the client's connection is upgraded, and only once its streams stand does anything begin. What fails from then on reaches
the client as the Status on the error channel.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, Literal, Protocol

import grpc.aio
import msgspec
from aiohttp import web

from control_plane.apiserver.streaming.channels import terminal_size
from control_plane.apiserver.streaming.nodes import NodeConnections, is_opened, refusal, translated
from control_plane.apiserver.streaming.spdy_upgrade import wants_spdy, wants_websocket
from kube.apimachinery.errors import BadRequest, InternalError
from kube.rpc.v1.node_pb2 import StreamFrame, StreamStart, TerminalSize

Output = Literal["stdout", "stderr"]
Method = grpc.aio.StreamStreamMultiCallable[StreamFrame, StreamFrame]
_SUCCESS: Final[Mapping[str, Any]] = {"metadata": {}, "status": "Success"}


class ConsoleClient(Protocol):
    """Who asked for the console."""

    def inputs(self) -> AsyncIterator[StreamFrame]:
        """stdin, close_stdin and resize frames. Ends when the client is gone."""

    async def output(self, name: Output, data: bytes) -> None:
        """Returns when the client has room for more. Raises ConnectionError."""


async def serve_console(
    request: web.BaseRequest, nodes: NodeConnections, node_name: str, subresource: str, start: StreamStart
) -> web.StreamResponse:
    """`subresource` is exec or attach. Raises BadRequest when the client asks for no upgrade."""
    if not wants_spdy(request) and not wants_websocket(request):
        raise BadRequest("Upgrade request required")
    service = nodes.service(node_name)
    console = Console(service.Exec if subresource == "exec" else service.Attach, start)
    try:
        if not await is_opened(console.call):
            return await refusal(console.call)
        if wants_spdy(request):
            from control_plane.apiserver.streaming.console_spdy import serve_spdy  # lazily: fewer clients each year

            return await serve_spdy(request, console)
        from control_plane.apiserver.streaming.console_websocket import serve_websocket

        return await serve_websocket(request, console)
    finally:
        console.call.cancel()


class Console:
    """One command or container, ready to be connected to a client."""

    def __init__(self, method: Method, start: StreamStart) -> None:
        self.start = start
        self._client: asyncio.Future[ConsoleClient] = asyncio.get_running_loop().create_future()
        self.call = method(self._frames())

    async def _frames(self) -> AsyncIterator[StreamFrame]:
        yield StreamFrame(start=self.start)
        client = await self._client
        yield StreamFrame(begin=True)
        async for frame in client.inputs():
            yield frame
        self.call.cancel()       # nobody is there any more

    async def run(self, client: ConsoleClient) -> Mapping[str, Any]:
        """Until the node or the client ends. Returns the Status for the client."""
        call = self.call
        self._client.set_result(client)
        try:
            async for frame in call:
                match kind := frame.WhichOneof("frame"):
                    case "status":
                        status: dict[str, Any] = msgspec.json.decode(frame.status)
                        return status
                    case "stdout" | "stderr":
                        await client.output(kind, getattr(frame, kind))
        except grpc.aio.AioRpcError as error:
            return translated(error).to_status()
        except asyncio.CancelledError:
            if not call.cancelled():
                call.cancel()
                raise
            return _SUCCESS      # the client left, and nobody reads this
        except ConnectionError:
            return _SUCCESS
        return InternalError("Internal error occurred: the node ended the stream without a status").to_status()


def resize_frame(data: bytes) -> StreamFrame | None:
    """None for what no terminal can be."""
    if (size := terminal_size(data)) is None:
        return None
    return StreamFrame(resize=TerminalSize(width=size[0], height=size[1]))
