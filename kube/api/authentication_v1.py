# Generated for Kubernetes v1.37.0 by kube.apimachinery.codegen.structs; do not edit.

from __future__ import annotations

from typing import ClassVar

import msgspec

from kube.apimachinery.scheme import GroupVersionKind
from kube.api.meta_v1 import ObjectMeta


class BoundObjectReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""


class SelfSubjectReviewStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    user_info: UserInfo | None = None


class SelfSubjectReview(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("authentication.k8s.io", "v1", "SelfSubjectReview")

    api_version: str = msgspec.field(default_factory=lambda: "authentication.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "SelfSubjectReview")
    metadata: ObjectMeta = ObjectMeta()
    status: SelfSubjectReviewStatus = SelfSubjectReviewStatus()


class TokenRequestSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    attestations: dict[str, tuple[str, ...]] = {}
    audiences: tuple[str, ...] = ()
    bound_object_ref: BoundObjectReference | None = None
    expiration_seconds: int | None = None


class TokenRequestStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    expiration_timestamp: str = ""
    token: str = ""


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("authentication.k8s.io", "v1", "TokenRequest")

    api_version: str = msgspec.field(default_factory=lambda: "authentication.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "TokenRequest")
    metadata: ObjectMeta = ObjectMeta()
    spec: TokenRequestSpec = TokenRequestSpec()
    status: TokenRequestStatus = TokenRequestStatus()


class TokenReviewSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    audiences: tuple[str, ...] = ()
    token: str = ""


class TokenReviewStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    audiences: tuple[str, ...] = ()
    authenticated: bool | None = None
    error: str = ""
    user: UserInfo | None = None


class TokenReview(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("authentication.k8s.io", "v1", "TokenReview")

    api_version: str = msgspec.field(default_factory=lambda: "authentication.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "TokenReview")
    metadata: ObjectMeta = ObjectMeta()
    spec: TokenReviewSpec = TokenReviewSpec()
    status: TokenReviewStatus = TokenReviewStatus()


class UserInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    extra: dict[str, tuple[str, ...]] = {}
    groups: tuple[str, ...] = ()
    uid: str = ""
    username: str = ""
