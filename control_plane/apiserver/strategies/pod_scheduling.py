"""Rules for where a Pod may run: tolerations, affinity, node selectors, topology spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from control_plane.apiserver.strategies.selectors import validate_label_selector
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    duplicate,
    each,
    forbidden,
    invalid,
    label_value_problems,
    not_supported,
    qualified_name_problems,
    required,
    shown,
)

TAINT_EFFECTS: Final = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_REQUIRED_TERM: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED_TERM: Final = "preferredDuringSchedulingIgnoredDuringExecution"


def validate_tolerations(tolerations: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, toleration in enumerate(tolerations):
        at = f"{path}[{index}]"
        key, operator, value = toleration.get("key") or "", toleration.get("operator") or "", toleration.get("value") or ""
        if key:
            causes += each(f"{at}.key", key, qualified_name_problems(key))
        elif operator != "Exists":
            causes.append(invalid(f"{at}.operator", operator,
                                  "operator must be Exists when `key` is empty, which means \"match all values and all keys\""))
        if toleration.get("tolerationSeconds") is not None and toleration.get("effect") != "NoExecute":
            causes.append(invalid(f"{at}.effect", toleration.get("effect") or "",
                                  "effect must be 'NoExecute' when `tolerationSeconds` is set"))
        if operator in {"", "Equal"}:
            if problems := label_value_problems(value):
                causes.append(invalid(f"{at}.operator", value, ";".join(problems)))
        elif operator == "Exists":
            if value:
                causes.append(invalid(f"{at}.operator", toleration, "value must be empty when `operator` is 'Exists'"))
        elif operator not in {"Gt", "Lt"}:
            causes.append(not_supported(f"{at}.operator", operator, ("Equal", "Exists")))
        if effect := toleration.get("effect"):
            causes += validate_effect(effect, f"{at}.effect")
    return causes


def validate_effect(effect: str, path: str) -> list[Cause]:
    return [] if effect in TAINT_EFFECTS else [not_supported(path, effect, TAINT_EFFECTS)]


def validate_affinity(affinity: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if node := affinity.get("nodeAffinity"):
        at = f"{path}.nodeAffinity"
        if (selector := node.get(_REQUIRED_TERM)) is not None:
            causes += validate_node_selector(selector, f"{at}.{_REQUIRED_TERM}")
        for index, term in enumerate(node.get(_PREFERRED_TERM) or ()):
            causes += _validate_weight(term, f"{at}.{_PREFERRED_TERM}[{index}]")
            causes += _validate_node_term(term.get("preference") or {}, f"{at}.{_PREFERRED_TERM}[{index}].preference")
    for kind in ("podAffinity", "podAntiAffinity"):
        for index, term in enumerate((affinity.get(kind) or {}).get(_REQUIRED_TERM) or ()):
            causes += _validate_pod_term(term, f"{path}.{kind}.{_REQUIRED_TERM}[{index}]")
        for index, term in enumerate((affinity.get(kind) or {}).get(_PREFERRED_TERM) or ()):
            at = f"{path}.{kind}.{_PREFERRED_TERM}[{index}]"
            causes += _validate_weight(term, at)
            causes += _validate_pod_term(term.get("podAffinityTerm") or {}, f"{at}.podAffinityTerm")
    return causes


def validate_node_selector(selector: JsonObject, path: str) -> list[Cause]:
    terms = selector.get("nodeSelectorTerms") or ()
    if not terms:
        return [required(f"{path}.nodeSelectorTerms", "must have at least one node selector term")]
    return [cause for index, term in enumerate(terms) for cause in _validate_node_term(term, f"{path}.nodeSelectorTerms[{index}]")]


def _validate_node_term(term: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, expression in enumerate(term.get("matchExpressions") or ()):
        causes += _validate_node_expression(expression, f"{path}.matchExpressions[{index}]")
    for index, expression in enumerate(term.get("matchFields") or ()):
        at = f"{path}.matchFields[{index}]"
        values = expression.get("values") or ()
        if expression.get("operator") not in {"In", "NotIn"}:
            causes.append(invalid(f"{at}.operator", expression.get("operator") or "", "not a valid selector operator"))
        elif len(values) != 1:
            causes.append(required(f"{at}.values", "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"))
        if expression.get("key") != "metadata.name":
            causes.append(invalid(f"{at}.key", expression.get("key") or "", "not a valid field selector key"))
    return causes


def _validate_node_expression(expression: JsonObject, path: str) -> list[Cause]:
    operator, values = expression.get("operator") or "", expression.get("values") or ()
    causes: list[Cause] = []
    if operator in {"In", "NotIn"}:
        if not values:
            causes.append(required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in {"Exists", "DoesNotExist"}:
        if values:
            causes.append(forbidden(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
    elif operator in {"Gt", "Lt"}:
        if len(values) != 1:
            causes.append(required(f"{path}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'"))
    else:
        causes.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
    key = expression.get("key") or ""
    return causes + each(f"{path}.key", key, qualified_name_problems(key))


def _validate_weight(term: JsonObject, path: str) -> list[Cause]:
    weight = term.get("weight") or 0
    return [] if 1 <= weight <= 100 else [invalid(f"{path}.weight", weight, "must be in the range 1-100")]


def _validate_pod_term(term: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for key in ("labelSelector", "namespaceSelector"):
        if term.get(key) is not None:
            causes += validate_label_selector(term[key], f"{path}.{key}")
    topology = term.get("topologyKey") or ""
    if not topology:
        return [*causes, required(f"{path}.topologyKey", "can not be empty")]
    return causes + each(f"{path}.topologyKey", topology, qualified_name_problems(topology))


def validate_spread(constraints: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[tuple[Any, Any]] = set()
    for index, constraint in enumerate(constraints):
        at = f"{path}[{index}]"
        skew = constraint.get("maxSkew") or 0
        if skew <= 0:
            causes.append(invalid(f"{at}.maxSkew", skew, "must be greater than zero"))
        topology, when = constraint.get("topologyKey") or "", constraint.get("whenUnsatisfiable") or ""
        if not topology:
            causes.append(required(f"{at}.topologyKey", "can not be empty"))
        if when not in {"DoNotSchedule", "ScheduleAnyway"}:
            causes.append(not_supported(f"{at}.whenUnsatisfiable", when, ("DoNotSchedule", "ScheduleAnyway")))
        domains = constraint.get("minDomains")
        if domains is not None and domains <= 0:
            causes.append(invalid(f"{at}.minDomains", domains, "must be greater than zero"))
        elif domains is not None and when != "DoNotSchedule":
            causes.append(invalid(f"{at}.minDomains", domains, f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {when}"))
        if (topology, when) in seen:
            causes.append(duplicate(f"{at}.{{topologyKey, whenUnsatisfiable}}", f"{{{topology}, {when}}}"))
        seen.add((topology, when))
        if constraint.get("labelSelector") is not None:
            causes += validate_label_selector(constraint["labelSelector"], f"{at}.labelSelector")
    return causes


def added_tolerations_only(new: Sequence[JsonObject], old: Sequence[JsonObject], path: str) -> list[Cause]:
    """Tolerations may be added; of an existing one only tolerationSeconds may change."""
    held = {_identity(toleration) for toleration in new}
    if all(_identity(toleration) in held for toleration in old):
        return []
    return [forbidden(path, "existing toleration can not be modified except its tolerationSeconds")]


def _identity(toleration: Mapping[str, Any]) -> str:
    return shown({key: value for key, value in sorted(toleration.items()) if key != "tolerationSeconds" and value})
