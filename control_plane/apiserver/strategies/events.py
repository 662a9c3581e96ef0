"""Events, core/v1 and events.k8s.io/v1: one store, two shapes."""

from __future__ import annotations

from typing import Any, Final

from control_plane.apiserver.strategies.base import Strategy
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    FIELD_IMMUTABLE,
    dns_subdomain_problems,
    each,
    invalid,
    path_segment_problems,
    qualified_name_problems,
    required,
)

_REFERENCE_FIELDS: Final = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_LENGTH_LIMIT: Final = 128
_NOTE_LIMIT: Final = 1024
_LEGACY: Final = (
    ("deprecatedFirstTimestamp", "firstTimestamp"), ("deprecatedLastTimestamp", "lastTimestamp"), ("deprecatedCount", "count"),
)
# By the names of the internal form, in which upstream compares.
_FROZEN: Final = (
    ("regarding", "involvedObject"), ("reason", "reason"), ("note", "message"), ("deprecatedSource", "source"), *_LEGACY,
    ("type", "type"), ("eventTime", "eventTime"), ("action", "action"), ("related", "related"),
    ("reportingController", "reportingController"), ("reportingInstance", "reportingInstance"),
)



class EventStrategy(Strategy):
    qualified_finalizers = False
    looks_at_names_again = False
    garbage_collected = False
    allows_create_on_update = True

    def default(self, obj: JsonObject) -> None:
        if self.resource.group == "":
            obj.setdefault("involvedObject", {})
            obj.setdefault("source", {})
            obj.setdefault("reportingComponent", "")
            obj.setdefault("reportingInstance", "")

    def name_problems(self, name: str) -> list[str]:
        return dns_subdomain_problems(name) if self.resource.group else path_segment_problems(name)

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        """What upstream asks of Events since ever, then what it asks of those that come in the new form."""
        causes = self._validate_reporter(obj) if obj.get("eventTime") else []
        reference: JsonObject = obj.get("involvedObject") or obj.get("regarding") or {}
        namespace, about = (obj.get("metadata") or {}).get("namespace") or "", reference.get("namespace") or ""
        if obj.get("eventTime"):
            differs = not about and namespace not in {"default", "kube-system"}
        else:
            differs = about != namespace if about else namespace not in {"", "default"}
        if differs:
            causes.insert(0, invalid("involvedObject.namespace", about, "does not match event.namespace"))
        if not self.resource.group:
            return causes
        if (series := obj.get("series")) is not None and (old is None or series != old.get("series")):
            causes += _validate_series(series)
        return causes if old is not None else causes + _validate_new_form(obj)

    def _validate_reporter(self, obj: JsonObject) -> list[Cause]:
        key = "reportingController" if self.resource.group else "reportingComponent"
        controller = obj.get(key) or ""
        causes = [] if controller else [required(key)]
        causes += each(key, controller, qualified_name_problems(controller))
        for key in ("reportingInstance", "action", "reason"):
            value = obj.get(key) or ""
            if not value:
                causes.append(required(key))
            elif len(value) > _LENGTH_LIMIT:
                causes.append(invalid(key, "", f"can have at most {_LENGTH_LIMIT} characters"))
        if len(obj.get("note") or obj.get("message") or "") > _NOTE_LIMIT:
            causes.append(invalid("message", "", f"can have at most {_NOTE_LIMIT} characters"))
        return causes

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        if not self.resource.group:
            return []
        return [invalid(shown, obj.get(key), FIELD_IMMUTABLE) for key, shown in _FROZEN if (obj.get(key) or None) != (old.get(key) or None)]

    def own_fields(self, obj: JsonObject) -> dict[str, str]:
        core = self.resource.group == ""
        reference: dict[str, Any] = obj.get("involvedObject" if core else "regarding") or {}
        source = (obj.get("source") if core else obj.get("deprecatedSource")) or {}
        reporting = obj.get("reportingComponent" if core else "reportingController") or ""
        prefix = "involvedObject" if core else "regarding"
        values = {f"{prefix}.{key}": reference.get(key, "") for key in _REFERENCE_FIELDS}
        values |= {
            "reason": obj.get("reason", ""),
            "type": obj.get("type", ""),
            "reportingComponent" if core else "reportingController": reporting,
        }
        if core:
            values["source"] = source.get("component") or reporting
        return values


def _validate_series(series: JsonObject) -> list[Cause]:
    causes = [] if (series.get("count") or 0) >= 2 else [invalid("series.count", "", "should be at least 2")]
    return causes if series.get("lastObservedTime") else [*causes, required("series.lastObservedTime")]


def _validate_new_form(obj: JsonObject) -> list[Cause]:
    causes = [] if obj.get("eventTime") else [required("eventTime")]
    if (kind := obj.get("type") or "") not in {"Normal", "Warning"}:
        causes.append(invalid("type", "", f"has invalid value: {kind}"))
    causes += [invalid(shown, "", "needs to be unset") for key, shown in _LEGACY if obj.get(key)]
    return [*causes, invalid("source", "", "needs to be unset")] if obj.get("deprecatedSource") else causes
