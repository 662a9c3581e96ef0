"""What a PodDisruptionBudget says to an eviction; pure. Follows registry/core/pod/storage/eviction.go (checkAndDecrement)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from kube.apimachinery.errors import ApiError, Cause, TooManyRequests, forbidden
from kube.apimachinery.labels import SelectorError, selector_from_label_selector
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupResource
from kube.process.clock import to_rfc3339

RETRY_S: Final = 10
MAX_DISRUPTED_PODS: Final = 2000        # granted, and not yet seen by the disruption controller
_SUBJECT: Final = GroupResource("policy", "poddisruptionbudget")
_VIOLATES: Final = "Cannot evict pod as it would violate the pod's disruption budget."


def budgets_of(pod: JsonObject, budgets: Iterable[JsonObject]) -> list[JsonObject]:
    """Those that select the Pod. One whose selector cannot be read selects nothing."""
    labels, found = pod["metadata"].get("labels") or {}, []
    for budget in budgets:
        try:
            selector = selector_from_label_selector((budget.get("spec") or {}).get("selector"))
        except SelectorError:
            continue
        if selector.matches(labels):
            found.append(budget)
    return found


def spares_unready(budget: JsonObject) -> bool:
    """Whether a Pod that is not ready may go without the budget's leave: what it guards is no worse off then."""
    if (budget.get("spec") or {}).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = budget.get("status") or {}
    desired = status.get("desiredHealthy") or 0
    return 0 < desired <= (status.get("currentHealthy") or 0)


def still_processing(name: str) -> TooManyRequests:
    return TooManyRequests(
        _VIOLATES, retry_after_s=RETRY_S, causes=[_cause(f"The disruption budget {name} is still being processed by the server.")])


def granted(budget: JsonObject, pod_name: str, now: datetime) -> JsonObject:
    """The budget's status with one disruption less, for this Pod. Raises TooManyRequests, Forbidden."""
    metadata, status = budget["metadata"], budget.get("status") or {}
    name, allowed = metadata["name"], status.get("disruptionsAllowed") or 0
    disrupted = status.get("disruptedPods") or {}
    if (status.get("observedGeneration") or 0) < (metadata.get("generation") or 0):
        raise still_processing(name)
    if allowed < 0:
        raise _refused(name, "pdb disruptions allowed is negative", "pdb disruptions allowed is negative")
    if len(disrupted) > MAX_DISRUPTED_PODS:
        raise _refused(
            name, "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
            "too many pending evictions not confirmed by PDB controller")
    if allowed == 0:
        raise TooManyRequests(_VIOLATES, causes=[_cause(_why_none(name, status))])
    instant = to_rfc3339(now)
    left = {**status, "disruptionsAllowed": allowed - 1, "disruptedPods": {**disrupted, pod_name: instant}}
    if allowed == 1:
        left["conditions"] = _exhausted(status, instant)
    return left


def _why_none(name: str, status: JsonObject) -> str:
    held: list[JsonObject] = status.get("conditions") or []
    condition = next((one for one in held if one.get("type") == "DisruptionAllowed"), {})
    said = condition.get("message") if condition.get("status") == "False" else ""
    desired, current = status.get("desiredHealthy") or 0, status.get("currentHealthy") or 0
    if said and condition.get("reason") == "SyncFailed":        # then the numbers are not to be trusted
        return f"The disruption budget {name} does not allow evicting pods currently because it failed sync: {said}"
    if current <= desired:
        return f"The disruption budget {name} needs {desired} healthy pods and has {current} currently"
    if said:
        return f"The disruption budget {name} does not allow evicting pods currently ({condition.get('reason', '')}): {said}"
    return f"The disruption budget {name} does not allow evicting pods currently"


def _exhausted(status: JsonObject, instant: str) -> list[dict[str, Any]]:
    """The conditions once nothing is left."""
    held = list(status.get("conditions") or ())
    wanted = {"type": "DisruptionAllowed", "status": "False", "reason": "InsufficientPods", "message": ""}
    if observed := status.get("observedGeneration"):
        wanted["observedGeneration"] = observed
    for position, condition in enumerate(held):
        if condition.get("type") == "DisruptionAllowed":
            since = condition.get("lastTransitionTime") if condition.get("status") == "False" else instant
            held[position] = {**wanted, "lastTransitionTime": since}
            return held
    return [*held, {**wanted, "lastTransitionTime": instant}]


def _refused(name: str, why: str, cause: str) -> ApiError:
    error = forbidden(_SUBJECT, name, why)
    error.causes = (_cause(f"The disruption budget {name} does not allow evicting pods currently: {cause}"),)
    return error


def _cause(message: str) -> Cause:
    return Cause("DisruptionBudget", "", message)
