"""Which kinds a policy is about, and what is wrong with its expressions for each of them. Follows apiserver's validating/typechecking.

Looked at are `expression` and `messageExpression` of validations; `variables` for their types only. Rules with a wildcard in groups or
versions say nothing of kinds, and neither do resources with a wildcard or subresources.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from control_plane.policy_types import NAMESPACE, REQUEST, VARIABLES_TYPE, variable_type
from kube.api.admissionregistration_v1 import ExpressionWarning, NamedRuleWithOperations, ValidatingAdmissionPolicySpec
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupVersionKind, ResourceType
from kube.cel.errors import CompileError
from kube.cel.program import type_of_expression
from kube.cel.schema import type_of
from kube.cel.types import AUTHORIZER, DYN, ObjectType, Type

MOST_KINDS: Final = 10


def kinds_of(spec: ValidatingAdmissionPolicySpec, rows: Sequence[ResourceType]) -> list[ResourceType]:
    """Of the resources in `rows` those that the policy's rules name, sorted by kind; a rule that names ten is the last that counts."""
    found: dict[GroupVersionKind, ResourceType] = {}
    for rule in spec.match_constraints.resource_rules if spec.match_constraints else ():
        for count, row in enumerate(_named_by(rule, rows), 1):
            found[row.gvk] = row
            if count == MOST_KINDS:
                return [found[gvk] for gvk in sorted(found)]
    return [found[gvk] for gvk in sorted(found)]


def _named_by(rule: NamedRuleWithOperations, rows: Sequence[ResourceType]) -> Iterator[ResourceType]:
    """The group "" is any group, as for upstream's REST mapper: v1 events are of two."""
    if any("*" in one for one in (*rule.api_groups, *rule.api_versions)):
        return
    for group in sorted(rule.api_groups):
        for version in sorted(rule.api_versions):
            for resource in sorted(rule.resources):
                for row in rows:
                    if row.version == version and group in ("", row.group) and resource in (row.plural, row.singular_name):
                        yield row


def type_of_kind(schema: JsonObject, name: str) -> Type:
    """`name`: two types with the same name are the same to expressions."""
    return type_of(schema, resource_root=True, name=name) or DYN


def issues_of(spec: ValidatingAdmissionPolicySpec, gvk: GroupVersionKind, kind: Type, params: Type) -> dict[str, str]:
    """The path of an expression -> what is wrong with it for objects of this kind."""
    names: dict[str, Type] = {
        "object": kind, "oldObject": kind, "namespaceObject": NAMESPACE, "request": REQUEST, "authorizer": AUTHORIZER,
        **({"params": params} if spec.param_kind is not None else {}),
    }
    fields: dict[str, Type] = {}
    for variable in spec.variables:
        try:
            fields[variable.name] = variable_type(type_of_expression(variable.expression, _with(names, fields)))
        except CompileError:
            fields[variable.name] = DYN
    names, found = _with(names, fields), {}
    for path, expression in expressions_of(spec).items():
        try:
            type_of_expression(expression, names)
        except CompileError as error:
            found[path] = f"{gvk.group}/{gvk.version}, Kind={gvk.kind}: {error}\n"
    return found


def _with(names: Mapping[str, Type], variables: Mapping[str, Type]) -> dict[str, Type]:
    return {**names, "variables": ObjectType(VARIABLES_TYPE, variables)}


def expressions_of(spec: ValidatingAdmissionPolicySpec) -> dict[str, str]:
    found = {}
    for index, validation in enumerate(spec.validations):
        found[f"spec.validations[{index}].expression"] = validation.expression
        if validation.message_expression:
            found[f"spec.validations[{index}].messageExpression"] = validation.message_expression
    return found


def warnings_of(spec: ValidatingAdmissionPolicySpec, issues: Iterable[Mapping[str, str]]) -> list[ExpressionWarning]:
    """`issues`: of one kind after the other."""
    by_kind = list(issues)
    said = {path: [one[path] for one in by_kind if path in one] for path in expressions_of(spec)}
    return [ExpressionWarning(field_ref=path, warning="\n".join(texts)) for path, texts in said.items() if texts]
