"""pods/log: a container's log as a chunked answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import grpc.aio
from aiohttp import web

from control_plane.apiserver.registry.options import is_true
from control_plane.apiserver.streaming.nodes import NodeConnections, NotReached, is_opened, translated
from kube.apimachinery.errors import ApiError, BadRequest, Cause, invalid
from kube.apimachinery.scheme import GroupVersionKind
from kube.rpc.v1.node_pb2 import Chunk, ContainerRef, LogsRequest

_KIND: Final = GroupVersionKind("", "v1", "PodLogOptions")


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
    return LogsRequest(
        container=ContainerRef(namespace=namespace, pod=pod), follow=is_true(query.get("follow", "")),
        previous=is_true(query.get("previous", "")),
        timestamps=is_true(query.get("timestamps", "")), tail_lines=-1 if tail is None else tail, since_seconds=since or 0,
        since_time=query.get("sinceTime", ""), limit_bytes=limit or 0, stream=stream,
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
    try:
        chunk = None if await is_opened(call) else await call.read()     # a refusal is raised before anything is sent
        response.enable_chunked_encoding()
        await response.prepare(request)
        while chunk is None or isinstance(chunk, Chunk):
            if chunk is not None:
                await response.write(chunk.data)
            chunk = await call.read()
    except grpc.aio.AioRpcError as error:
        told = translated(error)
        if response.prepared:
            await response.write(told.message.encode() + b"\n")
        else:
            raise _refusal(told, asked.container) from error
    except ConnectionError:
        pass      # the client has read enough
    finally:
        call.cancel()
    return response


def _refusal(told: ApiError, container: ContainerRef) -> ApiError:
    """As upstream's: it is a GET at the kubelet's that failed."""
    if not isinstance(told, NotReached):
        return told
    address = re.match(r"dial tcp (\S+): ", told.message)
    path = f"/containerLogs/{container.namespace}/{container.pod}/{container.container}"
    return ApiError(f'Get "https://{address[1] if address else "node"}{path}": {told.message}')
