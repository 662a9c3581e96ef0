"""What goes wrong with a webhook, in upstream's words (apiserver's util/webhook/error.go, webhook/errors/statuserror.go)."""

from __future__ import annotations

import json
from typing import Any, Final

from kube.apimachinery.errors import ApiError, BadRequest, Cause, InternalError

_MAX_CODE: Final = 599      # beyond it is no HTTP status


class CallFailed(Exception):
    """A webhook that could not be asked, or whose answer is none. `code` is for the metrics; the policy decides what becomes of it."""

    def __init__(self, webhook: str, reason: str, code: int = 503) -> None:
        super().__init__(f"failed calling webhook {json.dumps(webhook)}: {reason}")
        self.code = code


class Rejected(Exception):
    """A webhook said no."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(error.message)
        self.error = error


def internal(message: str) -> InternalError:
    """Upstream's NewInternalError."""
    return InternalError(f"Internal error occurred: {message}", details={"causes": [{"message": message}]})


def rejected(webhook: str, status: dict[str, Any] | None) -> Rejected:
    """The Status that a webhook sent with its refusal, as the client sees it."""
    status = status or {}
    denied = f"admission webhook {json.dumps(webhook)} denied the request"
    why = status.get("message") or status.get("reason")
    denied += f": {why}" if why else " without explanation"
    details = dict(status.get("details") or {})
    causes = [Cause(one.get("reason", ""), one.get("field", ""), one.get("message", "")) for one in details.pop("causes", None) or ()]
    retry_after_s = details.pop("retryAfterSeconds", None) or None
    error = ApiError(denied, details=details, causes=causes, retry_after_s=retry_after_s)
    error.code = min(max(int(status.get("code") or 0), 400), _MAX_CODE)
    error.reason = status.get("reason") or ""
    return Rejected(error)


def dry_run_unsupported(webhook: str) -> BadRequest:
    return BadRequest(f"admission webhook {json.dumps(webhook)} does not support dry run")
