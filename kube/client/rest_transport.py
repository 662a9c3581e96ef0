"""The Transport over the apiserver's REST door: for Pods (ServiceAccount token), tools and tests (client certificate).

    async with Client(RestTransport.in_cluster()) as client: ...
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

import msgspec

from kube.apimachinery import errors
from kube.client.http_connection import Answer, HttpServer
from kube.client.transport import EventType, ListQuery, Location, Page, PatchKind, RawEvent, WatchQuery, WriteOptions

SERVICE_ACCOUNT_DIR: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TOKEN_REREAD_S: Final = 60.0       # the kubelet renews a projected token in place long before it expires
CALL_TIMEOUT_S: Final = 60.0
WATCH_SILENCE_S: Final = 120.0     # bookmarks come every minute; a connection silent for longer is dead
JSON: Final = "application/json"
PARTIAL_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
PARTIAL: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


class _ListMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")
    remaining_item_count: int | None = None


class _List(msgspec.Struct):
    metadata: _ListMeta
    items: list[msgspec.Raw] | None = None


class _Event(msgspec.Struct):
    type: EventType
    object: msgspec.Raw


_LIST: Final = msgspec.json.Decoder(_List)
_EVENT: Final = msgspec.json.Decoder(_Event)


class RestTransport:
    """`token_file` is read again from time to time; `ssl_context` brings the CA and, if there is one, the client certificate.

    `server`: instead of one made of the URL and the context.
    """

    def __init__(
        self, server_url: str, ssl_context: ssl.SSLContext | None = None, token_file: str | Path | None = None, *,
        server: HttpServer | None = None,
    ) -> None:
        self._server = server or HttpServer(server_url, ssl_context)
        self._token_file = Path(token_file) if token_file else None
        self._token = ""
        self._token_read_at = -TOKEN_REREAD_S

    @classmethod
    def connect(
        cls, server_url: str, *, ca_file: str | Path, token_file: str | Path | None = None, cert_file: str | None = None,
        key_file: str | None = None,
    ) -> RestTransport:
        context = ssl.create_default_context(cafile=str(ca_file))
        if cert_file:
            context.load_cert_chain(cert_file, key_file)
        return cls(server_url, context, token_file)

    @classmethod
    def in_cluster(cls, directory: Path = SERVICE_ACCOUNT_DIR) -> RestTransport:
        """From the environment and files that the kubelet gives every Pod."""
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        address = f"[{host}]" if ":" in host else host
        return cls.connect(f"https://{address}:{port}", ca_file=directory / "ca.crt", token_file=directory / "token")

    async def get(self, at: Location) -> bytes:
        return await self._call("GET", at)

    async def list(self, at: Location, query: ListQuery) -> Page:
        accept = PARTIAL_LIST if query.metadata_only else JSON
        body = await self._call("GET", at, parameters=_list_parameters(query), accept=accept)
        page = _LIST.decode(body)
        items = [_with_kind(bytes(item), at, query.metadata_only) for item in page.items or ()]
        return Page(items, page.metadata.resource_version, page.metadata.continue_, page.metadata.remaining_item_count or 0)

    async def watch(self, at: Location, query: WatchQuery) -> AsyncGenerator[Sequence[RawEvent], None]:
        parameters = {
            "watch": "true", "resourceVersion": query.resource_version, "labelSelector": query.label_selector,
            "fieldSelector": query.field_selector, "allowWatchBookmarks": "true" if query.allow_bookmarks else "",
        }
        headers = self._headers(PARTIAL if query.metadata_only else JSON)
        try:
            async with self._server.request("GET", _target(at, _present(parameters)), headers) as answer:
                if answer.status >= 400:
                    raise to_api_error(answer.status, await answer.read())
                rest = b""
                while chunk := await _next_piece(answer):
                    *lines, rest = (rest + chunk).split(b"\n")
                    if batch := [RawEvent(event.type, bytes(event.object)) for event in map(_EVENT.decode, filter(None, lines))]:
                        yield batch
        except OSError as error:        # a TimeoutError is one, too
            raise errors.ServiceUnavailable(str(error) or type(error).__name__) from error

    async def create(self, at: Location, body: bytes, options: WriteOptions) -> bytes:
        return await self._call("POST", at, body=body, parameters=_write_parameters(options))

    async def update(self, at: Location, body: bytes, options: WriteOptions) -> bytes:
        return await self._call("PUT", at, body=body, parameters=_write_parameters(options))

    async def patch(self, at: Location, kind: PatchKind, patch: bytes, options: WriteOptions) -> bytes:
        return await self._call("PATCH", at, body=patch, parameters=_write_parameters(options), content_type=kind.value)

    async def delete(self, at: Location, options: bytes) -> bytes:
        return await self._call("DELETE", at, body=options)

    async def delete_collection(self, at: Location, query: ListQuery, options: bytes) -> bytes:
        return await self._call("DELETE", at, body=options, parameters=_list_parameters(query))

    async def close(self) -> None:
        await self._server.close()

    def _headers(self, accept: str, content_type: str = "") -> dict[str, str]:
        headers = {"Accept": accept, "User-Agent": "kubonsai"}
        if content_type:
            headers["Content-Type"] = content_type
        if self._token_file is not None:
            if time.monotonic() - self._token_read_at >= TOKEN_REREAD_S:
                self._token, self._token_read_at = self._token_file.read_text().strip(), time.monotonic()
            headers["Authorization"] = f"Bearer {self._token}"
        return headers

    async def _call(
        self, method: str, at: Location, *, body: bytes = b"", parameters: Mapping[str, str] | None = None, accept: str = JSON,
        content_type: str = JSON,
    ) -> bytes:
        target, headers = _target(at, parameters or {}), self._headers(accept, content_type if body else "")
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S), self._server.request(method, target, headers, body) as answer:
                content = await answer.read()
        except TimeoutError as error:
            raise errors.Timeout(f"{method} {target}: no answer within {CALL_TIMEOUT_S:g} s") from error
        except OSError as error:
            raise errors.ServiceUnavailable(str(error) or type(error).__name__) from error
        if answer.status >= 400:
            raise to_api_error(answer.status, content)
        return content


def to_api_error(code: int, body: bytes) -> errors.ApiError:
    """The Status in the body; when it is none, only its code counts and the text is cut, to keep blobs out of the log."""
    try:
        status = msgspec.json.decode(body)
    except msgspec.DecodeError:
        status = None
    if isinstance(status, dict) and status.get("kind") == "Status":
        return errors.from_status(status)
    return errors.from_status({"code": code, "message": body[:256].decode(errors="replace")})


async def _next_piece(answer: Answer) -> bytes:
    async with asyncio.timeout(WATCH_SILENCE_S):
        return await anext(answer.body, b"")


def _target(at: Location, parameters: Mapping[str, str]) -> str:
    """Path and query of a request. Raises BadRequest for a subresource of nothing."""
    row = at.resource
    if at.subresource and not at.name:
        raise errors.BadRequest(f"{row.plural}/{at.subresource}: name is required")
    root = ("apis", row.group, row.version) if row.group else ("api", row.version)
    scope = ("namespaces", at.namespace) if row.namespaced and at.namespace else ()
    path = "/".join(quote(part, safe=":") for part in (*root, *scope, row.plural, at.name, at.subresource) if part)
    return f"/{path}?{urlencode(parameters)}" if parameters else f"/{path}"


def _with_kind(item: bytes, at: Location, metadata_only: bool) -> bytes:
    """Items of a typed list carry no apiVersion and kind of their own; a caller of plain dicts wants them."""
    if item.startswith((b'{"kind"', b'{"apiVersion"')) or metadata_only:
        return item
    obj = msgspec.json.decode(item, type=dict[str, msgspec.Raw])
    if "kind" in obj and "apiVersion" in obj:
        return item
    return msgspec.json.encode({"apiVersion": at.resource.api_version, "kind": at.resource.kind, **obj})


def _present(parameters: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in parameters.items() if value}


def _list_parameters(query: ListQuery) -> dict[str, str]:
    return _present({
        "labelSelector": query.label_selector, "fieldSelector": query.field_selector, "limit": str(query.limit or ""),
        "continue": query.continue_token, "resourceVersion": query.resource_version,
        "resourceVersionMatch": query.resource_version_match,
    })


def _write_parameters(options: WriteOptions) -> dict[str, str]:
    return _present({
        "fieldManager": options.field_manager, "dryRun": "All" if options.dry_run else "",
        "fieldValidation": options.field_validation, "force": "true" if options.force else "",
    })
