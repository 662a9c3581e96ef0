"""Requests on resources: the HTTP method's query, headers and body -> the object API -> an answer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

from aiohttp import web

from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.custom.patches import refuse_strategic
from control_plane.apiserver.http_door.answers import Answers
from control_plane.apiserver.http_door.lists import is_plain, list_answer
from control_plane.apiserver.http_door.server import MAX_BODY
from control_plane.apiserver.http_door.watch import SharedFrames, serve_watch
from control_plane.apiserver.negotiation import (
    TABLE,
    Representation,
    body_media_type,
    check_include_object,
    check_route_produces,
    is_pretty,
    negotiate,
)
from control_plane.apiserver.object_api import ObjectApi, Written, not_allowed
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.options import ListOptions, WriteOptions, check_timeout
from control_plane.apiserver.registry.reader import ListPage
from control_plane.apiserver.request_info import RequestInfo
from control_plane.apiserver.streaming.connect import Connector
from kube.apimachinery.errors import BadRequest, RequestEntityTooLarge, Timeout
from kube.process.clock import Clock

_STREAMED: Final = frozenset({"log", "exec", "attach", "portforward", "proxy"})
_TABLES: Final = frozenset({"status", "scale"})      # of the subresources
_READ_BODY_S: Final = 60.0                            # upstream's --request-timeout
_DEPRECATED: Final = {
    ("", "componentstatuses"): "v1 ComponentStatus is deprecated in v1.19+",
    ("", "endpoints"): "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
}


class Resources:
    def __init__(self, api: ObjectApi, connector: Connector, clock: Clock) -> None:
        self._api = api
        self._connector = connector
        self._clock = clock
        self._answers = Answers(clock)
        self._frames = SharedFrames()

    async def serve(self, request: web.BaseRequest, info: RequestInfo, user: UserInfo) -> tuple[web.StreamResponse, list[str]]:
        """The answer, and the warnings that go with it."""
        call = self._api.call(info, user, request.headers.get("User-Agent", ""))
        if warning := _DEPRECATED.get((info.group, info.resource)):
            call.warnings.append(warning)
        if call.resource.custom is not None and call.resource.custom.deprecation:
            call.warnings.append(call.resource.custom.deprecation)
        if info.subresource in _STREAMED:
            return await self._connector.serve(request, call, info.sub_path), call.warnings
        if request.method == "HEAD" and call.resource.custom is None:
            raise not_allowed()      # upstream's router has no such route
        if info.verb == "watch" and request.method not in ("GET", "HEAD"):
            raise not_allowed()      # the deprecated path says what, and the method says that it is something else
        if not info.long_running and "timeout" in request.query:
            check_timeout(request.query["timeout"])
        if info.verb == "watch":
            options = ListOptions.from_query(request.query, watch=True)
            wanted = _negotiated(request, call, stream=True)
            return await serve_watch(request, self._api, call, options, wanted, self._clock, self._frames), call.warnings
        return await self._answer(request, call), call.warnings

    async def _answer(self, request: web.BaseRequest, call: Call) -> web.Response:
        wanted = _negotiated(request, call)
        query = request.query
        if is_pretty(query, call.user_agent):
            wanted = replace(wanted, pretty=True)
        include_object = query.get("includeObject", "")
        if wanted.transform == TABLE:
            check_include_object(include_object)
        if call.verb == "get":
            item = await self._api.get(call, query.get("resourceVersion", ""))
            return self._answers.one(call, item, wanted, include_object=include_object)
        if call.verb == "list":
            page = await self._api.list(call, ListOptions.from_query(query))
            return await self._page(call, page, wanted, include_object)
        if call.verb == "deletecollection":
            data, media_type = await _body(request)
            page = await self._api.delete_collection(call, ListOptions.from_query(query), data, media_type, query)
            return await self._page(call, page, wanted)
        written = await self._write(request, call)
        return self._answers.one(call, written.obj, wanted, code=written.code, include_object=include_object)

    async def _page(self, call: Call, page: ListPage, wanted: Representation, include_object: str = "") -> web.Response:
        if is_plain(wanted):
            return await list_answer(call, page, wanted)
        return self._answers.page(call, page, wanted, include_object=include_object)

    async def _write(self, request: web.BaseRequest, call: Call) -> Written:
        query = request.query
        if call.verb == "patch":
            options = WriteOptions.from_query(query, "PatchOptions")
            refuse_strategic(call, request.headers.get("Content-Type", ""))
            return await self._api.patch(call, request.headers.get("Content-Type", ""), await _read(request), options)
        data, media_type = await _body(request)
        if call.verb == "create":
            return await self._api.create(call, data, media_type, WriteOptions.from_query(query, "CreateOptions"))
        if call.verb == "update":
            return await self._api.update(call, data, media_type, WriteOptions.from_query(query, "UpdateOptions"))
        if call.verb == "delete":
            return await self._api.delete(call, data, media_type, query)
        raise not_allowed()


def _negotiated(request: web.BaseRequest, call: Call, *, stream: bool = False) -> Representation:
    """Objects of custom kinds have no protobuf; their metadata has. They are served past upstream's router, which judges first."""
    accept = request.headers.get("Accept", "")
    if call.resource.custom is None:
        check_route_produces(accept, streams=call.verb in ("list", "watch") and not call.subresource)
        return negotiate(accept, stream=stream, tables=_has_table(call))
    return negotiate(accept, stream=stream, binary=call.subresource == "scale")


def _has_table(call: Call) -> bool:
    """What is no object that is kept, like a review or a binding, has none."""
    return call.subresource in _TABLES if call.subresource else "get" in call.resource.verbs


async def _body(request: web.BaseRequest) -> tuple[bytes, str]:
    data = await _read(request) if request.can_read_body else b""
    return data, body_media_type(request.headers.get("Content-Type", "") if data else "")


async def _read(request: web.BaseRequest) -> bytes:
    try:
        async with asyncio.timeout(_READ_BODY_S):
            return await request.read()
    except TimeoutError as error:      # meanwhile the request holds one of few places
        raise Timeout("Timeout: request did not complete within the allotted timeout") from error
    except web.HTTPRequestEntityTooLarge as error:
        raise RequestEntityTooLarge(f"Request entity too large: limit is {MAX_BODY}") from error
    except web.RequestPayloadError as error:
        raise BadRequest(f"the body cannot be read: {error}") from error
