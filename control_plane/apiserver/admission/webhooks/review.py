"""AdmissionReview objects: what a webhook is asked, and whether what it answered is an answer. Follows webhook/request."""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import dataclass
from typing import Any, Final

from control_plane.apiserver.admission.plugin import AdmissionRequest
from control_plane.apiserver.admission.webhooks.configuration import Candidate
from control_plane.apiserver.admission.webhooks.failures import CallFailed
from control_plane.apiserver.admission.webhooks.versions import Views, kind_of
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupVersionKind, ResourceType

GROUP: Final = "admission.k8s.io"
KIND: Final = "AdmissionReview"
KNOWN_VERSIONS: Final = ("v1", "v1beta1")
JSON_PATCH: Final = "JSONPatch"


@dataclass(frozen=True, slots=True)
class Review:
    """`version`: the AdmissionReview's that the webhook takes first of those known here."""

    uid: str
    version: str
    body: JsonObject


@dataclass(frozen=True, slots=True)
class Verdict:
    allowed: bool
    status: JsonObject | None = None
    patch: bytes = b""                  # JSON, decoded from base64
    patch_type: str = ""
    warnings: tuple[str, ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()


def namespace_of(request: AdmissionRequest) -> str:
    """Upstream's attribute: requests on a Namespace itself are in it."""
    if request.resource.plural == "namespaces" and not request.resource.group:
        return request.name or ((request.obj or {}).get("metadata") or {}).get("name") or ""
    return request.namespace


def request_of(request: AdmissionRequest, resource: ResourceType) -> JsonObject:
    """What does not depend on the objects; match conditions see the same as `request`."""
    asked, user = request.resource, request.user
    said: JsonObject = {
        "kind": _kind(kind_of(resource, request.subresource)), "resource": _resource(resource), "subResource": request.subresource,
        "requestKind": _kind(kind_of(asked, request.subresource)), "requestResource": _resource(asked),
        "requestSubResource": request.subresource, "name": request.name, "namespace": namespace_of(request),
        "operation": str(request.operation),
        "userInfo": _without_empty({
            "username": user.name, "uid": user.uid, "groups": list(user.groups),
            "extra": {key: list(values) for key, values in user.extra.items()},
        }),
        "dryRun": request.dry_run,
    }
    return {key: value for key, value in said.items() if value != ""}


def review_of(candidate: Candidate, request: AdmissionRequest, views: Views) -> Review:
    """Raises CallFailed for a webhook that takes no version known here."""
    webhook, resource = candidate.webhook, candidate.resource
    version = next((one for one in webhook.review_versions if one in KNOWN_VERSIONS), None)
    if version is None:
        why = "webhook does not accept known AdmissionReview versions (v1, v1beta1)"
        raise CallFailed(webhook.name, f"could not create admission objects: {why}", 400)
    uid = str(uuid.uuid4())
    return Review(uid, version, {"kind": KIND, "apiVersion": f"{GROUP}/{version}", "request": {
        "uid": uid, **request_of(request, resource), "object": views.new(resource), "oldObject": views.old(resource),
        "options": request.options or None,
    }})


def verdict_of(review: Review, answer: JsonObject, *, mutating: bool) -> Verdict:
    """Raises ValueError; its text is upstream's."""
    response = answer.get("response")
    if response is None:
        raise ValueError("webhook response was absent")
    if review.version == "v1":
        if (uid := response.get("uid") or "") != review.uid:
            raise ValueError(f"expected response.uid={_quoted(review.uid)}, got {_quoted(uid)}")
        held = GroupVersionKind.of(answer.get("apiVersion") or "", answer.get("kind") or "")
        if held != (GROUP, "v1", KIND):
            got = f"{held.group}/{held.version}, Kind={held.kind}"
            raise ValueError(f"expected webhook response of {GROUP}/v1, Kind={KIND}, got {got}")
    patch, patch_type = _patch_of(response, review.version, mutating=mutating)
    return Verdict(
        bool(response.get("allowed")), response.get("status"), patch, patch_type, tuple(response.get("warnings") or ()),
        tuple((response.get("auditAnnotations") or {}).items()),
    )


def _patch_of(response: JsonObject, version: str, *, mutating: bool) -> tuple[bytes, str]:
    patch, kind = base64.b64decode(response.get("patch") or ""), response.get("patchType")
    if version != "v1":
        return (patch, JSON_PATCH if patch else "") if mutating else (b"", "")
    if not mutating:
        if patch:
            raise ValueError("validating webhook may not return response.patch")
        if kind is not None:
            raise ValueError("validating webhook may not return response.patchType")
        return b"", ""
    if patch and kind is None:
        raise ValueError("webhook returned response.patch but not response.patchType")
    if not patch and kind is not None:
        raise ValueError("webhook returned response.patchType but not response.patch")
    if kind == "":
        raise ValueError('webhook returned invalid response.patchType of ""')
    return patch, kind or ""


_FIELDS: Final = {
    "uid": str, "allowed": bool, "status": dict, "patch": str, "patchType": str, "auditAnnotations": dict, "warnings": list,
}
_STATUS_FIELDS: Final = {"status": str, "message": str, "reason": str, "code": int, "details": dict}
_GO: Final = {str: "string", bool: "bool", dict: "object", list: "array", int: "number", float: "number"}
_GO_FIELD: Final[dict[str, str]] = {
    "uid": "types.UID", "allowed": "bool", "status": "v1.Status", "patch": "[]uint8", "patchType": "v1.PatchType",
    "auditAnnotations": "map[string]string", "warnings": "[]string",
}


def check_form(answer: JsonObject) -> None:
    """The types of an answer's fields. Raises ValueError with what Go's decoder would say."""
    response = answer.get("response")
    if response is None:
        return
    if not isinstance(response, dict):
        raise ValueError(_mistyped(response, "AdmissionReview", "response", "v1.AdmissionResponse"))
    for key, kind in _FIELDS.items():
        if (value := response.get(key)) is not None and type(value) is not kind:
            raise ValueError(_mistyped(value, "AdmissionResponse", f"response.{key}", _GO_FIELD[key]))
    for key, kind in _STATUS_FIELDS.items():
        if (value := (response.get("status") or {}).get(key)) is not None and type(value) is not kind:
            raise ValueError(_mistyped(value, "Status", f"response.status.{key}", "int32" if kind is int else "string"))
    for value in (*(response.get("warnings") or ()), *(response.get("auditAnnotations") or {}).values()):
        if not isinstance(value, str):
            raise ValueError(_mistyped(value, "AdmissionResponse", "response", "string"))
    causes = ((response.get("status") or {}).get("details") or {}).get("causes") or []
    if not isinstance(causes, list) or not all(isinstance(cause, dict) for cause in causes):
        raise ValueError(_mistyped(causes, "StatusDetails", "response.status.details.causes", "[]v1.StatusCause"))
    try:
        base64.b64decode(response.get("patch") or "", validate=True)
    except ValueError as error:
        raise ValueError(f"illegal base64 data in response.patch: {error}") from error


def _mistyped(value: Any, owner: str, path: str, wanted: str) -> str:
    return f"json: cannot unmarshal {_GO.get(type(value), 'null')} into Go struct field {owner}.{path} of type {wanted}"


def _kind(gvk: GroupVersionKind) -> JsonObject:
    return {"group": gvk.group, "version": gvk.version, "kind": gvk.kind}


def _resource(resource: ResourceType) -> JsonObject:
    return {"group": resource.group, "version": resource.version, "resource": resource.plural}


def _without_empty(values: JsonObject) -> JsonObject:
    return {key: value for key, value in values.items() if value}


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
