# Generated for Kubernetes v1.37.0 by kube.apimachinery.codegen.structs; do not edit.

from __future__ import annotations

from typing import ClassVar

import msgspec

from kube.apimachinery.scheme import GroupVersionKind
from kube.api.meta_v1 import FieldSelectorRequirement, LabelSelectorRequirement, ObjectMeta


class FieldSelectorAttributes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    raw_selector: str = ""
    requirements: tuple[FieldSelectorRequirement, ...] = ()


class LabelSelectorAttributes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    raw_selector: str = ""
    requirements: tuple[LabelSelectorRequirement, ...] = ()


class SubjectAccessReviewSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    extra: dict[str, tuple[str, ...]] = {}
    groups: tuple[str, ...] = ()
    non_resource_attributes: NonResourceAttributes | None = None
    resource_attributes: ResourceAttributes | None = None
    uid: str = ""
    user: str = ""


class SubjectAccessReviewStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    allowed: bool | None = None
    denied: bool | None = None
    evaluation_error: str = ""
    reason: str = ""


class LocalSubjectAccessReview(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("authorization.k8s.io", "v1", "LocalSubjectAccessReview")

    api_version: str = msgspec.field(default_factory=lambda: "authorization.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "LocalSubjectAccessReview")
    metadata: ObjectMeta = ObjectMeta()
    spec: SubjectAccessReviewSpec = SubjectAccessReviewSpec()
    status: SubjectAccessReviewStatus = SubjectAccessReviewStatus()


class NonResourceAttributes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    path: str = ""
    verb: str = ""


class NonResourceRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    non_resource_urls: tuple[str, ...] = msgspec.field(default=(), name="nonResourceURLs")
    verbs: tuple[str, ...] = ()


class ResourceAttributes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    field_selector: FieldSelectorAttributes | None = None
    group: str = ""
    label_selector: LabelSelectorAttributes | None = None
    name: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    verb: str = ""
    version: str = ""


class ResourceRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    api_groups: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()


class SelfSubjectAccessReviewSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    non_resource_attributes: NonResourceAttributes | None = None
    resource_attributes: ResourceAttributes | None = None


class SelfSubjectAccessReview(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("authorization.k8s.io", "v1", "SelfSubjectAccessReview")

    api_version: str = msgspec.field(default_factory=lambda: "authorization.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "SelfSubjectAccessReview")
    metadata: ObjectMeta = ObjectMeta()
    spec: SelfSubjectAccessReviewSpec = SelfSubjectAccessReviewSpec()
    status: SubjectAccessReviewStatus = SubjectAccessReviewStatus()


class SelfSubjectRulesReviewSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    namespace: str = ""


class SubjectRulesReviewStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    evaluation_error: str = ""
    incomplete: bool | None = None
    non_resource_rules: tuple[NonResourceRule, ...] = ()
    resource_rules: tuple[ResourceRule, ...] = ()


class SelfSubjectRulesReview(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("authorization.k8s.io", "v1", "SelfSubjectRulesReview")

    api_version: str = msgspec.field(default_factory=lambda: "authorization.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "SelfSubjectRulesReview")
    metadata: ObjectMeta = ObjectMeta()
    spec: SelfSubjectRulesReviewSpec = SelfSubjectRulesReviewSpec()
    status: SubjectRulesReviewStatus = SubjectRulesReviewStatus()


class SubjectAccessReview(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("authorization.k8s.io", "v1", "SubjectAccessReview")

    api_version: str = msgspec.field(default_factory=lambda: "authorization.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "SubjectAccessReview")
    metadata: ObjectMeta = ObjectMeta()
    spec: SubjectAccessReviewSpec = SubjectAccessReviewSpec()
    status: SubjectAccessReviewStatus = SubjectAccessReviewStatus()
