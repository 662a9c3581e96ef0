"""Clears old certificate requests away. Follows upstream's csrcleaner: an hour after the decision, a day when nobody decides."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509

from control_plane.controllers.certificates.requests import APPROVED, DENIED, FAILED
from control_plane.controllers.managed import ControllerContext, ManagedController
from kube.api.certificates_v1 import CertificateSigningRequest
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.objects import key_of
from kube.process.clock import from_rfc3339

DECIDED: Final = timedelta(hours=1)
PENDING: Final = timedelta(hours=24)


def seconds_left(request: CertificateSigningRequest, now: datetime) -> float:
    """Until the request may go; 0 or less: now. Pure."""
    until = [_since(request.metadata.creation_timestamp, now) + PENDING] if not request.status.conditions else []
    for condition in request.status.conditions:
        since = _since(condition.last_update_time, now)
        if condition.type in (DENIED, FAILED) or (condition.type == APPROVED and request.status.certificate):
            until.append(since + DECIDED)
        elif condition.type == APPROVED:        # by whom it is to be signed is not there
            until.append(since + PENDING)
    if end := _certificate_end(request):
        until.append(end)
    return (min(until, default=now + PENDING) - now).total_seconds()


def _since(moment: str, now: datetime) -> datetime:
    return from_rfc3339(moment) if moment else now


def _certificate_end(request: CertificateSigningRequest) -> datetime | None:
    try:
        return x509.load_pem_x509_certificate(base64.b64decode(request.status.certificate)).not_valid_after_utc
    except ValueError:
        return None


class CertificateCleaner(ManagedController[NamespacedName]):
    """Upstream looks at all requests once an hour; here each has its time."""

    def __init__(self, context: ControllerContext) -> None:
        super().__init__("certificatesigningrequest-cleaner", context)
        self._requests = self.informer(CertificateSigningRequest)
        self._requests.add_handler(
            lambda request: self.queue.add(key_of(request)), lambda _old, new: self.queue.add(key_of(new)))

    async def reconcile(self, key: NamespacedName) -> Result:
        request = self._requests.get(key)
        if request is None:
            return DONE
        if (rest_s := seconds_left(request, self.clock.now())) > 0:
            return Result(requeue_after_s=rest_s + 1)
        try:
            await self.client.delete(CertificateSigningRequest, key, uid=request.metadata.uid)
        except (errors.NotFound, errors.Conflict):
            return DONE
        self.log.info("cleared away", request=key.name)
        return DONE
