"""pods/log: a container's log as a chunked answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import grpc.aio
from aiohttp import web

from control_plane.apiserver.registry.options import is_true
from control_plane.apiserver.streaming.nodes import NodeConnections, translated
from kube.apimachinery.errors import BadRequest, Cause, invalid
from kube.apimachinery.scheme import GroupVersionKind
from kube.rpc.v1.node_pb2 import Chunk, ContainerRef, LogsRequest

_FIRST_CHUNK_S: Final = 0.5      # a silent log is answered with headers after this long
_KIND: Final = GroupVersionKind("", "v1", "PodLogOptions")


def logs_request(query: Mapping[str, str], container: ContainerRef) -> LogsRequest:
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
    if causes:
        raise invalid(_KIND, container.pod, causes)
    return LogsRequest(
        container=container, follow=is_true(query.get("follow", "")), previous=is_true(query.get("previous", "")),
        timestamps=is_true(query.get("timestamps", "")), tail_lines=-1 if tail is None else tail, since_seconds=since or 0,
        since_time=query.get("sinceTime", ""), limit_bytes=limit or 0, stream=query.get("stream", ""),
    )


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None or text == "":
        return None
    try:
        return int(text)
    except ValueError:
        raise BadRequest(f'unable to decode query parameter "{name}": strconv.ParseInt: parsing "{text}": invalid syntax') from None


async def serve_logs(request: web.BaseRequest, nodes: NodeConnections, node_name: str, asked: LogsRequest) -> web.StreamResponse:
    """Raises what the node refuses, as long as nothing has been sent."""
    call = nodes.service(node_name).Logs(asked)
    response = web.StreamResponse(headers={"Content-Type": "text/plain", "Cache-Control": "no-cache, private"})
    first = asyncio.ensure_future(call.read())
    try:
        await asyncio.wait([first], timeout=_FIRST_CHUNK_S)
        if first.done():
            first.result()      # a refusal is raised before anything is sent
        response.enable_chunked_encoding()
        await response.prepare(request)
        chunk = await first
        while isinstance(chunk, Chunk):
            await response.write(chunk.data)
            chunk = await call.read()
    except grpc.aio.AioRpcError as error:
        if not response.prepared:
            raise translated(error, node_name) from error
        await response.write(translated(error, node_name).message.encode() + b"\n")
    except ConnectionError:
        pass      # the client has read enough
    finally:
        first.cancel()
        call.cancel()
    return response
