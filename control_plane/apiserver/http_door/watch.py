"""A watch as a chunked HTTP answer: JSON lines, or length-delimited protobuf frames."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from aiohttp import HttpVersion11, web

from control_plane.apiserver.http_door.answers import encode, encode_json
from control_plane.apiserver.http_door.lists import STUCK_S, protobuf_object
from control_plane.apiserver.http_door.representations import transformed
from control_plane.apiserver.negotiation import JSON, PROTOBUF, Representation
from control_plane.apiserver.object_api import ObjectApi
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.options import ListOptions
from control_plane.apiserver.registry.watching import SharedBatch, Watched, error_event
from kube.apimachinery.errors import Expired
from kube.process.clock import Clock
from kube.process.log import get_logger

log = get_logger("watch")

Encoder = Callable[[Watched], bytes]
_SHARED: Final = 4
_AT_ONCE: Final = 128


class SharedFrames:
    """Encoded batches, for the watchers that share them: one form's bytes are made once."""

    def __init__(self) -> None:
        self._latest: dict[tuple[int, str], tuple[SharedBatch, bytes]] = {}

    def of(self, batch: SharedBatch, form: str, encoder: Encoder) -> bytes:
        key = id(batch), form      # nobody else's, since what is kept keeps the batch alive
        if (found := self._latest.get(key)) is None:
            if len(self._latest) >= _SHARED:
                self._latest.pop(next(iter(self._latest)))
            found = self._latest[key] = batch, _frame(batch, encoder)
        return found[1]


def _plain(batch: list[Watched], encoder: Encoder) -> bytes:
    """For HTTP/1.0, which has no chunks."""
    return b"".join(map(encoder, batch))


def _frame(batch: list[Watched], encoder: Encoder) -> bytes:
    """A chunk of a chunked body."""
    data = _plain(batch, encoder)
    return b"%x\r\n%b\r\n" % (len(data), data)


async def serve_watch(
    request: web.BaseRequest, api: ObjectApi, call: Call, options: ListOptions, wanted: Representation, clock: Clock, frames: SharedFrames,
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
        chunked = request.version >= HttpVersion11
        if chunked:
            response.enable_chunked_encoding()
        else:
            response.force_close()
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        form = f"{wanted.media_type} {call.resource.api_version}" if chunked and not wanted.transform else ""
        frame = _frame if chunked else _plain
        async for batch in watcher.batches():
            if form and isinstance(batch, SharedBatch):
                await _send(request, frames.of(batch, form, encoder))
                continue
            for first in range(0, len(batch), _AT_ONCE):      # initial events may be ten thousand
                await _send(request, frame(batch[first:first + _AT_ONCE], encoder))
                await asyncio.sleep(0)
    except TimeoutError:
        log.info("watcher does not read, hung up", resource=str(call.group_resource), user=call.user.name)
        if request.transport is not None:
            request.transport.abort()
    except ConnectionError:
        pass      # the client left; that is how most watches end
    finally:
        watcher.close()
    return response


async def _send(request: web.BaseRequest, chunk: bytes) -> None:
    """Past aiohttp's writer, which would copy and frame it for each watcher. Raises TimeoutError for a client that does not read."""
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError
    transport.write(chunk)
    if request.protocol.writing_paused:
        async with asyncio.timeout(STUCK_S):
            await request.protocol._drain_helper()


def _encoder(call: Call, wanted: Representation, clock: Clock, include_object: str) -> Encoder:
    api_version = call.resource.api_version
    if wanted.media_type == JSON and not wanted.transform:

        def plain(event: Watched) -> bytes:
            body = encode_json(event.body) if event.item is None else event.item.encoded(api_version)
            return b'{"type":"%b","object":%b}\n' % (event.type.encode(), body)

        return plain

    if wanted.media_type == PROTOBUF and not wanted.transform:
        from kube.apimachinery.codec.protobuf import encode_protobuf, encode_watch_event  # heavy, and most clients speak JSON

        def binary(event: Watched) -> bytes:
            if event.item is not None:
                return encode_watch_event(event.type, protobuf_object(event.item, call.resource.gvk))
            assert event.body is not None
            return encode_watch_event(event.type, encode_protobuf(event.body))

        return binary

    first = True

    def converted(event: Watched) -> bytes:
        nonlocal first
        obj = event.body if event.item is None else event.item.view(api_version)
        assert obj is not None
        obj = transformed(call.resource, obj, wanted, clock.now(), include_object=include_object, columns=first)
        first = False
        if wanted.media_type == PROTOBUF:
            from kube.apimachinery.codec.protobuf import encode_watch_event

            return encode_watch_event(event.type, encode(obj, Representation(PROTOBUF)))
        return encode_json({"type": event.type, "object": obj}) + b"\n"

    return converted
