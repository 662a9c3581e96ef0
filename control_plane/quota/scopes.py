"""Which objects a quota with scopes is about. Follows kubernetes' pkg/quota/v1/evaluator/core."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from control_plane.quota.amounts import read_amounts
from control_plane.quota.pod_resources import has_pod_level
from kube.apimachinery.meta import JsonObject


class Selector(NamedTuple):
    """One scope of a quota. `operator`: In, NotIn, Exists, DoesNotExist; only PriorityClass and VolumeAttributesClass heed it."""

    scope: str
    operator: str = "Exists"
    values: tuple[str, ...] = ()

    def __str__(self) -> str:
        """As messages show it."""
        return f"{{{self.scope} {self.operator} [{' '.join(self.values)}]}}"


Matcher = Callable[[Selector, JsonObject], bool]


def selectors_of(quota: JsonObject) -> Iterator[Selector]:
    spec = quota.get("spec") or {}
    for scope in spec.get("scopes") or ():
        yield Selector(scope)
    for expression in (spec.get("scopeSelector") or {}).get("matchExpressions") or ():
        yield Selector(expression.get("scopeName") or "", expression.get("operator") or "", tuple(expression.get("values") or ()))


def no_scope(selector: Selector, obj: JsonObject) -> bool:
    """For kinds that no scope is about."""
    return False


def pod_in_scope(selector: Selector, pod: JsonObject) -> bool:
    spec = pod.get("spec") or {}
    match selector.scope:
        case "Terminating":
            return has_deadline(spec)
        case "NotTerminating":
            return not has_deadline(spec)
        case "BestEffort":
            return is_best_effort(pod)
        case "NotBestEffort":
            return not is_best_effort(pod)
        case "PriorityClass":
            return _selected(selector, {name} if (name := spec.get("priorityClassName")) else set())
        case "CrossNamespacePodAffinity":
            return _looks_across_namespaces(spec.get("affinity") or {})
    return False


def claim_in_scope(selector: Selector, claim: JsonObject) -> bool:
    return selector.scope == "VolumeAttributesClass" and _selected(selector, attribute_classes_of(claim))


def attribute_classes_of(claim: JsonObject) -> set[str]:
    """Wanted, current, and the one that is being changed to."""
    spec, status = claim.get("spec") or {}, claim.get("status") or {}
    names = (
        spec.get("volumeAttributesClassName"), status.get("currentVolumeAttributesClassName"),
        (status.get("modifyVolumeStatus") or {}).get("targetVolumeAttributesClassName"),
    )
    return {name for name in names if name}


def has_deadline(spec: JsonObject) -> bool:
    """What the scopes call terminating."""
    deadline = spec.get("activeDeadlineSeconds")
    return deadline is not None and deadline >= 0


def is_best_effort(pod: JsonObject) -> bool:
    """As its status says; a Pod that has none yet: no cpu and no memory, of the Pod if it speaks for itself, else of its containers."""
    if known := (pod.get("status") or {}).get("qosClass"):
        return bool(known == "BestEffort")
    spec = pod.get("spec") or {}
    if has_pod_level(spec):
        asked = [spec["resources"]]
    else:
        asked = [container.get("resources") or {} for key in ("initContainers", "containers") for container in spec.get(key) or ()]
    return not any(
        amount for resources in asked for key in ("requests", "limits")
        for name, amount in read_amounts(resources.get(key)).items() if name in ("cpu", "memory")
    )


def _selected(selector: Selector, names: Collection[str]) -> bool:
    """As a label selector would: without a name there is nothing in the list, and nothing that it could be found in."""
    match selector.operator:
        case "Exists":
            return bool(names)
        case "DoesNotExist":
            return not names
        case "In":
            return any(name in selector.values for name in names)
        case "NotIn":
            return not names or any(name not in selector.values for name in names)
    return False


def _looks_across_namespaces(affinity: JsonObject) -> bool:
    return any(
        term.get("namespaces") or term.get("namespaceSelector") is not None
        for kind in ("podAffinity", "podAntiAffinity") for term in _terms(affinity.get(kind) or {})
    )


def _terms(affinity: JsonObject) -> Iterator[JsonObject]:
    yield from affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
    for weighted in affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ():
        yield weighted.get("podAffinityTerm") or {}
