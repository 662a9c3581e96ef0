"""Between versions by a webhook: one ConversionReview for any number of objects. Follows apiextensions' conversion/webhook_converter.go."""

from __future__ import annotations

import asyncio
import posixpath
import ssl
import uuid
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from control_plane.apiserver.admission.webhooks.configuration import Target
from control_plane.apiserver.custom.conversion_rules import REVIEW_VERSIONS
from control_plane.apiserver.dialing import Services, Unreachable
from control_plane.apiserver.strategies.metadata import validate_annotations, validate_labels
from kube.apimachinery.errors import ApiError, InternalError
from kube.apimachinery.meta import JsonObject
from kube.client.http_connection import HttpServer

TIMEOUT_S: Final = 30.0
_GROUP: Final = "apiextensions.k8s.io"
_HEADERS: Final = {
    "Content-Type": "application/json", "Accept": "application/json, */*", "User-Agent": "kube-apiserver",
}


class _Failed(Exception):
    """Why, in upstream's words."""


class WebhookConverter:
    """Of one definition; connections are kept while it lives."""

    def __init__(self, conversion: JsonObject, services: Services) -> None:
        webhook = conversion["webhook"]
        self._target = Target.of(webhook.get("clientConfig") or {})
        self._versions: list[str] = webhook.get("conversionReviewVersions") or []
        self._services = services
        self._server: tuple[tuple[str, int], HttpServer] | None = None

    async def convert(self, objects: Sequence[JsonObject], api_version: str, kind: str) -> list[JsonObject]:
        """New objects in `api_version`, in the same order. Raises InternalError."""
        try:
            review = await self._answered(objects, api_version)
            return self._checked(objects, review, api_version)
        except _Failed as error:
            group, _, version = str(objects[0].get("apiVersion", "")).rpartition("/")
            raise InternalError(f"conversion webhook for {group}/{version}, Kind={kind} {error}") from error

    async def _answered(self, objects: Sequence[JsonObject], api_version: str) -> list[Any]:
        version = next((one for one in self._versions if one in REVIEW_VERSIONS), "")
        if not version:
            raise _Failed("failed: no supported conversion review versions")
        uid = str(uuid.uuid4())
        request = {"uid": uid, "desiredAPIVersion": api_version, "objects": list(objects)}
        body = {"kind": "ConversionReview", "apiVersion": f"{_GROUP}/{version}", "request": request, "response": None}
        answer = await self._posted(msgspec.json.encode(body))
        response = answer.get("response")
        if version == "v1" and (answer.get("kind"), answer.get("apiVersion")) != ("ConversionReview", f"{_GROUP}/v1"):
            group, _, found = str(answer.get("apiVersion", "")).rpartition("/")
            raise _Failed(f"failed: expected webhook response of {_GROUP}/v1, Kind=ConversionReview, got {group}/{found}, "
                          f"Kind={answer.get('kind', '')}")
        if not isinstance(response, dict):
            raise _Failed("failed: no response provided")
        if version == "v1" and response.get("uid") != uid:
            raise _Failed(f'failed: expected response.uid="{uid}", got "{response.get("uid", "")}"')
        result = response.get("result") or {}
        if result.get("status") != "Success":
            raise _Failed(f"failed: {result.get('message')}" if result.get("message")
                          else f"failed: response.result.status was '{result.get('status', '')}', not 'Success'")
        converted = response.get("convertedObjects") or []
        if len(converted) != len(objects):
            raise _Failed(f"returned {len(converted)} objects, expected {len(objects)}")
        return list(converted)

    async def _posted(self, body: bytes) -> JsonObject:
        service = self._target.service
        if service is not None:
            base, path = f"https://{service.name}.{service.namespace}.svc:{service.port}", service.path
        else:
            parts = urlsplit(self._target.url)
            base, path = f"{parts.scheme}://{parts.netloc}", parts.path
        target = posixpath.normpath("/" + path.lstrip("/")) + f"?timeout={TIMEOUT_S:.0f}s"
        try:
            async with asyncio.timeout(TIMEOUT_S):
                async with self._connected(base).request("POST", target, _HEADERS, body) as answer:
                    data = await answer.read()
        except TimeoutError as error:
            raise _Failed(f'failed: Post "{base}{target}": context deadline exceeded') from error
        except (OSError, ApiError, Unreachable, ValueError) as error:
            raise _Failed(f'failed: Post "{base}{target}": {error}') from error
        if not 200 <= answer.status <= 206:
            raise _Failed(f"failed: the server answered with status {answer.status}")
        try:
            obj = msgspec.json.decode(data)
        except msgspec.DecodeError as error:
            raise _Failed(f"failed: {error}") from error
        return obj if isinstance(obj, dict) else {}

    def _connected(self, base: str) -> HttpServer:
        """The server of before, if the Service still leads there."""
        if (service := self._target.service) is not None:
            place = self._services.resolve(service.namespace, service.name, service.port)
            address = (place.host, place.port)
        else:
            parts = urlsplit(base)
            address = (parts.hostname or "", parts.port or 443)
        if self._server is None or self._server[0] != address:
            self._server = address, HttpServer(base, _trusting(self._target.ca_bundle), address=address, repeatable=True)
        return self._server[1]

    def _checked(self, objects: Sequence[JsonObject], converted: list[Any], api_version: str) -> list[JsonObject]:
        for index, (old, new) in enumerate(zip(objects, converted, strict=True)):
            if why := _difference(old, new, api_version):
                raise _Failed(f"returned invalid converted object at index {index}: {why}")
            if why := _restore_metadata(old, new):
                raise _Failed(f"returned invalid metadata in object at index {index}: {why}")
        return converted


def _trusting(bundle: bytes) -> ssl.SSLContext:
    """Who is in the bundle is trusted, a CA or not, as by Go's client."""
    if not bundle.strip():
        return ssl.create_default_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=bundle.decode("ascii", errors="replace"))
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _difference(old: JsonObject, new: Any, api_version: str) -> str:
    """What a conversion must not change."""
    if not isinstance(new, dict):
        return "unexpected type"
    if new.get("apiVersion") != api_version:
        return f"invalid groupVersion (expected {api_version}, received {new.get('apiVersion', '')})"
    if new.get("kind") != old.get("kind"):
        return f"invalid kind (expected {old.get('kind')}, received {new.get('kind', '')})"
    held, metadata = old.get("metadata") or {}, new.get("metadata")
    if not isinstance(metadata, dict):
        return "missing metadata in converted object"
    for key, word in (("name", "name"), ("namespace", "namespace"), ("uid", "UID")):
        if (held.get(key) or "") != (metadata.get(key) or ""):
            return f"must have the same {word}: {held.get(key, '')} != {metadata.get(key, '')}"
    return ""


def _restore_metadata(old: JsonObject, new: JsonObject) -> str:
    """Metadata stays what it was; labels and annotations are the webhook's. In place; says what is wrong with those."""
    said = new["metadata"]
    metadata = dict(old.get("metadata") or {})
    for key, check in (("labels", validate_labels), ("annotations", validate_annotations)):
        values = said.get(key)
        metadata.pop(key, None)
        if values is None:
            continue
        if not isinstance(values, dict) or any(not isinstance(value, str) for value in values.values()):
            return f"invalid metadata.{key} in converted object"
        if causes := check(values, f"metadata.{key}"):
            return f"{causes[0].field}: {causes[0].message}"
        metadata[key] = values
    new["metadata"] = metadata
    return ""
