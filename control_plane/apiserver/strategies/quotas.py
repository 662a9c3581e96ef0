"""LimitRanges and ResourceQuotas: what they may bound, and that the bounds agree. Follows core/validation/validation.go."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

from control_plane.apiserver.strategies.base import OPEN_METADATA, Strategy
from control_plane.apiserver.strategies.pod_defaults import canonical_list
from control_plane.apiserver.strategies.resource_lists import (
    is_quota_resource,
    may_overcommit,
    read,
    validate_amount,
    validate_container_resource_name,
    validate_quota_resource_name,
    validate_resource_name,
)
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.quantity import Quantity
from kube.apimachinery.validation import duplicate, each, forbidden, invalid, qualified_name_problems, required

_LIMIT_KEYS: Final = ("default", "defaultRequest", "max", "min", "maxLimitRequestRatio")
_LIMIT_TYPES: Final = frozenset({"Pod", "Container", "PersistentVolumeClaim"})
# (smaller, larger, which of them a message names, how it calls both)
_ORDER: Final = (
    ("min", "max", "min", "min value", "max value"), ("min", "defaultRequest", "defaultRequest", "min value", "default request value"),
    ("defaultRequest", "max", "defaultRequest", "default request value", "max value"),
    ("defaultRequest", "default", "defaultRequest", "default request value", "default limit value"),
    ("min", "default", "default", "min value", "default value"), ("default", "max", "default", "default value", "max value"),
)
_EXISTS_ONLY: Final = frozenset({"BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity"})
_SCOPES: Final = _EXISTS_ONLY | {"PriorityClass", "VolumeAttributesClass"}
_POD_COMPUTE: Final = frozenset({"pods", "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"})
_STORAGE: Final = frozenset({"persistentvolumeclaims", "requests.storage"})
_EXCLUSIVE: Final = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))


class LimitRangeStrategy(Strategy):
    def prepare_for_create(self, obj: JsonObject) -> None:
        super().prepare_for_create(obj)
        obj["metadata"]["name"] = obj["metadata"].get("name") or str(uuid.uuid4())

    def default(self, obj: JsonObject) -> None:
        for limit in (obj.get("spec") or {}).get("limits") or ():
            for key in _LIMIT_KEYS:
                if limit.get(key):
                    limit[key] = canonical_list(limit[key])
            if limit.get("type") != "Container":
                continue
            if default := {**(limit.get("max") or {}), **(limit.get("default") or {})}:
                limit["default"] = default
            if request := {**(limit.get("min") or {}), **default, **(limit.get("defaultRequest") or {})}:
                limit["defaultRequest"] = request

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        causes: list[Cause] = []
        kinds: set[str] = set()
        for index, limit in enumerate((obj.get("spec") or {}).get("limits") or ()):
            at, kind = f"spec.limits[{index}]", limit.get("type") or ""
            wrong = each(f"{at}.type", kind, qualified_name_problems(kind))
            if not wrong and "/" not in kind and kind not in _LIMIT_TYPES:
                wrong.append(invalid(f"{at}.type", kind, "must be a standard limit type or fully qualified"))
            causes += wrong
            if kind in kinds:
                causes.append(duplicate(f"{at}.type", kind))
            kinds.add(kind)
            causes += _validate_limit(limit, kind, at)
        return causes


def _validate_limit(limit: JsonObject, kind: str, path: str) -> list[Cause]:
    check = validate_container_resource_name if kind in {"Pod", "Container"} else validate_resource_name
    causes: list[Cause] = []
    for key in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio"):
        if kind == "Pod" and key.startswith("default"):
            causes += [forbidden(f"{path}.{key}", "may not be specified when `type` is 'Pod'")] if limit.get(key) else []
            continue
        causes += [cause for name in limit.get(key) or () for cause in check(name, f"{path}.{key}[{name}]")]
    if kind == "PersistentVolumeClaim" and not any("storage" in (limit.get(key) or {}) for key in ("min", "max")):
        causes.append(required(f"{path}.limits", "either minimum or maximum storage value is required, but neither was provided"))
    amounts = {key: {name: amount for name, value in (limit.get(key) or {}).items() if (amount := read(value)) is not None}
               for key in _LIMIT_KEYS}
    for name in dict.fromkeys(name for key in _LIMIT_KEYS for name in amounts[key]):
        causes += _validate_order(name, amounts, path)
    return causes


def _validate_order(name: str, amounts: Mapping[str, Mapping[str, Quantity]], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for low, high, named, low_words, high_words in _ORDER:
        smaller, larger = amounts[low].get(name), amounts[high].get(name)
        if smaller is not None and larger is not None and smaller > larger:
            causes.append(invalid(f"{path}.{named}[{name}]", str(amounts[named][name]),
                                  f"{low_words} {smaller} is greater than {high_words} {larger}"))
    ratio, least, most = (amounts[key].get(name) for key in ("maxLimitRequestRatio", "min", "max"))
    at = f"{path}.maxLimitRequestRatio[{name}]"
    if ratio is not None and ratio < Quantity.of(1):
        causes.append(invalid(at, str(ratio), f"ratio {ratio} is less than 1"))
    if ratio is not None and least and most is not None and ratio.amount > most.amount / least.amount:
        causes.append(invalid(at, str(ratio), f"ratio {ratio} is greater than max/min = {float(most.amount / least.amount):.6f}"))
    default, request = amounts["default"].get(name), amounts["defaultRequest"].get(name)
    if not may_overcommit(name) and default is not None and request is not None and default != request:
        causes.append(invalid(f"{path}.defaultRequest[{name}]", str(request),
                              f"default value {default} must equal to defaultRequest value {request} in {name}"))
    return causes


class ResourceQuotaStrategy(Strategy):
    looks_at_names_again = False
    status_metadata = OPEN_METADATA

    def default(self, obj: JsonObject) -> None:
        if hard := (obj.get("spec") or {}).get("hard"):
            obj["spec"]["hard"] = canonical_list(hard)

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec = obj.get("spec") or {}
        causes = _validate_amounts(spec.get("hard") or {}, "spec.hard")
        scopes = spec.get("scopes") or []
        for scope in scopes:
            causes += [] if scope in _SCOPES else [invalid("spec.scopes", scopes, "unsupported scope")]
            causes += _validate_scoped(scope, spec.get("hard") or {}, "spec.scopes", scopes)
        causes += [invalid("spec.scopes", scopes, "conflicting scopes") for pair in _EXCLUSIVE if set(pair) <= set(scopes)]
        if spec.get("scopeSelector") is not None:
            causes += _validate_selector(spec, "spec.scopeSelector.matchExpressions")
        return causes

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        new, held = obj.get("spec") or {}, old.get("spec") or {}
        same = set(new.get("scopes") or ()) == set(held.get("scopes") or ())
        return [] if same else [invalid("spec.scopes", new.get("scopes"), "field is immutable")]

    def validate_status(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        status = obj.get("status") or {}
        return [cause for key in ("hard", "used") for cause in _validate_amounts(status.get(key) or {}, f"status.{key}")]


def _validate_amounts(amounts: Mapping[str, Any], path: str) -> list[Cause]:
    return [cause for name, value in amounts.items() for cause in (
        *validate_quota_resource_name(name, f"{path}[{name}]"), *validate_amount(name, value, f"{path}[{name}]"))]


def _validate_scoped(scope: str, hard: Mapping[str, Any], path: str, shown: Any) -> list[Cause]:
    """Scopes of Pods bound Pods and what they compute with, BestEffort their number alone."""
    if scope not in _SCOPES:
        return []
    fits = {"BestEffort": frozenset({"pods"}), "VolumeAttributesClass": _STORAGE}.get(scope, _POD_COMPUTE)
    return [invalid(path, shown, "unsupported scope applied to resource")
            for name in sorted(hard) if is_quota_resource(name) and name not in fits]


def _shown(selector: JsonObject) -> JsonObject:
    """As upstream's message has it: its internal type."""
    return {"MatchExpressions": [
        {"ScopeName": one.get("scopeName") or "", "Operator": one.get("operator") or "", "Values": one.get("values")}
        for one in selector.get("matchExpressions") or ()]}


def _validate_selector(spec: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    names: set[str] = set()
    for expression in spec["scopeSelector"].get("matchExpressions") or ():
        scope, operator, values = expression.get("scopeName") or "", expression.get("operator") or "", expression.get("values") or []
        causes += [] if scope in _SCOPES else [invalid(f"{path}.scopeName", scope, "unsupported scope")]
        causes += _validate_scoped(scope, spec.get("hard") or {}, path, _shown(spec["scopeSelector"]))
        if scope in _EXISTS_ONLY and operator != "Exists":
            causes.append(invalid(f"{path}.operator", operator, (
                "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
                "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity")))
        if operator in {"In", "NotIn"}:
            causes += [] if values else [
                required(f"{path}.values", "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector")]
        elif operator in {"Exists", "DoesNotExist"}:
            causes += [invalid(f"{path}.values", values, "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector")
                       ] if values else []
        else:
            causes.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
        names.add(scope)
    return causes + [invalid("spec.scopeSelector.scopes", spec.get("scopes"), "conflicting scopes")
                     for pair in _EXCLUSIVE if set(pair) <= names]
