# Generated for Kubernetes v1.37.0 by kube.apimachinery.codegen.structs; do not edit.

from __future__ import annotations

from typing import ClassVar

import msgspec

from kube.apimachinery.scheme import GroupVersionKind
from kube.api.core_v1 import TypedLocalObjectReference
from kube.api.meta_v1 import Condition, LabelSelector, ObjectMeta


class HTTPIngressPath(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    backend: IngressBackend | None = None
    path: str = ""
    path_type: str = ""


class HTTPIngressRuleValue(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    paths: tuple[HTTPIngressPath, ...] = ()


class IPAddressSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    parent_ref: ParentReference | None = None


class IPAddress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("networking.k8s.io", "v1", "IPAddress")

    api_version: str = msgspec.field(default_factory=lambda: "networking.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "IPAddress")
    metadata: ObjectMeta = ObjectMeta()
    spec: IPAddressSpec = IPAddressSpec()


class IPBlock(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    cidr: str = ""
    except_: tuple[str, ...] = ()


class IngressSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    default_backend: IngressBackend | None = None
    ingress_class_name: str | None = None
    rules: tuple[IngressRule, ...] = ()
    tls: tuple[IngressTLS, ...] = ()


class IngressStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    load_balancer: IngressLoadBalancerStatus | None = None


class Ingress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("networking.k8s.io", "v1", "Ingress")

    api_version: str = msgspec.field(default_factory=lambda: "networking.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "Ingress")
    metadata: ObjectMeta = ObjectMeta()
    spec: IngressSpec = IngressSpec()
    status: IngressStatus = IngressStatus()


class IngressBackend(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    resource: TypedLocalObjectReference | None = None
    service: IngressServiceBackend | None = None


class IngressClassSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    controller: str = ""
    parameters: IngressClassParametersReference | None = None


class IngressClass(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("networking.k8s.io", "v1", "IngressClass")

    api_version: str = msgspec.field(default_factory=lambda: "networking.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "IngressClass")
    metadata: ObjectMeta = ObjectMeta()
    spec: IngressClassSpec = IngressClassSpec()


class IngressClassParametersReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    api_group: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    scope: str = ""


class IngressLoadBalancerIngress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    hostname: str = ""
    ip: str = ""
    ports: tuple[IngressPortStatus, ...] = ()


class IngressLoadBalancerStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    ingress: tuple[IngressLoadBalancerIngress, ...] = ()


class IngressPortStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    error: str = ""
    port: int | None = None
    protocol: str = ""


class IngressRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    host: str = ""
    http: HTTPIngressRuleValue | None = None


class IngressServiceBackend(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""
    port: ServiceBackendPort | None = None


class IngressTLS(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    hosts: tuple[str, ...] = ()
    secret_name: str = ""


class NetworkPolicySpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    egress: tuple[NetworkPolicyEgressRule, ...] = ()
    ingress: tuple[NetworkPolicyIngressRule, ...] = ()
    pod_selector: LabelSelector | None = None
    policy_types: tuple[str, ...] = ()


class NetworkPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("networking.k8s.io", "v1", "NetworkPolicy")

    api_version: str = msgspec.field(default_factory=lambda: "networking.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "NetworkPolicy")
    metadata: ObjectMeta = ObjectMeta()
    spec: NetworkPolicySpec = NetworkPolicySpec()


class NetworkPolicyEgressRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    ports: tuple[NetworkPolicyPort, ...] = ()
    to: tuple[NetworkPolicyPeer, ...] = ()


class NetworkPolicyIngressRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    from_: tuple[NetworkPolicyPeer, ...] = ()
    ports: tuple[NetworkPolicyPort, ...] = ()


class NetworkPolicyPeer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    ip_block: IPBlock | None = None
    namespace_selector: LabelSelector | None = None
    pod_selector: LabelSelector | None = None


class NetworkPolicyPort(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    end_port: int | None = None
    port: int | str | None = None
    protocol: str = ""


class ParentReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    group: str = ""
    name: str = ""
    namespace: str = ""
    resource: str = ""


class ServiceBackendPort(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""
    number: int | None = None


class ServiceCIDRSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    cidrs: tuple[str, ...] = ()


class ServiceCIDRStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    conditions: tuple[Condition, ...] = ()


class ServiceCIDR(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("networking.k8s.io", "v1", "ServiceCIDR")

    api_version: str = msgspec.field(default_factory=lambda: "networking.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "ServiceCIDR")
    metadata: ObjectMeta = ObjectMeta()
    spec: ServiceCIDRSpec = ServiceCIDRSpec()
    status: ServiceCIDRStatus = ServiceCIDRStatus()
