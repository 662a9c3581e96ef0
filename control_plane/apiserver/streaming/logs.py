"""pods/log: a container's log as a chunked answer, or in the messages of a WebSocket (k8s.io/streaming's wsstream.Reader)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import grpc.aio
from aiohttp import web

from control_plane.apiserver.registry.options import is_true
from control_plane.apiserver.streaming.console_websocket import open_websocket
from control_plane.apiserver.streaming.nodes import NodeConnections, NotReached, is_opened, translated
from control_plane.apiserver.streaming.spdy_upgrade import wants_websocket
from kube.apimachinery.errors import ApiError, BadRequest, Cause, invalid
from kube.apimachinery.scheme import GroupVersionKind
from kube.process.clock import from_rfc3339
from kube.rpc.v1.node_pb2 import Chunk, ContainerRef, LogsRequest

_KIND: Final = GroupVersionKind("", "v1", "PodLogOptions")
_BINARY, _BASE64 = "binary.k8s.io", "base64.binary.k8s.io"
Call = grpc.aio.UnaryStreamCall[LogsRequest, Chunk]
_STREAMS: Final = ("All", "Stderr", "Stdout")


def logs_request(query: Mapping[str, str], namespace: str, pod: str) -> LogsRequest:
    """Raises BadRequest, Invalid."""
    causes = []
    tail, since, limit = (_number(query, name) for name in ("tailLines", "sinceSeconds", "limitBytes"))
    if tail is not None and tail < 0:
        causes.append(Cause("FieldValueInvalid", "tailLines", f"Invalid value: {tail}: must be greater than or equal to 0"))
    if limit is not None and limit < 1:
        causes.append(Cause("FieldValueInvalid", "limitBytes", f"Invalid value: {limit}: must be greater than 0"))
    if since is not None and query.get("sinceTime"):
        causes.append(Cause("FieldValueForbidden", "", "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"))
    elif since is not None and since < 1:
        causes.append(Cause("FieldValueInvalid", "sinceSeconds", f"Invalid value: {since}: must be greater than 0"))
    stream = query.get("stream") or "All"
    if stream not in _STREAMS:
        listed = ", ".join(f'"{one}"' for one in _STREAMS)
        causes.append(Cause("FieldValueNotSupported", "stream", f'Unsupported value: "{stream}": supported values: {listed}'))
    if stream != "All" and tail is not None:
        causes.append(Cause("FieldValueForbidden", "", "Forbidden: `tailLines` and specific `stream` are mutually exclusive for now"))
    if causes:
        raise invalid(_KIND, pod, causes)
    since_time = query.get("sinceTime", "")
    if since_time and not _is_time(since_time):
        raise BadRequest(f'parsing time "{since_time}" as "2006-01-02T15:04:05Z07:00": cannot parse "{since_time}" as "2006"')
    return LogsRequest(
        container=ContainerRef(namespace=namespace, pod=pod), follow=is_true(query.get("follow", "")),
        previous=is_true(query.get("previous", "")),
        timestamps=is_true(query.get("timestamps", "")), tail_lines=-1 if tail is None else tail, since_seconds=since or 0,
        since_time=since_time, limit_bytes=limit or 0, stream=stream,
    )


def _is_time(text: str) -> bool:
    try:
        return from_rfc3339(text) is not None
    except ValueError:
        return False


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None or text == "":
        return None
    try:
        return int(text)
    except ValueError:
        raise BadRequest(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


async def serve_logs(request: web.BaseRequest, nodes: NodeConnections, node_name: str, asked: LogsRequest) -> web.StreamResponse:
    """Raises what the node refuses, as long as nothing has been sent."""
    call = nodes.service(node_name).Logs(asked)
    try:
        if not await is_opened(call):
            await call.read()       # raises why, before anything is sent
        return await (_messages if wants_websocket(request) else _answer)(request, call)
    except grpc.aio.AioRpcError as error:
        raise _refusal(translated(error), nodes.target(node_name), asked.container) from error
    finally:
        call.cancel()


async def _answer(request: web.BaseRequest, call: Call) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/plain", "Cache-Control": "no-cache, private"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    try:
        async for chunk in call:
            await response.write(chunk.data)
    except ConnectionError:                 # the client has read enough
        pass
    except grpc.aio.AioRpcError:            # it breaks off, and so does the answer: "unexpected EOF"
        if request.transport is not None:
            request.transport.close()
    return response


async def _messages(request: web.BaseRequest, call: Call) -> web.StreamResponse:
    """An empty one first, as a sign of life; what the client sends is passed over, and its goodbye ends it."""
    socket = await open_websocket(request, (_BINARY, _BASE64))
    is_text = socket.ws_protocol == _BASE64

    async def listen() -> None:
        async for _ in socket:
            pass
        call.cancel()

    listening = asyncio.create_task(listen(), name="log over a websocket")
    try:
        with suppress(ConnectionError):
            await _send(socket, b"", is_text=is_text)
            with suppress(grpc.aio.AioRpcError):
                async for chunk in call:
                    await _send(socket, chunk.data, is_text=is_text)
            await socket.close()
    except asyncio.CancelledError:
        if not call.cancelled():            # by the client's goodbye
            raise
    finally:
        listening.cancel()
    return socket


async def _send(socket: web.WebSocketResponse, data: bytes, *, is_text: bool) -> None:
    if is_text:
        await socket.send_str(base64.b64encode(data).decode())
    else:
        await socket.send_bytes(data)


def _refusal(told: ApiError, address: str, container: ContainerRef) -> ApiError:
    """As upstream's: it is a GET at the kubelet's that failed."""
    if not isinstance(told, NotReached):
        return told
    return ApiError(f'Get "https://{address}/containerLogs/{container.namespace}/{container.pod}/{container.container}": {told.message}')
