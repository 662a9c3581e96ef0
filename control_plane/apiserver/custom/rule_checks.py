"""x-kubernetes-validations when their definition is written: do they compile, and what may they cost? Follows apiextensions' validation.

Costs are estimated for the worst case: a rule costs its own maximum times the number of values that it may be evaluated for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from control_plane.apiserver.custom.rules import Rule, compiled_rule, has_rules
from control_plane.apiserver.custom.structural import Structural
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import forbidden, invalid
from kube.cel.escaping import escape
from kube.cel.schema import max_cardinality, type_of
from kube.cel.types import Type

EXPRESSION_LIMIT: Final = 10_000_000
DEFINITION_LIMIT: Final = 100_000_000
_MOST: Final = 2**64 - 1
_SHOWN: Final = 4


@dataclass(slots=True)
class _Total:
    cost: int = 0
    expensive: list[tuple[int, str]] = field(default_factory=list)

    def add(self, path: str, cost: int) -> None:
        self.cost = min(self.cost + cost, _MOST)
        if cost >= DEFINITION_LIMIT // 100:
            self.expensive = sorted([*self.expensive, (cost, path)], key=lambda one: -one[0])[:_SHOWN]


def rule_causes(schema: Structural, path: str, *, unchanged: bool) -> list[Cause]:
    """`unchanged`: the schema was accepted as it is, perhaps under other limits."""
    if not has_rules(schema):
        return []
    total = _Total()
    causes = _Walk(total, unchanged=unchanged).causes(schema, type_of(schema.raw, resource_root=True), path, 1, None)
    if total.cost > DEFINITION_LIMIT:
        said = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
        causes += [forbidden(where, said) for _, where in total.expensive]
        name = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
        causes.append(forbidden(path, _too_expensive(name, total.cost, DEFINITION_LIMIT)))
    return causes


class _Walk:
    def __init__(self, total: _Total, *, unchanged: bool) -> None:
        self._total = total
        self._unchanged = unchanged

    def causes(
        self, schema: Structural, type_: Type | None, path: str, count: int | None, uncorrelatable: str | None
    ) -> list[Cause]:
        """`count`: how many such values there are at most; None: nobody knows. `uncorrelatable`: above which no old value can be found."""
        if not has_rules(schema):
            return []
        found: list[Cause] = []
        below = _times(count, _elements(schema))
        element = type_.params[-1] if type_ is not None and type_.kind in ("list", "map") else None
        if schema.additional is not None:
            found += self.causes(schema.additional, element, f"{path}.additionalProperties", below, uncorrelatable)
        for key, child in schema.properties.items():
            inner = _field_type(type_, key, child)
            found += self.causes(child, inner, f"{path}.properties[{key}]", below, uncorrelatable)
        if schema.items is not None:
            apart = uncorrelatable if schema.list_type == "map" else uncorrelatable or path
            found += self.causes(schema.items, element, f"{path}.items", below, apart)
        for index, raw in enumerate(schema.rules):
            found += self._rule(raw, schema, type_, f"{path}.x-kubernetes-validations[{index}]", count, uncorrelatable)
        return found

    def _rule(
        self, raw: JsonObject, schema: Structural, type_: Type | None, path: str, count: int | None, uncorrelatable: str | None
    ) -> list[Cause]:
        if type_ is None:
            said = "failed to construct type information for x-kubernetes-validations rules"
            why = "unable to convert structural schema to CEL declarations"
            return [Cause("InternalError", path.rpartition("[")[0], f"Internal error: internal error: {said}: {why}")]
        rule = compiled_rule(raw, schema, type_)
        causes: list[Cause] = []
        if rule.program is not None:
            many = count if count is not None else max_cardinality(type_)
            cost = min(rule.program.estimated_cost()[1] * many, _MOST)
            causes += self._cost(f"{path}.rule", "estimated rule cost", cost)
        if rule.error:
            causes.append(invalid(f"{path}.rule", shown(raw), rule.error))
        if rule.message_error:
            causes.append(invalid(f"{path}.messageExpression", shown(raw), rule.message_error))
        elif rule.message is not None:
            causes += self._cost(f"{path}.messageExpression", "estimated messageExpression cost", rule.message.estimated_cost()[1])
        return causes + _transition_causes(rule, path, uncorrelatable)

    def _cost(self, path: str, name: str, cost: int) -> list[Cause]:
        self._total.add(path, cost)
        if cost <= EXPRESSION_LIMIT or self._unchanged:
            return []
        return [forbidden(path, _too_expensive(name, cost, EXPRESSION_LIMIT))]


def _transition_causes(rule: Rule, path: str, uncorrelatable: str | None) -> list[Cause]:
    if rule.uses_old_self:
        if uncorrelatable is None:
            return []
        said = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {uncorrelatable}"
        return [invalid(f"{path}.rule", rule.raw["rule"], said)]
    if rule.raw.get("optionalOldSelf") is not None:
        return [invalid(f"{path}.optionalOldSelf", rule.raw["optionalOldSelf"], "may not be set if oldSelf is not used in rule")]
    return []


def shown(raw: JsonObject) -> dict[str, Any]:
    """A rule as upstream's messages show it."""
    return {
        "Rule": raw.get("rule") or "", "Message": raw.get("message") or "", "MessageExpression": raw.get("messageExpression") or "",
        "Reason": raw.get("reason"), "FieldPath": raw.get("fieldPath") or "", "OptionalOldSelf": raw.get("optionalOldSelf"),
    }


def _field_type(type_: Type | None, key: str, schema: Structural) -> Type | None:
    name = escape(key)
    fields = type_.fields if type_ is not None else None
    if fields and name is not None and name in fields:
        return fields[name].type
    return type_of(schema.raw, resource_root=schema.embedded)


def _elements(schema: Structural) -> int | None:
    """By how much a node multiplies what is below it; None: without a bound."""
    if schema.type == "array":
        most = schema.raw.get("maxItems")
    elif schema.type == "object" and schema.declares_additional:
        most = schema.raw.get("maxProperties")
    else:
        return 1
    return None if most is None else max(most, 0)


def _times(count: int | None, factor: int | None) -> int | None:
    return None if count is None or factor is None else min(count * factor, _MOST)


def _too_expensive(name: str, cost: int, limit: int) -> str:
    factor = cost / limit
    shown_factor = "more than 100x" if factor > 100 else f"{factor:f}x" if factor < 1.5 else f"{factor:.1f}x"
    advice = "try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared"
    return f"{name} exceeds budget by factor of {shown_factor} ({advice})"
