"""PodDisruptionBudgets, HorizontalPodAutoscalers, LimitRanges and ResourceQuotas."""

from __future__ import annotations

from typing import Any, Final

from control_plane.apiserver.strategies.base import OPEN_METADATA, Strategy
from control_plane.apiserver.strategies.pod_defaults import canonical_list
from control_plane.apiserver.strategies.resource_lists import read, validate_amount
from control_plane.apiserver.strategies.selectors import validate_label_selector
from control_plane.apiserver.strategies.workloads import validate_share
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    duplicate,
    each,
    forbidden,
    invalid,
    not_supported,
    path_segment_problems,
    qualified_name_problems,
    required,
)

EVICTION_POLICIES: Final = ("AlwaysAllow", "IfHealthyBudget")
_LIMIT_KEYS: Final = ("default", "defaultRequest", "max", "min", "maxLimitRequestRatio")


class DisruptionBudgetStrategy(Strategy):
    allows_update_without_version = False
    counts_generations = True
    status_metadata = OPEN_METADATA

    def initial_status(self, obj: JsonObject) -> JsonObject:
        return {"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0}

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec, causes = obj.get("spec") or {}, []
        least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
        if least is not None and most is not None:
            causes.append(invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set"))
        causes += [*validate_share(least, "spec.minAvailable"), *validate_share(most, "spec.maxUnavailable")]
        if spec.get("selector") is not None:
            causes += validate_label_selector(spec["selector"], "spec.selector")
        policy = spec.get("unhealthyPodEvictionPolicy")
        if policy is not None and policy not in EVICTION_POLICIES:
            causes.append(not_supported("spec.unhealthyPodEvictionPolicy", policy, EVICTION_POLICIES))
        return causes


class AutoscalerStrategy(Strategy):
    """Horizontal Pod autoscalers, in both versions."""

    status_metadata = OPEN_METADATA

    def initial_status(self, obj: JsonObject) -> JsonObject:
        return {"desiredReplicas": 0} if self.resource.version != "v1" else {"currentReplicas": 0, "desiredReplicas": 0}

    def default(self, obj: JsonObject) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("minReplicas", 1)
        if self.resource.version == "v1":
            return
        if not spec.get("metrics"):
            spec["metrics"] = [{"type": "Resource", "resource": {
                "name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]
        behavior = spec.get("behavior")
        if behavior is not None:
            behavior["scaleUp"] = _rules(behavior.get("scaleUp"), 0, (("Percent", 100, 15), ("Pods", 4, 15)))
            behavior["scaleDown"] = _rules(behavior.get("scaleDown"), None, (("Percent", 100, 15),))

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec, causes = obj.get("spec") or {}, []
        least, most = spec.get("minReplicas"), spec.get("maxReplicas") or 0
        if least is not None and least < 1:
            causes.append(invalid("spec.minReplicas", least, "must be greater than or equal to 1"))
        if most < 1:
            causes.append(invalid("spec.maxReplicas", most, "must be greater than 0"))
        if least is not None and most < least:
            causes.append(invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
        target = spec.get("scaleTargetRef") or {}
        for key in ("kind", "name"):
            value, path = target.get(key) or "", f"spec.scaleTargetRef.{key}"
            causes += each(path, value, path_segment_problems(value)) if value else [required(path)]
        return causes


def _rules(rules: JsonObject | None, window: int | None, policies: tuple[tuple[str, int, int], ...]) -> JsonObject:
    rules = dict(rules or {})
    if window is not None:
        rules.setdefault("stabilizationWindowSeconds", window)
    rules.setdefault("selectPolicy", "Max")
    rules["policies"] = rules.get("policies") or [{"type": kind, "value": value, "periodSeconds": s} for kind, value, s in policies]
    return rules


class LimitRangeStrategy(Strategy):
    def default(self, obj: JsonObject) -> None:
        for limit in (obj.get("spec") or {}).get("limits") or ():
            for key in _LIMIT_KEYS:
                if limit.get(key):
                    limit[key] = canonical_list(limit[key])
            if limit.get("type") != "Container":
                continue
            default = {**(limit.get("max") or {}), **(limit.get("default") or {})}
            request = {**default, **(limit.get("min") or {}), **(limit.get("defaultRequest") or {})}
            if default:
                limit["default"] = default
            if request:
                limit["defaultRequest"] = {
                    name: (limit.get("defaultRequest") or {}).get(name) or default.get(name) or request[name] for name in request}

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        causes: list[Cause] = []
        kinds: set[str] = set()
        for index, limit in enumerate((obj.get("spec") or {}).get("limits") or ()):
            at, kind = f"spec.limits[{index}]", limit.get("type") or ""
            causes += each(f"{at}.type", kind, qualified_name_problems(kind))
            if kind in kinds:
                causes.append(duplicate(f"{at}.type", kind))
            kinds.add(kind)
            if kind == "Pod":
                causes += [forbidden(f"{at}.{key}", "may not be specified when `type` is 'Pod'")
                           for key in ("default", "defaultRequest") if limit.get(key)]
            causes += _validate_order(limit, at)
        return causes


def _validate_order(limit: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    order: tuple[tuple[str, str], ...] = (("min", "max"), ("min", "defaultRequest"), ("min", "default"), ("defaultRequest", "max"),
                                          ("defaultRequest", "default"), ("default", "max"))
    words = {"min": "min", "max": "max", "default": "default", "defaultRequest": "default request"}
    for low, high in order:
        for name, value in (limit.get(low) or {}).items():
            smaller, larger = read(value), read((limit.get(high) or {}).get(name))
            if smaller is not None and larger is not None and smaller > larger:
                causes.append(invalid(f"{path}.{low}[{name}]", str(smaller),
                                      f"{words[low]} value {smaller} is greater than {words[high]} value {larger}"))
    return causes


class ResourceQuotaStrategy(Strategy):
    status_metadata = OPEN_METADATA

    def default(self, obj: JsonObject) -> None:
        if hard := (obj.get("spec") or {}).get("hard"):
            obj["spec"]["hard"] = canonical_list(hard)

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        causes: list[Cause] = []
        hard: dict[str, Any] = (obj.get("spec") or {}).get("hard") or {}
        for name, value in hard.items():
            causes += each(f"spec.hard[{name}]", name, qualified_name_problems(name))
            causes += validate_amount(name, value, f"spec.hard[{name}]")
        return causes

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        new, held = obj.get("spec") or {}, old.get("spec") or {}
        same = set(new.get("scopes") or ()) == set(held.get("scopes") or ())
        return [] if same else [invalid("spec.scopes", new.get("scopes"), "field is immutable")]
