"""The Transport of our own components: the apiserver's gRPC ObjectService with a client certificate.

Calls wait for a connection (an apiserver that restarts costs time, not an error) up to their time limit. Reconnection is
gRPC's own with a short backoff: its default of up to two minutes would leave a node without a control plane that long.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final, cast

import grpc
import grpc.aio
import msgspec

from kube.apimachinery import errors
from kube.client.transport import EventType, ListQuery, Location, Page, PatchKind, RawEvent, WatchQuery, WriteOptions
from kube.process.config import ApiserverAccess
from kube.process.tls import grpc_channel_credentials
from kube.rpc.v1 import objects_pb2 as pb
from kube.rpc.v1 import objects_pb2_grpc

STATUS_METADATA: Final = "kube-status-bin"
CALL_TIMEOUT_S: Final = 30.0
LIST_TIMEOUT_S: Final = 60.0
METADATA_BYTES: Final = 256 * 1024

CHANNEL_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 1000),        # also the least time a connection attempt may take
    ("grpc.max_reconnect_backoff_ms", 200),         # a refused connection costs nothing; a cluster that starts waits for each of these
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.enable_http_proxy", 0),                  # these connections stay on the machine, whatever the user's environment says
    ("grpc.max_metadata_size", METADATA_BYTES),                # a Status comes as a trailer; the default takes 8 KiB
    ("grpc.absolute_max_metadata_size", METADATA_BYTES),
    ("grpc.use_local_subchannel_pool", 1),          # a closed channel's connection is not shared with the next one
)

_END: Final = cast(Any, grpc.aio).EOF
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
    """Several targets are tried in order; the connection stays with the first that answers."""

    def __init__(self, access: ApiserverAccess) -> None:
        self._access = access
        self._channel: grpc.aio.Channel | None = None
        self._opened: Any = None

    @property
    def _stub(self) -> Any:
        # The channel belongs to the running event loop, so it is made by the first call and not by the constructor.
        if self._opened is None:
            self._channel = _open_channel(self._access)
            self._opened = cast(Any, objects_pb2_grpc).ObjectServiceStub(self._channel)
        return self._opened

    async def get(self, at: Location) -> bytes:
        reply: pb.ObjectReply = await _finish(self._call(self._stub.Get, pb.GetRequest(at=_coordinates(at))))
        return reply.object

    async def list(self, at: Location, query: ListQuery) -> Page:
        request = pb.ListRequest(
            at=_coordinates(at), label_selector=query.label_selector, field_selector=query.field_selector, limit=query.limit,
            resource_version=query.resource_version, resource_version_match=query.resource_version_match,
            metadata_only=query.metadata_only,
        )
        setattr(request, "continue", query.continue_token)
        reply: pb.ListReply = await _finish(self._call(self._stub.List, request, timeout_s=LIST_TIMEOUT_S))
        return Page(reply.items, reply.resource_version, getattr(reply, "continue"), reply.remaining_item_count)

    async def watch(self, at: Location, query: WatchQuery) -> AsyncGenerator[Sequence[RawEvent], None]:
        request = pb.WatchRequest(
            at=_coordinates(at), label_selector=query.label_selector, field_selector=query.field_selector,
            resource_version=query.resource_version, allow_bookmarks=query.allow_bookmarks, metadata_only=query.metadata_only,
        )
        stream = self._stub.Watch(request, wait_for_ready=True)
        try:
            while (reply := await stream.read()) is not _END:
                yield [RawEvent(_EVENT_TYPES[event.type], event.object) for event in reply.events]
        except grpc.aio.AioRpcError as error:
            raise to_api_error(error) from error
        finally:
            stream.cancel()

    async def create(self, at: Location, body: bytes, options: WriteOptions) -> bytes:
        request = pb.CreateRequest(at=_coordinates(at), object=body, options=_write_options(options))
        reply: pb.ObjectReply = await _finish(self._call(self._stub.Create, request))
        return reply.object

    async def update(self, at: Location, body: bytes, options: WriteOptions) -> bytes:
        request = pb.UpdateRequest(at=_coordinates(at), object=body, options=_write_options(options))
        reply: pb.ObjectReply = await _finish(self._call(self._stub.Update, request))
        return reply.object

    async def patch(self, at: Location, kind: PatchKind, patch: bytes, options: WriteOptions) -> bytes:
        request = pb.PatchRequest(at=_coordinates(at), content_type=kind.value, patch=patch, options=_write_options(options))
        reply: pb.ObjectReply = await _finish(self._call(self._stub.Patch, request))
        return reply.object

    async def delete(self, at: Location, options: bytes) -> bytes:
        reply: pb.ObjectReply = await _finish(
            self._call(self._stub.Delete, pb.DeleteRequest(at=_coordinates(at), options=options)))
        return reply.object

    async def delete_collection(self, at: Location, query: ListQuery, options: bytes) -> bytes:
        request = pb.DeleteCollectionRequest(
            at=_coordinates(at), label_selector=query.label_selector, field_selector=query.field_selector, options=options)
        reply: pb.ObjectReply = await _finish(self._call(self._stub.DeleteCollection, request, timeout_s=LIST_TIMEOUT_S))
        return reply.object

    async def close(self) -> None:
        channel, self._channel, self._opened = self._channel, None, None
        if channel is not None:
            await channel.close(None)

    @staticmethod
    def _call(method: Any, request: Any, *, timeout_s: float = CALL_TIMEOUT_S) -> Any:
        return method(request, timeout=timeout_s, wait_for_ready=True)


async def _finish(call: Any) -> Any:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise to_api_error(error) from error


def _open_channel(access: ApiserverAccess) -> grpc.aio.Channel:
    options: list[tuple[str, Any]] = list(CHANNEL_OPTIONS)
    target = access.targets[0]
    if len(access.targets) > 1:
        # One name for all of them: each apiserver's certificate carries it.
        target = "ipv4:" + ",".join(access.targets)
        options.append(("grpc.ssl_target_name_override", "kubernetes"))
    return grpc.aio.secure_channel(target, grpc_channel_credentials(access.tls), options=options)


def _coordinates(at: Location) -> pb.Coordinates:
    row = at.resource
    return pb.Coordinates(
        group=row.group, version=row.version, resource=row.plural, namespace=at.namespace, name=at.name, subresource=at.subresource)


def _write_options(options: WriteOptions) -> pb.WriteOptions:
    return pb.WriteOptions(
        field_manager=options.field_manager, dry_run=options.dry_run, field_validation=options.field_validation, force=options.force)
