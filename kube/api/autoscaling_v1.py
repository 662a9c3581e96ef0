# Generated for Kubernetes v1.37.0 by kube.apimachinery.codegen.structs; do not edit.

from __future__ import annotations

from typing import ClassVar

import msgspec

from kube.apimachinery.scheme import GroupVersionKind
from kube.api.meta_v1 import ObjectMeta


class CrossVersionObjectReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    api_version: str = ""
    kind: str = ""
    name: str = ""


class HorizontalPodAutoscalerSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    max_replicas: int | None = None
    min_replicas: int | None = None
    scale_target_ref: CrossVersionObjectReference | None = None
    target_cpu_utilization_percentage: int | None = msgspec.field(default=None, name="targetCPUUtilizationPercentage")


class HorizontalPodAutoscalerStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    current_cpu_utilization_percentage: int | None = msgspec.field(default=None, name="currentCPUUtilizationPercentage")
    current_replicas: int | None = None
    desired_replicas: int | None = None
    last_scale_time: str = ""
    observed_generation: int | None = None


class HorizontalPodAutoscaler(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("autoscaling", "v1", "HorizontalPodAutoscaler")

    api_version: str = msgspec.field(default_factory=lambda: "autoscaling/v1")
    kind: str = msgspec.field(default_factory=lambda: "HorizontalPodAutoscaler")
    metadata: ObjectMeta = ObjectMeta()
    spec: HorizontalPodAutoscalerSpec = HorizontalPodAutoscalerSpec()
    status: HorizontalPodAutoscalerStatus = HorizontalPodAutoscalerStatus()


class ScaleSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    replicas: int | None = None


class ScaleStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    replicas: int | None = None
    selector: str = ""


class Scale(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("autoscaling", "v1", "Scale")

    api_version: str = msgspec.field(default_factory=lambda: "autoscaling/v1")
    kind: str = msgspec.field(default_factory=lambda: "Scale")
    metadata: ObjectMeta = ObjectMeta()
    spec: ScaleSpec = ScaleSpec()
    status: ScaleStatus = ScaleStatus()
