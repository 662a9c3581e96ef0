"""PodDisruptionBudgets. Follows apis/policy/validation and registry/policy/poddisruptionbudget."""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.strategies.base import OPEN_METADATA, Strategy
from control_plane.apiserver.strategies.selectors import validate_label_selector
from control_plane.apiserver.strategies.workloads import at_most_all, validate_share
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import invalid, not_negative, not_supported, path_segment_problems

EVICTION_POLICIES: Final = ("AlwaysAllow", "IfHealthyBudget")
_COUNTS: Final = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")


class DisruptionBudgetStrategy(Strategy):
    qualified_finalizers = False
    looks_at_names_again = False
    allows_update_without_version = False
    counts_generations = True
    status_metadata = OPEN_METADATA

    def name_problems(self, name: str) -> list[str]:
        return path_segment_problems(name)

    def initial_status(self, obj: JsonObject) -> JsonObject:
        return {"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0}

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec, causes = obj.get("spec") or {}, []
        least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
        if least is not None and most is not None:
            causes.append(invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set"))
        for key, share in (("minAvailable", least), ("maxUnavailable", most)):
            causes += [*validate_share(share, f"spec.{key}"), *at_most_all(share, f"spec.{key}")]
        if spec.get("selector") is not None:
            causes += validate_label_selector(spec["selector"], "spec.selector")
        policy = spec.get("unhealthyPodEvictionPolicy")
        if policy is not None and policy not in EVICTION_POLICIES:
            causes.append(not_supported("spec.unhealthyPodEvictionPolicy", policy, EVICTION_POLICIES))
        return causes

    def validate_status(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        status = obj.get("status") or {}
        return [cause for key in _COUNTS for cause in not_negative(f"status.{key}", status.get(key))]
