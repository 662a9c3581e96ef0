"""/openapi/v2 and /openapi/v3. Documents are made when first asked for, off the event loop, and kept compressed."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from control_plane.apiserver.negotiation import parse_accept
from control_plane.apiserver.object_api import not_served
from kube.apimachinery.errors import NotAcceptable
from kube.apimachinery.scheme import GroupVersion

_V2_PROTOBUF: Final = (
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf", "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
)
_JSON: Final = ("application/json", "*/*", "application/*")
_A_YEAR_S: Final = 31536000


@dataclass(frozen=True, slots=True)
class _Kept:
    compressed: bytes
    etag: str


class OpenApi:
    def __init__(self) -> None:
        self._kept: dict[str, asyncio.Task[_Kept]] = {}

    async def serve_v2(self, request: web.BaseRequest) -> web.StreamResponse:
        for wanted in parse_accept(request.headers.get("Accept", "") or "*/*"):
            if wanted.media_type in _V2_PROTOBUF:
                return await self._answer(request, "v2 protobuf", _v2_protobuf, _V2_PROTOBUF[1])
            if wanted.media_type in _JSON:
                return await self._answer(request, "v2", _v2_json, "application/json")
        raise NotAcceptable(f"only the following media types are accepted: application/json, {_V2_PROTOBUF[0]}")

    async def serve_v3(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        """`path` is what follows /openapi/v3."""
        if not path:
            return await self._answer(request, "v3", _v3_index, "application/json")
        parts = path.strip("/").split("/")
        if parts[0] == "api" and len(parts) == 2:
            group_version = GroupVersion("", parts[1])
        elif parts[0] == "apis" and len(parts) == 3:
            group_version = GroupVersion(parts[1], parts[2])
        else:
            raise not_served()
        answer = await self._answer(request, str(group_version), lambda: _v3_document(group_version), "application/json")
        if "hash" in request.query:
            answer.headers["Cache-Control"] = f"public, immutable, max-age={_A_YEAR_S}"
        return answer

    async def _answer(
        self, request: web.BaseRequest, key: str, make: Callable[[], bytes | None], media_type: str
    ) -> web.StreamResponse:
        kept = await self._document(key, make)
        headers = {"Content-Type": media_type, "ETag": kept.etag, "Vary": "Accept-Encoding, Accept"}
        if request.headers.get("If-None-Match") == kept.etag:
            return web.Response(status=304, headers=headers)
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=kept.compressed, headers={**headers, "Content-Encoding": "gzip"})
        return web.Response(body=gzip.decompress(kept.compressed), headers=headers)

    async def _document(self, key: str, make: Callable[[], bytes | None]) -> _Kept:
        task = self._kept.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            task = self._kept[key] = asyncio.create_task(asyncio.to_thread(_make, make), name=f"openapi {key}")
        return await asyncio.shield(task)


def _make(make: Callable[[], bytes | None]) -> _Kept:
    document = make()
    if document is None:
        raise not_served()
    return _Kept(gzip.compress(document, 1), f'"{hashlib.sha512(document).hexdigest().upper()}"')


# The modules below are heavy, and most apiservers' clients ask for OpenAPI late or never.


def _v2_json() -> bytes:
    from kube.apimachinery.openapi_v2 import openapi_v2_json

    return openapi_v2_json()


def _v2_protobuf() -> bytes:
    from kube.apimachinery.openapi_v2 import openapi_v2_protobuf

    return openapi_v2_protobuf()


def _v3_index() -> bytes:
    from kube.apimachinery.openapi_v3 import openapi_v3_index

    return openapi_v3_index()


def _v3_document(group_version: GroupVersion) -> bytes | None:
    from kube.apimachinery.openapi_v3 import openapi_v3_document

    return openapi_v3_document(group_version.group, group_version.version)
