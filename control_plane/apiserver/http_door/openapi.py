"""/openapi/v2 and /openapi/v3. Documents are made when first asked for, off the event loop, and kept compressed."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Final

import msgspec
from aiohttp import web

from control_plane.apiserver.aggregation.aggregator import Aggregator
from control_plane.apiserver.aggregation.targets import Target
from control_plane.apiserver.negotiation import parse_accept
from control_plane.apiserver.object_api import page_not_found
from kube.apimachinery.scheme import GroupVersion, ResourceType, Scheme

_V2_PROTOBUF: Final = (
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf", "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
)
_V3_PROTOBUF: Final = (
    "application/com.github.proto-openapi.spec.v3.v1.0+protobuf", "application/com.github.proto-openapi.spec.v3@v1.0+protobuf",
)
_JSON: Final = ("application/json", "*/*", "application/*")
_NO_CACHE: Final = {"Cache-Control": "no-cache, private"}
_A_YEAR_S: Final = 31536000


Rows = tuple[ResourceType, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    compressed: bytes
    etag: str


def _not_acceptable() -> web.Response:
    return web.Response(status=406, headers={"Vary": "Accept", **_NO_CACHE})


class OpenApi:
    """Documents are kept until another kind is served or a schema changes."""

    def __init__(self, scheme: Scheme, aggregator: Aggregator) -> None:
        self._scheme = scheme
        self._aggregator = aggregator
        self._of_targets = 0      # the generation of other servers' groups that the index shows
        self._kept: dict[str, asyncio.Task[_Kept]] = {}
        self._generation = scheme.generation
        self._rows: tuple[ResourceType, ...] = ()

    async def serve_v2(self, request: web.BaseRequest) -> web.StreamResponse:
        for wanted in parse_accept(request.headers.get("Accept", "") or "*/*"):
            if wanted.media_type in _V2_PROTOBUF:
                return await self._answer(request, "v2 protobuf", lambda: _v2_protobuf(self._rows), _V2_PROTOBUF[1])
            if wanted.media_type in _JSON:
                return await self._answer(request, "v2", lambda: _v2_json(self._rows), "application/json")
        return _not_acceptable()

    async def serve_v3(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        """`path` is what follows /openapi/v3."""
        if not path:
            targets = tuple(self._aggregator.targets)
            if self._of_targets != self._aggregator.targets.generation:
                self._of_targets = self._aggregator.targets.generation
                self._kept.pop("v3", None)
            return await self._answer(request, "v3", lambda: _v3_index(self._rows, targets), "application/json")
        parts = path.strip("/").split("/")
        if parts[0] == "api" and len(parts) == 2:
            group_version = GroupVersion("", parts[1])
        elif parts[0] == "apis" and len(parts) == 3:
            group_version = GroupVersion(parts[1], parts[2])
        else:
            raise page_not_found()
        accepted = [one.media_type for one in parse_accept(request.headers.get("Accept", "") or "*/*")]
        wanted = next((media_type for media_type in accepted if media_type in (*_JSON, *_V3_PROTOBUF)), "")
        if accepted and not wanted:
            return _not_acceptable()
        if (other := await self._aggregator.openapi(request, group_version)) is not None:
            return other
        key, headers = str(group_version), {}
        if asked := request.query.get("hash"):
            await self._document(key, lambda: _v3_document(group_version, self._rows))
            current = _v3_hash(group_version, self._rows)
            if asked != current:      # of another state of the schemas: shared caches must not hold this one under it
                return web.Response(status=301, headers={"Location": f"{request.path}?hash={current}", "Vary": "Accept", **_NO_CACHE})
            expires = formatdate(time.time() + _A_YEAR_S, usegmt=True)
            headers = {"Cache-Control": "public, immutable", "Expires": expires}
        if wanted in _V3_PROTOBUF:
            return await self._answer(request, f"{key} protobuf", lambda: _v3_protobuf(group_version, self._rows), wanted, headers)
        return await self._answer(request, key, lambda: _v3_document(group_version, self._rows), "application/json", headers)

    async def _answer(
        self, request: web.BaseRequest, key: str, make: Callable[[], bytes | None], media_type: str,
        caching: Mapping[str, str] | None = None,
    ) -> web.StreamResponse:
        kept = await self._document(key, make)
        headers = {"Content-Type": media_type, "ETag": kept.etag, "Vary": "Accept-Encoding, Accept", **(caching or _NO_CACHE)}
        if request.headers.get("If-None-Match") == kept.etag:
            return web.Response(status=304, headers=headers)
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=kept.compressed, headers={**headers, "Content-Encoding": "gzip"})
        return web.Response(body=gzip.decompress(kept.compressed), headers=headers)

    async def _document(self, key: str, make: Callable[[], bytes | None]) -> _Kept:
        if self._generation != self._scheme.generation or not self._rows:
            self._follow()
        task = self._kept.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            task = self._kept[key] = asyncio.create_task(asyncio.to_thread(_make, make), name=f"openapi {key}")
        return await asyncio.shield(task)

    def _follow(self) -> None:
        """Forgets what may have changed: whole documents, and those of groups with custom kinds."""
        rows = tuple(row for row in self._scheme if row.discoverable)
        custom = {str(row.group_version) for row in (*rows, *self._rows) if row.custom is not None}
        for key in ("v2", "v2 protobuf", "v3", *custom, *(f"{key} protobuf" for key in custom)):
            self._kept.pop(key, None)
        self._generation, self._rows = self._scheme.generation, rows


def _make(make: Callable[[], bytes | None]) -> _Kept:
    document = make()
    if document is None:
        raise page_not_found()
    return _Kept(gzip.compress(document, 1), f'"{hashlib.sha512(document).hexdigest().upper()}"')


# The modules below are heavy, and most apiservers' clients ask for OpenAPI late or never.


def _v2_json(rows: Rows) -> bytes:
    from kube.apimachinery.openapi_v2 import openapi_v2_json

    return openapi_v2_json(rows)


def _v2_protobuf(rows: Rows) -> bytes:
    from kube.apimachinery.openapi_v2 import openapi_v2_protobuf

    return openapi_v2_protobuf(rows)


def _v3_index(rows: Rows, targets: tuple[Target, ...]) -> bytes:
    from control_plane.apiserver.aggregation.documents import with_openapi
    from kube.apimachinery.openapi_v3 import openapi_v3_index

    index = openapi_v3_index(rows)
    return msgspec.json.encode(with_openapi(msgspec.json.decode(index), targets)) if targets else index


def _v3_hash(group_version: GroupVersion, rows: Rows) -> str:
    from kube.apimachinery.openapi_v3 import openapi_v3_hash

    return openapi_v3_hash(group_version, rows)


def _v3_document(group_version: GroupVersion, rows: Rows) -> bytes | None:
    from kube.apimachinery.openapi_v3 import openapi_v3_document

    return openapi_v3_document(group_version.group, group_version.version, rows)


def _v3_protobuf(group_version: GroupVersion, rows: Rows) -> bytes | None:
    from kube.apimachinery.openapi_gnostic_v3 import document_bytes

    document = _v3_document(group_version, rows)
    return None if document is None else document_bytes(msgspec.json.decode(document))
