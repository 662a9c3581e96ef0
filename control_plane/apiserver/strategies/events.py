"""Events, core/v1 and events.k8s.io/v1: one store, two shapes."""

from __future__ import annotations

from typing import Any, Final

from control_plane.apiserver.strategies.base import Strategy
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import FIELD_IMMUTABLE, each, invalid, not_supported, qualified_name_problems, required

_REFERENCE_FIELDS: Final = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_FROZEN: Final = ("note", "reason", "action", "reportingController", "reportingInstance", "regarding", "related", "type", "eventTime")


class EventStrategy(Strategy):
    garbage_collected = False
    allows_create_on_update = True

    def default(self, obj: JsonObject) -> None:
        if self.resource.group == "":
            obj.setdefault("involvedObject", {})
            obj.setdefault("source", {})
            obj.setdefault("reportingComponent", "")
            obj.setdefault("reportingInstance", "")

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        reference: JsonObject = obj.get("involvedObject") or obj.get("regarding") or {}
        namespace = (obj.get("metadata") or {}).get("namespace") or ""
        path = "involvedObject.namespace"
        causes: list[Cause] = []
        about = reference.get("namespace") or ""
        if not about:
            if namespace not in {"", "default", "kube-system"}:
                causes.append(invalid(path, about, "does not match event.namespace"))
        elif about != namespace:
            causes.append(invalid(path, about, "does not match event.namespace"))
        if self.resource.group and (old is None or not old.get("series")):
            causes += self._validate_new_form(obj)
        return causes

    def _validate_new_form(self, obj: JsonObject) -> list[Cause]:
        causes: list[Cause] = []
        if not obj.get("eventTime"):
            causes.append(required("eventTime"))
        if obj.get("type") not in {"Normal", "Warning"}:
            causes.append(not_supported("type", obj.get("type") or "", ("Normal", "Warning")) if obj.get("type") else required("type"))
        controller = obj.get("reportingController") or ""
        causes += each("reportingController", controller, qualified_name_problems(controller)) if controller else \
            [required("reportingController")]
        return causes + [required(key) for key in ("reportingInstance", "action", "reason") if not obj.get(key)]

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        if not self.resource.group:
            return []
        return [invalid(key, obj.get(key), FIELD_IMMUTABLE) for key in _FROZEN if (obj.get(key) or None) != (old.get(key) or None)]

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
