"""PersistentVolumeClaims: their number and their storage, per class too. Follows evaluator/core/persistent_volume_claims.go.

Names of one class's: gold.storageclass.storage.k8s.io/requests.storage
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

from control_plane.quota.amounts import ONE, ZERO, Amounts, read_amounts
from control_plane.quota.scopes import Matcher, attribute_classes_of, claim_in_scope
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.quantity import Quantity
from kube.apimachinery.scheme import GroupResource

VOLUME_CLAIMS: Final = GroupResource("", "persistentvolumeclaims")
_STORAGE_CLASS: Final = ".storageclass.storage.k8s.io/"
_NAMES: Final = frozenset({"persistentvolumeclaims", "requests.storage", "count/persistentvolumeclaims"})
_SUFFIXES: Final = (_STORAGE_CLASS + "persistentvolumeclaims", _STORAGE_CLASS + "requests.storage")
_BETA_CLASS: Final = "volume.beta.kubernetes.io/storage-class"


class VolumeClaimEvaluator:
    resource = VOLUME_CLAIMS
    in_scope: Matcher = staticmethod(claim_in_scope)

    def handles(self, operation: str, subresource: str, obj: JsonObject, old: JsonObject | None) -> bool:
        if not subresource:
            return operation in ("CREATE", "UPDATE")
        return subresource == "status" and old is not None and has_changed(obj, old)

    def names(self, hard: Iterable[str]) -> list[str]:
        return [name for name in hard if name in _NAMES or name.endswith(_SUFFIXES)]

    def missing(self, names: Collection[str], obj: JsonObject) -> str:
        return ""

    def usage(self, obj: JsonObject, now: datetime) -> Amounts:
        used = {"persistentvolumeclaims": ONE, "count/persistentvolumeclaims": ONE}
        storage_class, storage = _class_of(obj), _storage_of(obj)
        if storage_class:
            used[storage_class + _SUFFIXES[0]] = ONE
        if storage is not None:
            used["requests.storage"] = storage
            if storage_class:
                used[storage_class + _SUFFIXES[1]] = storage
        return used


def has_changed(claim: JsonObject, old: JsonObject) -> bool:
    """By what its status says: an expansion under way, another VolumeAttributesClass."""
    return _allocated(claim) != _allocated(old) or attribute_classes_of(claim) != attribute_classes_of(old)


def _class_of(claim: JsonObject) -> str:
    """The old annotation is still heard first."""
    annotations = (claim.get("metadata") or {}).get("annotations") or {}
    found = annotations.get(_BETA_CLASS)
    return str(found if found is not None else (claim.get("spec") or {}).get("storageClassName") or "")


def _storage_of(claim: JsonObject) -> Quantity | None:
    """What is asked for, or what an expansion under way has already taken; in whole bytes."""
    asked = read_amounts(((claim.get("spec") or {}).get("resources") or {}).get("requests")).get("storage")
    if asked is None:
        return None
    most = max(asked, _allocated(claim))
    return most if most.amount == most.value() else Quantity.of(most.value(), most.format)


def _allocated(claim: JsonObject) -> Quantity:
    return read_amounts((claim.get("status") or {}).get("allocatedResources")).get("storage", ZERO)
