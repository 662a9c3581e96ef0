"""Questions about a CertificateSigningRequest, and what its approvers and signers write."""

from __future__ import annotations

from typing import Final

import msgspec

from kube.api.certificates_v1 import CertificateSigningRequest, CertificateSigningRequestCondition
from kube.client.controller import Result
from kube.process.clock import Clock, from_rfc3339

APPROVED, DENIED, FAILED = "Approved", "Denied", "Failed"
_SOONEST_S: Final = 0.5
_LATEST_S: Final = 300.0


def has_condition(request: CertificateSigningRequest, *kinds: str) -> bool:
    return any(condition.type in kinds and condition.status == "True" for condition in request.status.conditions)


def is_pending(request: CertificateSigningRequest) -> bool:
    """Nobody has decided yet."""
    return not request.status.certificate and not any(condition.type in (APPROVED, DENIED) for condition in request.status.conditions)


def is_to_be_signed(request: CertificateSigningRequest) -> bool:
    return not request.status.certificate and has_condition(request, APPROVED) and not has_condition(request, DENIED, FAILED)


def with_condition(request: CertificateSigningRequest, kind: str, reason: str, message: str) -> CertificateSigningRequest:
    """The apiserver fills in the times."""
    condition = CertificateSigningRequestCondition(type=kind, status="True", reason=reason, message=message)
    return msgspec.structs.replace(
        request, status=msgspec.structs.replace(request.status, conditions=(*request.status.conditions, condition)))


def look_again(request: CertificateSigningRequest, clock: Clock) -> Result:
    """For one that may be approved later (a right is granted, a machine becomes known): the older it is, the later."""
    age_s = (clock.now() - from_rfc3339(request.metadata.creation_timestamp)).total_seconds()
    return Result(requeue_after_s=min(_LATEST_S, max(_SOONEST_S, age_s / 2)))
