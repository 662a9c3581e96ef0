"""A watch as a chunked HTTP answer: JSON lines, or length-delimited protobuf frames."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Final

from aiohttp import web

from control_plane.apiserver.http_door.answers import encode, encode_json
from control_plane.apiserver.http_door.representations import transformed
from control_plane.apiserver.negotiation import JSON, PROTOBUF, Representation
from control_plane.apiserver.object_api import ObjectApi
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.options import ListOptions
from control_plane.apiserver.registry.watching import Watched, error_event
from kube.apimachinery.errors import Expired
from kube.apimachinery.meta import JsonObject
from kube.process.clock import Clock
from kube.process.log import get_logger

log = get_logger("watch")
_STUCK_S: Final = 60.0      # who has not taken what was sent for so long keeps alive all that waits behind it

Encoder = Callable[[Watched], bytes]


async def serve_watch(
    request: web.BaseRequest, api: ObjectApi, call: Call, options: ListOptions, wanted: Representation, clock: Clock
) -> web.StreamResponse:
    """Returns when the watch has ended. Errors before the first byte are raised; a version that is too old is an ERROR event."""
    encoder = _encoder(call, wanted, clock, request.query.get("includeObject", ""))
    media_type = wanted.media_type if wanted.media_type == JSON else f"{wanted.media_type};stream=watch"
    response = web.StreamResponse(headers={"Content-Type": media_type, "Cache-Control": "no-cache, private"})
    try:
        watcher = await api.watch(call, options)
    except Expired as error:
        await response.prepare(request)
        await response.write(encoder(error_event(error)))
        return response
    try:
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b"")
        async for batch in watcher.batches():
            async with asyncio.timeout(_STUCK_S):
                await response.write(b"".join(map(encoder, batch)))
    except TimeoutError:
        log.info("watcher does not read, hung up", resource=str(call.group_resource), user=call.user.name)
        if request.transport is not None:
            request.transport.abort()
    except ConnectionError:
        pass      # the client left; that is how most watches end
    finally:
        watcher.close()
    return response


def _encoder(call: Call, wanted: Representation, clock: Clock, include_object: str) -> Encoder:
    api_version = call.resource.api_version
    if wanted.media_type == JSON and not wanted.transform:

        def plain(event: Watched) -> bytes:
            body = encode_json(event.body) if event.item is None else event.item.encoded(api_version)
            return b'{"type":"%b","object":%b}\n' % (event.type.encode(), body)

        return plain

    first = True

    def converted(event: Watched) -> bytes:
        nonlocal first
        obj = event.body if event.item is None else event.item.view(api_version)
        assert obj is not None
        obj = transformed(call.resource, obj, wanted, clock.now(), include_object=include_object, columns=first)
        first = False
        return _protobuf_frame(event.type, obj) if wanted.media_type == PROTOBUF else encode_json(
            {"type": event.type, "object": obj}
        ) + b"\n"

    return converted


def _protobuf_frame(event_type: str, obj: JsonObject) -> bytes:
    """metav1.WatchEvent {type = 1, object = 2: RawExtension {raw = 1}}, behind its length."""
    raw = _field(1, encode(obj, Representation(PROTOBUF)))
    message = _field(1, event_type.encode()) + _field(2, raw)
    return struct.pack(">I", len(message)) + message


def _field(number: int, data: bytes) -> bytes:
    return bytes((number << 3 | 2,)) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
