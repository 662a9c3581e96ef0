"""What an object's owners say about its fate; pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import msgspec

from control_plane.controllers.garbage_collector.graph import FOREGROUND, ORPHAN, Item
from kube.api.meta_v1 import OwnerReference


class OwnerState(Enum):
    SOLID = auto()          # it is there
    WAITING = auto()        # it is there, being deleted in the foreground: it waits for its dependents
    DANGLING = auto()       # it is gone, or another object has its name


@dataclass(slots=True)
class Owners:
    solid: list[OwnerReference] = field(default_factory=list)
    waiting: list[OwnerReference] = field(default_factory=list)
    dangling: list[OwnerReference] = field(default_factory=list)

    def add(self, ref: OwnerReference, state: OwnerState) -> None:
        {OwnerState.SOLID: self.solid, OwnerState.WAITING: self.waiting, OwnerState.DANGLING: self.dangling}[state].append(ref)


class Fate(Enum):
    KEEP = auto()
    DROP_REFERENCES = auto()    # one owner is solid: only forget those that are not
    DELETE_FOREGROUND = auto()  # an owner waits for it, and it has dependents of its own
    DELETE = auto()


def fate(owners: Owners, *, has_dependents: bool) -> Fate:
    if owners.solid:
        return Fate.DROP_REFERENCES if owners.dangling or owners.waiting else Fate.KEEP
    if owners.waiting and has_dependents:
        return Fate.DELETE_FOREGROUND
    return Fate.DELETE if owners.waiting or owners.dangling else Fate.KEEP


def propagation(item: Item) -> str:
    """A finalizer that is already there says how its deleter wanted it."""
    if ORPHAN in item.metadata.finalizers:
        return "Orphan"
    return "Foreground" if FOREGROUND in item.metadata.finalizers else "Background"


def dropping(item: Item, owner_uids: Collection[str]) -> dict[str, Any]:
    """A patch that removes these owners; refused when the object has been replaced."""
    if item.resource.custom is not None:
        return _owners_patch(item, [ref for ref in item.owners if ref.uid not in owner_uids])
    refs = [{"$patch": "delete", "uid": uid} for uid in sorted(owner_uids)]
    return {"metadata": {"ownerReferences": refs, "uid": item.uid}}


def unblocking(item: Item) -> dict[str, Any] | None:
    """A patch after which no owner waits for this object; None when none does."""
    blocking = [ref for ref in item.owners if ref.block_owner_deletion]
    if not blocking:
        return None
    if item.resource.custom is not None:
        released = [msgspec.structs.replace(ref, block_owner_deletion=False) if ref.block_owner_deletion else ref for ref in item.owners]
        return _owners_patch(item, released)
    return {"metadata": {"uid": item.uid, "ownerReferences": [{"uid": ref.uid, "blockOwnerDeletion": False} for ref in blocking]}}


def _owners_patch(item: Item, owners: list[OwnerReference]) -> dict[str, Any]:
    """A merge patch, for kinds that take no strategic one; guarded by the resourceVersion, because the list is replaced as a whole."""
    refs = msgspec.to_builtins(owners)
    return {"metadata": {"resourceVersion": item.metadata.resource_version, "uid": item.uid, "ownerReferences": refs}}


def without_finalizer(item: Item, finalizer: str) -> dict[str, Any]:
    """A merge patch; guarded by the resourceVersion, because a list is replaced as a whole."""
    return {
        "metadata": {
            "resourceVersion": item.metadata.resource_version, "uid": item.uid,
            "finalizers": [name for name in item.metadata.finalizers if name != finalizer],
        },
    }
