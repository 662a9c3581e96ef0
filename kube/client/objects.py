"""What every API object has: a kind, metadata, a key, perhaps a controlling owner."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

import msgspec

from kube.api.meta_v1 import ObjectMeta, OwnerReference
from kube.apimachinery.meta import NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupVersionKind, ResourceType


class ApiObject(Protocol):
    """Any top-level Struct of kube.api."""

    GVK: ClassVar[GroupVersionKind]

    @property
    def metadata(self) -> ObjectMeta: ...


T = TypeVar("T", bound=ApiObject)
V = TypeVar("V")


class PartialObjectMetadata(msgspec.Struct, frozen=True, kw_only=True, rename={"api_version": "apiVersion"}):
    """Any object, its metadata alone."""

    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("meta.k8s.io", "v1", "PartialObjectMetadata")

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)


def resource_of(kind: type[ApiObject] | ApiObject) -> ResourceType:
    """The row of the resource table that serves this type."""
    row = SCHEME.for_kind(kind.GVK)
    if row is None:
        raise LookupError(f"no resource serves {kind.GVK.kind} of {kind.GVK.api_version}")
    return row


def key_of(obj: ApiObject) -> NamespacedName:
    return NamespacedName(obj.metadata.namespace, obj.metadata.name)


def controller_of(obj: ApiObject) -> OwnerReference | None:
    """The one owner that controls the object; upstream's metav1.GetControllerOf."""
    for owner in obj.metadata.owner_references:
        if owner.controller:
            return owner
    return None


def owner_reference(owner: ApiObject) -> OwnerReference:
    """A controlling, blocking reference; upstream's metav1.NewControllerRef."""
    return OwnerReference(
        api_version=owner.GVK.api_version, kind=owner.GVK.kind, name=owner.metadata.name, uid=owner.metadata.uid,
        controller=True, block_owner_deletion=True,
    )


# Every condition of a Pod has the one, what Go clients wrote the other. No text within a string looks so: its quotes are escaped.
_COMMON_NULLS: Final = (b',"lastProbeTime":null', b'"lastProbeTime":null,', b'"creationTimestamp":null,')


class ObjectDecoder(Generic[V]):
    """JSON to a Struct. A null is an absent field, as Go's decoder has it; only objects that hold an uncommon one pay for that."""

    __slots__ = ("_decoder", "_kind")

    def __init__(self, kind: type[V]) -> None:
        self._kind = kind
        self._decoder = msgspec.json.Decoder(kind)

    def decode(self, body: bytes) -> V:
        if b":null" in body:
            for null in _COMMON_NULLS:
                body = body.replace(null, b"")
        try:
            return self._decoder.decode(body)
        except msgspec.ValidationError:
            if b"null" not in body:
                raise
            return msgspec.convert(_without_nulls(msgspec.json.decode(body)), self._kind)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(held) for name, held in value.items() if held is not None}
    return [_without_nulls(held) for held in value] if isinstance(value, list) else value


_DECODERS: Final[dict[Any, ObjectDecoder[Any]]] = {}


def decoder_for(kind: type[V]) -> ObjectDecoder[V]:
    """One decoder per type: building one costs far more than using it."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        decoder = _DECODERS[kind] = ObjectDecoder(kind)
    return decoder
