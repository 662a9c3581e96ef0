# Generated for Kubernetes v1.37.0 by kube.apimachinery.codegen.structs; do not edit.

from __future__ import annotations

from typing import ClassVar

import msgspec

from kube.apimachinery.scheme import GroupVersionKind
from kube.api.meta_v1 import Condition, ObjectMeta


class CertificateSigningRequestSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    expiration_seconds: int | None = None
    extra: dict[str, tuple[str, ...]] = {}
    groups: tuple[str, ...] = ()
    request: str = ""
    signer_name: str = ""
    uid: str = ""
    usages: tuple[str, ...] = ()
    username: str = ""


class CertificateSigningRequestStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    certificate: str = ""
    conditions: tuple[CertificateSigningRequestCondition, ...] = ()


class CertificateSigningRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("certificates.k8s.io", "v1", "CertificateSigningRequest")

    api_version: str = msgspec.field(default_factory=lambda: "certificates.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "CertificateSigningRequest")
    metadata: ObjectMeta = ObjectMeta()
    spec: CertificateSigningRequestSpec = CertificateSigningRequestSpec()
    status: CertificateSigningRequestStatus = CertificateSigningRequestStatus()


class CertificateSigningRequestCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    last_transition_time: str = ""
    last_update_time: str = ""
    message: str = ""
    reason: str = ""
    status: str = ""
    type: str = ""


class ClusterTrustBundleSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    signer_name: str = ""
    trust_bundle: str = ""


class ClusterTrustBundle(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("certificates.k8s.io", "v1", "ClusterTrustBundle")

    api_version: str = msgspec.field(default_factory=lambda: "certificates.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "ClusterTrustBundle")
    metadata: ObjectMeta = ObjectMeta()
    spec: ClusterTrustBundleSpec = ClusterTrustBundleSpec()


class PodCertificateRequestSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    max_expiration_seconds: int | None = None
    node_name: str = ""
    node_uid: str = msgspec.field(default="", name="nodeUID")
    pod_name: str = ""
    pod_uid: str = msgspec.field(default="", name="podUID")
    service_account_name: str = ""
    service_account_uid: str = msgspec.field(default="", name="serviceAccountUID")
    signer_name: str = ""
    stub_pkcs10_request: str = msgspec.field(default="", name="stubPKCS10Request")
    unverified_user_annotations: dict[str, str] = {}


class PodCertificateRequestStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    begin_refresh_at: str = ""
    certificate_chain: str = ""
    conditions: tuple[Condition, ...] = ()
    not_after: str = ""
    not_before: str = ""


class PodCertificateRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("certificates.k8s.io", "v1", "PodCertificateRequest")

    api_version: str = msgspec.field(default_factory=lambda: "certificates.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "PodCertificateRequest")
    metadata: ObjectMeta = ObjectMeta()
    spec: PodCertificateRequestSpec = PodCertificateRequestSpec()
    status: PodCertificateRequestStatus = PodCertificateRequestStatus()
