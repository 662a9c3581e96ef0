"""LISTs as answers: the cached bytes of their objects, told part by part.

Nothing is joined as a whole: ten thousand Pods are 20 MB, which would be copied three times while all other requests wait. Between parts,
and while what was never asked for in this form is encoded, others have their turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from aiohttp import web

from control_plane.apiserver.negotiation import JSON, PROTOBUF, Representation
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.reader import ListPage
from control_plane.apiserver.turn import Turn
from control_plane.storage.cached_object import CachedObject
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupVersionKind, ResourceType
from kube.process.log import get_logger

log = get_logger("http-door")
STUCK_S: Final = 60.0      # who has not taken what was sent for so long keeps alive all that waits behind it
_PART_BYTES: Final = 256 * 1024
Piece = bytes | memoryview
_encode_json: Final = msgspec.json.Encoder().encode
_format: Final = msgspec.json.format


class ListAnswer(web.Response):
    """Its body is `pieces`, one after the other."""

    def __init__(self, pieces: Sequence[Piece], media_type: str) -> None:
        super().__init__(headers={
            "Content-Type": media_type, "Cache-Control": "no-cache, private", "Content-Length": str(sum(map(len, pieces))),
        })
        self.pieces: Sequence[Piece] = pieces

    def replace(self, body: bytes) -> None:
        """Another body (a compressed one)."""
        self.pieces = (body,)
        self.headers["Content-Length"] = str(len(body))

    def joined(self) -> bytes:
        return b"".join(self.pieces)

    async def write_eof(self, data: bytes = b"") -> None:
        """Raises ConnectionResetError for a client that does not read, which is hung up on."""
        writer, request = self._payload_writer, self._req
        if writer is not None and not self._must_be_empty_body:
            for part in parts(self.pieces):
                try:
                    async with asyncio.timeout(STUCK_S):
                        await writer.write(part)
                except TimeoutError:
                    log.info("client does not read its list, hung up")
                    if request is not None and request.transport is not None:
                        request.transport.abort()
                    raise ConnectionResetError("the client does not read") from None
                await asyncio.sleep(0)      # the socket may take all of them at once
        await super().write_eof(data)


def parts(pieces: Sequence[Piece]) -> Iterator[bytes]:
    """The same bytes in pieces of some `_PART_BYTES`."""
    first = size = 0
    for position, piece in enumerate(pieces):
        size += len(piece)
        if size >= 2 * _PART_BYTES:      # compressed, most likely
            whole = b"".join(pieces[first:position + 1])
            yield from (whole[start:start + _PART_BYTES] for start in range(0, size, _PART_BYTES))
            first, size = position + 1, 0
        elif size >= _PART_BYTES:
            yield b"".join(pieces[first:position + 1])
            first, size = position + 1, 0
    if first < len(pieces):
        yield b"".join(pieces[first:])


def is_plain(wanted: Representation) -> bool:
    """Whether a LIST is made of its objects' bytes as they are kept."""
    return wanted.media_type in (JSON, PROTOBUF) and not wanted.transform


async def list_answer(call: Call, page: ListPage, wanted: Representation) -> ListAnswer:
    """Of a representation that `is_plain`. Raises NotAcceptable."""
    if wanted.media_type == JSON:
        return ListAnswer(await (_pretty_json(call, page) if wanted.pretty else _json(call, page)), JSON)
    return ListAnswer(await _protobuf(call, page), PROTOBUF)


def list_metadata(call: Call, page: ListPage) -> JsonObject:
    """Lists of custom kinds always show where they go on."""
    return page.metadata() if call.resource.custom is None else {"continue": "", **page.metadata()}


def item_view(resource: ResourceType, item: CachedObject) -> JsonObject:
    """The object as it stands in a list: of built-in kinds without kind and apiVersion, which those of the list tell."""
    view = item.view(resource.api_version)
    return view if resource.custom is not None else {key: value for key, value in view.items() if key not in ("kind", "apiVersion")}


def _item_json(resource: ResourceType, item: CachedObject) -> Piece:
    """`item_view` without its opening brace, uncopied if it can be."""
    data = item.encoded(resource.api_version)
    if resource.custom is not None:
        return memoryview(data)[1:]
    named = b'{"kind":"%b","apiVersion":"%b",' % (resource.kind.encode(), resource.api_version.encode())
    return memoryview(data)[len(named):] if data.startswith(named) else _encode_json(item_view(resource, item))[1:]


async def _json(call: Call, page: ListPage) -> list[Piece]:
    head = _encode_json({"kind": call.resource.list_kind, "apiVersion": call.resource.api_version, "metadata": list_metadata(call, page)})
    pieces: list[Piece] = [head[:-1] + b',"items":[']
    turn, opening = Turn(), b"{"
    for item in page.items:
        pieces += (opening, _item_json(call.resource, item))
        opening = b",{"
        if turn.is_over():
            await asyncio.sleep(0)
    pieces.append(b"]}\n")
    return pieces


async def _pretty_json(call: Call, page: ListPage) -> list[Piece]:
    """As the whole would be indented; no string of JSON has a line end in it."""
    api_version = call.resource.api_version
    empty = {"kind": call.resource.list_kind, "apiVersion": api_version, "metadata": list_metadata(call, page), "items": []}
    skeleton = _format(_encode_json(empty), indent=2)
    if not page.items:
        return [skeleton]
    turn, pieces = Turn(), list[Piece]([skeleton.removesuffix(b"]\n}") + b"\n    "])
    for item in page.items:
        pieces += (_format(b"".join((b"{", _item_json(call.resource, item))), indent=2).replace(b"\n", b"\n    "), b",\n    ")
        if turn.is_over():
            await asyncio.sleep(0)
    pieces[-1] = b"\n  ]\n}"
    return pieces


async def _protobuf(call: Call, page: ListPage) -> list[Piece]:
    from kube.apimachinery.codec import protobuf, protobuf_wire  # heavy, and most clients speak JSON

    gvk = GroupVersionKind.of(call.resource.api_version, call.resource.list_kind)
    metadata = protobuf.message_of(gvk, {"metadata": page.metadata()})
    turn, pieces = Turn(), list[Piece]([b"", metadata])
    tag, varint = protobuf_wire.delimited_tag(2), protobuf_wire.write_varint
    for item in page.items:
        message = protobuf_message(item, call.resource.gvk)
        pieces += (tag + varint(len(message)), message)
        if turn.is_over():
            await asyncio.sleep(0)
    pieces[0] = protobuf.envelope_head(gvk, sum(map(len, pieces)))
    pieces.append(protobuf.ENVELOPE_END)
    return pieces


def protobuf_message(item: CachedObject, gvk: GroupVersionKind) -> bytes:
    """The object's message without envelope, kept with the object. Raises NotAcceptable."""
    api_version = gvk.api_version
    if (held := item.held(form := f"protobuf:{api_version}")) is not None:
        return held
    from kube.apimachinery.codec.protobuf import message_of

    return item.keep(form, message_of(gvk, item.view(api_version)))


def protobuf_object(item: CachedObject, gvk: GroupVersionKind) -> bytes:
    """The object in its envelope. Raises NotAcceptable."""
    message = protobuf_message(item, gvk)
    from kube.apimachinery.codec.protobuf import enveloped

    return enveloped(gvk, message)
