# Generated for Kubernetes v1.37.0 by kube.apimachinery.codegen.structs; do not edit.

from __future__ import annotations

from typing import ClassVar

import msgspec

from kube.apimachinery.scheme import GroupVersionKind
from kube.api.core_v1 import ObjectReference
from kube.api.meta_v1 import ObjectMeta


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    addresses: tuple[str, ...] = ()
    conditions: EndpointConditions | None = None
    deprecated_topology: dict[str, str] = {}
    hints: EndpointHints | None = None
    hostname: str = ""
    node_name: str = ""
    target_ref: ObjectReference | None = None
    zone: str = ""


class EndpointConditions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class EndpointHints(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    for_nodes: tuple[ForNode, ...] = ()
    for_zones: tuple[ForZone, ...] = ()


class EndpointPort(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    app_protocol: str = ""
    name: str = ""
    port: int | None = None
    protocol: str = ""


class EndpointSlice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("discovery.k8s.io", "v1", "EndpointSlice")

    address_type: str = ""
    api_version: str = msgspec.field(default_factory=lambda: "discovery.k8s.io/v1")
    endpoints: tuple[Endpoint, ...] = ()
    kind: str = msgspec.field(default_factory=lambda: "EndpointSlice")
    metadata: ObjectMeta = ObjectMeta()
    ports: tuple[EndpointPort, ...] = ()


class ForNode(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""


class ForZone(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""
