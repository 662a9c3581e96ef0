"""ValidatingAdmissionWebhook: webhooks that refuse, all asked at once. Follows apiserver's webhook/validating."""

from __future__ import annotations

import asyncio
from typing import ClassVar, Final

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.apiserver.admission.webhooks.configuration import Candidate, Webhooks
from control_plane.apiserver.admission.webhooks.dispatch import Dispatch
from control_plane.apiserver.admission.webhooks.review import Verdict
from control_plane.apiserver.admission.webhooks.selection import Selection
from control_plane.apiserver.admission.webhooks.versions import Views

_STEP: Final = "validating"


class ValidatingAdmissionWebhook:
    name: ClassVar[str] = "ValidatingAdmissionWebhook"

    def __init__(self, context: AdmissionContext) -> None:
        self._webhooks = Webhooks(context.cache, context.scheme, "validatingwebhookconfigurations")
        self._selection = Selection(context)
        self._dispatch = Dispatch(context, _STEP)

    def handles(self, operation: Operation) -> bool:
        return True

    async def validate(self, request: AdmissionRequest) -> None:
        if not self._webhooks.all or not (candidates := self._webhooks.candidates(request)):
            return
        views = Views(request)
        chosen = [one for one in candidates if await self._selection.chosen(one, request, views)]
        if not chosen:
            return
        calls = (self._call(candidate, request, views, index) for index, candidate in enumerate(chosen))
        # All are heard, whatever one says: their warnings and their own records are not to depend on who was faster.
        for outcome in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _call(self, candidate: Candidate, request: AdmissionRequest, views: Views, index: int) -> None:
        await self._dispatch.call(candidate, request, views, _nothing_to_take, f"round_0_index_{index}")


def _nothing_to_take(verdict: Verdict) -> None:
    """An allowed request goes on as it is."""
