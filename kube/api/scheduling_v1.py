# Generated for Kubernetes v1.37.0 by kube.apimachinery.codegen.structs; do not edit.

from __future__ import annotations

from typing import ClassVar

import msgspec

from kube.apimachinery.scheme import GroupVersionKind
from kube.api.meta_v1 import ObjectMeta


class PriorityClass(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("scheduling.k8s.io", "v1", "PriorityClass")

    api_version: str = msgspec.field(default_factory=lambda: "scheduling.k8s.io/v1")
    description: str = ""
    global_default: bool | None = None
    kind: str = msgspec.field(default_factory=lambda: "PriorityClass")
    metadata: ObjectMeta = ObjectMeta()
    preemption_policy: str = ""
    value: int | None = None
