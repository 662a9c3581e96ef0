"""ValidatingAdmissionPolicy: policies that refuse, warn, and note things for the audit log. Follows apiserver's policy/validating."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from control_plane.apiserver.admission.policies.access import check_param_access
from control_plane.apiserver.admission.policies.params import Params, ParamsError
from control_plane.apiserver.admission.policies.policy import Binding, Policy
from control_plane.apiserver.admission.policies.source import GROUP, Candidates, Policies
from control_plane.apiserver.admission.webhooks.selection import Selection
from control_plane.apiserver.admission.webhooks.versions import Views
from kube.apimachinery.errors import ApiError
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import ResourceType

if TYPE_CHECKING:
    from control_plane.apiserver.admission.policies.decisions import Decision, Outcome

_FAILURE: Final = "validation.policy.admission.k8s.io/validation_failure"
_LONGEST_ANNOTATION: Final = 10 * 1024
_CODES: Final = {"Unauthorized": 401, "Forbidden": 403, "RequestEntityTooLarge": 413}
_INVALID: Final = 422


class _Refusal(NamedTuple):
    policy: Policy
    binding: Binding | None
    message: str
    reason: str = ""


class ValidatingAdmissionPolicy:
    name: ClassVar[str] = "ValidatingAdmissionPolicy"

    def __init__(self, context: AdmissionContext) -> None:
        self._context = context
        self._policies = Policies(context.cache, context.scheme, "validatingadmissionpolicies", "validatingadmissionpolicybindings")
        self._selection = Selection(context)
        self._params = Params(context)

    def handles(self, operation: Operation) -> bool:
        return True

    async def validate(self, request: AdmissionRequest) -> None:
        if request.resource.group == GROUP:
            await self._context.authorizer.asking(lambda: check_param_access(self._context, request))
        if not self._policies.all or not (candidates := self._policies.candidates(request)).policies:
            return
        refusals: list[_Refusal] = []
        views = Views(request)
        for policy in candidates.policies:
            await self._ask(policy, request, candidates, views, refusals)
        if refusals:
            raise refused(request, refusals[0])

    async def _ask(
        self, policy: Policy, request: AdmissionRequest, candidates: Candidates, views: Views, refusals: list[_Refusal]
    ) -> None:
        def misconfigured(binding: Binding | None, error: Exception) -> None:
            if not policy.ignores_failures:
                what = "policy" if binding is None else "binding"
                refusals.append(_Refusal(policy, binding, f"failed to configure {what}: {error}"))

        try:
            resource = await policy.match.resource_for(request, candidates.others, self._selection)
            if resource is None:
                return
            self._params.row_of(policy)
        except (ApiError, ParamsError) as error:
            misconfigured(None, error)
            return
        annotations: dict[str, list[str]] = {}
        for binding in policy.bindings:
            try:
                if await binding.match.resource_for(request, candidates.others, self._selection) is None:
                    continue
                params = await self._params.of(policy, binding, request)
            except (ApiError, ParamsError) as error:
                misconfigured(binding, error)
                continue
            for outcome in await self._outcomes(policy, params, request, resource, views):
                _take(outcome, policy, binding, request, refusals, annotations)
        request.annotations.update((f"{policy.name}/{key}", ", ".join(values)) for key, values in annotations.items())

    async def _outcomes(
        self, policy: Policy, params: Sequence[JsonObject | None], request: AdmissionRequest, resource: ResourceType, views: Views
    ) -> list[Outcome]:
        from control_plane.apiserver.admission.policies.decisions import decide  # lazily: CEL is large, policies are rare
        from control_plane.apiserver.admission.policies.evaluation import Inputs

        if not params:
            return []
        namespace = await namespace_object(request, self._selection)
        inputs = Inputs(request, resource, views, namespace, self._context.authorizer)
        return await self._context.authorizer.asking(lambda: [decide(policy, inputs, param) for param in params])


async def namespace_object(request: AdmissionRequest, selection: Selection) -> JsonObject | None:
    """None for what is in no namespace, Namespaces themselves included. Raises NotFound."""
    if not request.namespace or (request.resource.plural == "namespaces" and not request.resource.group):
        return None
    return await selection.namespace(request.namespace)


def _take(
    outcome: Outcome, policy: Policy, binding: Binding, request: AdmissionRequest, refusals: list[_Refusal],
    annotations: dict[str, list[str]],
) -> None:
    for decision in outcome.decisions:
        for action in binding.actions:
            if action == "Deny":
                refusals.append(_Refusal(policy, binding, decision.message, decision.reason))
            elif action == "Warn":
                request.warnings.append(
                    f"Validation failed for ValidatingAdmissionPolicy '{policy.name}' with binding '{binding.name}': {decision.message}")
            elif action == "Audit":
                request.annotations.setdefault(_FAILURE, _note(decision, policy, binding))
    refusals.extend(_Refusal(policy, binding, message) for message in outcome.failures)
    for key, value in outcome.annotations:
        shown, held = value[:_LONGEST_ANNOTATION], annotations.setdefault(key, [])
        if shown not in held:
            held.append(shown)


def _note(decision: Decision, policy: Policy, binding: Binding) -> str:
    return json.dumps([{
        "message": decision.message, "policy": policy.name, "binding": binding.name, "expressionIndex": decision.place,
        "validationActions": list(binding.actions),
    }], separators=(",", ":"), ensure_ascii=False)


def refused(request: AdmissionRequest, refusal: _Refusal) -> ApiError:
    """The Status of a refusal: a Forbidden's words with the code and reason of the validation."""
    bound = f" with binding '{refusal.binding.name}'" if refusal.binding is not None else ""
    message = f"ValidatingAdmissionPolicy '{refusal.policy.name}'{bound} denied request: {refusal.message}"
    error = request.forbidden(message)
    error.reason = refusal.reason or "Invalid"
    error.code = _CODES.get(error.reason, _INVALID)
    error.details["causes"] = [{"message": message}]
    return error
