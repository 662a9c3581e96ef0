"""One call of one webhook, and what becomes of its outcome: counted, told to the client, or passed over as the failure policy says."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest
from control_plane.apiserver.admission.webhooks.calling import Caller
from control_plane.apiserver.admission.webhooks.configuration import Candidate, Webhook
from control_plane.apiserver.admission.webhooks.failures import CallFailed, Rejected, dry_run_unsupported, internal, rejected
from control_plane.apiserver.admission.webhooks.metrics import CALLING, INTERNAL, NO_ERROR, WebhookMetrics
from control_plane.apiserver.admission.webhooks.review import Verdict, review_of, verdict_of
from control_plane.apiserver.admission.webhooks.versions import Views
from control_plane.apiserver.dialing import Services
from kube.apimachinery.errors import ApiError
from kube.process.log import get_logger

log = get_logger("admission-webhooks")

_WITHOUT_EFFECTS: Final = ("None", "NoneOnDryRun")
Take = Callable[[Verdict], None]


class Dispatch:
    def __init__(self, context: AdmissionContext, step: str) -> None:
        self._caller = Caller(Services(context.cache))
        self._metrics = context.webhook_metrics or WebhookMetrics(CollectorRegistry())
        self._step = step

    async def call(self, candidate: Candidate, request: AdmissionRequest, views: Views, take: Take, place: str) -> None:
        """`take` is given the verdict that allows. Raises the ApiError that refuses the request."""
        webhook, operation, began = candidate.webhook, str(request.operation), time.monotonic()
        code, refused = 200, True
        try:
            take(await self._verdict(candidate, request, views))
            refused = False
        except CallFailed as failure:
            code, refused = failure.code, not webhook.ignores_failures
            self._failed(webhook, request, failure, place)
        except Rejected as rejection:
            code = rejection.error.code
            self._metrics.rejected(webhook.name, self._step, operation, NO_ERROR, code)
            raise rejection.error from None
        except ApiError:
            code = 0
            self._metrics.rejected(webhook.name, self._step, operation, INTERNAL, 0)
            raise
        finally:
            self._metrics.called(webhook.name, self._step, operation, time.monotonic() - began, code=code, rejected=refused)

    def _failed(self, webhook: Webhook, request: AdmissionRequest, failure: CallFailed, place: str) -> None:
        if not webhook.ignores_failures:
            log.warning("failed calling webhook, failing closed", webhook=webhook.name, error=str(failure))
            self._metrics.rejected(webhook.name, self._step, str(request.operation), CALLING, failure.code)
            raise internal(str(failure)) from failure
        log.warning("failed calling webhook, failing open", webhook=webhook.name, error=str(failure))
        self._metrics.failed_open(webhook.name, self._step)
        kind = "mutation" if self._step == "admit" else "validating"
        request.annotations[f"failed-open.{kind}.webhook.admission.k8s.io/{place}"] = webhook.name

    async def _verdict(self, candidate: Candidate, request: AdmissionRequest, views: Views) -> Verdict:
        webhook = candidate.webhook
        if request.dry_run:
            if webhook.side_effects is None:
                raise CallFailed(webhook.name, "Webhook SideEffects is nil", 400)
            if webhook.side_effects not in _WITHOUT_EFFECTS:
                raise dry_run_unsupported(webhook.name)
        review = review_of(candidate, request, views)
        answer = await self._caller.call(webhook, review)
        try:
            verdict = verdict_of(review, answer, mutating=self._step == "admit")
        except ValueError as error:
            raise CallFailed(webhook.name, f"received invalid webhook response: {error}") from error
        request.annotations.update((f"{webhook.name}/{key}", value) for key, value in verdict.annotations)
        request.warnings.extend(text for text in verdict.warnings if text)
        if not verdict.allowed:
            raise rejected(webhook.name, verdict.status)
        return verdict
