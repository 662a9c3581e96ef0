"""Rules for where a Pod may run: tolerations, affinity, node selectors, topology spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from control_plane.apiserver.strategies.selectors import validate_label_selector
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    dns_label_problems,
    dns_subdomain_problems,
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
                causes.append(invalid(f"{at}.operator", value, "value must be empty when `operator` is 'Exists'"))
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
            causes += _validate_node_term(term.get("preference") or {}, f"{at}.{_PREFERRED_TERM}[{index}].preference", preferred=True)
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


def _validate_node_term(term: JsonObject, path: str, *, preferred: bool = False) -> list[Cause]:
    """Of a preferred term even values that no label can have are let pass."""
    causes: list[Cause] = []
    for index, expression in enumerate(term.get("matchExpressions") or ()):
        at = f"{path}.matchExpressions[{index}]"
        causes += _validate_node_expression(expression, at)
        for number, value in enumerate(() if preferred else expression.get("values") or ()):
            causes += each(f"{at}.values[{number}]", value, label_value_problems(value))
    for index, expression in enumerate(term.get("matchFields") or ()):
        at = f"{path}.matchFields[{index}]"
        values = expression.get("values") or ()
        if expression.get("operator") not in {"In", "NotIn"}:
            causes.append(invalid(f"{at}.operator", expression.get("operator") or "", "not a valid selector operator"))
        elif len(values) != 1:
            causes.append(required(f"{at}.values", "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"))
        if expression.get("key") != "metadata.name":
            causes.append(invalid(f"{at}.key", expression.get("key") or "", "not a valid field selector key"))
        else:
            for number, value in enumerate(values):
                causes += each(f"{at}.values[{number}]", value, dns_subdomain_problems(value))
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
    for name in term.get("namespaces") or ():
        causes += each(f"{path}.namespace", name, dns_label_problems(name))
    if term.get("matchLabelKeys") or term.get("mismatchLabelKeys"):
        causes += _validate_label_keys(term, path)
    topology = term.get("topologyKey") or ""
    if not topology:
        causes.append(required(f"{path}.topologyKey", "can not be empty"))
    return causes + each(f"{path}.topologyKey", topology, qualified_name_problems(topology))


def _validate_label_keys(term: JsonObject, path: str) -> list[Cause]:
    """Labels whose values are taken from the Pod itself, to match or not to match."""
    selector = term.get("labelSelector")
    match, mismatch = term.get("matchLabelKeys") or (), term.get("mismatchLabelKeys") or ()
    causes: list[Cause] = []
    for key, names in (("matchLabelKeys", match), ("mismatchLabelKeys", mismatch)):
        if names and selector is None:
            causes.append(forbidden(f"{path}.{key}", "must not be specified when labelSelector is not set"))
            continue
        for index, name in enumerate(names):
            causes += each(f"{path}.{key}[{index}]", name, qualified_name_problems(name))
    chosen = set((selector or {}).get("matchLabels") or ())
    for expression in (selector or {}).get("matchExpressions") or ():
        name = expression.get("key") or ""
        if name in match and name in chosen:
            causes.append(invalid(f"{path}[{list(match).index(name)}]", name, "exists in both matchLabelKeys and labelSelector"))
        chosen.add(name)
    return causes + [invalid(f"{path}.matchLabelKeys[{index}]", name, "exists in both matchLabelKeys and mismatchLabelKeys")
                     for index, name in enumerate(match) if name in mismatch]


def validate_spread(constraints: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    pairs = [(constraint.get("topologyKey") or "", constraint.get("whenUnsatisfiable") or "") for constraint in constraints]
    for index, constraint in enumerate(constraints):
        at, (topology, when) = f"{path}[{index}]", pairs[index]
        skew, domains = constraint.get("maxSkew") or 0, constraint.get("minDomains")
        if skew <= 0:
            causes.append(invalid(f"{at}.maxSkew", skew, "must be greater than zero"))
        if not topology:
            causes.append(required(f"{at}.topologyKey", "can not be empty"))
        if when not in {"DoNotSchedule", "ScheduleAnyway"}:
            causes.append(not_supported(f"{at}.whenUnsatisfiable", when, ("DoNotSchedule", "ScheduleAnyway")))
        if pairs[index] in pairs[index + 1:]:
            causes.append(duplicate(f"{at}.{{topologyKey, whenUnsatisfiable}}", f"{{{topology}, {when}}}"))
        if domains is not None and domains <= 0:
            causes.append(invalid(f"{at}.minDomains", domains, "must be greater than zero"))
        if domains is not None and when != "DoNotSchedule":
            causes.append(invalid(f"{at}.minDomains", domains, f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {when}"))
        for key in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            if constraint.get(key) is not None and constraint[key] not in {"Honor", "Ignore"}:
                causes.append(not_supported(f"{at}.{key}", constraint[key], ("Honor", "Ignore")))
        causes += _validate_spread_keys(constraint, f"{at}.matchLabelKeys")
        if constraint.get("labelSelector") is not None:
            causes += validate_label_selector(constraint["labelSelector"], f"{at}.labelSelector")
    return causes


def _validate_spread_keys(constraint: JsonObject, path: str) -> list[Cause]:
    keys, selector = constraint.get("matchLabelKeys") or (), constraint.get("labelSelector")
    if not keys:
        return []
    causes = [forbidden(path, "must not be specified when labelSelector is not set")] if selector is None else []
    expressions = (selector or {}).get("matchExpressions") or ()
    chosen = {*((selector or {}).get("matchLabels") or ()), *(expression.get("key") or "" for expression in expressions)}
    for index, key in enumerate(keys):
        causes += each(f"{path}[{index}]", key, qualified_name_problems(key))
        if key in chosen:
            causes.append(invalid(f"{path}[{index}]", key, "exists in both matchLabelKeys and labelSelector"))
    return causes


def added_tolerations_only(new: Sequence[JsonObject], old: Sequence[JsonObject], path: str) -> list[Cause]:
    """Tolerations may be added; of an existing one only tolerationSeconds may change."""
    held = {_identity(toleration) for toleration in new}
    if all(_identity(toleration) in held for toleration in old):
        return []
    return [forbidden(path, "existing toleration can not be modified except its tolerationSeconds")]


def _identity(toleration: Mapping[str, Any]) -> str:
    return shown({key: value for key, value in sorted(toleration.items()) if key != "tolerationSeconds" and value})
