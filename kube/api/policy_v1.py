# Generated for Kubernetes v1.37.0 by kube.apimachinery.codegen.structs; do not edit.

from __future__ import annotations

from typing import ClassVar

import msgspec

from kube.apimachinery.scheme import GroupVersionKind
from kube.api.meta_v1 import Condition, DeleteOptions, LabelSelector, ObjectMeta


class Eviction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("policy", "v1", "Eviction")

    api_version: str = msgspec.field(default_factory=lambda: "policy/v1")
    delete_options: DeleteOptions | None = None
    kind: str = msgspec.field(default_factory=lambda: "Eviction")
    metadata: ObjectMeta = ObjectMeta()


class PodDisruptionBudgetSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    max_unavailable: int | str | None = None
    min_available: int | str | None = None
    selector: LabelSelector | None = None
    unhealthy_pod_eviction_policy: str = ""


class PodDisruptionBudgetStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    conditions: tuple[Condition, ...] = ()
    current_healthy: int | None = None
    desired_healthy: int | None = None
    disrupted_pods: dict[str, str] = {}
    disruptions_allowed: int | None = None
    expected_pods: int | None = None
    observed_generation: int | None = None


class PodDisruptionBudget(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("policy", "v1", "PodDisruptionBudget")

    api_version: str = msgspec.field(default_factory=lambda: "policy/v1")
    kind: str = msgspec.field(default_factory=lambda: "PodDisruptionBudget")
    metadata: ObjectMeta = ObjectMeta()
    spec: PodDisruptionBudgetSpec = PodDisruptionBudgetSpec()
    status: PodDisruptionBudgetStatus = PodDisruptionBudgetStatus()
