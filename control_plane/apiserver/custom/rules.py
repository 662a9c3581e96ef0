"""x-kubernetes-validations at work: a tree of compiled rules beside the schema, and its evaluation. Follows apiextensions' schema/cel.

A rule with oldSelf is a transition rule: it is evaluated where an old value can be correlated (fields, keys of maps, items of lists of type
map), or always, if it says optionalOldSelf. What an update left unchanged fails no other rule (ratcheting).
"""

from __future__ import annotations

import contextlib
import json
from typing import Any, Final, NamedTuple

from control_plane.apiserver.custom.failures import NO_PATH
from control_plane.apiserver.custom.schema_paths import InvalidPath, schema_at
from control_plane.apiserver.custom.structural import Structural
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import duplicate, forbidden, invalid, required
from kube.cel import CompileError, CostExceeded, EvaluationError, Program, compile  # noqa: A004
from kube.cel.escaping import escape
from kube.cel.schema import type_of
from kube.cel.types import BOOL, STRING, Type, optional_of
from kube.cel.values import NONE, Optional

CALL_LIMIT: Final = 1_000_000              # of one evaluation, celconfig.PerCallLimit
BUDGET: Final = 10_000_000                 # of all rules of one object, celconfig.RuntimeCELCostBudget
LONGEST_MESSAGE: Final = 5 * 1024
_OUT_OF_BUDGET: Final = "validation failed due to running out of cost budget, no further validation rules will be run"


class Rule(NamedTuple):
    """One rule, compiled. `error`: why it could not be."""

    raw: JsonObject
    program: Program | None = None
    message: Program | None = None
    error: str = ""
    message_error: str = ""
    field: str = ""

    @property
    def uses_old_self(self) -> bool:
        return self.program is not None and "oldSelf" in self.program.variables

    @property
    def optional_old_self(self) -> bool:
        return bool(self.raw.get("optionalOldSelf"))

    @property
    def shown(self) -> str:
        return str(self.raw.get("message") or self.raw.get("rule") or "").strip()


def compiled_rule(raw: JsonObject, schema: Structural, type_: Type) -> Rule:
    """Never raises: what is wrong is in the result."""
    source = raw.get("rule") or ""
    if not source.strip():
        return Rule(raw)
    variables = {"self": type_, "oldSelf": optional_of(type_) if raw.get("optionalOldSelf") else type_}
    try:
        program = compile(source, variables, result=None)
    except CompileError as error:
        return Rule(raw, error=f"compilation failed: {error}")
    if program.result_type != BOOL:
        return Rule(raw, error="cel expression must evaluate to a bool")
    message, message_error = None, ""
    if text := raw.get("messageExpression"):
        try:
            message = compile(text, variables, result=None)
            if message.result_type != STRING:
                message, message_error = None, "messageExpression must evaluate to a string"
        except CompileError as error:
            message_error = f"messageExpression compilation failed: {error}"
    return Rule(raw, program, message, "", message_error, _field(raw.get("fieldPath") or "", schema))


def _field(text: str, schema: Structural) -> str:
    """A rule's fieldPath as it is told: keys of maps in brackets."""
    if not text:
        return ""
    try:
        keys, _ = schema_at(text, schema)
    except InvalidPath:
        return ""
    path = ""
    node: Structural | None = schema
    for key in keys:
        if node is not None and node.properties:
            path, node = f"{path}.{key}" if path else key, node.properties[key]
        else:
            path, node = f"{path}[{key}]", node.additional if node is not None else None
    return path


class RuleTree:
    """The rules of a node and of what is below it; only branches with rules are there."""

    __slots__ = ("additional", "items", "list_map_keys", "properties", "rules", "type", "uses_old_self")

    def __init__(self, schema: Structural, type_: Type) -> None:
        self.rules = [compiled_rule(raw, schema, type_) for raw in schema.rules]
        self.uses_old_self = any(rule.uses_old_self for rule in self.rules)
        self.type = schema.type
        self.list_map_keys = schema.list_map_keys if schema.list_type == "map" else ()
        element = type_.params[-1] if type_.kind in ("list", "map") else None
        self.items = tree_of(schema.items, element)
        self.additional = tree_of(schema.additional, element)
        self.properties: dict[str, RuleTree] = {}
        for key, child in schema.properties.items():
            field = (type_.fields or {}).get(escape(key) or "")
            inner = field.type if field is not None else _unescapable(key, child)
            if (tree := tree_of(child, inner)) is not None:
                self.properties[key] = tree


def _unescapable(key: str, schema: Structural) -> Type | None:
    """Of a field that no expression above can name, and which yet may have rules of its own."""
    return type_of(schema.raw, resource_root=schema.embedded) if escape(key) is None else None


def has_rules(schema: Structural | None) -> bool:
    if schema is None:
        return False
    return bool(schema.rules) or any(has_rules(child) for child in (*schema.properties.values(), schema.items, schema.additional))


def tree_of(schema: Structural | None, type_: Type | None) -> RuleTree | None:
    if schema is None or type_ is None or not has_rules(schema):
        return None
    return RuleTree(schema, type_)


class Rules:
    """All rules of one version's schema."""

    def __init__(self, tree: RuleTree) -> None:
        self._tree = tree

    @classmethod
    def of(cls, schema: Structural, *, is_resource: bool = True) -> Rules | None:
        """None when there are none."""
        tree = tree_of(schema, type_of(schema.raw, resource_root=is_resource)) if has_rules(schema) else None
        return cls(tree) if tree is not None else None

    def validate(self, obj: Any, old: Any = None, *, path: str = "", ratchet: bool = True) -> list[Cause]:
        """What fails; `old` is None at creation. `ratchet`: whether what is unchanged may fail."""
        run = _Run()
        pair = (obj, old) if ratchet and old is not None else None
        run.check(self._tree, obj, old, path, _Correlated(pair, None))
        return run.causes


class _Correlated(NamedTuple):
    """(new, old) of this node, if it can be correlated, and of the nearest node above that can."""

    current: tuple[Any, Any] | None
    above: tuple[Any, Any] | None

    @property
    def unchanged(self) -> bool:
        pair = self.current or self.above
        return pair is not None and bool(pair[0] == pair[1])

    def key(self, key: str) -> _Correlated:
        if self.current is None:
            return self
        if self.above is None and key in ("apiVersion", "kind"):
            return _Correlated(None, None)
        new, old = self.current
        below = (new[key], old[key]) if isinstance(new, dict) and isinstance(old, dict) and key in new and key in old else None
        return _Correlated(below, self.current)

    def item(self, new: Any, old: Any) -> _Correlated:
        if self.current is None:
            return self
        return _Correlated(None if old is None else (new, old), self.current)


class _Exhausted(Exception):
    """No further rule is evaluated."""


class _Run:
    def __init__(self) -> None:
        self.causes: list[Cause] = []
        self._budget = BUDGET

    def check(self, tree: RuleTree, obj: Any, old: Any, path: str, correlated: _Correlated) -> None:
        with contextlib.suppress(_Exhausted):
            self._node(tree, obj, old, path, correlated)

    def _node(self, tree: RuleTree, obj: Any, old: Any, path: str, correlated: _Correlated) -> None:
        if obj is None:
            return
        for rule in tree.rules:
            self._rule(tree, rule, obj, old, path, correlated)
        if isinstance(obj, dict):
            self._map(tree, obj, old if isinstance(old, dict) else {}, path, correlated)
        elif isinstance(obj, list) and tree.items is not None:
            olds = _by_keys(old, tree.list_map_keys)
            for index, item in enumerate(obj):
                before = olds.get(_keys(item, tree.list_map_keys)) if olds else None
                self._node(tree.items, item, before, f"{path}[{index}]", correlated.item(item, before))

    def _map(self, tree: RuleTree, obj: JsonObject, old: JsonObject, path: str, correlated: _Correlated) -> None:
        for key, value in obj.items():
            if (child := tree.properties.get(key)) is not None:
                self._node(child, value, old.get(key), f"{path}.{key}" if path else key, correlated.key(key))
            elif tree.additional is not None:
                self._node(tree.additional, value, old.get(key), f"{path}[{key}]", correlated.key(key))

    def _rule(self, tree: RuleTree, rule: Rule, obj: Any, old: Any, path: str, correlated: _Correlated) -> None:
        at = path or NO_PATH
        if rule.error:
            self.causes.append(invalid(at, tree.type, f"rule compile error: {rule.error}"))
            return
        if rule.program is None or (rule.uses_old_self and old is None and not rule.optional_old_self):
            return
        if self._budget <= 0:
            self._exhausted(at, tree, _OUT_OF_BUDGET)
        bindings = {"self": obj}
        if rule.optional_old_self:
            bindings["oldSelf"] = NONE if old is None else Optional(old)
        elif old is not None:
            bindings["oldSelf"] = old
        try:
            holds, cost = rule.program.evaluate_with_cost(bindings, budget=CALL_LIMIT)
        except CostExceeded as error:
            said = f"'{error}': no further validation rules will be run due to call cost exceeds limit for rule: {rule.shown}"
            self._exhausted(at, tree, said)
        except EvaluationError as error:
            self.causes.append(invalid(at, tree.type, _failed(error, rule)))
            return
        self._spend(cost, at, tree, _OUT_OF_BUDGET)
        if holds is not True:
            self._broken(tree, rule, obj, bindings, path, correlated)

    def _broken(
        self, tree: RuleTree, rule: Rule, obj: Any, bindings: JsonObject, path: str, correlated: _Correlated
    ) -> None:
        detail = self._message(tree, rule, bindings, path or NO_PATH)
        if not rule.uses_old_self and correlated.unchanged:
            return
        at = (f"{path}.{rule.field}" if path else rule.field) if rule.field else path or NO_PATH
        self.causes.append(_cause(at, tree, obj, detail, rule.raw.get("reason")))

    def _message(self, tree: RuleTree, rule: Rule, bindings: JsonObject, at: str) -> str:
        if rule.message is not None:
            try:
                text, cost = rule.message.evaluate_with_cost(bindings, budget=CALL_LIMIT)
            except CostExceeded:
                source = json.dumps(rule.raw["messageExpression"], ensure_ascii=False)
                said = f"no further validation rules will be run due to call cost exceeds limit for messageExpression: {source}"
                self._exhausted(at, tree, said)
            except EvaluationError:
                pass      # the rule's own message tells
            else:
                self._spend(cost, at, tree, "messageExpression evaluation failed due to running out of cost budget, no further "
                                            "validation rules will be run")
                text = text.strip() if isinstance(text, str) else ""
                if text and "\n" not in text and len(text.encode()) <= LONGEST_MESSAGE:
                    return text
        return str(rule.raw.get("message") or "").strip() or f"failed rule: {rule.shown}"

    def _spend(self, cost: int, at: str, tree: RuleTree, said: str) -> None:
        if cost > self._budget:
            self._exhausted(at, tree, said)
        self._budget -= cost

    def _exhausted(self, at: str, tree: RuleTree, said: str) -> None:
        self.causes.append(invalid(at, tree.type, said))
        raise _Exhausted


def _failed(error: EvaluationError, rule: Rule) -> str:
    if str(error).startswith("no such overload"):
        return f"'{error}': call arguments did not match a supported operator, function or macro signature for rule: {rule.shown}"
    return f"{error} evaluating rule: {rule.shown}"


def _cause(at: str, tree: RuleTree, obj: Any, detail: str, reason: str | None) -> Cause:
    compound = tree.type in ("object", "array")
    if reason == "FieldValueForbidden":
        return forbidden(at, detail)
    if reason == "FieldValueRequired":
        return required(at, detail)
    if reason == "FieldValueDuplicate":
        return Cause("FieldValueDuplicate", at, "Duplicate value") if compound else duplicate(at, obj)
    return Cause("FieldValueInvalid", at, f"Invalid value: {detail}") if compound else invalid(at, obj, detail)


def _keys(item: Any, keys: tuple[str, ...]) -> str | None:
    return json.dumps([item.get(key) for key in keys]) if isinstance(item, dict) else None


def _by_keys(items: Any, keys: tuple[str, ...]) -> dict[str | None, Any]:
    return {_keys(item, keys): item for item in items} if keys and isinstance(items, list) else {}


