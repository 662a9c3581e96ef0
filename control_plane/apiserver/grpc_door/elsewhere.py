"""ObjectService's calls about kinds that another server serves (API aggregation): the same pipeline, then its REST door as their user.

A Get without a resource asks for what a group version holds: its APIResourceList, as that server told it last.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import msgspec

from control_plane.apiserver.aggregation.aggregator import Aggregator
from control_plane.apiserver.aggregation.targets import Target
from control_plane.apiserver.grpc_door.identity import credentials_of
from control_plane.apiserver.grpc_door.service import Context, ObjectService, _fail, _info
from control_plane.apiserver.object_api import ObjectApi
from control_plane.apiserver.pipeline import Pipeline
from control_plane.apiserver.request_info import RequestInfo
from kube.apimachinery.errors import ApiError, InternalError, ServiceUnavailable, from_status
from kube.apimachinery.scheme import GroupVersion, ResourceType
from kube.client.transport import EventType, ListQuery, Location, PatchKind, WatchQuery, WriteOptions
from kube.process.log import get_logger
from kube.rpc.v1 import objects_pb2 as pb

if TYPE_CHECKING:
    from control_plane.apiserver.audit.log import AuditLog
    from kube.client.rest_transport import RestTransport

log = get_logger("grpc-door")

_DONE: Final = b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success"}'
_TYPES: Final[dict[EventType, Any]] = {kind: pb.EventType.Value(kind.value) for kind in EventType}


class AggregatingObjectService(ObjectService):
    """Looks first whose kinds a call is about; without an extension server that costs one question."""

    def __init__(self, pipeline: Pipeline, api: ObjectApi, aggregator: Aggregator, audit: AuditLog | None = None) -> None:
        super().__init__(pipeline, api, audit)
        self._aggregator = aggregator

    async def Get(self, request: pb.GetRequest, context: Context) -> pb.ObjectReply:  # noqa: N802
        if (target := self._elsewhere(request.at)) is None:
            return await super().Get(request, context)
        if not request.at.resource:
            return await self._resources(target, context)
        async with self._reached("get", request.at, context, target) as there:
            return pb.ObjectReply(object=await there.get(_location(request.at)))
        raise AssertionError("unreachable")

    async def List(self, request: pb.ListRequest, context: Context) -> pb.ListReply:  # noqa: N802
        if (target := self._elsewhere(request.at)) is None:
            return await super().List(request, context)
        query = ListQuery(
            label_selector=request.label_selector, field_selector=request.field_selector, limit=request.limit,
            continue_token=getattr(request, "continue"), resource_version=request.resource_version,
            resource_version_match=request.resource_version_match, metadata_only=request.metadata_only,
        )
        async with self._reached("list", request.at, context, target) as there:
            page = await there.list(_location(request.at), query)
            return pb.ListReply(
                items=page.items, resource_version=page.resource_version, remaining_item_count=page.remaining_item_count,
                **{"continue": page.continue_token},
            )
        raise AssertionError("unreachable")

    async def Watch(self, request: pb.WatchRequest, context: Context) -> AsyncIterator[pb.WatchReply]:  # noqa: N802
        if (target := self._elsewhere(request.at)) is None:
            async for reply in super().Watch(request, context):
                yield reply
            return
        query = WatchQuery(
            label_selector=request.label_selector, field_selector=request.field_selector, resource_version=request.resource_version,
            allow_bookmarks=request.allow_bookmarks, metadata_only=request.metadata_only,
        )
        async with (
            self._reached("watch", request.at, context, target) as there,
            aclosing(there.watch(_location(request.at), query)) as batches,
        ):
            async for batch in batches:
                for event in batch:
                    if event.type is EventType.ERROR:
                        raise from_status(msgspec.json.decode(event.object))      # read here: nobody behind us need doubt its form
                yield pb.WatchReply(events=[pb.WatchEvent(type=_TYPES[event.type], object=event.object) for event in batch])

    async def Create(self, request: pb.CreateRequest, context: Context) -> pb.ObjectReply:  # noqa: N802
        if (target := self._elsewhere(request.at)) is None:
            return await super().Create(request, context)
        async with self._reached("create", request.at, context, target) as there:
            made = await there.create(_location(request.at), request.object, _options(request.options))
            return pb.ObjectReply(object=made)
        raise AssertionError("unreachable")

    async def Update(self, request: pb.UpdateRequest, context: Context) -> pb.ObjectReply:  # noqa: N802
        if (target := self._elsewhere(request.at)) is None:
            return await super().Update(request, context)
        async with self._reached("update", request.at, context, target) as there:
            made = await there.update(_location(request.at), request.object, _options(request.options))
            return pb.ObjectReply(object=made)
        raise AssertionError("unreachable")

    async def Patch(self, request: pb.PatchRequest, context: Context) -> pb.ObjectReply:  # noqa: N802
        if (target := self._elsewhere(request.at)) is None:
            return await super().Patch(request, context)
        async with self._reached("patch", request.at, context, target) as there:
            kind = PatchKind(request.content_type)
            made = await there.patch(_location(request.at), kind, request.patch, _options(request.options))
            return pb.ObjectReply(object=made)
        raise AssertionError("unreachable")

    async def Delete(self, request: pb.DeleteRequest, context: Context) -> pb.ObjectReply:  # noqa: N802
        if (target := self._elsewhere(request.at)) is None:
            return await super().Delete(request, context)
        async with self._reached("delete", request.at, context, target) as there:
            return pb.ObjectReply(object=await there.delete(_location(request.at), request.options))
        raise AssertionError("unreachable")

    async def DeleteCollection(self, request: pb.DeleteCollectionRequest, context: Context) -> pb.ObjectReply:  # noqa: N802
        if (target := self._elsewhere(request.at)) is None:
            return await super().DeleteCollection(request, context)
        query = ListQuery(label_selector=request.label_selector, field_selector=request.field_selector)
        async with self._reached("deletecollection", request.at, context, target) as there:
            await there.delete_collection(_location(request.at), query, request.options)
            return pb.ObjectReply(object=_DONE)
        raise AssertionError("unreachable")

    def _elsewhere(self, at: pb.Coordinates) -> Target | None:
        targets = self._aggregator.targets
        return targets.of(GroupVersion(at.group, at.version)) if targets else None

    async def _resources(self, target: Target, context: Context) -> pb.ObjectReply:
        info = RequestInfo("get", f"/apis/{target.group_version}")
        try:
            async with self._pipeline.enter(info, credentials_of(context)):
                if not target.is_current:
                    raise ServiceUnavailable(f"stale GroupVersion discovery: {target.group_version}")
                listed = {
                    "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": str(target.group_version),
                    "resources": target.resources,
                }
                return pb.ObjectReply(object=msgspec.json.encode(listed))
        except ApiError as error:
            await _fail(context, error)

    @asynccontextmanager
    async def _reached(self, verb: str, at: pb.Coordinates, context: Context, target: Target) -> AsyncIterator[RestTransport]:
        """A connection to the other server as who calls; ends the RPC with the Status of whatever is raised."""
        try:
            async with self._pipeline.enter(_info(verb, at), credentials_of(context)) as admitted:
                there = self._aggregator.transport(target, admitted.user)
                try:
                    yield there
                finally:
                    await there.close()
        except ApiError as error:
            await _fail(context, error)
        except (msgspec.MsgspecError, ValueError, TypeError, AttributeError) as error:
            log.warning("an extension server's answer cannot be read", group_version=str(target.group_version), error=str(error))
            await _fail(context, InternalError(f"an answer of the server of {target.group_version} cannot be read: {error}"))


def _location(at: pb.Coordinates) -> Location:
    row = ResourceType(at.group, at.version, "", at.resource, namespaced=bool(at.namespace))
    return Location(row, at.namespace, at.name, at.subresource)


def _options(options: pb.WriteOptions) -> WriteOptions:
    return WriteOptions(
        field_manager=options.field_manager, dry_run=options.dry_run, field_validation=options.field_validation, force=options.force)
