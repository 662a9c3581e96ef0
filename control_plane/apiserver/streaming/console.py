"""exec and attach: a WebSocket on one side, NodeService frames on the other, copied until either ends.

The WebSocket is opened first; a failure at the node then reaches the client as the Status on the error channel.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

import grpc.aio
import msgspec
from aiohttp import WSMsgType, web

from control_plane.apiserver.streaming import channels
from control_plane.apiserver.streaming.channels import Protocol
from control_plane.apiserver.streaming.nodes import NodeConnections, translated
from kube.apimachinery.errors import BadRequest, InternalError
from kube.rpc.v1.node_pb2 import StreamFrame, StreamStart, TerminalSize

_HEARTBEAT_S: Final = 30.0
_MAX_MESSAGE: Final = 16 * 1024 * 1024      # held in memory whole; kubectl sends 32 KiB at a time
_SPDY: Final = "this server speaks WebSocket, and not the SPDY of older clients: use kubectl 1.31 or later for exec, attach and cp"
_SUCCESS: Final = {"metadata": {}, "status": "Success"}
_WRITABLE: Final = {"stdout": channels.STDOUT, "stderr": channels.STDERR}


async def serve_console(
    request: web.BaseRequest, nodes: NodeConnections, node_name: str, subresource: str, start: StreamStart
) -> web.StreamResponse:
    """`subresource` is exec or attach. Raises BadRequest when the client does not ask for a WebSocket."""
    service = nodes.service(node_name)      # a failure here must be an HTTP answer, and kubectl shows the one to its second try, by SPDY
    socket = web.WebSocketResponse(protocols=channels.PROTOCOLS, heartbeat=_HEARTBEAT_S, max_msg_size=_MAX_MESSAGE)
    if not socket.can_prepare(request):
        raise BadRequest(_SPDY if request.headers.get("Upgrade", "").upper().startswith("SPDY") else "Upgrade request required")
    await socket.prepare(request)
    protocol = Protocol(socket.ws_protocol or "channel.k8s.io")
    # An empty message says that the connection stands; upstream sends it on the lowest channel the client reads.
    await _send(socket, protocol, channels.STDOUT if start.stdout else channels.STDERR if start.stderr else channels.ERROR, b"")
    status = await _copy(socket, protocol, service.Exec if subresource == "exec" else service.Attach, start, node_name)
    with contextlib.suppress(ConnectionError):      # the client may be gone by now
        if (final := protocol.final_message(status)) is not None:
            await _send(socket, protocol, channels.ERROR, final)
        await socket.close()
    return socket


async def _copy(
    socket: web.WebSocketResponse, protocol: Protocol, method: grpc.aio.StreamStreamMultiCallable[StreamFrame, StreamFrame],
    start: StreamStart, node_name: str,
) -> dict[str, Any]:
    """Until the node or the client ends. Returns the Status for the client."""
    call = method(_client_frames(socket, protocol, start))
    try:
        async for frame in call:
            kind = frame.WhichOneof("frame")
            if kind == "status":
                status: dict[str, Any] = msgspec.json.decode(frame.status)
                return status
            if kind in _WRITABLE:
                await _send(socket, protocol, _WRITABLE[kind], getattr(frame, kind))
    except grpc.aio.AioRpcError as error:
        return translated(error, node_name).to_status()
    except asyncio.CancelledError:
        if not call.cancelled():
            call.cancel()
            raise
        return _SUCCESS      # the client left, and nobody reads this
    except ConnectionError:
        return _SUCCESS
    finally:
        call.cancel()
    return InternalError("Internal error occurred: the node ended the stream without a status").to_status()


async def _client_frames(socket: web.WebSocketResponse, protocol: Protocol, start: StreamStart) -> AsyncIterator[StreamFrame]:
    yield StreamFrame(start=start)
    async for message in socket:
        if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
            continue
        if (parts := protocol.unframe(message.data)) is None:
            continue
        channel, data = parts
        if channel == channels.STDIN and start.stdin and data:
            yield StreamFrame(stdin=data)
        elif channel == channels.RESIZE and (size := channels.terminal_size(data)):
            yield StreamFrame(resize=TerminalSize(width=size[0], height=size[1]))
        elif channel == channels.CLOSE and data[:1] == bytes((channels.STDIN,)):
            yield StreamFrame(close_stdin=True)


async def _send(socket: web.WebSocketResponse, protocol: Protocol, channel: int, data: bytes) -> None:
    framed = protocol.frame(channel, data)
    if protocol.is_text:
        await socket.send_str(framed.decode())
    else:
        await socket.send_bytes(framed)
