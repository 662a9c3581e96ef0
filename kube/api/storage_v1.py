# Generated for Kubernetes v1.37.0 by kube.apimachinery.codegen.structs; do not edit.

from __future__ import annotations

from typing import ClassVar

import msgspec

from kube.apimachinery.scheme import GroupVersionKind
from kube.api.core_v1 import PersistentVolumeSpec, TopologySelectorTerm
from kube.api.meta_v1 import LabelSelector, ObjectMeta


class CSIDriverSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    attach_required: bool | None = None
    fs_group_policy: str = ""
    node_allocatable_update_period_seconds: int | None = None
    pod_info_on_mount: bool | None = None
    prevent_pod_scheduling_if_missing: bool | None = None
    requires_republish: bool | None = None
    se_linux_mount: bool | None = None
    service_account_token_in_secrets: bool | None = None
    storage_capacity: bool | None = None
    token_requests: tuple[TokenRequest, ...] = ()
    volume_lifecycle_modes: tuple[str, ...] = ()


class CSIDriver(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("storage.k8s.io", "v1", "CSIDriver")

    api_version: str = msgspec.field(default_factory=lambda: "storage.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "CSIDriver")
    metadata: ObjectMeta = ObjectMeta()
    spec: CSIDriverSpec = CSIDriverSpec()


class CSINodeSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    drivers: tuple[CSINodeDriver, ...] = ()


class CSINodeStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    storage_health: tuple[StorageHealth, ...] = ()


class CSINode(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("storage.k8s.io", "v1", "CSINode")

    api_version: str = msgspec.field(default_factory=lambda: "storage.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "CSINode")
    metadata: ObjectMeta = ObjectMeta()
    spec: CSINodeSpec = CSINodeSpec()
    status: CSINodeStatus = CSINodeStatus()


class CSINodeDriver(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    allocatable: VolumeNodeResources | None = None
    name: str = ""
    node_id: str = msgspec.field(default="", name="nodeID")
    topology_keys: tuple[str, ...] = ()


class CSIStorageCapacity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("storage.k8s.io", "v1", "CSIStorageCapacity")

    api_version: str = msgspec.field(default_factory=lambda: "storage.k8s.io/v1")
    capacity: str = ""
    kind: str = msgspec.field(default_factory=lambda: "CSIStorageCapacity")
    maximum_volume_size: str = ""
    metadata: ObjectMeta = ObjectMeta()
    node_topology: LabelSelector | None = None
    storage_class_name: str | None = None


class StorageClass(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("storage.k8s.io", "v1", "StorageClass")

    allow_volume_expansion: bool | None = None
    allowed_topologies: tuple[TopologySelectorTerm, ...] = ()
    api_version: str = msgspec.field(default_factory=lambda: "storage.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "StorageClass")
    metadata: ObjectMeta = ObjectMeta()
    mount_options: tuple[str, ...] = ()
    parameters: dict[str, str] = {}
    provisioner: str = ""
    reclaim_policy: str = ""
    volume_binding_mode: str = ""


class StorageHealth(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    health_conditions: tuple[StorageHealthCondition, ...] = ()
    name: str = ""


class StorageHealthCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    access_mode: str = ""
    last_transition_time: str = ""
    message: str = ""
    reason: str = ""
    status: str = ""
    volume_mode: str = ""


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    audience: str = ""
    expiration_seconds: int | None = None


class VolumeAttachmentSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    attacher: str = ""
    node_name: str = ""
    source: VolumeAttachmentSource | None = None


class VolumeAttachmentStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    attach_error: VolumeError | None = None
    attached: bool | None = None
    attachment_metadata: dict[str, str] = {}
    detach_error: VolumeError | None = None


class VolumeAttachment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("storage.k8s.io", "v1", "VolumeAttachment")

    api_version: str = msgspec.field(default_factory=lambda: "storage.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "VolumeAttachment")
    metadata: ObjectMeta = ObjectMeta()
    spec: VolumeAttachmentSpec = VolumeAttachmentSpec()
    status: VolumeAttachmentStatus = VolumeAttachmentStatus()


class VolumeAttachmentSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    inline_volume_spec: PersistentVolumeSpec | None = None
    persistent_volume_name: str = ""


class VolumeAttributesClass(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("storage.k8s.io", "v1", "VolumeAttributesClass")

    api_version: str = msgspec.field(default_factory=lambda: "storage.k8s.io/v1")
    driver_name: str = ""
    kind: str = msgspec.field(default_factory=lambda: "VolumeAttributesClass")
    metadata: ObjectMeta = ObjectMeta()
    parameters: dict[str, str] = {}


class VolumeError(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    error_code: int | None = None
    message: str = ""
    time: str = ""


class VolumeNodeResources(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    count: int | None = None
