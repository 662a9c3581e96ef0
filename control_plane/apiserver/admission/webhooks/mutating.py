"""MutatingAdmissionWebhook: webhooks that change the object, one after the other. Follows apiserver's webhook/mutating.

When one has changed it, the whole mutating chain runs a second time (admission/chain.py), and of the webhooks those that asked for it
(reinvocationPolicy IfNeeded) and were called before something changed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import ClassVar, Final

import msgspec

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.apiserver.admission.webhooks.configuration import Candidate, Webhook, Webhooks
from control_plane.apiserver.admission.webhooks.dispatch import Dispatch
from control_plane.apiserver.admission.webhooks.failures import CallFailed, internal
from control_plane.apiserver.admission.webhooks.patches import patched
from control_plane.apiserver.admission.webhooks.review import JSON_PATCH, Verdict
from control_plane.apiserver.admission.webhooks.selection import Selection
from control_plane.apiserver.admission.webhooks.versions import Views
from control_plane.apiserver.registry.object_meta import deep_copy
from kube.apimachinery.meta import JsonObject

_STEP: Final = "admit"
_MUTATION: Final = "mutation.webhook.admission.k8s.io/"
_PATCH: Final = "patch.webhook.admission.k8s.io/"


@dataclass(slots=True)
class Memory:
    """Of one request, between its two rounds."""

    output: JsonObject | None = None                        # the object as the webhooks left it
    invoked: set[str] = field(default_factory=set)          # those that may run again, called since the last change
    again: set[str] = field(default_factory=set)            # those that run again

    def changed(self) -> None:
        self.again |= self.invoked
        self.invoked = set()


class MutatingAdmissionWebhook:
    name: ClassVar[str] = "MutatingAdmissionWebhook"

    def __init__(self, context: AdmissionContext) -> None:
        self._webhooks = Webhooks(context.cache, context.scheme, "mutatingwebhookconfigurations")
        self._selection = Selection(context)
        self._dispatch = Dispatch(context, _STEP)

    def handles(self, operation: Operation) -> bool:
        return True

    async def admit(self, request: AdmissionRequest) -> None:
        if not self._webhooks.all or not (candidates := self._webhooks.candidates(request)):
            return
        round_two = request.second_round
        memory: Memory = request.memory.setdefault(self.name, Memory())
        if round_two and memory.output != request.obj:
            memory.changed()        # plugins of the second round did
        views = Views(request)
        for candidate in candidates:
            if not await self._selection.chosen(candidate, request, views):
                continue
            if round_two and candidate.webhook.uid not in memory.again:
                continue
            await self._call(candidate, request, views, memory)
        if not round_two and request.wants_second_round:
            memory.output = deep_copy(request.obj) if request.obj is not None else None

    async def _call(self, candidate: Candidate, request: AdmissionRequest, views: Views, memory: Memory) -> None:
        webhook = candidate.webhook
        place = f"round_{int(request.second_round)}_index_{candidate.place}"
        changed = False

        def take(verdict: Verdict) -> None:
            nonlocal changed
            changed = self._take(verdict, candidate, request, views, place)

        await self._dispatch.call(candidate, request, views, take, place)
        note = {"configuration": webhook.configuration, "webhook": webhook.name, "mutated": changed}
        request.annotations[_MUTATION + place] = json.dumps(note, separators=(",", ":"))
        if changed:
            memory.changed()
            request.wants_second_round = True
        if webhook.reinvoked:
            memory.invoked.add(webhook.uid)

    def _take(self, verdict: Verdict, candidate: Candidate, request: AdmissionRequest, views: Views, place: str) -> bool:
        """Applies the patch; whether the object is another now."""
        webhook, resource = candidate.webhook, candidate.resource
        if not verdict.patch:
            return False
        operations = _operations(webhook, verdict)
        if not operations:
            return False
        held = views.new(resource)
        if held is None:
            name = json.dumps(webhook.name)
            raise internal(f"admission webhook {name} attempted to modify the object, which is not supported for this operation")
        if verdict.patch_type != JSON_PATCH:
            raise CallFailed(webhook.name, f'unsupported patch type "{verdict.patch_type}"', 400)
        before = deep_copy(held)
        obj = patched(webhook.name, before, operations, resource, request.subresource)
        changed = obj != held
        note = {"configuration": webhook.configuration, "webhook": webhook.name, "patch": operations, "patchType": JSON_PATCH}
        request.annotations[_PATCH + place] = json.dumps(note, separators=(",", ":"))
        views.replace(obj, resource)
        return changed


def _operations(webhook: Webhook, verdict: Verdict) -> list[JsonObject]:
    try:
        operations = msgspec.json.decode(verdict.patch)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CallFailed(webhook.name, f"received undecodable patch in webhook response: {error}") from error
    if not isinstance(operations, list) or not all(isinstance(one, dict) for one in operations):
        why = "json: cannot unmarshal object into Go value of type jsonpatch.Patch"
        raise CallFailed(webhook.name, f"received undecodable patch in webhook response: {why}")
    return operations


