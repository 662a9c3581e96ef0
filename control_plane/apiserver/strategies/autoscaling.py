"""HorizontalPodAutoscalers, in both versions. Follows apis/autoscaling/validation and its defaults."""

from __future__ import annotations

from typing import Any, Final

from control_plane.apiserver.strategies.base import OPEN_METADATA, Strategy
from control_plane.apiserver.strategies.resource_lists import read, validate_container_resource_name
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.quantity import Quantity
from kube.apimachinery.validation import (
    NOT_NEGATIVE,
    dns_label_problems,
    each,
    forbidden,
    invalid,
    not_negative,
    not_supported,
    path_segment_problems,
    required,
)

_SOURCES: Final = {
    "Object": "object", "External": "external", "Pods": "pods", "Resource": "resource", "ContainerResource": "containerResource",
}
_TARGETS: Final = ("Utilization", "Value", "AverageValue")
_MAX_PERIOD_S: Final = 1800
_MAX_WINDOW_S: Final = 3600


class AutoscalerStrategy(Strategy):
    looks_at_names_again = False
    counts_generations = True
    status_metadata = OPEN_METADATA

    def initial_status(self, obj: JsonObject) -> JsonObject:
        if self.resource.version == "v1":
            return {"currentReplicas": 0, "desiredReplicas": 0}
        return {"currentMetrics": None, "desiredReplicas": 0}

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
            behavior["scaleUp"] = _rules(behavior.get("scaleUp"), 0, (("Pods", 4, 15), ("Percent", 100, 15)))
            behavior["scaleDown"] = _rules(behavior.get("scaleDown"), None, (("Percent", 100, 15),))

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec, causes = obj.get("spec") or {}, []
        least, most = spec.get("minReplicas"), spec.get("maxReplicas") or 0
        if least is not None and least < 0:
            causes.append(invalid("spec.minReplicas", least, NOT_NEGATIVE))
        if most < 1:
            causes.append(invalid("spec.maxReplicas", most, "must be greater than 0"))
        if least is not None and most < least:
            causes.append(invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
        target, held = (((one or {}).get("spec") or {}).get("scaleTargetRef") or {} for one in (obj, old))
        strict = None if old is not None and all(target.get(key) == held.get(key) for key in ("apiVersion", "kind")) else \
            target.get("kind") != "ReplicationController"
        causes += _validate_reference(target, "spec.scaleTargetRef", needs_group=strict)
        metrics = spec.get("metrics") or ()
        for index, metric in enumerate(metrics):
            causes += _validate_metric(metric, f"spec.metrics[{index}]")
        if self.resource.version == "v1" and (share := spec.get("targetCPUUtilizationPercentage")) is not None and share < 1:
            causes.append(invalid("spec.metrics[0].resource.target.averageUtilization", share, "must be greater than 0"))
        if least == 0 and not any(metric.get("type") in {"Object", "External"} for metric in metrics):
            causes.append(forbidden("spec.metrics",
                                    "must specify at least one Object or External metric to support scaling to zero replicas"))
        for direction in ("scaleUp", "scaleDown"):
            if (rules := (spec.get("behavior") or {}).get(direction)) is not None:
                causes += _validate_rules(rules, f"spec.behavior.{direction}")
        return causes

    def validate_status(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        status = obj.get("status") or {}
        return [cause for key in ("currentReplicas", "desiredReplicas") for cause in not_negative(f"status.{key}", status.get(key))]


def _rules(rules: JsonObject | None, window: int | None, policies: tuple[tuple[str, int, int], ...]) -> JsonObject:
    rules = dict(rules or {})
    if window is not None:
        rules.setdefault("stabilizationWindowSeconds", window)
    rules.setdefault("selectPolicy", "Max")
    if rules.get("policies") is None:
        rules["policies"] = [{"type": kind, "value": value, "periodSeconds": s} for kind, value, s in policies]
    return rules


def _validate_reference(reference: JsonObject, path: str, *, needs_group: bool | None = False) -> list[Cause]:
    """`needs_group`: None for what stands there already."""
    causes: list[Cause] = []
    for key in ("kind", "name"):
        value = reference.get(key) or ""
        causes += each(f"{path}.{key}", value, path_segment_problems(value)) if value else [required(f"{path}.{key}")]
    version = reference.get("apiVersion") or ""
    if needs_group is None:
        return causes
    if version.count("/") > 1:
        causes.append(invalid(f"{path}.apiVersion", version, f"unexpected GroupVersion string: {version}"))
    elif needs_group and "/" not in version:
        causes.append(invalid(f"{path}.apiVersion", version, "apiVersion must specify API group"))
    return causes


def _validate_metric(metric: JsonObject, path: str) -> list[Cause]:
    kind, known = metric.get("type") or "", tuple(sorted(_SOURCES))
    causes = [] if kind else [required(f"{path}.type", "must specify a metric source type")]
    present = [key for key in _SOURCES.values() if metric.get(key) is not None]
    if present:
        causes += _validate_source(metric[present[0]], present[0], f"{path}.{present[0]}")
    expected = _SOURCES.get(kind)
    if expected is None:
        causes.append(not_supported(f"{path}.type", kind, known))
    elif expected not in present:
        causes.append(required(f"{path}.{expected}", "must populate information for the given metric source"))
    if len(present) != 1:
        causes += [forbidden(f"{path}.{key}", "must populate the given metric source only") for key in present if key != expected]
    return causes


def _validate_source(source: JsonObject, kind: str, path: str) -> list[Cause]:
    target, causes = source.get("target") or {}, list[Cause]()
    at = f"{path}.target"
    if kind == "object":
        causes += _validate_reference(source.get("describedObject") or {}, f"{path}.describedObject")
    if kind in {"object", "external", "pods"}:
        name = (source.get("metric") or {}).get("name") or ""
        causes += each(f"{path}.metric.name", name, path_segment_problems(name)) if name else [
            required(f"{path}.metric.name", "must specify a metric name")]
    else:
        name = source.get("name") or ""
        if not name:
            causes.append(required(f"{path}.name", "must specify a resource name"))
        elif kind == "containerResource":
            causes += validate_container_resource_name(name, f"{path}.name")
    if kind == "containerResource":
        container = source.get("container") or ""
        causes += each(f"{path}.container", container, dns_label_problems(container)) if container else [
            required(f"{path}.container", "must specify a container")]
    return causes + _validate_target(target, at) + _validate_choice(target, kind, at)


def _validate_choice(target: JsonObject, kind: str, path: str) -> list[Cause]:
    """Which of a target's numbers each source needs."""
    value, average, share = (target.get(key) is not None for key in ("value", "averageValue", "averageUtilization"))
    if kind in {"resource", "containerResource"}:
        if share and average:
            return [forbidden(f"{path}.averageValue", "may not set both a target raw value and a target utilization")]
        return [] if share or average else [
            required(f"{path}.averageUtilization", "must set either a target raw value or a target utilization")]
    if kind == "pods":
        return [] if average else [required(f"{path}.averageValue", "must specify a positive target averageValue")]
    if kind == "external" and value and average:
        return [forbidden(f"{path}.value", "may not set both a target value for metric and a per-pod target")]
    words = "must set either a target value or averageValue" if kind == "object" else \
        "must set either a target value for metric or a per-pod target"
    return [] if value or average else [required(f"{path}.averageValue", words)]


def _validate_target(target: JsonObject, path: str) -> list[Cause]:
    kind = target.get("type") or ""
    causes = [] if kind else [required(f"{path}.type", "must specify a metric target type")]
    if kind not in _TARGETS:
        causes.append(invalid(f"{path}.type", kind, "must be either Utilization, Value, or AverageValue"))
    for key in ("value", "averageValue"):
        amount = read(target.get(key))
        if amount is not None and amount <= Quantity.of(0):
            causes.append(invalid(f"{path}.{key}", str(amount), "must be positive"))
    share = target.get("averageUtilization")
    return [*causes, invalid(f"{path}.averageUtilization", share, "must be greater than 0")] if share is not None and share < 1 else causes


def _validate_rules(rules: JsonObject, path: str) -> list[Cause]:
    window, select = rules.get("stabilizationWindowSeconds"), rules.get("selectPolicy")
    policies: list[dict[str, Any]] = rules.get("policies") or []
    causes: list[Cause] = []
    if window is not None and window < 0:
        causes.append(invalid(f"{path}.stabilizationWindowSeconds", window, "must be greater than or equal to zero"))
    if window is not None and window > _MAX_WINDOW_S:
        causes.append(invalid(f"{path}.stabilizationWindowSeconds", window, f"must be less than or equal to {_MAX_WINDOW_S}"))
    if select is not None and select not in {"Disabled", "Max", "Min"}:
        causes.append(not_supported(f"{path}.selectPolicy", select, ("Disabled", "Max", "Min")))
    tolerance = read(rules.get("tolerance"))
    if tolerance is not None and tolerance < Quantity.of(0):
        causes.append(invalid(f"{path}.tolerance", str(tolerance), "must be greater than or equal to 0"))
    if not policies:
        causes.append(required(f"{path}.policies", "must specify at least one Policy"))
    for index, policy in enumerate(policies):
        at, period = f"{path}.policies[{index}]", policy.get("periodSeconds") or 0
        if policy.get("type") not in {"Percent", "Pods"}:
            causes.append(not_supported(f"{at}.type", policy.get("type") or "", ("Percent", "Pods")))
        if (policy.get("value") or 0) <= 0:
            causes.append(invalid(f"{at}.value", policy.get("value") or 0, "must be greater than zero"))
        if period <= 0:
            causes.append(invalid(f"{at}.periodSeconds", period, "must be greater than zero"))
        if period > _MAX_PERIOD_S:
            causes.append(invalid(f"{at}.periodSeconds", period, f"must be less than or equal to {_MAX_PERIOD_S}"))
    return causes
