"""The verbs on resources as both doors call them: coordinates and bytes in, objects out.

Which code answers is read from tables: the registry for stored objects, `subresources` for what is created but not stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.negotiation import YAML
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.decoding import check_object, decode_object, parse_body
from control_plane.apiserver.registry.deleter import Deleter
from control_plane.apiserver.registry.governing import Governing
from control_plane.apiserver.registry.options import DeleteOptions, ListOptions, WriteOptions
from control_plane.apiserver.registry.patching import ApplyPatch, Patch, check_patch_type, is_apply
from control_plane.apiserver.registry.reader import ListPage, Reader
from control_plane.apiserver.registry.watching import Watcher, Watching
from control_plane.apiserver.registry.writer import Writer
from control_plane.apiserver.request_info import RequestInfo
from control_plane.apiserver.subresources.scale import Scales
from control_plane.storage.cached_object import CachedObject
from kube.apimachinery.errors import BadRequest, MethodNotAllowed, NotFound, RequestEntityTooLarge
from kube.apimachinery.fields import FieldRequirement, FieldSelector
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.resources import subresource_kind, subresource_of
from kube.apimachinery.scheme import GroupVersionKind, ResourceType, Scheme

Creator = Callable[[Call, JsonObject, WriteOptions], Coroutine[Any, Any, JsonObject]]
CreatorKey = tuple[str, str, str]                 # group, plural, subresource
_DELETE_OPTIONS = GroupVersionKind("", "v1", "DeleteOptions")
_QUICK_YAML = 16 * 1024
_MAX_OPTIONS = 64 * 1024
T = TypeVar("T")
_STREAMED = frozenset({"log", "exec", "attach", "portforward", "proxy"})


class Written(NamedTuple):
    obj: JsonObject
    code: int


@dataclass(frozen=True, slots=True)
class ObjectApi:
    scheme: Scheme
    reader: Reader
    watching: Watching
    writer: Writer
    deleter: Deleter
    scales: Scales
    creators: Mapping[CreatorKey, Creator]
    governing: Governing

    def call(self, info: RequestInfo, user: UserInfo, user_agent: str = "") -> Call:
        """Resolves the coordinates. Raises NotFound for what is not served, MethodNotAllowed for a verb that is not."""
        resource = self.scheme.for_path(info.group, info.version, info.resource)
        if resource is None and not self.scheme.is_built_in(info.group):
            raise page_not_found()
        if resource is None or (len(info.parts) > 3 and info.subresource != "proxy") or _is_misplaced(info, resource):
            raise not_served()
        if info.subresource:
            if info.subresource not in resource.subresources:
                raise not_served()
            verbs = subresource_of(resource, info.subresource).verbs
        else:
            verbs = resource.verbs
        if (info.verb not in verbs and not _is_proxied_options(info)) or (info.verb in ("update", "patch", "delete") and not info.name):
            raise not_allowed()
        if resource.namespaced and not info.namespace and info.verb not in ("list", "watch"):
            raise not_served() if info.name else not_allowed()
        return Call.of(info, resource, user, user_agent)

    async def get(self, call: Call, resource_version: str = "") -> CachedObject | JsonObject:
        if call.subresource == "scale":
            return await self.scales.get(call)
        if call.subresource in _STREAMED:
            raise not_allowed()
        return await self.reader.get(call, resource_version)

    async def list(self, call: Call, options: ListOptions) -> ListPage:
        return await self.reader.list(call, _of_the_named(call, options))

    async def watch(self, call: Call, options: ListOptions) -> Watcher:
        return await self.watching.open(call, _of_the_named(call, options))

    async def create(self, call: Call, data: bytes, media_type: str, options: WriteOptions) -> Written:
        creator = self.creators.get((call.resource.group, call.resource.plural, call.subresource))
        if creator is None and call.subresource:
            raise not_allowed()
        if creator is None and call.name:
            raise not_allowed()
        call.size = len(data)
        obj = await _decoded(call, data, media_type, self._kind(call), options)
        if creator is not None:
            return Written(await _to_the_end(creator(call, obj, options)), 201)
        return Written(await self._write(call, self.writer.create(call, obj, options)), 201)

    async def update(self, call: Call, data: bytes, media_type: str, options: WriteOptions) -> Written:
        call.size = len(data)
        obj = await _decoded(call, data, media_type, self._kind(call), options)
        if call.subresource == "scale":
            return Written(await _to_the_end(self.scales.update(call, obj, options)), 200)
        written, created = await self._write(call, self.writer.update(call, obj, options))
        return Written(written, 201 if created else 200)

    async def patch(self, call: Call, content_type: str, data: bytes, options: WriteOptions) -> Written:
        call.size = len(data)
        patch = await _patch(call, content_type, data, self._kind(call), options)
        if call.subresource == "scale":
            return Written(await _to_the_end(self.scales.patch(call, patch, options)), 200)
        if isinstance(patch, ApplyPatch):
            written, created = await self._write(call, self.writer.apply(call, patch.config, options))
            return Written(written, 201 if created else 200)
        return Written(await self._write(call, self.writer.patch(call, patch, options)), 200)

    async def delete(self, call: Call, data: bytes, media_type: str, query: Mapping[str, str]) -> Written:
        options = delete_options(data, media_type, query)
        answer, gone = await self._write(call, self.deleter.delete(call, options))
        # Upstream tells by 202 that dependents go in the background while the object is still there.
        return Written(answer, 202 if not gone and options.orphan_dependents is False else 200)

    async def delete_collection(
        self, call: Call, listing: ListOptions, data: bytes, media_type: str, query: Mapping[str, str]
    ) -> ListPage:
        options = delete_options(data, media_type, query)
        if call.name:
            raise not_allowed()
        return await self._write(call, self.deleter.delete_collection(call, listing, options))

    async def _write(self, call: Call, write: Coroutine[Any, Any, T]) -> T:
        return await _to_the_end(self.governing.after(call, write))

    @staticmethod
    def _kind(call: Call) -> GroupVersionKind:
        """Of request bodies."""
        return subresource_kind(call.resource, call.subresource) if call.subresource else call.gvk


def _is_misplaced(info: RequestInfo, resource: ResourceType) -> bool:
    """A cluster-scoped object asked for in a namespace: who is authorized there is not authorized for it. (A Namespace is in itself.)"""
    return bool(info.namespace) and not resource.namespaced and (resource.plural, info.name) != ("namespaces", info.namespace)


def _is_proxied_options(info: RequestInfo) -> bool:
    """OPTIONS has no verb; upstream passes it on."""
    return info.subresource == "proxy" and not info.verb


def _of_the_named(call: Call, options: ListOptions) -> ListOptions:
    """What was authorized for one name shows that object alone, wherever the name came from (a path, a coordinate, a selector)."""
    if not call.name:
        return options
    if options.fields is None:
        return replace(options, fields=FieldSelector((FieldRequirement("metadata.name", "=", call.name),)))
    if options.fields.required_value("metadata.name") != call.name:
        raise BadRequest("fieldSelector metadata.name doesn't match requested name")
    return options


async def _decoded(call: Call, data: bytes, media_type: str, gvk: GroupVersionKind, options: WriteOptions) -> JsonObject:
    if media_type == YAML and len(data) > _QUICK_YAML:      # slow enough that everybody else would wait
        return await asyncio.to_thread(decode_object, call, data, media_type, gvk, options.field_validation)
    return decode_object(call, data, media_type, gvk, options.field_validation)


async def _patch(call: Call, content_type: str, data: bytes, gvk: GroupVersionKind, options: WriteOptions) -> Patch | ApplyPatch:
    if not is_apply(content_type):
        check_patch_type(content_type, custom=call.resource.custom is not None)
        options.check_patch(apply=False)
        return Patch(content_type, data, gvk)
    options.check_patch(apply=True)
    if len(data) > _QUICK_YAML:
        return await asyncio.to_thread(ApplyPatch, data, options.field_validation, call.warnings)
    return ApplyPatch(data, options.field_validation, call.warnings)


_writes: set[asyncio.Task[Any]] = set()       # the event loop itself holds tasks weakly


async def _to_the_end(write: Coroutine[Any, Any, T]) -> T:
    """A client that leaves cancels its request. A write under way is not stopped half-way: its reservations must be settled."""
    task = asyncio.create_task(write, name="write")
    _writes.add(task)
    task.add_done_callback(_writes.discard)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        raise


def delete_options(data: bytes, media_type: str, query: Mapping[str, str]) -> DeleteOptions:
    """From the body, else from the query."""
    if not data.strip():
        return DeleteOptions.from_object(DeleteOptions.query_object(query))
    if len(data) > _MAX_OPTIONS:
        raise RequestEntityTooLarge(f"Request entity too large: limit is {_MAX_OPTIONS}")
    obj = parse_body(data, media_type)
    if obj.get("kind") not in (None, "", _DELETE_OPTIONS.kind):
        raise BadRequest("decoded object cannot be converted to DeleteOptions")
    return DeleteOptions.from_object(check_object(obj, _DELETE_OPTIONS, "Ignore", []))


class PageNotFound(NotFound):
    """Nothing at all is served below that path: over HTTP a line of text, where upstream's mux had no handler, and no Status."""


def not_served() -> NotFound:
    return NotFound("the server could not find the requested resource", details={})


def page_not_found() -> PageNotFound:
    return PageNotFound("the server could not find the requested resource", details={})


def not_allowed() -> MethodNotAllowed:
    return MethodNotAllowed("the server does not allow this method on the requested resource", details={})
