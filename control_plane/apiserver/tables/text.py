"""How cells are worded: ages, label sets, clipped lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from kube.apimachinery.labels import SelectorError, selector_from_label_selector
from kube.apimachinery.meta import JsonObject

NONE: Final = "<none>"
UNSET: Final = "<unset>"
UNKNOWN: Final = "<unknown>"
_SHOWN: Final = 3
_DAY: Final = 24
_YEAR: Final = 365 * 24


def human_duration(seconds: float) -> str:
    """Two or three significant figures: 90s, 3m5s, 4h10m, 2d3h, 2y40d. Follows apimachinery's duration.HumanDuration."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 0:
        return "0s"
    if whole < 120:
        return f"{whole}s"
    minutes, hours = whole // 60, whole // 3600
    if minutes < 10:
        return _pair(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < _DAY * 8:
        return _pair(hours // _DAY, "d", hours % _DAY, "h")
    if hours < _YEAR * 2:
        return f"{hours // _DAY}d"
    if hours < _YEAR * 8:
        return _pair(hours // _YEAR, "y", hours // _DAY % 365, "d")
    return f"{hours // _YEAR}y"


def _pair(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def since(timestamp: str | None, now: datetime) -> str:
    """How long ago an RFC 3339 instant was."""
    if not timestamp:
        return UNKNOWN
    return human_duration((now - datetime.fromisoformat(timestamp)).total_seconds())


def age(obj: JsonObject, now: datetime) -> str:
    return since((obj.get("metadata") or {}).get("creationTimestamp"), now)


def name_of(obj: JsonObject) -> str:
    return (obj.get("metadata") or {}).get("name") or ""


def labels_text(labels: Mapping[str, str] | None) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or NONE


def selector_text(selector: JsonObject | None) -> str:
    """A label selector as kubectl writes it on the command line."""
    if selector is None:
        return NONE
    try:
        terms = selector_from_label_selector(selector).requirements
    except SelectorError:
        return "<error>"
    return ",".join(str(term) for term in sorted(terms, key=lambda term: term.key)) or NONE


def clipped(items: Sequence[str], count: int | None = None, empty: str = UNSET) -> str:
    """The first three items and how many more there are."""
    total = len(items) if count is None else count
    text = ",".join(items[:_SHOWN])
    return f"{text} + {total - _SHOWN} more..." if total > _SHOWN else text or empty


def names_and_images(pod_spec: JsonObject | None) -> tuple[str, str]:
    containers = (pod_spec or {}).get("containers") or ()
    return _joined(containers, "name"), _joined(containers, "image")


def _joined(items: Iterable[Mapping[str, Any]], key: str) -> str:
    return ",".join(str(item.get(key) or "") for item in items)


def condition(obj: JsonObject, kind: str) -> JsonObject | None:
    """A condition in the status, by type."""
    conditions: Sequence[JsonObject] = (obj.get("status") or {}).get("conditions") or ()
    return next((item for item in conditions if item.get("type") == kind), None)
