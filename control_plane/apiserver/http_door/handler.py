"""The way of one HTTP request: who asks, what about, the pipeline, the answer, the headers on it."""

from __future__ import annotations

import base64
import gzip
import uuid
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from aiohttp import web

from control_plane.apiserver.aggregation.aggregator import Aggregator
from control_plane.apiserver.authentication.authenticator import RequestCredentials
from control_plane.apiserver.authentication.certificate import CertificateSubject, ClientAuthorities
from control_plane.apiserver.http_door.answers import error_response
from control_plane.apiserver.http_door.any_certificate import shown_chain
from control_plane.apiserver.http_door.compression import compress
from control_plane.apiserver.http_door.lists import ListAnswer
from control_plane.apiserver.http_door.paths import Paths
from control_plane.apiserver.http_door.resources import Resources
from control_plane.apiserver.negotiation import PLAIN_JSON, Representation, is_pretty, negotiate
from control_plane.apiserver.pipeline import Pipeline
from control_plane.apiserver.request_info import RequestInfo, parse_request
from control_plane.storage.errors import StorageError, StoreUnavailable, ValueTooLarge
from kube.apimachinery.codec.depth import TOO_DEEP
from kube.apimachinery.errors import ApiError, BadRequest, InternalError, NotAcceptable, RequestEntityTooLarge, ServiceUnavailable
from kube.process.log import get_logger

if TYPE_CHECKING:
    from control_plane.apiserver.audit.log import AuditLog, Trail

log = get_logger("http-door")

_WARNINGS_IN_FULL: Final = 4 * 1024
_WARNING_CUT: Final = 256
_AUDIT_ID: Final = 64
_STREAM_PROTOCOL_TOKEN: Final = "base64url.bearer.authorization.k8s.io."  # noqa: S105 (how browsers send a token with a WebSocket)


class Handler:
    def __init__(
        self, pipeline: Pipeline, resources: Resources, paths: Paths, authorities: ClientAuthorities, aggregator: Aggregator,
        audit: AuditLog | None = None,
    ) -> None:
        self._aggregator = aggregator
        self._pipeline = pipeline
        self._audit = audit
        self._authorities = authorities
        self._resources = resources
        self._paths = paths
        self._certificates: WeakKeyDictionary[object, CertificateSubject] = WeakKeyDictionary()    # by TLS connection
        self._audit_prefix = str(uuid.uuid4())[:24]
        self._requests = 0

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        info = parse_request(request.method, request.path, request.query)
        self._requests += 1
        audit_id = f"{self._audit_prefix}{self._requests & 0xFFFFFFFFFFFF:012x}"
        trail = _trail(self._audit, request, audit_id) if self._audit is not None else None
        try:
            credentials = RequestCredentials(self._certificate(request), _token(request), request.headers, info.path)
            async with self._pipeline.enter(info, credentials, _impersonation(request), trail) as admitted:
                if self._aggregator.targets and (answer := await self._aggregator.serve(request, admitted.user, info.path)):
                    response = answer
                elif info.is_resource:
                    response, _ = await self._resources.serve(request, info, admitted.user)
                    await compress(request, response)
                else:
                    response = await self._paths.serve(request, info)
                admitted.code = response.status
        except ApiError as error:
            response = error_response(error, _wanted_of_errors(request))
        except StorageError as error:
            response = error_response(storage_error(error), _wanted_of_errors(request))
        except RecursionError:
            response = error_response(BadRequest(TOO_DEEP), _wanted_of_errors(request))
        except ConnectionError as error:
            log.debug("client left", verb=info.verb, path=info.path, error=str(error))
            response = error_response(InternalError("client left"), PLAIN_JSON)      # read by nobody
        except Exception:
            log.exception("request failed", verb=info.verb, path=info.path)
            response = error_response(InternalError("Internal error occurred: see the apiserver's log"), PLAIN_JSON)
        if trail is not None:
            _complete(trail, request, response, info)
        if not response.prepared:
            response.headers["Audit-Id"] = audit_id
            if info.flow[0]:
                response.headers["X-Kubernetes-Pf-Flowschema-Uid"], response.headers["X-Kubernetes-Pf-Prioritylevel-Uid"] = info.flow
            if info.warnings:
                _add_warnings(response, info.warnings)
        return response

    def _certificate(self, request: web.BaseRequest) -> CertificateSubject | None:
        transport = request.transport
        tls = transport.get_extra_info("ssl_object") if transport is not None else None
        if tls is None:
            return None
        subject = self._certificates.get(tls)
        if subject is None and (certificate := tls.getpeercert(binary_form=True)):
            subject = self._certificates[tls] = self._authorities.subject(certificate, shown_chain(tls))
        return subject


def _trail(audit: AuditLog, request: web.BaseRequest, audit_id: str) -> Trail:
    given = request.headers.get("Audit-ID", audit_id)[:_AUDIT_ID]
    return audit.trail(request.raw_path, request.remote or "", request.headers.get("User-Agent", ""), given)


def _complete(trail: Trail, request: web.BaseRequest, response: web.StreamResponse, info: RequestInfo) -> None:
    """Bodies that are JSON are told; the answer of a watch is no body."""
    body = response.body if isinstance(response, web.Response) and isinstance(response.body, bytes) else b""
    if isinstance(response, ListAnswer) and trail.wants_bodies:
        body = response.joined()
    if response.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body) if trail.wants_bodies else b""
    trail.completed(response.status, info.annotations, request._read_bytes or b"", body)


def storage_error(error: StorageError) -> ApiError:
    """What storage raised and nobody below knew how to say."""
    if isinstance(error, ValueTooLarge):
        return RequestEntityTooLarge(str(error) or "etcdserver: request is too large")
    if isinstance(error, StoreUnavailable):
        return ServiceUnavailable(str(error))
    log.error("storage failed", error=str(error))
    return InternalError(f"Internal error occurred: {error}")


def _token(request: web.BaseRequest) -> str | None:
    authorization = request.headers.get("Authorization")
    if authorization is not None:
        scheme, _, rest = authorization.partition(" ")
        return rest.strip() or None if scheme.lower() == "bearer" else None
    if _STREAM_PROTOCOL_TOKEN in (protocols := request.headers.get("Sec-WebSocket-Protocol", "")):
        return _token_of_protocols(protocols)
    return None


def _token_of_protocols(protocols: str) -> str | None:
    for protocol in protocols.split(","):
        if protocol.strip().startswith(_STREAM_PROTOCOL_TOKEN):
            text = protocol.strip().removeprefix(_STREAM_PROTOCOL_TOKEN)
            try:
                return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
            except ValueError:
                return None
    return None


def _impersonation(request: web.BaseRequest) -> Iterable[tuple[str, str]]:
    if "impersonate-" not in "".join(request.headers).lower():      # a header's name may come in any case
        return ()
    return [(name.lower(), _text(value)) for name, value in request.headers.items() if name.lower().startswith("impersonate-")]


def _text(value: str) -> str:
    """Of a header; bytes that are no UTF-8 came as lone surrogates, which no answer could repeat."""
    return value.encode(errors="surrogateescape").decode(errors="replace")


def _wanted_of_errors(request: web.BaseRequest) -> Representation:
    """Errors are never transformed. Who takes nothing that is served gets indented JSON."""
    try:
        wanted = negotiate(request.headers.get("Accept", ""), transforms=False)
    except NotAcceptable:
        return replace(PLAIN_JSON, pretty=True)
    return replace(wanted, pretty=True) if is_pretty(request.query, request.headers.get("User-Agent", "")) else wanted


def _add_warnings(response: web.StreamResponse, warnings: list[str]) -> None:
    """As apiserver's warning recorder: cut when there are many, and no control characters, which would end the header."""
    texts = list(dict.fromkeys(warnings))
    if sum(map(len, texts)) > _WARNINGS_IN_FULL:
        texts = [text[:_WARNING_CUT] for text in texts]
    room = _WARNINGS_IN_FULL
    for text in texts:
        if room <= 0:
            return
        room -= len(text)
        plain = "".join(char if char.isprintable() else " " for char in text)
        escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{escaped}"')
