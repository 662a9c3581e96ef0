"""Objects as the bytes of an answer. JSON of cached objects is joined from cached bytes; nothing is encoded twice."""

from __future__ import annotations

from typing import Final

import msgspec
from aiohttp import web

from control_plane.apiserver.http_door.lists import ListAnswer, item_view, list_metadata, protobuf_object
from control_plane.apiserver.http_door.representations import partial_metadata_list, table, transformed
from control_plane.apiserver.negotiation import (
    JSON,
    PARTIAL_METADATA,
    PARTIAL_METADATA_LIST,
    PROTOBUF,
    TABLE,
    YAML,
    Representation,
)
from control_plane.apiserver.object_api import PageNotFound
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.reader import ListPage
from control_plane.storage.cached_object import CachedObject
from kube.apimachinery.errors import ApiError, NotAcceptable
from kube.apimachinery.meta import JsonObject
from kube.process.clock import Clock

encode_json = msgspec.json.Encoder().encode
_HEADERS: Final = {
    media_type: {"Content-Type": media_type, "Cache-Control": "no-cache, private"} for media_type in (JSON, YAML, PROTOBUF)
}


def encode(obj: JsonObject, wanted: Representation) -> bytes:
    if wanted.media_type == JSON:
        return msgspec.json.format(encode_json(obj), indent=2) if wanted.pretty else encode_json(obj) + b"\n"
    if wanted.media_type == YAML:
        from kube.apimachinery.codec.yaml import encode_yaml  # lazily: few answers are YAML

        return encode_yaml(obj)
    from kube.apimachinery.codec.protobuf import encode_protobuf  # heavy, and most clients speak JSON

    return encode_protobuf(obj)


class Answers:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def one(
        self, call: Call, item: CachedObject | JsonObject, wanted: Representation, *, code: int = 200, include_object: str = ""
    ) -> web.Response:
        if isinstance(item, CachedObject):
            if wanted.media_type == JSON and not wanted.transform and not wanted.pretty:
                return _response(item.encoded(call.resource.api_version) + b"\n", JSON, code)
            if wanted.media_type == PROTOBUF and not wanted.transform:
                return _response(protobuf_object(item, call.resource.gvk), PROTOBUF, code)
            item = item.view(call.resource.api_version)
        if wanted.transform == PARTIAL_METADATA_LIST:
            if call.resource.custom is not None:
                raise _NoListError("content is not a list")
            raise NotAcceptable(f"you requested {PARTIAL_METADATA_LIST}, but the requested object is not a list (*{go_type(call)})")
        obj = transformed(call.resource, item, wanted, self._clock.now(), include_object=include_object)
        return _response(encode(obj, wanted), wanted.media_type, code)

    def page(self, call: Call, page: ListPage, wanted: Representation, *, include_object: str = "") -> web.Response:
        api_version = call.resource.api_version
        views = [item.view(api_version) for item in page.items]
        if wanted.transform == TABLE:
            obj = table(
                call.resource, views, page.metadata(), self._clock.now(), include_object=include_object,
                version=wanted.transform_version,
            )
        elif wanted.transform == PARTIAL_METADATA:
            named = "unstructured.Unstructured" if call.resource.custom is not None else go_type(call)
            raise NotAcceptable(f"you requested {PARTIAL_METADATA}, but the requested object is a list (*{named}List)")
        elif wanted.transform:
            obj = partial_metadata_list(views, page.metadata(), wanted.transform_version)
        else:
            obj = {"kind": call.resource.list_kind, "apiVersion": api_version, "metadata": list_metadata(call, page)}
            obj["items"] = views if wanted.media_type == PROTOBUF else [item_view(call.resource, item) for item in page.items]
        return ListAnswer((encode(obj, wanted),), wanted.media_type)


class _NoListError(ApiError):
    """What upstream makes of custom objects that are asked for as a list: an error without a reason."""


def go_type(call: Call) -> str:
    """The kind as upstream's internal types are called: core.Pod, apps.Deployment."""
    package = "core" if call.resource.group in ("", "events.k8s.io") else call.resource.group.partition(".")[0]
    return f"{package}.{call.resource.kind}"


def _response(body: bytes, media_type: str, code: int) -> web.Response:
    return web.Response(body=body, status=code, headers=_HEADERS[media_type])


def error_response(error: ApiError, wanted: Representation) -> web.Response:
    """A Status. Errors come as JSON unless the client speaks protobuf or YAML alone."""
    if isinstance(error, PageNotFound):
        headers = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-cache, private", "X-Content-Type-Options": "nosniff"}
        return web.Response(body=b"404 page not found\n", status=404, headers=headers)
    headers = {"Content-Type": wanted.media_type, "Cache-Control": "no-cache, private"}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    plain = Representation(wanted.media_type, pretty=wanted.pretty)
    return web.Response(body=encode(error.to_status(), plain), status=error.code, headers=headers)
