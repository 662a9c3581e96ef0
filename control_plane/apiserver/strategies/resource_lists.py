"""Rules for lists of resources: names, amounts, requests within limits."""

from __future__ import annotations

from typing import Any, Final

from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.quantity import Quantity, QuantityError
from kube.apimachinery.validation import NOT_NEGATIVE, each, invalid, qualified_name_problems, required

_CONTAINER_RESOURCES: Final = frozenset({"cpu", "memory", "ephemeral-storage"})
_OTHER_RESOURCES: Final = frozenset({"pods", "services", "storage", "persistentvolumeclaims", "resourcequotas", "replicationcontrollers",
                                     "secrets", "configmaps"})


def validate_requirements(requirements: JsonObject, path: str) -> list[Cause]:
    """Limits and requests of a container: known names, amounts not below zero, no request above its limit."""
    limits, requests = requirements.get("limits") or {}, requirements.get("requests") or {}
    causes: list[Cause] = []
    for key, amounts in (("limits", limits), ("requests", requests)):
        for name, value in amounts.items():
            causes += validate_container_resource_name(name, f"{path}.{key}[{name}]")
            causes += validate_amount(name, value, f"{path}.{key}[{name}]")
    for name, value in requests.items():
        request, limit = read(value), read(limits.get(name))
        if request is None:
            continue
        if limit is None:
            if not _may_overcommit(name) and name not in limits:
                causes.append(required(f"{path}.limits", "Limit must be set for non overcommitable resources"))
        elif request != limit and not _may_overcommit(name):
            causes.append(invalid(f"{path}.requests", str(request), f"must be equal to {name} limit of {limit}"))
        elif request > limit:
            causes.append(invalid(f"{path}.requests", str(request), f"must be less than or equal to {name} limit of {limit}"))
    return causes


def validate_container_resource_name(name: str, path: str) -> list[Cause]:
    if problems := each(path, name, qualified_name_problems(name)):
        return problems
    if "/" in name or name in _CONTAINER_RESOURCES or name.startswith("hugepages-"):
        return []
    if name in _OTHER_RESOURCES:
        return [invalid(path, name, "must be a standard resource for containers")]
    return [invalid(path, name, "must be a standard resource type or fully qualified"),
            invalid(path, name, "must be a standard resource for containers")]


def validate_amount(name: str, value: Any, path: str) -> list[Cause]:
    """An amount is a quantity of zero or more, and whole where the thing is counted."""
    try:
        amount = Quantity.parse(value)
    except QuantityError as error:
        return [invalid(path, value, str(error))]
    if amount < Quantity.of(0):
        return [invalid(path, str(amount), NOT_NEGATIVE)]
    counted = name in {"pods", "services"} or ("/" in name and not name.startswith("requests."))
    return [invalid(path, str(amount), "must be an integer")] if counted and amount.milli_value() % 1000 else []


def read(value: Any) -> Quantity | None:
    """The amount, or None for what is absent or no quantity."""
    if value is None:
        return None
    try:
        return Quantity.parse(value)
    except QuantityError:
        return None


def _may_overcommit(name: str) -> bool:
    native = "/" not in name or name.partition("/")[0].endswith("kubernetes.io")
    return native and not name.startswith("hugepages-")
