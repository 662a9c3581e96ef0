# Generated for Kubernetes v1.37.0 by kube.apimachinery.codegen.structs; do not edit.

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from kube.apimachinery.scheme import GroupVersionKind


class APIGroup(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "APIGroup")

    api_version: str = msgspec.field(default_factory=lambda: "v1")
    kind: str = msgspec.field(default_factory=lambda: "APIGroup")
    name: str = ""
    preferred_version: GroupVersionForDiscovery | None = None
    server_address_by_client_cidrs: tuple[ServerAddressByClientCIDR, ...] = msgspec.field(default=(), name="serverAddressByClientCIDRs")
    versions: tuple[GroupVersionForDiscovery, ...] = ()


class APIGroupList(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "APIGroupList")

    api_version: str = msgspec.field(default_factory=lambda: "v1")
    groups: tuple[APIGroup, ...] = ()
    kind: str = msgspec.field(default_factory=lambda: "APIGroupList")


class APIResource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    categories: tuple[str, ...] = ()
    group: str = ""
    kind: str = ""
    name: str = ""
    namespaced: bool | None = None
    short_names: tuple[str, ...] = ()
    singular_name: str = ""
    storage_version_hash: str = ""
    verbs: tuple[str, ...] = ()
    version: str = ""


class APIResourceList(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "APIResourceList")

    api_version: str = msgspec.field(default_factory=lambda: "v1")
    group_version: str = ""
    kind: str = msgspec.field(default_factory=lambda: "APIResourceList")
    resources: tuple[APIResource, ...] = ()


class APIVersions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "APIVersions")

    api_version: str = msgspec.field(default_factory=lambda: "v1")
    kind: str = msgspec.field(default_factory=lambda: "APIVersions")
    server_address_by_client_cidrs: tuple[ServerAddressByClientCIDR, ...] = msgspec.field(default=(), name="serverAddressByClientCIDRs")
    versions: tuple[str, ...] = ()


class Condition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    last_transition_time: str = ""
    message: str = ""
    observed_generation: int | None = None
    reason: str = ""
    status: str = ""
    type: str = ""


class DeleteOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "DeleteOptions")

    api_version: str = msgspec.field(default_factory=lambda: "v1")
    dry_run: tuple[str, ...] = ()
    grace_period_seconds: int | None = None
    ignore_store_read_error_with_cluster_breaking_potential: bool | None = None
    kind: str = msgspec.field(default_factory=lambda: "DeleteOptions")
    orphan_dependents: bool | None = None
    preconditions: Preconditions | None = None
    propagation_policy: str = ""


class FieldSelectorRequirement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    key: str = ""
    operator: str = ""
    values: tuple[str, ...] = ()


class GroupResource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    group: str = ""
    resource: str = ""


class GroupVersionForDiscovery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    group_version: str = ""
    version: str = ""


class LabelSelector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()
    match_labels: dict[str, str] = {}


class LabelSelectorRequirement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    key: str = ""
    operator: str = ""
    values: tuple[str, ...] = ()


class ListMeta(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    continue_: str = ""
    remaining_item_count: int | None = None
    resource_version: str = ""
    self_link: str = ""
    shard_info: ShardInfo | None = None


class ManagedFieldsEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    api_version: str = ""
    fields_type: str = ""
    fields_v1: Any = None
    manager: str = ""
    operation: str = ""
    subresource: str = ""
    time: str = ""


class ObjectMeta(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    annotations: dict[str, str] = {}
    creation_timestamp: str = ""
    deletion_grace_period_seconds: int | None = None
    deletion_timestamp: str = ""
    finalizers: tuple[str, ...] = ()
    generate_name: str = ""
    generation: int | None = None
    labels: dict[str, str] = {}
    name: str = ""
    namespace: str = ""
    owner_references: tuple[OwnerReference, ...] = ()
    resource_version: str = ""
    self_link: str = ""
    uid: str = ""


class OwnerReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    api_version: str = ""
    block_owner_deletion: bool | None = None
    controller: bool | None = None
    kind: str = ""
    name: str = ""
    uid: str = ""


class Preconditions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    resource_version: str = ""
    uid: str = ""


class ServerAddressByClientCIDR(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    client_cidr: str = msgspec.field(default="", name="clientCIDR")
    server_address: str = ""


class ShardInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    selector: str = ""


class Status(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "Status")

    api_version: str = msgspec.field(default_factory=lambda: "v1")
    code: int | None = None
    details: StatusDetails | None = None
    kind: str = msgspec.field(default_factory=lambda: "Status")
    message: str = ""
    metadata: ListMeta = ListMeta()
    reason: str = ""
    status: str = ""


class StatusCause(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    field: str = ""
    message: str = ""
    reason: str = ""


class StatusDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    causes: tuple[StatusCause, ...] = ()
    group: str = ""
    kind: str = ""
    name: str = ""
    retry_after_seconds: int | None = None
    uid: str = ""


class WatchEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("", "v1", "WatchEvent")

    object: Any = None
    type: str = ""
