"""The Transport of our own components: the apiserver's gRPC ObjectService with a client certificate.

Calls wait for a connection (an apiserver that restarts costs time, not an error) up to their time limit. Reconnection is
gRPC's own with a short backoff: its default of up to two minutes would leave a node without a control plane that long.
An apiserver that comes back elsewhere under its name is found there (grpc_channel.py).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing
from typing import Any, Final, cast

import grpc
import grpc.aio
import msgspec

from kube.apimachinery import errors
from kube.client.grpc_channel import ApiserverChannel
from kube.client.transport import EventType, ListQuery, Location, Page, PatchKind, RawEvent, WatchQuery, WriteOptions
from kube.process.config import ApiserverAccess
from kube.rpc.v1 import objects_pb2 as pb

STATUS_METADATA: Final = "kube-status-bin"
CALL_TIMEOUT_S: Final = 30.0
LIST_TIMEOUT_S: Final = 60.0

_EVENT_TYPES: Final = {int(pb.EventType.Value(kind.value)): kind for kind in EventType}
_ERRORS: Final[dict[grpc.StatusCode, type[errors.ApiError]]] = {
    grpc.StatusCode.UNAVAILABLE: errors.ServiceUnavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.Timeout,
    grpc.StatusCode.UNAUTHENTICATED: errors.Unauthorized,
    grpc.StatusCode.PERMISSION_DENIED: errors.Forbidden,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.TooManyRequests,
    grpc.StatusCode.CANCELLED: errors.ServiceUnavailable,
}


def to_api_error(error: grpc.aio.AioRpcError) -> errors.ApiError:
    """The Status object that came with the failed call, or the nearest one to its gRPC status."""
    for key, value in cast(Any, error.trailing_metadata()) or ():
        if key == STATUS_METADATA:
            return errors.from_status(msgspec.json.decode(value))
    return _ERRORS.get(error.code(), errors.InternalError)(error.details() or error.code().name)


class GrpcTransport:
    """One target, an address or a name; or the addresses of several apiservers."""

    def __init__(self, access: ApiserverAccess) -> None:
        self._channel = ApiserverChannel(access)

    async def get(self, at: Location) -> bytes:
        reply: pb.ObjectReply = await _finish(self._channel.read("Get", pb.GetRequest(at=_coordinates(at)), CALL_TIMEOUT_S))
        return reply.object

    async def list(self, at: Location, query: ListQuery) -> Page:
        request = pb.ListRequest(
            at=_coordinates(at), label_selector=query.label_selector, field_selector=query.field_selector, limit=query.limit,
            resource_version=query.resource_version, resource_version_match=query.resource_version_match,
            metadata_only=query.metadata_only,
        )
        setattr(request, "continue", query.continue_token)
        reply: pb.ListReply = await _finish(self._channel.read("List", request, LIST_TIMEOUT_S))
        return Page(reply.items, reply.resource_version, getattr(reply, "continue"), reply.remaining_item_count)

    async def watch(self, at: Location, query: WatchQuery) -> AsyncGenerator[Sequence[RawEvent], None]:
        request = pb.WatchRequest(
            at=_coordinates(at), label_selector=query.label_selector, field_selector=query.field_selector,
            resource_version=query.resource_version, allow_bookmarks=query.allow_bookmarks, metadata_only=query.metadata_only,
        )
        try:
            async with aclosing(self._channel.stream("Watch", request)) as replies:
                async for reply in replies:
                    yield [RawEvent(_EVENT_TYPES[event.type], event.object) for event in reply.events]
        except grpc.aio.AioRpcError as error:
            raise to_api_error(error) from error

    async def create(self, at: Location, body: bytes, options: WriteOptions) -> bytes:
        request = pb.CreateRequest(at=_coordinates(at), object=body, options=_write_options(options))
        reply: pb.ObjectReply = await _finish(self._channel.write("Create", request, CALL_TIMEOUT_S))
        return reply.object

    async def update(self, at: Location, body: bytes, options: WriteOptions) -> bytes:
        request = pb.UpdateRequest(at=_coordinates(at), object=body, options=_write_options(options))
        reply: pb.ObjectReply = await _finish(self._channel.write("Update", request, CALL_TIMEOUT_S))
        return reply.object

    async def patch(self, at: Location, kind: PatchKind, patch: bytes, options: WriteOptions) -> bytes:
        request = pb.PatchRequest(at=_coordinates(at), content_type=kind.value, patch=patch, options=_write_options(options))
        reply: pb.ObjectReply = await _finish(self._channel.write("Patch", request, CALL_TIMEOUT_S))
        return reply.object

    async def delete(self, at: Location, options: bytes) -> bytes:
        reply: pb.ObjectReply = await _finish(
            self._channel.write("Delete", pb.DeleteRequest(at=_coordinates(at), options=options), CALL_TIMEOUT_S))
        return reply.object

    async def delete_collection(self, at: Location, query: ListQuery, options: bytes) -> bytes:
        request = pb.DeleteCollectionRequest(
            at=_coordinates(at), label_selector=query.label_selector, field_selector=query.field_selector, options=options)
        reply: pb.ObjectReply = await _finish(self._channel.write("DeleteCollection", request, LIST_TIMEOUT_S))
        return reply.object

    async def close(self) -> None:
        await self._channel.close()


async def _finish(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise to_api_error(error) from error


def _coordinates(at: Location) -> pb.Coordinates:
    row = at.resource
    return pb.Coordinates(
        group=row.group, version=row.version, resource=row.plural, namespace=at.namespace, name=at.name, subresource=at.subresource)


def _write_options(options: WriteOptions) -> pb.WriteOptions:
    return pb.WriteOptions(
        field_manager=options.field_manager, dry_run=options.dry_run, field_validation=options.field_validation, force=options.force)
