# Generated for Kubernetes v1.37.0 by kube.apimachinery.codegen.structs; do not edit.

from __future__ import annotations

from typing import ClassVar

import msgspec

from kube.apimachinery.scheme import GroupVersionKind
from kube.api.meta_v1 import ObjectMeta


class ExemptPriorityLevelConfiguration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    lendable_percent: int | None = None
    nominal_concurrency_shares: int | None = None


class FlowDistinguisherMethod(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    type: str = ""


class FlowSchemaSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    distinguisher_method: FlowDistinguisherMethod | None = None
    matching_precedence: int | None = None
    priority_level_configuration: PriorityLevelConfigurationReference | None = None
    rules: tuple[PolicyRulesWithSubjects, ...] = ()


class FlowSchemaStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    conditions: tuple[FlowSchemaCondition, ...] = ()


class FlowSchema(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("flowcontrol.apiserver.k8s.io", "v1", "FlowSchema")

    api_version: str = msgspec.field(default_factory=lambda: "flowcontrol.apiserver.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "FlowSchema")
    metadata: ObjectMeta = ObjectMeta()
    spec: FlowSchemaSpec = FlowSchemaSpec()
    status: FlowSchemaStatus = FlowSchemaStatus()


class FlowSchemaCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    last_transition_time: str = ""
    message: str = ""
    reason: str = ""
    status: str = ""
    type: str = ""


class GroupSubject(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""


class LimitResponse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    queuing: QueuingConfiguration | None = None
    type: str = ""


class LimitedPriorityLevelConfiguration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    borrowing_limit_percent: int | None = None
    lendable_percent: int | None = None
    limit_response: LimitResponse | None = None
    nominal_concurrency_shares: int | None = None


class NonResourcePolicyRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    non_resource_urls: tuple[str, ...] = msgspec.field(default=(), name="nonResourceURLs")
    verbs: tuple[str, ...] = ()


class PolicyRulesWithSubjects(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    non_resource_rules: tuple[NonResourcePolicyRule, ...] = ()
    resource_rules: tuple[ResourcePolicyRule, ...] = ()
    subjects: tuple[Subject, ...] = ()


class PriorityLevelConfigurationSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    exempt: ExemptPriorityLevelConfiguration | None = None
    limited: LimitedPriorityLevelConfiguration | None = None
    type: str = ""


class PriorityLevelConfigurationStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    conditions: tuple[PriorityLevelConfigurationCondition, ...] = ()


class PriorityLevelConfiguration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("flowcontrol.apiserver.k8s.io", "v1", "PriorityLevelConfiguration")

    api_version: str = msgspec.field(default_factory=lambda: "flowcontrol.apiserver.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "PriorityLevelConfiguration")
    metadata: ObjectMeta = ObjectMeta()
    spec: PriorityLevelConfigurationSpec = PriorityLevelConfigurationSpec()
    status: PriorityLevelConfigurationStatus = PriorityLevelConfigurationStatus()


class PriorityLevelConfigurationCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    last_transition_time: str = ""
    message: str = ""
    reason: str = ""
    status: str = ""
    type: str = ""


class PriorityLevelConfigurationReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""


class QueuingConfiguration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    hand_size: int | None = None
    queue_length_limit: int | None = None
    queues: int | None = None


class ResourcePolicyRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    api_groups: tuple[str, ...] = ()
    cluster_scope: bool | None = None
    namespaces: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()


class ServiceAccountSubject(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""
    namespace: str = ""


class Subject(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    group: GroupSubject | None = None
    kind: str = ""
    service_account: ServiceAccountSubject | None = None
    user: UserSubject | None = None


class UserSubject(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""
