# Generated for Kubernetes v1.37.0 by kube.apimachinery.codegen.structs; do not edit.

from __future__ import annotations

from typing import ClassVar

import msgspec

from kube.apimachinery.scheme import GroupVersionKind
from kube.api.core_v1 import Toleration
from kube.api.meta_v1 import ObjectMeta


class Overhead(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    pod_fixed: dict[str, str] = {}


class RuntimeClass(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("node.k8s.io", "v1", "RuntimeClass")

    api_version: str = msgspec.field(default_factory=lambda: "node.k8s.io/v1")
    handler: str = ""
    kind: str = msgspec.field(default_factory=lambda: "RuntimeClass")
    metadata: ObjectMeta = ObjectMeta()
    overhead: Overhead | None = None
    scheduling: Scheduling | None = None


class Scheduling(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    node_selector: dict[str, str] = {}
    tolerations: tuple[Toleration, ...] = ()
