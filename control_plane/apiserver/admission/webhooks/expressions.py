"""matchConditions: CEL expressions over a request, all of which must hold. Follows webhook/matchconditions and admission/plugin/cel.

Variables: object, oldObject (as the webhook would get them, or null), request (the AdmissionReview's, without uid and objects),
authorizer, authorizer.requestResource.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from control_plane.apiserver.admission.cel_authorizer import authorizer_of
from control_plane.apiserver.admission.plugin import AdmissionRequest
from control_plane.apiserver.admission.webhooks.configuration import Candidate
from control_plane.apiserver.admission.webhooks.review import namespace_of, request_of
from control_plane.apiserver.admission.webhooks.versions import Views
from control_plane.apiserver.authorization.authorizer import Authorizer
from control_plane.policy_types import REQUEST
from kube.apimachinery.errors import forbidden
from kube.apimachinery.meta import JsonObject
from kube.cel import CompileError, CostExceeded, EvaluationError, Program, compile  # noqa: A004
from kube.cel.types import AUTHORIZER, BOOL, DYN, RESOURCE_CHECK, Type

BUDGET: Final = 2_500_000           # upstream's RuntimeCELCostBudgetMatchConditions, for all conditions of a webhook together

VARIABLES: Final[dict[str, Type]] = {
    "object": DYN, "oldObject": DYN, "request": REQUEST, "authorizer": AUTHORIZER, "authorizer.requestResource": RESOURCE_CHECK,
}


def problem_of(expression: str) -> str:
    """What is wrong with a match condition's expression; "" if nothing is."""
    try:
        found = _compiled(expression).result_type
    except CompileError as error:
        return f"compilation failed: {error}"
    return "" if found == BOOL else f"must evaluate to {BOOL} but got {found}"


@lru_cache(maxsize=512)
def _compiled(expression: str) -> Program:
    return compile(expression, VARIABLES, result=None)


def hold(candidate: Candidate, request: AdmissionRequest, views: Views, authorizer: Authorizer) -> bool:
    """Raises Forbidden for a condition that fails to evaluate, unless the webhook's failures are to be ignored: then it is passed over."""
    webhook = candidate.webhook
    bindings, budget = _bindings(candidate, request, views, authorizer), BUDGET
    errors: list[str] = []
    for condition in webhook.match_conditions:
        expression = condition.get("expression", "").strip()
        try:
            value, cost = _compiled(expression).evaluate_with_cost(bindings, budget=budget)
        except CostExceeded:
            errors.append("validation failed due to running out of cost budget, no further validation rules will be run")
            break
        except CompileError as error:
            errors.append(f"compilation failed: {error}")
        except EvaluationError as error:
            errors.append(f"expression '{expression}' resulted in error: {error}")
        else:
            budget -= cost
            if value is False:
                return False
    if not errors:
        return True
    if webhook.ignores_failures:
        return False
    raise forbidden(request.resource.group_resource, request.name, errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]")


def _bindings(candidate: Candidate, request: AdmissionRequest, views: Views, authorizer: Authorizer) -> dict[str, Any]:
    asked: JsonObject = {**request_of(request, candidate.resource), "options": request.options or None}
    resource, checks = request.resource, authorizer_of(authorizer, request.user)
    return {
        "object": views.new(candidate.resource), "oldObject": views.old(candidate.resource), "request": asked, "authorizer": checks,
        "authorizer.requestResource": checks.resource_check(
            resource.group, resource.plural, subresource=request.subresource, namespace=namespace_of(request), name=request.name,
        ),
    }
