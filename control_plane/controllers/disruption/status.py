"""What a PodDisruptionBudget's status says; pure. Follows upstream's pkg/controller/disruption and its condition helpers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from control_plane.controllers.pods import is_ready
from kube.api.core_v1 import Pod
from kube.api.meta_v1 import Condition
from kube.api.policy_v1 import PodDisruptionBudget
from kube.apimachinery import intstr
from kube.process.clock import from_rfc3339, to_rfc3339

DELETION_TIMEOUT: Final = timedelta(minutes=2)      # a granted eviction that has not been seen by then will not come
ALLOWED: Final = "DisruptionAllowed"


@dataclass(frozen=True, slots=True)
class Disrupted:
    """Granted evictions by Pod name, each with its instant: those still waited for, those in vain, when to look again."""

    waiting: Mapping[str, str]
    overdue: Sequence[Pod]
    look_again_s: float | None


def disrupted(budget: PodDisruptionBudget, pods: Sequence[Pod], now: datetime) -> Disrupted:
    granted = budget.status.disrupted_pods
    waiting, overdue, ends = {}, [], []
    for pod in pods:
        if pod.metadata.deletion_timestamp or (since := granted.get(pod.metadata.name)) is None:
            continue
        end = from_rfc3339(since) + DELETION_TIMEOUT
        if end < now:
            overdue.append(pod)
        else:
            waiting[pod.metadata.name] = since
            ends.append(end)
    return Disrupted(waiting, overdue, (min(ends) - now).total_seconds() if ends else None)


def healthy(pods: Sequence[Pod], waiting: Mapping[str, str], now: datetime) -> int:
    """Ready, and neither being deleted nor about to be."""

    def stays(pod: Pod) -> bool:
        since = waiting.get(pod.metadata.name)
        return not pod.metadata.deletion_timestamp and (since is None or from_rfc3339(since) + DELETION_TIMEOUT <= now)

    return sum(is_ready(pod) and stays(pod) for pod in pods)


def needs_scale(budget: PodDisruptionBudget) -> bool:
    """Whether the number of Pods that should be there matters, not only of those that are."""
    return budget.spec.max_unavailable is not None or isinstance(budget.spec.min_available, str)


def desired_healthy(budget: PodDisruptionBudget, expected: int) -> int:
    """Raises ValueError."""
    spec = budget.spec
    if spec.max_unavailable is not None:
        return max(0, expected - intstr.resolve(spec.max_unavailable, expected, round_up=True))
    return 0 if spec.min_available is None else intstr.resolve(spec.min_available, expected, round_up=True)


def counted(
    budget: PodDisruptionBudget, pods: Sequence[Pod], waiting: Mapping[str, str], expected: int, now: datetime
) -> dict[str, Any]:
    """The status as it should be, as JSON. Raises ValueError."""
    current, desired = healthy(pods, waiting, now), desired_healthy(budget, expected)
    # Without Pods nothing is allowed: the first ones may come before they are counted.
    allowed = max(0, current - desired) if expected > 0 else 0
    generation = budget.metadata.generation or 0
    status: dict[str, Any] = {
        "currentHealthy": current, "desiredHealthy": desired, "expectedPods": expected, "disruptionsAllowed": allowed,
        "observedGeneration": generation,
    }
    if waiting:
        status["disruptedPods"] = dict(waiting)
    verdict = ("True", "SufficientPods") if allowed > 0 else ("False", "InsufficientPods")
    status["conditions"] = _conditions(budget.status.conditions, *verdict, "", generation, now)
    return status


def failed(budget: PodDisruptionBudget, why: str, now: datetime) -> dict[str, Any]:
    """When nothing can be counted, nothing is allowed."""
    held = budget.status
    status: dict[str, Any] = {
        "currentHealthy": held.current_healthy or 0, "desiredHealthy": held.desired_healthy or 0,
        "expectedPods": held.expected_pods or 0, "disruptionsAllowed": 0,
        "conditions": _conditions(held.conditions, "False", "SyncFailed", why, held.observed_generation or 0, now),
    }
    if held.disrupted_pods:
        status["disruptedPods"] = dict(held.disrupted_pods)
    if held.observed_generation:
        status["observedGeneration"] = held.observed_generation
    return status


def differs(budget: PodDisruptionBudget, status: dict[str, Any]) -> bool:
    """Absent and zero are one."""
    held, wanted = budget.status, msgspec.convert(status, type(budget.status))
    return _normal(held) != _normal(wanted)


def _normal(status: Any) -> tuple[object, ...]:
    return (
        status.current_healthy or 0, status.desired_healthy or 0, status.expected_pods or 0, status.disruptions_allowed or 0,
        status.observed_generation or 0, status.disrupted_pods, status.conditions,
    )


def _conditions(
    held: Sequence[Condition], status: str, reason: str, message: str, generation: int, now: datetime
) -> list[dict[str, Any]]:
    """With every field written, the empty message too: a condition must have one."""
    old = next((condition for condition in held if condition.type == ALLOWED), None)
    since = old.last_transition_time if old is not None and old.status == status else to_rfc3339(now)
    wanted = _condition(Condition(
        type=ALLOWED, status=status, reason=reason, message=message, observed_generation=generation, last_transition_time=since))
    if old is None:
        return [*map(_condition, held), wanted]
    return [wanted if condition is old else _condition(condition) for condition in held]


def _condition(condition: Condition) -> dict[str, Any]:
    written: dict[str, Any] = {
        "type": condition.type, "status": condition.status, "reason": condition.reason, "message": condition.message,
        "lastTransitionTime": condition.last_transition_time,
    }
    return {**written, "observedGeneration": condition.observed_generation} if condition.observed_generation else written
