"""Between the version an object is stored in and those it is served in.

Most kinds look alike in every version served, and only `apiVersion` differs. Those that do not have a pair of functions here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from control_plane.storage.conversion_hpa import hpa_v1_to_v2, hpa_v2_to_v1
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupResource, ResourceType

Converter = Callable[[JsonObject], JsonObject]

# core/v1 Event -> events.k8s.io/v1 Event; all other fields have the same name in both.
_EVENT_FIELDS: Final = {
    "involvedObject": "regarding", "message": "note", "reportingComponent": "reportingController", "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp", "lastTimestamp": "deprecatedLastTimestamp", "count": "deprecatedCount",
}
_CORE_EVENT_FIELDS: Final = {new: core for core, new in _EVENT_FIELDS.items()}


def convert(resource: ResourceType, obj: JsonObject, api_version: str) -> JsonObject:
    """`obj` in `api_version`; a new outer dict unless it already is in that version. Never changes `obj`."""
    held = obj.get("apiVersion", "")
    if held == api_version:
        return obj
    if resource.custom is not None:
        return cast(JsonObject, resource.custom.definition.converted(obj, api_version))
    converter = CONVERTERS.get((resource.storage_identity, held, api_version))
    converted = converter(obj) if converter else dict(obj)
    converted["apiVersion"] = api_version
    return converted


def event_from_core(obj: JsonObject) -> JsonObject:
    return {_EVENT_FIELDS.get(field, field): value for field, value in obj.items()}


def event_to_core(obj: JsonObject) -> JsonObject:
    return {_CORE_EVENT_FIELDS.get(field, field): value for field, value in obj.items()}


_EVENTS: Final = GroupResource("", "events")
_HPAS: Final = GroupResource("autoscaling", "horizontalpodautoscalers")

CONVERTERS: Final[dict[tuple[GroupResource, str, str], Converter]] = {
    (_EVENTS, "v1", "events.k8s.io/v1"): event_from_core,
    (_EVENTS, "events.k8s.io/v1", "v1"): event_to_core,
    (_HPAS, "autoscaling/v2", "autoscaling/v1"): hpa_v2_to_v1,
    (_HPAS, "autoscaling/v1", "autoscaling/v2"): hpa_v1_to_v2,
}
