"""matchConditions of an authorization webhook: CEL over the SubjectAccessReview it would get. Follows apiserver's authorization/cel."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import kube.cel
from kube.cel.errors import CompileError, CostExceeded, EvaluationError
from kube.cel.types import BOOL, STRING, ObjectType, list_of, map_of

BUDGET: Final = 10_000_000
_REQUIREMENT: Final = ObjectType("kubernetes.SelectorRequirement", {"key": STRING, "operator": STRING, "values": list_of(STRING)})
_SELECTOR: Final = {"rawSelector": STRING, "requirements": list_of(_REQUIREMENT)}
_RESOURCE_FIELDS: Final = ("namespace", "verb", "group", "version", "resource", "subresource", "name")
REQUEST: Final = ObjectType("kubernetes.SubjectAccessReviewSpec", {
    "resourceAttributes": ObjectType("kubernetes.ResourceAttributes", {
        **dict.fromkeys(_RESOURCE_FIELDS, STRING),
        "fieldSelector": ObjectType("kubernetes.FieldSelectorAttributes", _SELECTOR),
        "labelSelector": ObjectType("kubernetes.LabelSelectorAttributes", _SELECTOR),
    }),
    "nonResourceAttributes": ObjectType("kubernetes.NonResourceAttributes", {"path": STRING, "verb": STRING}),
    "user": STRING, "groups": list_of(STRING), "extra": map_of(STRING, list_of(STRING)), "uid": STRING,
})


def problem_of(expression: str) -> str:
    """What is wrong with a condition; "" if nothing is."""
    try:
        _compiled(expression)
    except CompileError as error:
        text = str(error)
        return text if text.startswith("must evaluate to") else f"compilation failed: {text}"
    return ""


def hold(expressions: tuple[str, ...], spec: dict[str, Any]) -> bool:
    """Whether all are true. Raises ValueError when none is false, and one cannot be told."""
    request: dict[str, Any] = {"user": "", "uid": "", "groups": [], "extra": {}, **spec}
    if "resourceAttributes" in spec:
        request["resourceAttributes"] = dict.fromkeys(_RESOURCE_FIELDS, "") | spec["resourceAttributes"]
    errors = []
    for expression in expressions:
        try:
            if _compiled(expression).evaluate({"request": request}, budget=BUDGET) is not True:
                return False
        except (EvaluationError, CostExceeded) as error:
            errors.append(f"cel evaluation error: expression '{expression}' resulted in error: {error}")
    if errors:
        raise ValueError(errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]")
    return True


@lru_cache(maxsize=512)
def _compiled(expression: str) -> kube.cel.Program:
    return kube.cel.compile(expression, {"request": REQUEST}, result=BOOL)
