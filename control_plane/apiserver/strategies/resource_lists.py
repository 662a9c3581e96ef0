"""Rules for lists of resources: names, amounts, requests within limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.quantity import Quantity, QuantityError
from kube.apimachinery.validation import (
    NOT_NEGATIVE,
    dns_label_problems,
    duplicate,
    each,
    forbidden,
    invalid,
    not_supported,
    qualified_name_problems,
    required,
)

_CONTAINER_RESOURCES: Final = frozenset({"cpu", "memory", "ephemeral-storage"})
_COMPUTE_QUOTAS: Final = frozenset({
    "requests.cpu", "requests.memory", "requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage",
})
_COUNTED: Final = frozenset({
    "pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps", "persistentvolumeclaims",
    "services.nodeports", "services.loadbalancers",
})
_STANDARD: Final = _CONTAINER_RESOURCES | _COMPUTE_QUOTAS | _COUNTED | {"storage", "requests.storage"}
QUOTA_RESOURCES: Final = _CONTAINER_RESOURCES | _COMPUTE_QUOTAS | _COUNTED | {"requests.storage"}
_POD_RESOURCES: Final = ("cpu", "memory")
_HUGE: Final = "hugepages-"
_NOT_STANDARD: Final = "must be a standard resource type or fully qualified"
_ZERO: Final = Quantity.of(0)

NameCheck = Callable[[str, str], list[Cause]]


def validate_requirements(requirements: JsonObject, path: str, claims: Sequence[str] = (), *, of_pod: bool = False) -> list[Cause]:
    """Limits and requests: known names, amounts not below zero, no request above its limit. `claims`: the Pod's resourceClaims' names."""
    limits, requests = requirements.get("limits") or {}, requirements.get("requests") or {}
    check: NameCheck = validate_pod_resource_name if of_pod else validate_container_resource_name
    causes: list[Cause] = []
    for name, value in limits.items():
        causes += _validate_one(name, value, f"{path}.limits[{name}]", check)
    for name, value in requests.items():
        causes += _validate_one(name, value, f"{path}.requests[{name}]", check)
        causes += _validate_bound(name, value, limits, path)
    names = {*limits, *requests}
    if any(name.startswith(_HUGE) for name in names) and not names & {"cpu", "memory"}:
        causes.append(forbidden(path, "HugePages require cpu or memory"))
    if requirements.get("claims"):
        causes += _validate_claims(requirements["claims"], claims, f"{path}.claims")
    return causes


def _validate_one(name: str, value: Any, path: str, check: NameCheck) -> list[Cause]:
    if name in _CONTAINER_RESOURCES and (amount := read(value)) is not None:
        return [] if amount >= _ZERO else [invalid(path, str(amount), NOT_NEGATIVE)]
    causes = check(name, path) + validate_amount(name, value, path)
    if name.startswith(_HUGE):
        amount, size = read(value), read(name.removeprefix(_HUGE))
        if amount is not None and (not size or amount.amount % size.amount):
            causes.append(invalid(path, str(amount), f"{amount} is not positive integer multiple of {name}"))
    return causes


def _validate_bound(name: str, value: Any, limits: JsonObject, path: str) -> list[Cause]:
    """A request within its limit; what cannot be overcommitted has both, and the same."""
    if name not in limits:
        return [] if may_overcommit(name) else [required(f"{path}.limits", "Limit must be set for non overcommitable resources")]
    request, limit = read(value), read(limits[name])
    if request is None or limit is None or request == limit:
        return []
    if not may_overcommit(name):
        return [invalid(f"{path}.requests", str(request), f"must be equal to {name} limit of {limit}")]
    if request > limit:
        return [invalid(f"{path}.requests", str(request), f"must be less than or equal to {name} limit of {limit}")]
    return []


def _validate_claims(claims: Sequence[JsonObject], known: Sequence[str], path: str) -> list[Cause]:
    """Claims of a container: each one of the Pod's, whole or one request of it, and never twice."""
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        at, name, request = f"{path}[{index}]", claim.get("name") or "", claim.get("request") or ""
        if not name:
            causes.append(required(at))
            continue
        key = f"{name}/{request}" if request else name
        if name in seen:
            causes.append(duplicate(at, name))
        else:
            causes += each(f"{at}.request", request, dns_label_problems(request)) if request else []
            if key in seen or (not request and any(one.startswith(f"{name}/") for one in seen)):
                causes.append(duplicate(at, key))
        seen.add(key)
        if name not in known:
            listed = f": {', '.join(sorted(known))}" if known else " which is empty"
            causes.append(Cause("FieldValueNotFound", at,
                                f'Not found: "{name}": must be one of the names in pod.spec.resourceClaims{listed}'))
    return causes


def validate_resource_name(name: str, path: str) -> list[Cause]:
    """Any resource: one of Kubernetes' own, or a qualified name."""
    if problems := each(path, name, qualified_name_problems(name)):
        return problems
    standard = "/" in name or name in _STANDARD or name.startswith((_HUGE, "requests." + _HUGE))
    return [] if standard else [invalid(path, name, _NOT_STANDARD)]


def validate_container_resource_name(name: str, path: str) -> list[Cause]:
    if name in _CONTAINER_RESOURCES:
        return []
    causes = validate_resource_name(name, path)
    if "/" not in name:
        known = name.startswith(_HUGE)
        return causes if known else [*causes, invalid(path, name, "must be a standard resource for containers")]
    if not is_native(name) and not is_extended(name):
        causes.append(invalid(path, name, "doesn't follow extended resource name standard"))
    return causes


def validate_pod_resource_name(name: str, path: str) -> list[Cause]:
    if causes := validate_resource_name(name, path):
        return causes
    known = name in _POD_RESOURCES or name.startswith(_HUGE)
    return [] if known else [not_supported(path, name, ("cpu", _HUGE, "memory"))]


def validate_quota_resource_name(name: str, path: str) -> list[Cause]:
    causes = validate_resource_name(name, path)
    known = "/" in name or is_quota_resource(name)
    return causes if known else [*causes, invalid(path, name, "must be a standard resource for quota")]


def is_quota_resource(name: str) -> bool:
    """One of Kubernetes' own that a quota may bound."""
    return name in QUOTA_RESOURCES or name.startswith((_HUGE, "requests." + _HUGE))


def validate_amount(name: str, value: Any, path: str) -> list[Cause]:
    """An amount is a quantity of zero or more, and whole where the thing is counted."""
    try:
        amount = Quantity.parse(value)
    except QuantityError as error:
        return [invalid(path, value, str(error))]
    causes = [invalid(path, str(amount), NOT_NEGATIVE)] if amount < _ZERO else []
    counted = name in _COUNTED or is_extended(name)
    if counted and amount.milli_value() % 1000:
        causes.append(invalid(path, str(amount), "must be an integer"))
    return causes


def read(value: Any) -> Quantity | None:
    """The amount, or None for what is absent or no quantity."""
    if value is None:
        return None
    try:
        return Quantity.parse(value)
    except QuantityError:
        return None


def is_native(name: str) -> bool:
    """Kubernetes' own: without a domain, or of its domain."""
    return "/" not in name or "kubernetes.io/" in name


def is_extended(name: str) -> bool:
    return not is_native(name) and not name.startswith("requests.") and not qualified_name_problems(f"requests.{name}")


def may_overcommit(name: str) -> bool:
    return is_native(name) and not name.startswith(_HUGE)
