"""One HTTPS request to a webhook: POST an AdmissionReview, read one back, within the webhook's time. Follows apiserver's util/webhook.

Connections are kept and used again, per address and trust. Redirects are not followed: a webhook is called where its configuration says.
"""

from __future__ import annotations

import asyncio
import posixpath
import ssl
from collections import OrderedDict
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from control_plane.apiserver.admission.webhooks.configuration import Target, Webhook
from control_plane.apiserver.admission.webhooks.failures import CallFailed
from control_plane.apiserver.admission.webhooks.review import KIND, Review, check_form
from control_plane.apiserver.admission.webhooks.transport import describe, meaning_of
from control_plane.apiserver.dialing import Address, Services, Unreachable
from kube.apimachinery.codec.json import MalformedJsonError, parse_json
from kube.apimachinery.errors import ApiError, NotFound
from kube.apimachinery.meta import JsonObject
from kube.client.http_connection import Answer, HttpServer

_SERVERS: Final = 200                       # kept with their connections; upstream's cache of clients
_LARGEST_ANSWER: Final = 16 * 1024 * 1024   # bytes; upstream knows no limit, but has the memory of a machine
_HEADERS: Final = {
    "Content-Type": "application/json", "Accept": "application/json, */*", "User-Agent": "kube-apiserver-admission",
}
_encode = msgspec.json.Encoder().encode


class _Place(NamedTuple):
    """What tells one kept server from another."""

    url: str                # without a path; the host is the name that the certificate must hold
    address: Address        # where it is dialled
    ca_bundle: bytes


class _Refused(Exception):
    """A call that failed, with the HTTP status that the metrics tell."""

    def __init__(self, reason: str, code: int = 503) -> None:
        super().__init__(reason)
        self.code = code


class Caller:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._servers: OrderedDict[_Place, HttpServer] = OrderedDict()
        self._contexts: OrderedDict[bytes, ssl.SSLContext] = OrderedDict()

    async def call(self, webhook: Webhook, review: Review) -> JsonObject:
        """The AdmissionReview that came back, its fields of the right types. Raises CallFailed."""
        try:
            context = self._context(webhook.target.ca_bundle)
        except (ssl.SSLError, ValueError) as error:
            why = "could not get REST client: unable to load root certificates: unable to parse bytes as PEM block"
            raise CallFailed(webhook.name, why, 500) from error
        base, path = _parts(webhook.target)
        try:
            async with asyncio.timeout(webhook.timeout_s):
                return await self._exchange(webhook, base, f"{path}?timeout={webhook.timeout_s}s", context, review)
        except TimeoutError as error:
            reason: Exception = _at(base, path, webhook, "context deadline exceeded")
            raise CallFailed(webhook.name, f"failed to call webhook: {reason}") from error
        except _Refused as refused:
            raise CallFailed(webhook.name, f"failed to call webhook: {refused}", refused.code) from refused

    async def _exchange(self, webhook: Webhook, base: str, target: str, context: ssl.SSLContext, review: Review) -> JsonObject:
        address = self._address(webhook, base, target)
        server = self._server(_Place(base, address, webhook.target.ca_bundle), context)
        try:
            async with server.request("POST", target, _HEADERS, _encode(review.body)) as answer:
                body = await _read(answer)
        except TimeoutError:
            raise
        except OSError as error:
            why = describe(error, address, urlsplit(base).hostname or "")
            raise _Refused(f'Post "{base}{target}": {why}') from error
        return _decoded(answer, body)

    def _address(self, webhook: Webhook, base: str, target: str) -> Address:
        if (service := webhook.target.service) is None:
            parts = urlsplit(base)
            return Address(parts.hostname or "", parts.port or 443)
        try:
            return self._services.resolve(service.namespace, service.name, service.port)
        except NotFound as error:
            raise _Refused(f'Post "{base}{target}": service "{service.name}" not found') from error
        except (ApiError, Unreachable) as error:
            raise _Refused(f'Post "{base}{target}": {error}') from error

    def _server(self, place: _Place, context: ssl.SSLContext) -> HttpServer:
        server = self._servers.get(place)
        if server is None:
            # A review has no effect but its answer, so that one which an idle connection swallowed can be sent again.
            server = self._servers[place] = HttpServer(place.url, context, address=place.address, repeatable=True)
            if len(self._servers) > _SERVERS:
                self._servers.popitem(last=False)[1].drop_idle()
        self._servers.move_to_end(place)
        return server

    def _context(self, ca_bundle: bytes) -> ssl.SSLContext:
        context = self._contexts.get(ca_bundle)
        if context is None:
            context = self._contexts[ca_bundle] = _trusting(ca_bundle)
            if len(self._contexts) > _SERVERS:
                self._contexts.popitem(last=False)
        return context


def _trusting(ca_bundle: bytes) -> ssl.SSLContext:
    """As Go's client: who is in the bundle is trusted, a CA or not; names are those of the certificate's SAN alone."""
    if not ca_bundle:
        return ssl.create_default_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=ca_bundle.decode("ascii", errors="replace"))
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.hostname_checks_common_name = False
    return context


def _parts(target: Target) -> tuple[str, str]:
    """(URL without a path, path)"""
    if (service := target.service) is not None:
        return f"https://{service.name}.{service.namespace}.svc:{service.port}", _cleaned(service.path)
    parts = urlsplit(target.url)
    return f"{parts.scheme}://{parts.netloc}", _cleaned(parts.path)


def _cleaned(path: str) -> str:
    """Go's path.Join."""
    return posixpath.normpath("/" + path.lstrip("/"))


def _at(base: str, path: str, webhook: Webhook, why: str) -> _Refused:
    return _Refused(f'Post "{base}{path}?timeout={webhook.timeout_s}s": {why}')


async def _read(answer: Answer) -> bytes:
    pieces, size = [], 0
    async for piece in answer.body:
        pieces.append(piece)
        size += len(piece)
        if size > _LARGEST_ANSWER:
            raise _Refused(f"the response is larger than {_LARGEST_ANSWER} bytes")
    return b"".join(pieces)


def _decoded(answer: Answer, body: bytes) -> JsonObject:
    content_type = answer.headers.get("content-type", "")
    if not 200 <= answer.status <= 206:
        raise _refusal(answer.status, content_type, body)
    if not body:
        raise _Refused(f"0-length response with status code: {answer.status} and content type: {content_type}")
    try:
        obj = parse_json(body)
    except MalformedJsonError as error:
        raise _Refused(f"couldn't get version/kind; json parse error: {error}") from error
    if not isinstance(obj, dict):
        raise _Refused("couldn't get version/kind; json parse error: json: cannot unmarshal a non-object into Go value of type struct")
    kind, api_version = obj.get("kind"), obj.get("apiVersion")
    if kind == "Status" and api_version == "v1":
        if obj.get("status") != "Success":
            raise _Refused(str(obj.get("message") or "unknown"), _code_of(obj, answer.status))
        return obj
    if kind and (kind != KIND or not str(api_version).startswith("admission.k8s.io/")):
        raise _Refused(f'no kind "{kind}" is registered for version "{api_version or ""}" in scheme "kube-apiserver/webhook"')
    try:
        check_form(obj)
    except ValueError as error:
        raise _Refused(str(error)) from error
    return obj


def _refusal(status: int, content_type: str, body: bytes) -> _Refused:
    """An HTTP status that is no success; a Status object in the body says more."""
    try:
        obj = parse_json(body) if body else None
    except MalformedJsonError:
        obj = None
    if isinstance(obj, dict) and obj.get("kind") == "Status" and obj.get("status") != "Success" and obj.get("message"):
        return _Refused(str(obj["message"]), _code_of(obj, status))
    return _Refused(meaning_of(status, content_type, body), status)


def _code_of(obj: JsonObject, status: int) -> int:
    code = obj.get("code")
    return code if isinstance(code, int) else status
