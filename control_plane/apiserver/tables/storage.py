"""Volumes, claims, classes, drivers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from control_plane.apiserver.tables.printer import AGE, NAME, Column, Table, number, wide
from control_plane.apiserver.tables.text import NONE, UNSET, age, name_of
from kube.apimachinery.meta import JsonObject

_MODES: Final = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_CLASS_ANNOTATION: Final = "volume.beta.kubernetes.io/storage-class"
_DEFAULT_ANNOTATIONS: Final = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")


def _modes(modes: list[str] | None) -> str:
    return ",".join(_MODES[mode] for mode in _MODES if mode in (modes or ()))


def _class(obj: JsonObject) -> str:
    annotated = ((obj.get("metadata") or {}).get("annotations") or {}).get(_CLASS_ANNOTATION)
    return annotated or (obj.get("spec") or {}).get("storageClassName") or ""


def _phase(obj: JsonObject) -> str:
    if (obj.get("metadata") or {}).get("deletionTimestamp"):
        return "Terminating"
    return (obj.get("status") or {}).get("phase") or ""


def _volume(obj: JsonObject, now: datetime) -> list[Any]:
    spec, claim = obj.get("spec") or {}, (obj.get("spec") or {}).get("claimRef")
    bound = f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim is not None else ""
    return [
        name_of(obj), (spec.get("capacity") or {}).get("storage") or "0", _modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy") or "", _phase(obj), bound, _class(obj), spec.get("volumeAttributesClassName") or UNSET,
        (obj.get("status") or {}).get("reason") or "", age(obj, now), spec.get("volumeMode") or UNSET,
    ]


def _claim(obj: JsonObject, now: datetime) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    volume = spec.get("volumeName") or ""
    capacity = (status.get("capacity") or {}).get("storage") or "0" if volume else ""
    return [name_of(obj), _phase(obj), volume, capacity, _modes(status.get("accessModes")) if volume else "", _class(obj),
            spec.get("volumeAttributesClassName") or UNSET, age(obj, now), spec.get("volumeMode") or UNSET]


def _storage_class(obj: JsonObject, now: datetime) -> list[Any]:
    annotations = (obj.get("metadata") or {}).get("annotations") or {}
    default = any(annotations.get(key) == "true" for key in _DEFAULT_ANNOTATIONS)
    return [name_of(obj) + (" (default)" if default else ""), obj.get("provisioner") or "", obj.get("reclaimPolicy") or "Delete",
            obj.get("volumeBindingMode") or "Immediate", bool(obj.get("allowVolumeExpansion")), age(obj, now)]


def _attributes_class(obj: JsonObject, now: datetime) -> list[Any]:
    return [name_of(obj), obj.get("driverName") or "", age(obj, now)]


def _attachment(obj: JsonObject, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    return [name_of(obj), spec.get("attacher") or "", (spec.get("source") or {}).get("persistentVolumeName") or "",
            spec.get("nodeName") or "", bool((obj.get("status") or {}).get("attached")), age(obj, now)]


def _node(obj: JsonObject, now: datetime) -> list[Any]:
    return [name_of(obj), len((obj.get("spec") or {}).get("drivers") or ()), age(obj, now)]


def _driver(obj: JsonObject, now: datetime) -> list[Any]:
    spec = obj.get("spec") or {}
    requests = spec.get("tokenRequests")
    audiences = UNSET if requests is None else ",".join(request.get("audience") or "" for request in requests)
    return [
        name_of(obj), spec.get("attachRequired", True), bool(spec.get("podInfoOnMount")), bool(spec.get("storageCapacity")), audiences,
        bool(spec.get("requiresRepublish")), ",".join(spec.get("volumeLifecycleModes") or ()) or NONE, age(obj, now),
    ]


def _capacity(obj: JsonObject, now: datetime) -> list[Any]:
    return [name_of(obj), obj.get("storageClassName") or "", obj.get("capacity") or UNSET]


PERSISTENT_VOLUME: Final = Table((
    NAME, Column("Capacity", "@spec.capacity"), Column("Access Modes", "@spec.accessModes"),
    Column("Reclaim Policy", "@spec.persistentVolumeReclaimPolicy"), Column("Status", "@status.phase"), Column("Claim", "@spec.claimRef"),
    Column("StorageClass", "StorageClass of the pv"), Column("VolumeAttributesClass", "VolumeAttributesClass of the pv"),
    Column("Reason", "@status.reason"), AGE, wide("VolumeMode", "@spec.volumeMode"),
), _volume)
PERSISTENT_VOLUME_CLAIM: Final = Table((
    NAME, Column("Status", "@status.phase"), Column("Volume", "@spec.volumeName"), Column("Capacity", "@status.capacity"),
    Column("Access Modes", "@status.accessModes"), Column("StorageClass", "StorageClass of the pvc"),
    Column("VolumeAttributesClass", "VolumeAttributesClass of the pvc"), AGE, wide("VolumeMode", "@spec.volumeMode"),
), _claim)
STORAGE_CLASS: Final = Table((
    NAME, Column("Provisioner", "@provisioner"), Column("ReclaimPolicy", "@reclaimPolicy"),
    Column("VolumeBindingMode", "@volumeBindingMode"), Column("AllowVolumeExpansion", "@allowVolumeExpansion"), AGE,
), _storage_class)
VOLUME_ATTRIBUTES_CLASS: Final = Table((NAME, Column("DriverName", "@driverName"), AGE), _attributes_class)
VOLUME_ATTACHMENT: Final = Table((
    NAME, Column("Attacher", "@spec.attacher", format="name"), Column("PV", "@spec.source.persistentVolumeName"),
    Column("Node", "@spec.nodeName"), Column("Attached", "@status.attached", "boolean"), AGE,
), _attachment)
CSI_NODE: Final = Table((NAME, number("Drivers", "Drivers indicates the number of CSI drivers registered on the node"), AGE), _node)
CSI_DRIVER: Final = Table((
    NAME, Column("AttachRequired", "@spec.attachRequired", "boolean"), Column("PodInfoOnMount", "@spec.podInfoOnMount", "boolean"),
    Column("StorageCapacity", "@spec.storageCapacity", "boolean"), Column("TokenRequests", "@spec.tokenRequests"),
    Column("RequiresRepublish", "@spec.requiresRepublish", "boolean"), Column("Modes", "@spec.volumeLifecycleModes"), AGE,
), _driver)
CSI_STORAGE_CAPACITY: Final = Table((
    NAME, Column("StorageClassName", "@storageClassName"), Column("Capacity", "@capacity"),
), _capacity)
