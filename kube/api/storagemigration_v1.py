# Generated for Kubernetes v1.37.0 by kube.apimachinery.codegen.structs; do not edit.

from __future__ import annotations

from typing import ClassVar

import msgspec

from kube.apimachinery.scheme import GroupVersionKind
from kube.api.meta_v1 import Condition, GroupResource, ObjectMeta


class StorageVersionMigrationSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    resource: GroupResource | None = None


class StorageVersionMigrationStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    conditions: tuple[Condition, ...] = ()
    resource_version: str = ""


class StorageVersionMigration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("storagemigration.k8s.io", "v1", "StorageVersionMigration")

    api_version: str = msgspec.field(default_factory=lambda: "storagemigration.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "StorageVersionMigration")
    metadata: ObjectMeta = ObjectMeta()
    spec: StorageVersionMigrationSpec = StorageVersionMigrationSpec()
    status: StorageVersionMigrationStatus = StorageVersionMigrationStatus()
