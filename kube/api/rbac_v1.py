# Generated for Kubernetes v1.37.0 by kube.apimachinery.codegen.structs; do not edit.

from __future__ import annotations

from typing import ClassVar

import msgspec

from kube.apimachinery.scheme import GroupVersionKind
from kube.api.meta_v1 import LabelSelector, ObjectMeta


class AggregationRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    cluster_role_selectors: tuple[LabelSelector, ...] = ()


class ClusterRole(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("rbac.authorization.k8s.io", "v1", "ClusterRole")

    aggregation_rule: AggregationRule | None = None
    api_version: str = msgspec.field(default_factory=lambda: "rbac.authorization.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "ClusterRole")
    metadata: ObjectMeta = ObjectMeta()
    rules: tuple[PolicyRule, ...] = ()


class ClusterRoleBinding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding")

    api_version: str = msgspec.field(default_factory=lambda: "rbac.authorization.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "ClusterRoleBinding")
    metadata: ObjectMeta = ObjectMeta()
    role_ref: RoleRef | None = None
    subjects: tuple[Subject, ...] = ()


class PolicyRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    api_groups: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = msgspec.field(default=(), name="nonResourceURLs")
    resource_names: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()


class Role(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("rbac.authorization.k8s.io", "v1", "Role")

    api_version: str = msgspec.field(default_factory=lambda: "rbac.authorization.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "Role")
    metadata: ObjectMeta = ObjectMeta()
    rules: tuple[PolicyRule, ...] = ()


class RoleBinding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("rbac.authorization.k8s.io", "v1", "RoleBinding")

    api_version: str = msgspec.field(default_factory=lambda: "rbac.authorization.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "RoleBinding")
    metadata: ObjectMeta = ObjectMeta()
    role_ref: RoleRef | None = None
    subjects: tuple[Subject, ...] = ()


class RoleRef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    api_group: str = ""
    kind: str = ""
    name: str = ""


class Subject(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    api_group: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
