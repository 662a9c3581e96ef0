"""Claiming: a controller adopts matching orphans and releases what no longer matches. Follows controller_ref_manager.go."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto
from typing import Any, Generic

import msgspec

from kube.apimachinery import errors
from kube.apimachinery.labels import Selector
from kube.client.client import Client
from kube.client.objects import ApiObject, T, controller_of, key_of, owner_reference
from kube.client.transport import PatchKind


class Claim(Enum):
    KEEP = auto()
    ADOPT = auto()
    RELEASE = auto()
    IGNORE = auto()


def claim(owner: ApiObject, selector: Selector, obj: ApiObject) -> Claim:
    """What `owner` should do about `obj`; pure."""
    ref = controller_of(obj)
    matches = selector.matches(obj.metadata.labels)
    if ref is not None:
        if ref.uid != owner.metadata.uid:
            return Claim.IGNORE
        if matches:
            return Claim.KEEP
        return Claim.IGNORE if owner.metadata.deletion_timestamp else Claim.RELEASE
    if not matches or owner.metadata.deletion_timestamp or obj.metadata.deletion_timestamp:
        return Claim.IGNORE
    return Claim.ADOPT if owner.metadata.namespace == obj.metadata.namespace else Claim.IGNORE


class Claimer(Generic[T]):
    """Claims objects of one kind for one owner."""

    def __init__(self, client: Client, owner: ApiObject, kind: type[T]) -> None:
        self._client = client
        self._owner = owner
        self._kind = kind
        self._may_adopt = False

    async def claim_all(self, selector: Selector, objects: Iterable[T]) -> list[T]:
        """Those that are the owner's when this returns."""
        mine = []
        for obj in objects:
            match claim(self._owner, selector, obj):
                case Claim.KEEP:
                    mine.append(obj)
                case Claim.ADOPT:
                    if (adopted := await self._adopt(obj)) is not None:
                        mine.append(adopted)
                case Claim.RELEASE:
                    await self._release(obj)
        return mine

    async def _adopt(self, obj: T) -> T | None:
        await self._check_may_adopt()
        reference = msgspec.to_builtins(owner_reference(self._owner))
        patch = {"metadata": {"ownerReferences": [reference], "uid": obj.metadata.uid}}
        try:
            return await self._client.patch(self._kind, key_of(obj), patch, kind=PatchKind.STRATEGIC)
        except errors.NotFound:
            return None

    async def _release(self, obj: T) -> None:
        patch = {
            "metadata": {"ownerReferences": [{"$patch": "delete", "uid": self._owner.metadata.uid}], "uid": obj.metadata.uid},
        }
        try:
            await self._client.patch(self._kind, key_of(obj), patch, kind=PatchKind.STRATEGIC)
        except (errors.NotFound, errors.Invalid):
            return      # gone, or its owner references are gone or its uid is another: nothing to release

    async def _check_may_adopt(self) -> None:
        """Asks the server, once: adopting for an owner that is being deleted would hand its Pods to the garbage collector."""
        if self._may_adopt:
            return
        owner: ApiObject = await self._client.get(_type_of(self._owner), key_of(self._owner))
        if owner.metadata.uid != self._owner.metadata.uid:
            raise errors.Conflict(f"original {self._owner.GVK.kind} {key_of(self._owner)} is gone: got uid {owner.metadata.uid}, "
                                  f"wanted {self._owner.metadata.uid}")
        if owner.metadata.deletion_timestamp:
            raise errors.Conflict(f"{key_of(self._owner)} has just been deleted at {owner.metadata.deletion_timestamp}")
        self._may_adopt = True


def _type_of(obj: ApiObject) -> Any:
    return type(obj)


def is_namespace_terminating(error: errors.ApiError) -> bool:
    """Whether a creation was refused because its namespace is going away."""
    return any(cause.reason == "NamespaceTerminating" for cause in error.causes)
