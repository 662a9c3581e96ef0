"""HorizontalPodAutoscaler: autoscaling/v1 knows one CPU target; what v2 knows beyond stands in four annotations of v1.

Nothing is lost on the way there and back. The annotations' JSON is upstream's: metrics in the shape of v1's MetricSpec.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from kube.apimachinery.meta import JsonObject

PREFIX: Final = "autoscaling.alpha.kubernetes.io/"
METRICS, CURRENT, CONDITIONS, BEHAVIOR = (PREFIX + name for name in ("metrics", "current-metrics", "conditions", "behavior"))
_V1_SPEC: Final = ("scaleTargetRef", "minReplicas", "maxReplicas")
_V1_STATUS: Final = ("observedGeneration", "lastScaleTime", "currentReplicas", "desiredReplicas")


def hpa_v2_to_v1(obj: JsonObject) -> JsonObject:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    metrics, cpu = _without_cpu(spec.get("metrics") or [], "target")
    current, used = _without_cpu(status.get("currentMetrics") or [], "current")
    extra = {
        METRICS: [_metric_to_v1(metric, "target") for metric in metrics],
        CURRENT: [_metric_to_v1(metric, "current") for metric in current],
        CONDITIONS: status.get("conditions"), BEHAVIOR: spec.get("behavior"),
    }
    converted = dict(obj)
    converted["spec"] = _only(spec, _V1_SPEC) | ({} if cpu is None else {"targetCPUUtilizationPercentage": cpu})
    converted["status"] = {"currentReplicas": 0, "desiredReplicas": 0} | _only(status, _V1_STATUS)
    if used is not None:
        converted["status"]["currentCPUUtilizationPercentage"] = used
    written = {key: msgspec.json.encode(value).decode() for key, value in extra.items() if value}
    if written:
        metadata = obj.get("metadata") or {}
        converted["metadata"] = metadata | {"annotations": (metadata.get("annotations") or {}) | written}
    return converted


def hpa_v1_to_v2(obj: JsonObject) -> JsonObject:
    spec, status, metadata = obj.get("spec") or {}, obj.get("status") or {}, dict(obj.get("metadata") or {})
    annotations = dict(metadata.get("annotations") or {})
    metrics, current, conditions, behavior = (_read(annotations.pop(key, "")) for key in (METRICS, CURRENT, CONDITIONS, BEHAVIOR))
    if "annotations" in metadata:
        metadata["annotations"] = annotations
        if not annotations:
            del metadata["annotations"]
    new_spec, new_status = _only(spec, _V1_SPEC), _only(status, _V1_STATUS)
    wanted = [_metric_to_v2(metric, "target") for metric in metrics or ()]
    if (cpu := spec.get("targetCPUUtilizationPercentage")) is not None:
        wanted.append({"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": cpu}}})
    seen = [_metric_to_v2(metric, "current") for metric in current or ()]
    if (used := status.get("currentCPUUtilizationPercentage")) is not None:
        seen.insert(0, {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": used}}})
    if not new_status.get("currentReplicas"):
        new_status.pop("currentReplicas", None)      # v2 leaves it out, and always says which metrics there are
    new_status["currentMetrics"] = seen or None
    for target, field, value in (
        (new_spec, "metrics", wanted), (new_spec, "behavior", behavior), (new_status, "conditions", conditions),
    ):
        if value:
            target[field] = value
    return {**obj, "metadata": metadata, "spec": new_spec, "status": new_status}


def _only(obj: JsonObject, fields: tuple[str, ...]) -> JsonObject:
    return {field: obj[field] for field in fields if field in obj}


def _read(text: str) -> Any:
    """What a user wrote into the annotation by hand and is no JSON is dropped, as upstream does."""
    try:
        return msgspec.json.decode(text) if text else None
    except msgspec.DecodeError:
        return None


def _without_cpu(metrics: list[JsonObject], role: str) -> tuple[list[JsonObject], int | None]:
    """The metrics beside the first CPU utilization, and that utilization. v1 has no place for an average value next to it."""
    for index, metric in enumerate(metrics):
        source = metric.get("resource") or {}
        value = source.get(role) or {}
        if metric.get("type") == "Resource" and source.get("name") == "cpu" and value.get("averageUtilization") is not None:
            return metrics[:index] + metrics[index + 1:], value["averageUtilization"]
    return metrics, None


# v2's fields of `target` and `current` -> the flat ones of v1, and the key of the v2 source's name.
_SOURCES: Final = {
    "Resource": "resource", "ContainerResource": "containerResource", "Pods": "pods", "Object": "object", "External": "external",
}


def _flat_names(kind: str, role: str) -> dict[str, str]:
    average = "averageValue" if kind == "Object" else f"{role}AverageValue"
    return {"averageUtilization": f"{role}AverageUtilization", "averageValue": average, "value": f"{role}Value"}


def _metric_to_v1(metric: JsonObject, role: str) -> JsonObject:
    kind = metric.get("type", "")
    key = _SOURCES.get(kind, "")
    source = dict(metric.get(key) or {})
    held = source.pop(role, {})
    flat = {name: held[field] for field, name in _flat_names(kind, role).items() if field in held}
    if "metric" in source:
        named = source.pop("metric")
        source["metricName"] = named.get("name", "")
        if named.get("selector"):
            source["metricSelector" if kind == "External" else "selector"] = named["selector"]
    if kind == "Object":
        source["target"] = source.pop("describedObject", {})
    return {"type": kind, key: source | flat}


def _metric_to_v2(metric: JsonObject, role: str) -> JsonObject:
    kind = metric.get("type", "")
    key = _SOURCES.get(kind, "")
    source = dict(metric.get(key) or {})
    described = source.pop("target", {}) if kind == "Object" else None
    value = {field: source.pop(name) for field, name in _flat_names(kind, role).items() if name in source}
    if role == "target":
        value["type"] = "Utilization" if "averageUtilization" in value else "AverageValue" if "averageValue" in value else "Value"
    source[role] = value
    if "metricName" in source:
        named: JsonObject = {"name": source.pop("metricName")}
        selector = source.pop("metricSelector" if kind == "External" else "selector", None)
        source["metric"] = named | ({"selector": selector} if selector else {})
    if described is not None:
        source["describedObject"] = described
    return {"type": kind, key: source}
