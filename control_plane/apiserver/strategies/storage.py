"""PersistentVolumes, PersistentVolumeClaims, StorageClasses, CSIDrivers, VolumeAttachments."""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.strategies.base import OPEN_METADATA, Strategy
from control_plane.apiserver.strategies.pod_defaults import canonical_list
from control_plane.apiserver.strategies.resource_lists import read, validate_amount
from control_plane.apiserver.strategies.selectors import validate_label_selector
from control_plane.apiserver.strategies.workloads import immutable
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.quantity import Quantity
from kube.apimachinery.validation import (
    FIELD_IMMUTABLE,
    dns_subdomain_problems,
    each,
    forbidden,
    invalid,
    not_supported,
    qualified_name_problems,
    required,
)

ACCESS_MODES: Final = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
RECLAIM_POLICIES: Final = ("Delete", "Recycle", "Retain")
VOLUME_MODES: Final = ("Block", "Filesystem")
_NO_SOURCE: Final = frozenset({
    "accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy", "storageClassName",
    "volumeAttributesClassName", "volumeMode",
})
_FROZEN_CLAIM: Final = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"


class PersistentVolumeStrategy(Strategy):
    status_metadata = OPEN_METADATA

    def initial_status(self, obj: JsonObject) -> JsonObject:
        return {"phase": "Pending"}

    def default(self, obj: JsonObject) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
        spec.setdefault("volumeMode", "Filesystem")
        if spec.get("capacity"):
            spec["capacity"] = canonical_list(spec["capacity"])
        if spec.get("hostPath") is not None:
            spec["hostPath"].setdefault("type", "")

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec = obj.get("spec") or {}
        causes = _validate_modes(spec, "spec")
        if not spec.get("capacity"):
            causes.append(required("spec.capacity"))
        elif list(spec["capacity"]) != ["storage"]:
            causes.append(not_supported("spec.capacity", spec["capacity"], ("storage",)))
        else:
            causes += _validate_positive(spec["capacity"]["storage"], "spec.capacity[storage]")
        sources = [key for key, value in spec.items() if key not in _NO_SOURCE and value is not None]
        if not sources:
            causes.append(required("spec", "must specify a volume type"))
        causes += [forbidden(f"spec.{key}", "may not specify more than 1 volume type") for key in sources[1:]]
        if (policy := spec.get("persistentVolumeReclaimPolicy")) not in RECLAIM_POLICIES:
            causes.append(not_supported("spec.persistentVolumeReclaimPolicy", policy, RECLAIM_POLICIES))
        if spec.get("storageClassName"):
            causes += each("spec.storageClassName", spec["storageClassName"], dns_subdomain_problems(spec["storageClassName"]))
        if spec.get("local") is not None and spec.get("nodeAffinity") is None:
            causes.append(required("spec.nodeAffinity", "Local volume requires node affinity"))
        return causes

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        new, held = ({k: v for k, v in o["spec"].items() if k not in _NO_SOURCE} for o in (obj, old))
        frozen = "spec.persistentvolumesource is immutable after creation"
        causes = [] if new == held else [forbidden("spec.persistentvolumesource", frozen)]
        return causes + immutable(obj["spec"], old["spec"], "volumeMode")


class PersistentVolumeClaimStrategy(Strategy):
    status_metadata = OPEN_METADATA

    def initial_status(self, obj: JsonObject) -> JsonObject:
        return {"phase": "Pending"}

    def default(self, obj: JsonObject) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("volumeMode", "Filesystem")
        resources = spec.setdefault("resources", {})
        for key in ("requests", "limits"):
            if resources.get(key):
                resources[key] = canonical_list(resources[key])

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec = obj.get("spec") or {}
        causes = _validate_modes(spec, "spec")
        if spec.get("selector") is not None:
            causes += validate_label_selector(spec["selector"], "spec.selector")
        storage = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
        causes += [required("spec.resources[storage]")] if storage is None else _validate_positive(storage, "spec.resources[storage]")
        if spec.get("storageClassName"):
            causes += each("spec.storageClassName", spec["storageClassName"], dns_subdomain_problems(spec["storageClassName"]))
        return causes

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        new, held = obj["spec"], old["spec"]
        free = {"resources", "volumeAttributesClassName"}
        if not held.get("volumeName"):
            free.add("volumeName")
        causes: list[Cause] = []
        if {k: v for k, v in new.items() if k not in free} != {k: v for k, v in held.items() if k not in free}:
            causes.append(forbidden("spec", _FROZEN_CLAIM))
        wanted, had = _storage(new), _storage(held)
        if wanted is not None and had is not None and wanted < had:
            causes.append(forbidden("spec.resources.requests.storage", "field can not be less than status.capacity"))
        return causes


def _storage(spec: JsonObject) -> Quantity | None:
    return read(((spec.get("resources") or {}).get("requests") or {}).get("storage"))


def _validate_modes(spec: JsonObject, path: str) -> list[Cause]:
    modes, causes = spec.get("accessModes") or (), []
    if not modes:
        causes.append(required(f"{path}.accessModes", "at least 1 access mode is required"))
    causes += [not_supported(f"{path}.accessModes", mode, ACCESS_MODES) for mode in modes if mode not in ACCESS_MODES]
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        causes.append(forbidden(f"{path}.accessModes", "may not use ReadWriteOncePod with other access modes"))
    if spec.get("volumeMode") not in {None, *VOLUME_MODES}:
        causes.append(not_supported(f"{path}.volumeMode", spec["volumeMode"], VOLUME_MODES))
    return causes


def _validate_positive(value: str, path: str) -> list[Cause]:
    if causes := validate_amount("storage", value, path):
        return causes
    amount = Quantity.parse(value)
    return [] if amount else [invalid(path, str(amount), "must be greater than zero")]


class StorageClassStrategy(Strategy):
    def default(self, obj: JsonObject) -> None:
        obj.setdefault("reclaimPolicy", "Delete")
        obj.setdefault("volumeBindingMode", "Immediate")

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        provisioner = obj.get("provisioner") or ""
        causes = each("provisioner", provisioner, qualified_name_problems(provisioner.lower()))
        if not provisioner:
            causes = [required("provisioner")]
        if obj.get("reclaimPolicy") not in {"Delete", "Retain"}:
            causes.append(not_supported("reclaimPolicy", obj.get("reclaimPolicy"), ("Delete", "Retain")))
        if obj.get("volumeBindingMode") not in {"Immediate", "WaitForFirstConsumer"}:
            causes.append(not_supported("volumeBindingMode", obj.get("volumeBindingMode"), ("Immediate", "WaitForFirstConsumer")))
        return causes

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        causes: list[Cause] = []
        if (obj.get("parameters") or {}) != (old.get("parameters") or {}):
            causes.append(forbidden("parameters", "updates to parameters are forbidden."))
        if obj.get("provisioner") != old.get("provisioner"):
            causes.append(forbidden("provisioner", "updates to provisioner are forbidden."))
        if obj.get("reclaimPolicy") != old.get("reclaimPolicy"):
            causes.append(forbidden("reclaimPolicy", "updates to reclaimPolicy are forbidden."))
        if obj.get("volumeBindingMode") != old.get("volumeBindingMode"):
            causes.append(invalid("volumeBindingMode", obj.get("volumeBindingMode"), FIELD_IMMUTABLE))
        return causes


class CSIDriverStrategy(Strategy):
    allows_update_without_version = False
    counts_generations = True

    def default(self, obj: JsonObject) -> None:
        spec = obj.setdefault("spec", {})
        for key, value in (("attachRequired", True), ("podInfoOnMount", False), ("storageCapacity", False), ("requiresRepublish", False),
                           ("seLinuxMount", False), ("fsGroupPolicy", "ReadWriteOnceWithFSType")):
            spec.setdefault(key, value)
        spec["volumeLifecycleModes"] = spec.get("volumeLifecycleModes") or ["Persistent"]


class VolumeAttachmentStrategy(Strategy):
    allows_update_without_version = False

    def initial_status(self, obj: JsonObject) -> JsonObject:
        return {"attached": False}

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec = obj.get("spec") or {}
        return [required(f"spec.{key}") for key in ("attacher", "nodeName") if not spec.get(key)]

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return [] if obj.get("spec") == old.get("spec") else [invalid("spec", obj.get("spec"), FIELD_IMMUTABLE)]
