"""ObjectService: the same verbs as over HTTP, through the same pipeline.

A failed call ends with a gRPC status nearest to the HTTP code; the Status object is in the trailing metadata.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn

import grpc
import grpc.aio

from control_plane.apiserver.custom.patches import refuse_strategic
from control_plane.apiserver.grpc_door.events import encode_json, replies
from control_plane.apiserver.grpc_door.identity import credentials_of, trail_of
from control_plane.apiserver.http_door.handler import storage_error
from control_plane.apiserver.http_door.representations import partial_metadata
from control_plane.apiserver.negotiation import JSON
from control_plane.apiserver.object_api import ObjectApi
from control_plane.apiserver.pipeline import Pipeline
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.options import ListOptions, WriteOptions
from control_plane.apiserver.registry.watching import error_event
from control_plane.apiserver.request_info import RequestInfo, select
from control_plane.storage.cached_object import CachedObject
from control_plane.storage.errors import StorageError
from kube.apimachinery.codec.depth import TOO_DEEP
from kube.apimachinery.errors import ApiError, BadRequest, Expired, InternalError
from kube.process.log import get_logger
from kube.rpc.v1 import objects_pb2 as pb
from kube.rpc.v1.objects_pb2_grpc import ObjectServiceServicer

if TYPE_CHECKING:
    from control_plane.apiserver.audit.log import AuditLog, Trail

log = get_logger("grpc-door")

Context = grpc.aio.ServicerContext[Any, Any]
STATUS_METADATA: Final = "kube-status-bin"
_STATUS_BYTES: Final = 64 * 1024
_DETAILS: Final = 1024
_CODES: Final = {
    400: grpc.StatusCode.INVALID_ARGUMENT, 401: grpc.StatusCode.UNAUTHENTICATED, 403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND, 405: grpc.StatusCode.UNIMPLEMENTED, 409: grpc.StatusCode.ABORTED, 410: grpc.StatusCode.OUT_OF_RANGE,
    413: grpc.StatusCode.INVALID_ARGUMENT, 415: grpc.StatusCode.INVALID_ARGUMENT, 422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED, 503: grpc.StatusCode.UNAVAILABLE, 504: grpc.StatusCode.DEADLINE_EXCEEDED,
}


Selecting = pb.ListRequest | pb.WatchRequest | pb.DeleteCollectionRequest


class ObjectService(ObjectServiceServicer):
    def __init__(self, pipeline: Pipeline, api: ObjectApi, audit: AuditLog | None = None) -> None:
        self._pipeline = pipeline
        self._api = api
        self._audit = audit
        self._answers: dict[int, bytes] = {}      # by call, for the audit log

    async def Get(self, request: pb.GetRequest, context: Context) -> pb.ObjectReply:  # noqa: N802 (named by the .proto)
        async with self._entered("get", request.at, context) as call:
            item = await self._api.get(call)
            data = item.encoded(call.resource.api_version) if isinstance(item, CachedObject) else encode_json(item)
            return self._reply(call, data)
        raise AssertionError("unreachable")

    async def List(self, request: pb.ListRequest, context: Context) -> pb.ListReply:  # noqa: N802
        async with self._entered("list", request.at, context, request) as call:
            options = ListOptions.checked(
                label_selector=request.label_selector, field_selector=request.field_selector, limit=request.limit,
                continue_token=getattr(request, "continue"), resource_version=request.resource_version,
                resource_version_match=request.resource_version_match,
            )
            page = await self._api.list(call, options)
            api_version = call.resource.api_version
            if request.metadata_only:
                items = [encode_json(partial_metadata(item.view(api_version))) for item in page.items]
            else:
                items = [item.encoded(api_version) for item in page.items]
            return pb.ListReply(
                items=items, resource_version=str(page.revision), remaining_item_count=page.remaining or 0,
                **{"continue": page.continue_token},
            )
        raise AssertionError("unreachable")

    async def Watch(self, request: pb.WatchRequest, context: Context) -> AsyncIterator[pb.WatchReply]:  # noqa: N802
        async with self._entered("watch", request.at, context, request) as call:
            options = ListOptions.checked(
                watch=True, label_selector=request.label_selector, field_selector=request.field_selector,
                resource_version=request.resource_version, allow_bookmarks=request.allow_bookmarks,
            )
            try:
                watcher = await self._api.watch(call, options)
            except Expired as error:
                for reply in replies([error_event(error)], call.resource, metadata_only=False):
                    yield reply
                return
            try:
                async for batch in watcher.batches():
                    for reply in replies(batch, call.resource, metadata_only=request.metadata_only):
                        yield reply
            finally:
                watcher.close()

    async def Create(self, request: pb.CreateRequest, context: Context) -> pb.ObjectReply:  # noqa: N802
        async with self._entered("create", request.at, context, body=request.object) as call:
            written = await self._api.create(call, request.object, JSON, _write_options(request.options, "CreateOptions"))
            return self._reply(call, encode_json(written.obj))
        raise AssertionError("unreachable")

    async def Update(self, request: pb.UpdateRequest, context: Context) -> pb.ObjectReply:  # noqa: N802
        async with self._entered("update", request.at, context, body=request.object) as call:
            written = await self._api.update(call, request.object, JSON, _write_options(request.options, "UpdateOptions"))
            return self._reply(call, encode_json(written.obj))
        raise AssertionError("unreachable")

    async def Patch(self, request: pb.PatchRequest, context: Context) -> pb.ObjectReply:  # noqa: N802
        async with self._entered("patch", request.at, context, body=request.patch) as call:
            options = _write_options(request.options, "PatchOptions")
            refuse_strategic(call, request.content_type)
            written = await self._api.patch(call, request.content_type, request.patch, options)
            return self._reply(call, encode_json(written.obj))
        raise AssertionError("unreachable")

    async def Delete(self, request: pb.DeleteRequest, context: Context) -> pb.ObjectReply:  # noqa: N802
        async with self._entered("delete", request.at, context, body=request.options) as call:
            written = await self._api.delete(call, request.options, JSON, {})
            return self._reply(call, encode_json(written.obj))
        raise AssertionError("unreachable")

    async def DeleteCollection(self, request: pb.DeleteCollectionRequest, context: Context) -> pb.ObjectReply:  # noqa: N802
        async with self._entered("deletecollection", request.at, context, request) as call:
            listing = ListOptions.checked(label_selector=request.label_selector, field_selector=request.field_selector)
            await self._api.delete_collection(call, listing, request.options, JSON, {})
            return pb.ObjectReply(object=b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success"}')
        raise AssertionError("unreachable")

    @asynccontextmanager
    async def _entered(
        self, verb: str, at: pb.Coordinates, context: Context, selecting: Selecting | None = None, *, body: bytes = b""
    ) -> AsyncIterator[Call]:
        """The request's way through the pipeline; ends the RPC with the Status of whatever is raised."""
        info = _info(verb, at)
        trail = trail_of(self._audit, info, context) if self._audit is not None else None
        try:
            if selecting is not None:
                select(info, selecting.field_selector, selecting.label_selector)
            async with self._pipeline.enter(info, credentials_of(context), trail=trail) as admitted:
                call = self._api.call(info, admitted.user)
                yield call
            if trail is not None:
                trail.completed(201 if verb == "create" else 200, info.annotations, body, self._answers.pop(id(call), b""))
        except ApiError as error:
            await _fail(context, error, trail, info)
        except StorageError as error:
            await _fail(context, storage_error(error), trail, info)
        except RecursionError:
            await _fail(context, BadRequest(TOO_DEEP), trail, info)
        except (grpc.RpcError, grpc.aio.AbortError, grpc.aio.UsageError):
            raise
        except Exception:
            log.exception("call failed", verb=verb, resource=at.resource, namespace=at.namespace, object=at.name)
            await _fail(context, InternalError("Internal error occurred: see the apiserver's log"), trail, info)

    def _reply(self, call: Call, data: bytes) -> pb.ObjectReply:
        if self._audit is not None:
            self._answers[id(call)] = data
        return pb.ObjectReply(object=data)


def _info(verb: str, at: pb.Coordinates) -> RequestInfo:
    parts = tuple(part for part in (at.resource, at.name, at.subresource) if part)
    base = f"/apis/{at.group}/{at.version}" if at.group else f"/api/{at.version}"
    scope = f"/namespaces/{at.namespace}" if at.namespace else ""
    return RequestInfo(
        verb, f"{base}{scope}/{'/'.join(parts)}", is_resource=True, group=at.group, version=at.version, resource=at.resource,
        subresource=at.subresource, namespace=at.namespace, name=at.name, parts=parts,
    )


def _write_options(options: pb.WriteOptions, kind: str) -> WriteOptions:
    return WriteOptions.checked(
        kind, dry_run=("All",) if options.dry_run else (), field_manager=options.field_manager,
        field_validation=options.field_validation, force=options.force or None,
    )


async def _fail(context: Context, error: ApiError, trail: Trail | None = None, info: RequestInfo | None = None) -> NoReturn:
    if trail is not None and info is not None:
        trail.completed(error.code, info.annotations, b"", encode_json(error.to_status()))
    await context.abort(
        _CODES.get(error.code, grpc.StatusCode.INTERNAL), error.message[:_DETAILS],
        trailing_metadata=((STATUS_METADATA, _status_bytes(error)),),
    )
    raise AssertionError("abort raises")


def _status_bytes(error: ApiError) -> bytes:
    """The Status, cut to what headers may hold (clients of ours take METADATA_BYTES): 1,000 wrong fields are a few too many to read."""
    status = error.to_status()
    data = encode_json(status)
    if len(data) <= _STATUS_BYTES:
        return data
    status["message"] = f"{status.get('message', '')[:_DETAILS]} ..."
    if details := status.get("details"):
        status["details"] = {key: value for key, value in details.items() if key != "causes"}
    return encode_json(status)
