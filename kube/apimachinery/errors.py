"""API errors; each maps 1:1 to a reason of the Kubernetes Status object (apimachinery's metav1.StatusReason).

    ApiError
    ├── BadRequest 400           ├── Conflict 409              ├── RequestEntityTooLarge 413
    ├── Unauthorized 401         ├── AlreadyExists 409         ├── UnsupportedMediaType 415
    ├── Forbidden 403            ├── Gone 410                  ├── Invalid 422
    ├── NotFound 404             ├── Expired 410               ├── TooManyRequests 429
    ├── MethodNotAllowed 405     └── ...                       ├── InternalError 500
    ├── NotAcceptable 406                                      ├── ServiceUnavailable 503
    └── Timeout, ServerTimeout 504
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kube.apimachinery.scheme import GroupResource, GroupVersionKind

MOST_TOLD = 1000      # causes of one refusal: a megabyte of wrong keys would be answered by fifty


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason why a request failed. `reason` is upstream's CauseType (FieldValueRequired); `field` a path like spec.ports[0].port."""

    reason: str
    field: str
    message: str

    def to_dict(self) -> dict[str, str]:
        fields = {"reason": self.reason, "message": self.message, "field": self.field}
        return {key: value for key, value in fields.items() if value}


class ApiError(Exception):
    """A request that failed, as the client sees it. `str(error)` is the Status's message."""

    code: int = 500         # of the kind; an error that passes on another server's Status has that one's
    reason: str = ""

    def __init__(
        self,
        message: str,
        *,
        details: dict[str, Any] | None = None,
        causes: Sequence[Cause] = (),
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = dict(details or {})
        self.shows_details = details is not None        # also when there are none to show: "details": {}
        self.causes = tuple(causes)
        self.retry_after_s = retry_after_s

    def to_status(self) -> dict[str, Any]:
        details = dict(self.details)
        if self.causes:
            details["causes"] = [cause.to_dict() for cause in self.causes]
        if self.retry_after_s is not None:
            details["retryAfterSeconds"] = self.retry_after_s
        status: dict[str, Any] = {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if details or self.shows_details:
            status["details"] = details
        status["code"] = self.code
        return status

    @classmethod
    def for_object(cls, message: str, resource: GroupResource, name: str, **more: Any) -> ApiError:
        return cls(message, details=object_details(resource, name), **more)


class BadRequest(ApiError):
    code, reason = 400, "BadRequest"


class Unauthorized(ApiError):
    code, reason = 401, "Unauthorized"


class Forbidden(ApiError):
    code, reason = 403, "Forbidden"


class NotFound(ApiError):
    code, reason = 404, "NotFound"


class MethodNotAllowed(ApiError):
    code, reason = 405, "MethodNotAllowed"


class NotAcceptable(ApiError):
    code, reason = 406, "NotAcceptable"


class Conflict(ApiError):
    """The object changed since it was read, or a precondition does not hold."""

    code, reason = 409, "Conflict"


class AlreadyExists(ApiError):
    code, reason = 409, "AlreadyExists"


class Gone(ApiError):
    code, reason = 410, "Gone"


class Expired(ApiError):
    """The resourceVersion or continue token is too old: the client must list again."""

    code, reason = 410, "Expired"


class RequestEntityTooLarge(ApiError):
    code, reason = 413, "RequestEntityTooLarge"


class UnsupportedMediaType(ApiError):
    code, reason = 415, "UnsupportedMediaType"


class Invalid(ApiError):
    code, reason = 422, "Invalid"


class TooManyRequests(ApiError):
    code, reason = 429, "TooManyRequests"


class InternalError(ApiError):
    code, reason = 500, "InternalError"


class ServiceUnavailable(ApiError):
    code, reason = 503, "ServiceUnavailable"


class Timeout(ApiError):
    code, reason = 504, "Timeout"


class ServerTimeout(ApiError):
    """The server could not finish in time; the client may try again."""

    code, reason = 504, "ServerTimeout"


BY_REASON: dict[str, type[ApiError]] = {kind.reason: kind for kind in ApiError.__subclasses__()}
BY_CODE: dict[int, type[ApiError]] = {
    400: BadRequest, 401: Unauthorized, 403: Forbidden, 404: NotFound, 405: MethodNotAllowed, 406: NotAcceptable, 409: Conflict,
    410: Expired, 413: RequestEntityTooLarge, 415: UnsupportedMediaType, 422: Invalid, 429: TooManyRequests, 500: InternalError,
    503: ServiceUnavailable, 504: Timeout,
}


def from_status(status: dict[str, Any]) -> ApiError:
    """The error that a Status object (of another server, or off the wire) stands for."""
    kind = BY_REASON.get(status.get("reason", "")) or BY_CODE.get(int(status.get("code", 500)), InternalError)
    given = status.get("details")
    details = dict(given or {})
    causes = [Cause(c.get("reason", ""), c.get("field", ""), c.get("message", "")) for c in details.pop("causes", None) or ()]
    retry_after_s = details.pop("retryAfterSeconds", None)
    return kind(status.get("message", ""), details=details if given is not None else None, causes=causes, retry_after_s=retry_after_s)


def object_details(resource: GroupResource, name: str) -> dict[str, Any]:
    details = {"name": name, "group": resource.group, "kind": resource.resource}
    return {key: value for key, value in details.items() if value}


def not_found(resource: GroupResource, name: str) -> NotFound:
    return NotFound(f'{resource} "{name}" not found', details=object_details(resource, name))


def already_exists(resource: GroupResource, name: str) -> AlreadyExists:
    return AlreadyExists(f'{resource} "{name}" already exists', details=object_details(resource, name))


def conflict(resource: GroupResource, name: str, why: str) -> Conflict:
    return Conflict(f'Operation cannot be fulfilled on {resource} "{name}": {why}', details=object_details(resource, name))


def modified(resource: GroupResource, name: str) -> Conflict:
    return conflict(resource, name, "the object has been modified; please apply your changes to the latest version and try again")


def forbidden(resource: GroupResource, name: str, why: str) -> Forbidden:
    subject = f'{resource} "{name}"' if name else str(resource)
    return Forbidden(f"{subject} is forbidden: {why}", details=object_details(resource, name))


def invalid(gvk: GroupVersionKind, name: str, causes: Sequence[Cause]) -> Invalid:
    """Upstream's NewInvalid: one cause stands in the message itself, several in brackets. More than `MOST_TOLD` are cut off."""
    causes = causes[:MOST_TOLD]
    texts = list(dict.fromkeys(f"{cause.field}: {cause.message}" for cause in causes))
    listed = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    kind = f"{gvk.kind}.{gvk.group}" if gvk.group else gvk.kind
    return Invalid(
        f'{kind} "{name}" is invalid: {listed}',
        details={key: value for key, value in (("name", name), ("group", gvk.group), ("kind", gvk.kind)) if value},
        causes=causes,
    )
