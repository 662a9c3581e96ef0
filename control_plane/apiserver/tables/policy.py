"""Disruption budgets, autoscalers, quotas."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from control_plane.apiserver.tables.printer import AGE, NAME, Column, Table, number
from control_plane.apiserver.tables.text import NONE, UNKNOWN, UNSET, age, name_of
from kube.apimachinery.meta import JsonObject

_SHOWN_METRICS: Final = 2
_SOURCES: Final = {"External": "external", "Pods": "pods", "Object": "object", "Resource": "resource",
                   "ContainerResource": "containerResource"}


def _budget(obj: JsonObject, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    least, most = (str(spec[key]) if spec.get(key) is not None else "N/A" for key in ("minAvailable", "maxUnavailable"))
    return [name_of(obj), least, most, (obj.get("status") or {}).get("disruptionsAllowed") or 0, age(obj, now)]


def _autoscaler(obj: JsonObject, now: datetime) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    target = spec.get("scaleTargetRef") or {}
    least = spec.get("minReplicas")
    return [
        name_of(obj), f"{target.get('kind', '')}/{target.get('name', '')}", _metrics(spec, status), UNSET if least is None else str(least),
        spec.get("maxReplicas") or 0, status.get("currentReplicas") or 0, age(obj, now),
    ]


def _metrics(spec: JsonObject, status: JsonObject) -> str:
    if "metrics" not in spec and spec.get("targetCPUUtilizationPercentage") is not None:       # autoscaling/v1
        current = status.get("currentCPUUtilizationPercentage")
        shown = UNKNOWN if current is None else f"{current}%"
        return f"cpu: {shown}/{spec['targetCPUUtilizationPercentage']}%"
    held = status.get("currentMetrics") or ()
    texts = [_metric(metric, held[index] if index < len(held) else {}) for index, metric in enumerate(spec.get("metrics") or ())]
    if not texts:
        return NONE
    shown = ", ".join(texts[:_SHOWN_METRICS])
    return f"{shown} + {len(texts) - _SHOWN_METRICS} more..." if len(texts) > _SHOWN_METRICS else shown


def _metric(metric: JsonObject, status: JsonObject) -> str:
    key = _SOURCES.get(metric.get("type") or "")
    if key is None:
        return "<unknown type>"
    source = metric.get(key) or {}
    target, current = source.get("target") or {}, (status.get(key) or {}).get("current") or {}
    if key in {"resource", "containerResource"}:
        name = source.get("name", "")
        if target.get("averageValue") is not None:
            return f"{name}: {current.get('averageValue', UNKNOWN)}/{target['averageValue']}"
        have, want = (part.get("averageUtilization") for part in (current, target))
        return f"{name}: {UNKNOWN if have is None else f'{have}%'}/{'<auto>' if want is None else f'{want}%'}"
    if key == "pods":
        return f"{current.get('averageValue', UNKNOWN)}/{target.get('averageValue')}"
    if target.get("averageValue") is not None:
        return f"{current.get('averageValue', UNKNOWN)}/{target['averageValue']} (avg)"
    return f"{current.get('value', UNKNOWN)}/{target.get('value')}"


def _quota(obj: JsonObject, now: datetime) -> list[Any]:
    status = obj.get("status") or {}
    used, columns = status.get("used") or {}, {True: [], False: []}     # type: tuple[JsonObject, dict[bool, list[str]]]
    for name, hard in sorted((status.get("hard") or {}).items()):
        columns[name.startswith("limits.")].append(f"{name}: {used.get(name, '0')}/{hard}")
    return [name_of(obj), ", ".join(columns[False]), ", ".join(columns[True]), age(obj, now)]


POD_DISRUPTION_BUDGET: Final = Table((
    NAME, Column("Min Available", "The minimum number of pods that must be available."),
    Column("Max Unavailable", "The maximum number of pods that may be unavailable."),
    number("Allowed Disruptions", "Calculated number of pods that may be disrupted at this time."), AGE,
), _budget)
HORIZONTAL_POD_AUTOSCALER: Final = Table((
    NAME, Column("Reference", "@spec.scaleTargetRef"), Column("Targets", "@spec.metrics"), Column("MinPods", "@spec.minReplicas"),
    Column("MaxPods", "@spec.maxReplicas"), Column("Replicas", "@status.currentReplicas"), AGE,
), _autoscaler)
RESOURCE_QUOTA: Final = Table((
    NAME, Column("Request", "Request represents a minimum amount of cpu/memory that a container may consume."),
    Column("Limit", "Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node."), AGE,
), _quota)
