"""Rules for label selectors inside specs, and whether a selector fits the labels of a template."""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.strategies.metadata import validate_labels
from kube.apimachinery.errors import Cause
from kube.apimachinery.labels import SelectorError, selector_from_label_selector
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import each, forbidden, invalid, label_value_problems, qualified_name_problems, required


def validate_label_selector(selector: JsonObject, path: str) -> list[Cause]:
    causes = validate_labels(selector.get("matchLabels") or {}, f"{path}.matchLabels")
    for index, expression in enumerate(selector.get("matchExpressions") or ()):
        at = f"{path}.matchExpressions[{index}]"
        operator, values = expression.get("operator") or "", expression.get("values") or ()
        if operator in {"In", "NotIn"}:
            if not values:
                causes.append(required(f"{at}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        elif operator in {"Exists", "DoesNotExist"}:
            if values:
                causes.append(forbidden(f"{at}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
        else:
            causes.append(invalid(f"{at}.operator", operator, "not a valid selector operator"))
        key = expression.get("key") or ""
        causes += each(f"{at}.key", key, qualified_name_problems(key))
        for number, value in enumerate(values):
            causes += each(f"{at}.values[{number}]", value, label_value_problems(value))
    return causes


_SAID_OF: Final = {"replicaset": "deployment"}      # upstream's slip


def validate_workload_selector(spec: JsonObject, path: str, kind: str) -> list[Cause]:
    """The selector of a workload: there, not empty, well formed, and matching the labels of its own template."""
    selector = spec.get("selector")
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    mismatch = invalid(f"{path}.template.metadata.labels", labels, "`selector` does not match template `labels`")
    if selector is None:
        return [mismatch] if kind == "daemonset" else [required(f"{path}.selector"), mismatch]
    causes = validate_label_selector(selector, f"{path}.selector")
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        return [*causes, invalid(f"{path}.selector", selector, f"empty selector is invalid for {_SAID_OF.get(kind, kind)}")]
    if causes:
        if kind == "daemonset":
            return causes
        return [*causes, invalid(f"{path}.selector", selector, "" if kind == "statefulset" else "invalid label selector")]
    try:
        matches = selector_from_label_selector(selector).matches(labels or {})
    except SelectorError:
        return [*causes, invalid(f"{path}.selector", selector, "invalid label selector")]
    return causes if matches else [*causes, mismatch]
