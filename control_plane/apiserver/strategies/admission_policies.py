"""Admission policies and their bindings, validating and mutating. Follows apis/admissionregistration.

Expressions are compiled as they will be when a request is asked about; kube.cel is imported with the first policy.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from control_plane.apiserver.strategies.base import Strategy
from control_plane.apiserver.strategies.selectors import validate_label_selector
from control_plane.apiserver.strategies.webhooks import MAX_MATCH_CONDITIONS, validate_rule
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    dns1035_problems,
    dns_subdomain_problems,
    duplicate,
    each,
    forbidden,
    invalid,
    not_supported,
    path_segment_problems,
    qualified_name_problems,
    required,
    too_many,
)

if TYPE_CHECKING:
    from control_plane.apiserver.admission.policies.environment import Environment

FAILURE_POLICIES: Final = ("Fail", "Ignore")
MATCH_POLICIES: Final = ("Equivalent", "Exact")
ACTIONS: Final = ("Audit", "Deny", "Warn")
REASONS: Final = ("Forbidden", "Invalid", "RequestEntityTooLarge")
NOT_FOUND_ACTIONS: Final = ("Deny", "Allow")
REINVOCATION_POLICIES: Final = ("IfNeeded", "Never")
PATCH_TYPES: Final = {"ApplyConfiguration": "applyConfiguration", "JSONPatch": "jsonPatch"}
MUTABLE: Final = ("*", "CONNECT", "CREATE", "UPDATE")
MAX_ANNOTATIONS: Final = 20
MAX_ANNOTATION_EXPRESSION: Final = 5 * 1024
_NOTHING_ASKED: Final = "validations or auditAnnotations must contain at least one item"
_IDENTIFIER: Final = re.compile("[_a-zA-Z][_a-zA-Z0-9]*", re.ASCII)
_RESERVED: Final = frozenset((
    "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package",
    "namespace", "return", "var", "void", "while",
))


class _PolicyStrategy(Strategy):
    """Of both kinds of policy."""

    allows_update_without_version = False
    counts_generations = True
    qualified_finalizers = False

    def default(self, obj: JsonObject) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("failurePolicy", "Fail")
        if isinstance(match := spec.get("matchConstraints"), dict):
            default_match(match)

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec = obj.get("spec") or {}
        causes = _one_of(spec, "failurePolicy", FAILURE_POLICIES, "spec")
        if (kind := spec.get("paramKind")) is not None:
            causes += validate_param_kind(kind, "spec.paramKind")
        if (match := spec.get("matchConstraints")) is None:
            causes.append(required("spec.matchConstraints"))
        else:
            causes += validate_match(match, "spec.matchConstraints")
            if not match.get("resourceRules"):
                causes.append(required("spec.matchConstraints.resourceRules"))
        held = (old or {}).get("spec") or {}
        if old is None or any(spec.get(key) != held.get(key) for key in ("paramKind", "matchConditions")):
            causes += validate_conditions(spec, "spec.matchConditions")
        return causes + self.validate_expressions(obj, spec)

    def validate_expressions(self, obj: JsonObject, spec: JsonObject) -> list[Cause]:
        raise NotImplementedError


class ValidatingPolicyStrategy(_PolicyStrategy):
    def validate_expressions(self, obj: JsonObject, spec: JsonObject) -> list[Cause]:
        environment = _environment(spec)
        causes = validate_variables(environment, spec, "spec.variables")
        validations, annotations = spec.get("validations") or (), spec.get("auditAnnotations") or ()
        if not validations and not annotations:
            return [*causes, *(required(f"spec.{key}", _NOTHING_ASKED) for key in ("validations", "auditAnnotations"))]
        for index, validation in enumerate(validations):
            causes += validate_validation(environment, validation, f"spec.validations[{index}]")
        if len(annotations) > MAX_ANNOTATIONS:
            why = f"must not have more than {MAX_ANNOTATIONS} auditAnnotations"
            causes.append(invalid("spec.auditAnnotations", list(annotations), why))
        keys: set[str] = set()
        name = (obj.get("metadata") or {}).get("name") or ""
        for index, annotation in enumerate(annotations):
            at, key = f"spec.auditAnnotations[{index}]", annotation.get("key") or ""
            causes += validate_annotation(environment, name, annotation, at)
            if key in keys:
                causes.append(duplicate(f"{at}.key", key))
            keys.add(key)
        return causes


class MutatingPolicyStrategy(_PolicyStrategy):
    def validate_expressions(self, obj: JsonObject, spec: JsonObject) -> list[Cause]:
        causes = []
        for index, rule in enumerate((spec.get("matchConstraints") or {}).get("resourceRules") or ()):
            at = f"spec.matchConstraints.resourceRules[{index}].operations"
            causes += [not_supported(f"{at}[{number}]", one, MUTABLE) for number, one in enumerate(rule.get("operations") or ())
                       if one == "DELETE"]
        environment = _environment(spec, patches=True)
        causes += validate_variables(environment, spec, "spec.variables")
        if not (mutations := spec.get("mutations") or ()):
            causes.append(required("spec.mutations", "mutations must contain at least one item"))
        for index, mutation in enumerate(mutations):
            causes += validate_mutation(environment, mutation, f"spec.mutations[{index}]")
        return causes + _one_of(spec, "reinvocationPolicy", REINVOCATION_POLICIES, "spec")


class PolicyBindingStrategy(Strategy):
    allows_update_without_version = False
    counts_generations = True
    qualified_finalizers = False

    def default(self, obj: JsonObject) -> None:
        if isinstance(match := (obj.get("spec") or {}).get("matchResources"), dict):
            default_match(match)

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec = obj.get("spec") or {}
        if name := spec.get("policyName") or "":
            causes = each("spec.policyName", name, dns_subdomain_problems(name))
        else:
            causes = [required("spec.policyName")]
        if (ref := spec.get("paramRef")) is not None:
            causes += validate_param_ref(ref, "spec.paramRef")
        if (match := spec.get("matchResources")) is not None:
            causes += validate_match(match, "spec.matchResources")
        if self.resource.kind.startswith("Validating"):
            causes += validate_actions(spec.get("validationActions") or (), "spec.validationActions")
        return causes


def default_match(match: JsonObject) -> None:
    match.setdefault("matchPolicy", "Equivalent")
    match.setdefault("namespaceSelector", {})
    match.setdefault("objectSelector", {})
    for key in ("resourceRules", "excludeResourceRules"):
        for rule in match.get(key) or ():
            rule.setdefault("scope", "*")


def _one_of(spec: JsonObject, key: str, values: Sequence[str], at: str) -> list[Cause]:
    if not (value := spec.get(key)):
        return [required(f"{at}.{key}")]
    return [] if value in values else [not_supported(f"{at}.{key}", value, values)]


def validate_match(match: JsonObject, at: str) -> list[Cause]:
    causes = _one_of(match, "matchPolicy", MATCH_POLICIES, at)
    for key in ("namespaceSelector", "objectSelector"):
        causes += validate_label_selector(match.get(key) or {}, f"{at}.{key}")
    for key in ("resourceRules", "excludeResourceRules"):
        for index, rule in enumerate(match.get(key) or ()):
            causes += _validate_names(rule.get("resourceNames") or (), f"{at}.{key}[{index}].resourceNames")
            causes += validate_rule(rule, f"{at}.{key}[{index}]")
    return causes


def _validate_names(names: Sequence[str], at: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, name in enumerate(names):
        causes += each(f"{at}[{index}]", name, path_segment_problems(name))
        if name in names[:index]:
            causes.append(duplicate(f"{at}[{index}]", name))
    return causes


def validate_param_kind(kind: JsonObject, at: str) -> list[Cause]:
    version, name, path = kind.get("apiVersion") or "", kind.get("kind") or "", f"{at}.apiVersion"
    causes: list[Cause] = []
    if not version:
        causes.append(required(path))
    elif version.count("/") > 1:
        causes.append(invalid(path, version, f"unexpected GroupVersion string: {version}"))
    else:
        group, _, short = version.rpartition("/")
        causes += each(path, group, dns_subdomain_problems(group)) if group else []
        causes += each(path, short, dns1035_problems(short)) if short else [invalid(path, version, "version must be specified")]
    if not name:
        return [*causes, required(f"{at}.kind")]
    if problems := dns1035_problems(name.lower()):
        causes.append(invalid(f"{at}.kind", name, "may have mixed case, but should otherwise match: " + ",".join(problems)))
    return causes


def validate_param_ref(ref: JsonObject, at: str) -> list[Cause]:
    name, selector, action = ref.get("name") or "", ref.get("selector"), ref.get("parameterNotFoundAction")
    causes = each(f"{at}.name", name, path_segment_problems(name)) if name else []
    if name and selector is not None:
        causes.append(forbidden(f"{at}.name", "name and selector are mutually exclusive"))
    if selector is not None:
        causes += validate_label_selector(selector, f"{at}.selector")
        if name:
            causes.append(forbidden(f"{at}.selector", "name and selector are mutually exclusive"))
    if not name and selector is None:
        causes.append(required(at, "one of name or selector must be specified"))
    if not action:
        causes.append(required(f"{at}.parameterNotFoundAction"))
    elif action not in NOT_FOUND_ACTIONS:
        causes.append(not_supported(f"{at}.parameterNotFoundAction", action, NOT_FOUND_ACTIONS))
    return causes


def validate_actions(actions: Sequence[str], at: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, action in enumerate(actions):
        if action not in ACTIONS:
            causes.append(not_supported(f"{at}[{index}]", action, ACTIONS))
        if action in actions[:index]:
            causes.append(duplicate(f"{at}[{index}]", action))
    if "Deny" in actions and "Warn" in actions:
        why = "(repeating the same validation failure information in the API response and headers serves no purpose)"
        causes.append(invalid(at, list(actions), f"must not contain both Deny and Warn {why}"))
    return causes if actions else [required(at)]


# -- expressions


def _environment(spec: JsonObject, *, patches: bool = False) -> Environment:
    from control_plane.apiserver.admission.policies.environment import Environment

    return Environment(params=spec.get("paramKind") is not None, composed=patches or bool(spec.get("variables")), patches=patches)


def validate_conditions(spec: JsonObject, at: str) -> list[Cause]:
    from control_plane.apiserver.admission.policies.environment import BOOLEAN

    conditions = spec.get("matchConditions") or ()
    if not conditions:
        return []
    causes = [too_many(at, len(conditions), MAX_MATCH_CONDITIONS)] if len(conditions) > MAX_MATCH_CONDITIONS else []
    environment, names = _environment(spec), set()
    for index, condition in enumerate(conditions):
        path, expression, name = f"{at}[{index}]", (condition.get("expression") or "").strip(), condition.get("name") or ""
        if expression:
            causes += environment.compile(expression, BOOLEAN, composed=False).causes(f"{path}.expression")
        else:
            causes.append(required(f"{path}.expression"))
        causes += each(f"{path}.name", name, qualified_name_problems(name)) if name else [required(f"{path}.name")]
        if name and name in names:
            causes.append(duplicate(f"{path}.name", name))
        names.add(name)
    return causes


def validate_variables(environment: Environment, spec: JsonObject, at: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, variable in enumerate(spec.get("variables") or ()):
        path, name, expression = f"{at}[{index}]", variable.get("name") or "", variable.get("expression") or ""
        if not name.strip():
            causes.append(required(f"{path}.name", "name is not specified"))
        elif not _IDENTIFIER.fullmatch(name) or name in _RESERVED:
            causes.append(invalid(f"{path}.name", name, "must be a valid CEL identifier"))
        if not expression.strip():
            causes.append(required(f"{path}.expression", "expression is not specified"))
        else:
            causes += environment.add_variable(name, expression).causes(f"{path}.expression")
    return causes


def validate_validation(environment: Environment, validation: JsonObject, at: str) -> list[Cause]:
    from control_plane.apiserver.admission.policies.environment import BOOLEAN, TEXT

    expression, message = validation.get("expression") or "", validation.get("message") or ""
    said, reason = validation.get("messageExpression") or "", validation.get("reason")
    if expression.strip():
        causes = environment.compile(expression, BOOLEAN).causes(f"{at}.expression")
    else:
        causes = [required(f"{at}.expression", "expression is not specified")]
    if said and not said.strip():
        causes.append(invalid(f"{at}.messageExpression", said, "must be non-empty if specified"))
    elif said:
        causes += environment.compile(said, TEXT, authorizer=False).causes(f"{at}.messageExpression")
    if message and not message.strip():
        causes.append(invalid(f"{at}.message", message, "message must be non-empty if specified"))
    elif re.search(r"[\n\r]", message.strip()):
        causes.append(invalid(f"{at}.message", message, "message must not contain line breaks"))
    if reason is not None and reason not in REASONS:
        causes.append(not_supported(f"{at}.reason", reason, REASONS))
    return causes


def validate_annotation(environment: Environment, name: str, annotation: JsonObject, at: str) -> list[Cause]:
    from control_plane.apiserver.admission.policies.environment import TEXT_OR_NULL

    key, expression = annotation.get("key") or "", annotation.get("valueExpression") or ""
    path, text = f"{at}.valueExpression", expression.strip()
    if name:
        causes = each(f"{at}.key", f"{name}/{key}", qualified_name_problems(f"{name}/{key}"))
    else:
        causes = [invalid(f"{at}.key", key, "requires metadata.name be non-empty")]
    if not text:
        return [*causes, required(path, "valueExpression is not specified")]
    if len(text.encode()) > MAX_ANNOTATION_EXPRESSION:
        return [*causes, required(path, f"must not exceed {MAX_ANNOTATION_EXPRESSION} bytes in length")]
    return causes + environment.compile(text, TEXT_OR_NULL).causes(path, expression)


def validate_mutation(environment: Environment, mutation: JsonObject, at: str) -> list[Cause]:
    from control_plane.apiserver.admission.policies.evaluation import compile_mutation

    causes = _one_of(mutation, "patchType", tuple(PATCH_TYPES), at)
    if causes:
        return causes
    kind = mutation["patchType"]
    for name, key in PATCH_TYPES.items():
        if name != kind and mutation.get(key) is not None:
            causes.append(forbidden(f"{at}.{key}", f"must not be specified when patchType is {kind}"))
    path = f"{at}.{PATCH_TYPES[kind]}"
    if (patch := mutation.get(PATCH_TYPES[kind])) is None:
        return [*causes, required(path, f"must be specified when patchType is {kind}")]
    if not (patch.get("expression") or "").strip():
        return [*causes, required(f"{path}.expression")]
    return causes + compile_mutation(environment, mutation).causes(f"{path}.expression")
