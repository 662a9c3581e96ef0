# Generated for Kubernetes v1.37.0 by kube.apimachinery.codegen.structs; do not edit.

from __future__ import annotations

from typing import ClassVar

import msgspec

from kube.apimachinery.scheme import GroupVersionKind
from kube.api.meta_v1 import Condition, LabelSelector, ObjectMeta


class ApplyConfiguration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    expression: str = ""


class AuditAnnotation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    key: str = ""
    value_expression: str = ""


class ExpressionWarning(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    field_ref: str = ""
    warning: str = ""


class JSONPatch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    expression: str = ""


class MatchCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    expression: str = ""
    name: str = ""


class MatchResources(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    exclude_resource_rules: tuple[NamedRuleWithOperations, ...] = ()
    match_policy: str = ""
    namespace_selector: LabelSelector | None = None
    object_selector: LabelSelector | None = None
    resource_rules: tuple[NamedRuleWithOperations, ...] = ()


class MutatingAdmissionPolicySpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    failure_policy: str = ""
    match_conditions: tuple[MatchCondition, ...] = ()
    match_constraints: MatchResources | None = None
    mutations: tuple[Mutation, ...] = ()
    param_kind: ParamKind | None = None
    reinvocation_policy: str = ""
    variables: tuple[Variable, ...] = ()


class MutatingAdmissionPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("admissionregistration.k8s.io", "v1", "MutatingAdmissionPolicy")

    api_version: str = msgspec.field(default_factory=lambda: "admissionregistration.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "MutatingAdmissionPolicy")
    metadata: ObjectMeta = ObjectMeta()
    spec: MutatingAdmissionPolicySpec = MutatingAdmissionPolicySpec()


class MutatingAdmissionPolicyBindingSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    match_resources: MatchResources | None = None
    param_ref: ParamRef | None = None
    policy_name: str = ""


class MutatingAdmissionPolicyBinding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("admissionregistration.k8s.io", "v1", "MutatingAdmissionPolicyBinding")

    api_version: str = msgspec.field(default_factory=lambda: "admissionregistration.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "MutatingAdmissionPolicyBinding")
    metadata: ObjectMeta = ObjectMeta()
    spec: MutatingAdmissionPolicyBindingSpec = MutatingAdmissionPolicyBindingSpec()


class MutatingWebhook(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    admission_review_versions: tuple[str, ...] = ()
    client_config: WebhookClientConfig | None = None
    failure_policy: str = ""
    match_conditions: tuple[MatchCondition, ...] = ()
    match_policy: str = ""
    name: str = ""
    namespace_selector: LabelSelector | None = None
    object_selector: LabelSelector | None = None
    reinvocation_policy: str = ""
    rules: tuple[RuleWithOperations, ...] = ()
    side_effects: str = ""
    timeout_seconds: int | None = None


class MutatingWebhookConfiguration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration")

    api_version: str = msgspec.field(default_factory=lambda: "admissionregistration.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "MutatingWebhookConfiguration")
    metadata: ObjectMeta = ObjectMeta()
    webhooks: tuple[MutatingWebhook, ...] = ()


class Mutation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    apply_configuration: ApplyConfiguration | None = None
    json_patch: JSONPatch | None = None
    patch_type: str = ""


class NamedRuleWithOperations(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    api_groups: tuple[str, ...] = ()
    api_versions: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    scope: str = ""


class ParamKind(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    api_version: str = ""
    kind: str = ""


class ParamRef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""
    namespace: str = ""
    parameter_not_found_action: str = ""
    selector: LabelSelector | None = None


class RuleWithOperations(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    api_groups: tuple[str, ...] = ()
    api_versions: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    scope: str = ""


class ServiceReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""
    namespace: str = ""
    path: str = ""
    port: int | None = None


class TypeChecking(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    expression_warnings: tuple[ExpressionWarning, ...] = ()


class ValidatingAdmissionPolicySpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    audit_annotations: tuple[AuditAnnotation, ...] = ()
    failure_policy: str = ""
    match_conditions: tuple[MatchCondition, ...] = ()
    match_constraints: MatchResources | None = None
    param_kind: ParamKind | None = None
    validations: tuple[Validation, ...] = ()
    variables: tuple[Variable, ...] = ()


class ValidatingAdmissionPolicyStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    conditions: tuple[Condition, ...] = ()
    observed_generation: int | None = None
    type_checking: TypeChecking | None = None


class ValidatingAdmissionPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy")

    api_version: str = msgspec.field(default_factory=lambda: "admissionregistration.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "ValidatingAdmissionPolicy")
    metadata: ObjectMeta = ObjectMeta()
    spec: ValidatingAdmissionPolicySpec = ValidatingAdmissionPolicySpec()
    status: ValidatingAdmissionPolicyStatus = ValidatingAdmissionPolicyStatus()


class ValidatingAdmissionPolicyBindingSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    match_resources: MatchResources | None = None
    param_ref: ParamRef | None = None
    policy_name: str = ""
    validation_actions: tuple[str, ...] = ()


class ValidatingAdmissionPolicyBinding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicyBinding")

    api_version: str = msgspec.field(default_factory=lambda: "admissionregistration.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "ValidatingAdmissionPolicyBinding")
    metadata: ObjectMeta = ObjectMeta()
    spec: ValidatingAdmissionPolicyBindingSpec = ValidatingAdmissionPolicyBindingSpec()


class ValidatingWebhook(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    admission_review_versions: tuple[str, ...] = ()
    client_config: WebhookClientConfig | None = None
    failure_policy: str = ""
    match_conditions: tuple[MatchCondition, ...] = ()
    match_policy: str = ""
    name: str = ""
    namespace_selector: LabelSelector | None = None
    object_selector: LabelSelector | None = None
    rules: tuple[RuleWithOperations, ...] = ()
    side_effects: str = ""
    timeout_seconds: int | None = None


class ValidatingWebhookConfiguration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration")

    api_version: str = msgspec.field(default_factory=lambda: "admissionregistration.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "ValidatingWebhookConfiguration")
    metadata: ObjectMeta = ObjectMeta()
    webhooks: tuple[ValidatingWebhook, ...] = ()


class Validation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    expression: str = ""
    message: str = ""
    message_expression: str = ""
    reason: str = ""


class Variable(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    expression: str = ""
    name: str = ""


class WebhookClientConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    ca_bundle: str = ""
    service: ServiceReference | None = None
    url: str = ""
