# Generated for Kubernetes v1.37.0 by kube.apimachinery.codegen.structs; do not edit.

from __future__ import annotations

from typing import ClassVar

import msgspec

from kube.apimachinery.scheme import GroupVersionKind
from kube.api.meta_v1 import LabelSelector, ObjectMeta


class ContainerResourceMetricSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    container: str = ""
    name: str = ""
    target: MetricTarget | None = None


class ContainerResourceMetricStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    container: str = ""
    current: MetricValueStatus | None = None
    name: str = ""


class CrossVersionObjectReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    api_version: str = ""
    kind: str = ""
    name: str = ""


class ExternalMetricSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    metric: MetricIdentifier | None = None
    target: MetricTarget | None = None


class ExternalMetricStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    current: MetricValueStatus | None = None
    metric: MetricIdentifier | None = None


class HPAScalingPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    period_seconds: int | None = None
    type: str = ""
    value: int | None = None


class HPAScalingRules(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    policies: tuple[HPAScalingPolicy, ...] = ()
    select_policy: str = ""
    stabilization_window_seconds: int | None = None
    tolerance: str = ""


class HorizontalPodAutoscalerSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    behavior: HorizontalPodAutoscalerBehavior | None = None
    max_replicas: int | None = None
    metrics: tuple[MetricSpec, ...] = ()
    min_replicas: int | None = None
    scale_target_ref: CrossVersionObjectReference | None = None


class HorizontalPodAutoscalerStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    conditions: tuple[HorizontalPodAutoscalerCondition, ...] = ()
    current_metrics: tuple[MetricStatus, ...] = ()
    current_replicas: int | None = None
    desired_replicas: int | None = None
    last_scale_time: str = ""
    observed_generation: int | None = None


class HorizontalPodAutoscaler(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("autoscaling", "v2", "HorizontalPodAutoscaler")

    api_version: str = msgspec.field(default_factory=lambda: "autoscaling/v2")
    kind: str = msgspec.field(default_factory=lambda: "HorizontalPodAutoscaler")
    metadata: ObjectMeta = ObjectMeta()
    spec: HorizontalPodAutoscalerSpec = HorizontalPodAutoscalerSpec()
    status: HorizontalPodAutoscalerStatus = HorizontalPodAutoscalerStatus()


class HorizontalPodAutoscalerBehavior(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    scale_down: HPAScalingRules | None = None
    scale_up: HPAScalingRules | None = None


class HorizontalPodAutoscalerCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    last_transition_time: str = ""
    message: str = ""
    observed_generation: int | None = None
    reason: str = ""
    status: str = ""
    type: str = ""


class MetricIdentifier(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""
    selector: LabelSelector | None = None


class MetricSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    container_resource: ContainerResourceMetricSource | None = None
    external: ExternalMetricSource | None = None
    object: ObjectMetricSource | None = None
    pods: PodsMetricSource | None = None
    resource: ResourceMetricSource | None = None
    type: str = ""


class MetricStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    container_resource: ContainerResourceMetricStatus | None = None
    external: ExternalMetricStatus | None = None
    object: ObjectMetricStatus | None = None
    pods: PodsMetricStatus | None = None
    resource: ResourceMetricStatus | None = None
    type: str = ""


class MetricTarget(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    average_utilization: int | None = None
    average_value: str = ""
    type: str = ""
    value: str = ""


class MetricValueStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    average_utilization: int | None = None
    average_value: str = ""
    value: str = ""


class ObjectMetricSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    described_object: CrossVersionObjectReference | None = None
    metric: MetricIdentifier | None = None
    target: MetricTarget | None = None


class ObjectMetricStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    current: MetricValueStatus | None = None
    described_object: CrossVersionObjectReference | None = None
    metric: MetricIdentifier | None = None


class PodsMetricSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    metric: MetricIdentifier | None = None
    target: MetricTarget | None = None


class PodsMetricStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    current: MetricValueStatus | None = None
    metric: MetricIdentifier | None = None


class ResourceMetricSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""
    target: MetricTarget | None = None


class ResourceMetricStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    current: MetricValueStatus | None = None
    name: str = ""
