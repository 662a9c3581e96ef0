"""Who owns whom, by uid, as the informers tell it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from kube.api.meta_v1 import OwnerReference
from kube.apimachinery.meta import NamespacedName
from kube.apimachinery.scheme import ResourceType

ORPHAN: Final = "orphan"
FOREGROUND: Final = "foregroundDeletion"


class OwnedMetadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Of an object's metadata only what ownership needs: there may be very many objects."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    deletion_timestamp: str = ""
    finalizers: tuple[str, ...] = ()
    owner_references: tuple[OwnerReference, ...] = ()


class OwnedObject(msgspec.Struct, frozen=True, kw_only=True):
    metadata: OwnedMetadata = OwnedMetadata()


@dataclass(frozen=True, slots=True)
class Item:
    resource: ResourceType
    metadata: OwnedMetadata

    @property
    def uid(self) -> str:
        return self.metadata.uid

    @property
    def key(self) -> NamespacedName:
        return NamespacedName(self.metadata.namespace, self.metadata.name)

    @property
    def owners(self) -> tuple[OwnerReference, ...]:
        return self.metadata.owner_references

    @property
    def is_being_deleted(self) -> bool:
        return bool(self.metadata.deletion_timestamp)

    @property
    def is_deleting_dependents(self) -> bool:
        return self.is_being_deleted and FOREGROUND in self.metadata.finalizers

    @property
    def is_orphaning(self) -> bool:
        return self.is_being_deleted and ORPHAN in self.metadata.finalizers

    def blocks(self, owner_uid: str) -> bool:
        return any(ref.uid == owner_uid and ref.block_owner_deletion for ref in self.owners)


class Graph:
    def __init__(self) -> None:
        self._items: dict[str, Item] = {}
        self._dependents: dict[str, set[str]] = {}

    def get(self, uid: str) -> Item | None:
        return self._items.get(uid)

    def put(self, item: Item) -> Item | None:
        """Returns what was known before."""
        old = self._items.get(item.uid)
        if old is not None and old.owners != item.owners:
            self._unlink(old)
        self._items[item.uid] = item
        for ref in item.owners:
            self._dependents.setdefault(ref.uid, set()).add(item.uid)
        return old

    def remove(self, uid: str) -> Item | None:
        item = self._items.pop(uid, None)
        if item is not None:
            self._unlink(item)
        return item

    def dependents(self, uid: str) -> Iterator[Item]:
        """Also of an owner that is gone, or has never been seen."""
        for dependent in [*self._dependents.get(uid, ())]:
            if (item := self._items.get(dependent)) is not None:
                yield item

    def blocking_dependents(self, uid: str) -> list[Item]:
        return [item for item in self.dependents(uid) if item.blocks(uid)]

    def __len__(self) -> int:
        return len(self._items)

    def _unlink(self, item: Item) -> None:
        for ref in item.owners:
            held = self._dependents.get(ref.uid)
            if held is not None:
                held.discard(item.uid)
                if not held:
                    del self._dependents[ref.uid]
