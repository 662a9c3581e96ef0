# Generated for Kubernetes v1.37.0 by kube.apimachinery.codegen.structs; do not edit.

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from kube.apimachinery.scheme import GroupVersionKind
from kube.api.core_v1 import PersistentVolumeClaim, PodTemplateSpec
from kube.api.meta_v1 import LabelSelector, ObjectMeta


class ControllerRevision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("apps", "v1", "ControllerRevision")

    api_version: str = msgspec.field(default_factory=lambda: "apps/v1")
    data: Any = None
    kind: str = msgspec.field(default_factory=lambda: "ControllerRevision")
    metadata: ObjectMeta = ObjectMeta()
    revision: int | None = None


class DaemonSetSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    min_ready_seconds: int | None = None
    revision_history_limit: int | None = None
    selector: LabelSelector | None = None
    template: PodTemplateSpec = PodTemplateSpec()
    update_strategy: DaemonSetUpdateStrategy | None = None


class DaemonSetStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    collision_count: int | None = None
    conditions: tuple[DaemonSetCondition, ...] = ()
    current_number_scheduled: int | None = None
    desired_number_scheduled: int | None = None
    number_available: int | None = None
    number_misscheduled: int | None = None
    number_ready: int | None = None
    number_unavailable: int | None = None
    observed_generation: int | None = None
    updated_number_scheduled: int | None = None


class DaemonSet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("apps", "v1", "DaemonSet")

    api_version: str = msgspec.field(default_factory=lambda: "apps/v1")
    kind: str = msgspec.field(default_factory=lambda: "DaemonSet")
    metadata: ObjectMeta = ObjectMeta()
    spec: DaemonSetSpec = DaemonSetSpec()
    status: DaemonSetStatus = DaemonSetStatus()


class DaemonSetCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    last_transition_time: str = ""
    message: str = ""
    reason: str = ""
    status: str = ""
    type: str = ""


class DaemonSetUpdateStrategy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    rolling_update: RollingUpdateDaemonSet | None = None
    type: str = ""


class DeploymentSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    min_ready_seconds: int | None = None
    paused: bool | None = None
    progress_deadline_seconds: int | None = None
    replicas: int | None = None
    revision_history_limit: int | None = None
    selector: LabelSelector | None = None
    strategy: DeploymentStrategy | None = None
    template: PodTemplateSpec = PodTemplateSpec()


class DeploymentStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    available_replicas: int | None = None
    collision_count: int | None = None
    conditions: tuple[DeploymentCondition, ...] = ()
    observed_generation: int | None = None
    ready_replicas: int | None = None
    replicas: int | None = None
    terminating_replicas: int | None = None
    unavailable_replicas: int | None = None
    updated_replicas: int | None = None


class Deployment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("apps", "v1", "Deployment")

    api_version: str = msgspec.field(default_factory=lambda: "apps/v1")
    kind: str = msgspec.field(default_factory=lambda: "Deployment")
    metadata: ObjectMeta = ObjectMeta()
    spec: DeploymentSpec = DeploymentSpec()
    status: DeploymentStatus = DeploymentStatus()


class DeploymentCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    last_transition_time: str = ""
    last_update_time: str = ""
    message: str = ""
    reason: str = ""
    status: str = ""
    type: str = ""


class DeploymentStrategy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    rolling_update: RollingUpdateDeployment | None = None
    type: str = ""


class ReplicaSetSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    min_ready_seconds: int | None = None
    replicas: int | None = None
    selector: LabelSelector | None = None
    template: PodTemplateSpec = PodTemplateSpec()


class ReplicaSetStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    available_replicas: int | None = None
    conditions: tuple[ReplicaSetCondition, ...] = ()
    fully_labeled_replicas: int | None = None
    observed_generation: int | None = None
    ready_replicas: int | None = None
    replicas: int | None = None
    terminating_replicas: int | None = None


class ReplicaSet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("apps", "v1", "ReplicaSet")

    api_version: str = msgspec.field(default_factory=lambda: "apps/v1")
    kind: str = msgspec.field(default_factory=lambda: "ReplicaSet")
    metadata: ObjectMeta = ObjectMeta()
    spec: ReplicaSetSpec = ReplicaSetSpec()
    status: ReplicaSetStatus = ReplicaSetStatus()


class ReplicaSetCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    last_transition_time: str = ""
    message: str = ""
    reason: str = ""
    status: str = ""
    type: str = ""


class RollingUpdateDaemonSet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    max_surge: int | str | None = None
    max_unavailable: int | str | None = None


class RollingUpdateDeployment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    max_surge: int | str | None = None
    max_unavailable: int | str | None = None


class RollingUpdateStatefulSetStrategy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    max_unavailable: int | str | None = None
    partition: int | None = None


class StatefulSetSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    min_ready_seconds: int | None = None
    ordinals: StatefulSetOrdinals | None = None
    persistent_volume_claim_retention_policy: StatefulSetPersistentVolumeClaimRetentionPolicy | None = None
    pod_management_policy: str = ""
    replicas: int | None = None
    revision_history_limit: int | None = None
    selector: LabelSelector | None = None
    service_name: str = ""
    template: PodTemplateSpec = PodTemplateSpec()
    update_strategy: StatefulSetUpdateStrategy | None = None
    volume_claim_templates: tuple[PersistentVolumeClaim, ...] = ()


class StatefulSetStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    available_replicas: int | None = None
    collision_count: int | None = None
    conditions: tuple[StatefulSetCondition, ...] = ()
    current_replicas: int | None = None
    current_revision: str = ""
    observed_generation: int | None = None
    ready_replicas: int | None = None
    replicas: int | None = None
    update_revision: str = ""
    updated_replicas: int | None = None


class StatefulSet(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("apps", "v1", "StatefulSet")

    api_version: str = msgspec.field(default_factory=lambda: "apps/v1")
    kind: str = msgspec.field(default_factory=lambda: "StatefulSet")
    metadata: ObjectMeta = ObjectMeta()
    spec: StatefulSetSpec = StatefulSetSpec()
    status: StatefulSetStatus = StatefulSetStatus()


class StatefulSetCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    last_transition_time: str = ""
    message: str = ""
    reason: str = ""
    status: str = ""
    type: str = ""


class StatefulSetOrdinals(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    start: int | None = None


class StatefulSetPersistentVolumeClaimRetentionPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    when_deleted: str = ""
    when_scaled: str = ""


class StatefulSetUpdateStrategy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    rolling_update: RollingUpdateStatefulSetStrategy | None = None
    type: str = ""
