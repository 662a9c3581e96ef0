"""PersistentVolumes. Follows ValidatePersistentVolume and registry/core/persistentvolume."""

from __future__ import annotations

import posixpath
from datetime import UTC, datetime
from typing import Any, Final

from control_plane.apiserver.strategies.base import OPEN_METADATA, Strategy
from control_plane.apiserver.strategies.differences import unified
from control_plane.apiserver.strategies.paths import validate_no_backsteps
from control_plane.apiserver.strategies.persistent_volume_claims import (
    BETA_CLASS,
    VOLUME_MODES,
    validate_access_modes,
    validate_positive,
)
from control_plane.apiserver.strategies.pod_defaults import canonical_list, default_volume_source
from control_plane.apiserver.strategies.pod_scheduling import validate_node_selector
from control_plane.apiserver.strategies.pod_warnings import DEPRECATED_LABELS, node_term_warnings
from control_plane.apiserver.strategies.volume_sources import PATHS, SOURCES, more_than_one, validate_driver_name
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    FIELD_IMMUTABLE,
    dns_label_problems,
    dns_subdomain_problems,
    each,
    forbidden,
    invalid,
    not_supported,
    required,
)
from kube.process.clock import to_rfc3339

RECLAIM_POLICIES: Final = ("Delete", "Recycle", "Retain")
_MOUNT_OPTIONS: Final = "volume.beta.kubernetes.io/mount-options"
_NO_SOURCE: Final = frozenset({
    "accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy", "storageClassName",
    "volumeAttributesClassName", "volumeMode",
})
_ORDER: Final = (
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "flocker", "nfs", "rbd", "quobyte", "cephfs", "iscsi", "cinder",
    "fc", "flexVolume", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk", "scaleIO", "local",
    "storageos", "csi",
)
_SECRETS: Final = ("controllerPublishSecretRef", "controllerExpandSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef")
_GONE: Final = {
    "photonPersistentDisk": ("photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    "scaleIO": ("scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    "storageos": ("storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    "glusterfs": ("glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    "cephfs": ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    "rbd": ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
}


class PersistentVolumeStrategy(Strategy):
    status_metadata = OPEN_METADATA

    def initial_status(self, obj: JsonObject) -> JsonObject:
        return {"phase": "Pending", "lastPhaseTransitionTime": to_rfc3339(datetime.now(UTC))}

    def align_status_with_old(self, obj: JsonObject, old: JsonObject) -> None:
        """When the phase changed, unless the writer says when."""
        status, held = obj.setdefault("status", {}), old.get("status") or {}
        key = "lastPhaseTransitionTime"
        if status.get("phase") != held.get("phase"):
            if status.get(key) in {None, held.get(key)}:
                status[key] = to_rfc3339(datetime.now(UTC))
        elif status.get(key) is None and held.get(key):
            status[key] = held[key]

    def default(self, obj: JsonObject) -> None:
        spec = obj.setdefault("spec", {})
        spec["persistentVolumeReclaimPolicy"] = spec.get("persistentVolumeReclaimPolicy") or "Retain"
        spec.setdefault("volumeMode", "Filesystem")
        if spec.get("capacity"):
            spec["capacity"] = canonical_list(spec["capacity"])
        default_volume_source(spec)

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        return validate_volume_spec(obj.get("spec") or {}, (obj.get("metadata") or {}).get("name") or "", "spec")

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        new, held = _source(obj), _source(old)
        causes: list[Cause] = []
        if new != held and _without_expand_secret(new, held) != held:
            words = "spec.persistentvolumesource is immutable after creation"
            causes.append(forbidden("spec.persistentvolumesource", f"{words}\n{unified(held, new)}"))
        if obj["spec"].get("volumeMode") != old["spec"].get("volumeMode"):
            causes.append(invalid("volumeMode", obj["spec"].get("volumeMode"), FIELD_IMMUTABLE))
        before, now = (one["spec"].get("nodeAffinity") for one in (old, obj))
        if before is not None and _renamed(before, now) != now:
            causes.append(invalid("nodeAffinity", now, f"{FIELD_IMMUTABLE}, except for updating from beta label to GA"))
        if old["spec"].get("volumeAttributesClassName") is not None and obj["spec"].get("volumeAttributesClassName") is None:
            causes.append(forbidden("spec.volumeAttributesClassName", "update from non-nil value to nil is forbidden"))
        return causes

    def warnings(self, obj: JsonObject, old: JsonObject | None) -> list[str]:
        annotations, spec = obj["metadata"].get("annotations") or {}, obj.get("spec") or {}
        said: list[str] = []
        if BETA_CLASS in annotations:
            said.append(f'metadata.annotations[{BETA_CLASS}]: deprecated since v1.8; use "storageClassName" attribute instead')
        if _MOUNT_OPTIONS in annotations:
            said.append(f'metadata.annotations[{_MOUNT_OPTIONS}]: deprecated since v1.31; use "mountOptions" attribute instead')
        for index, term in enumerate(((spec.get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms") or ()):
            said += node_term_warnings(term, f"spec.nodeAffinity.required.nodeSelectorTerms[{index}]")
        if spec.get("persistentVolumeReclaimPolicy") == "Recycle":
            said.append("spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach "
                        "is to use dynamic provisioning.")
        return said + [f"spec.{name}: {words}" for kind, (name, words) in _GONE.items() if spec.get(kind) is not None]


def _source(obj: JsonObject) -> JsonObject:
    return {key: value for key, value in obj["spec"].items() if key not in _NO_SOURCE and value is not None}


def _without_expand_secret(new: JsonObject, held: JsonObject) -> JsonObject:
    """A secret for growing may be added where there was none."""
    driver, before = new.get("csi"), held.get("csi")
    if driver is None or before is None or before.get("controllerExpandSecretRef") is not None:
        return new
    return {**new, "csi": {key: value for key, value in driver.items() if key != "controllerExpandSecretRef"}}


def _renamed(before: Any, now: Any) -> Any:
    """The old affinity, with the keys that now have the names that replaced them."""
    if isinstance(before, dict) and isinstance(now, dict) and before.keys() == now.keys():
        renamed = {key: _renamed(value, now[key]) for key, value in before.items()}
        key = before.get("key")
        if key in DEPRECATED_LABELS and f'use "{now.get("key")}" instead' in DEPRECATED_LABELS[key]:
            renamed["key"] = now["key"]
        return renamed
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return [_renamed(one, other) for one, other in zip(before, now, strict=True)]
    return before


def validate_volume_spec(spec: JsonObject, name: str, path: str, *, inline: bool = False) -> list[Cause]:
    """`inline`: inside a VolumeAttachment, where only some of it makes sense."""
    causes = _validate_inline(spec, path) if inline else []
    if not spec.get("accessModes"):
        causes.append(required(f"{path}.accessModes"))
    causes += validate_access_modes(spec, path)
    if not inline:
        causes += _validate_capacity(spec.get("capacity") or {}, f"{path}.capacity")
        if (policy := spec.get("persistentVolumeReclaimPolicy")) and policy not in RECLAIM_POLICIES:
            causes.append(not_supported(f"{path}.persistentVolumeReclaimPolicy", policy, RECLAIM_POLICIES))
        if (affinity := spec.get("nodeAffinity")) is not None:
            at = f"{path}.nodeAffinity.required"
            causes += [required(at, "must specify required node constraints")] if affinity.get("required") is None else \
                validate_node_selector(affinity["required"], at)
    causes += _validate_source(spec, name, path)
    directory = (spec.get("hostPath") or {}).get("path")
    if directory and posixpath.normpath(directory) in {"/", "//"} and spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        causes.append(forbidden(f"{path}.persistentVolumeReclaimPolicy", "may not be 'recycle' for a hostPath mount of '/'"))
    if not inline:
        if kind := spec.get("storageClassName"):
            causes += each(f"{path}.storageClassName", kind, dns_subdomain_problems(kind))
        if (mode := spec.get("volumeMode")) is not None and mode not in VOLUME_MODES:
            causes.append(not_supported(f"{path}.volumeMode", mode, VOLUME_MODES))
    if (kind := spec.get("volumeAttributesClassName")) is not None:
        at = f"{path}.volumeAttributesClassName"
        causes += each(at, kind, dns_subdomain_problems(kind)) if kind else [required(at, "an empty string is disallowed")]
        if spec.get("csi") is None:
            causes.append(required(f"{path}.csi", "has to be specified when using volumeAttributesClassName"))
    return causes


def _validate_inline(spec: JsonObject, path: str) -> list[Cause]:
    where = "in the context of inline volumes"
    causes = [forbidden(f"{path}.{key}", f"may not be specified {where}")
              for key in ("claimRef", "capacity", "nodeAffinity", "storageClassName") if spec.get(key)]
    if spec.get("csi") is None:
        causes.append(required(f"{path}.csi", f"has to be specified {where}"))
    if spec.get("persistentVolumeReclaimPolicy") not in {None, "", "Retain"}:
        causes.append(forbidden(f"{path}.persistentVolumeReclaimPolicy", f"may only be Retain {where}"))
    if spec.get("volumeMode") not in {None, "Filesystem"}:
        causes.append(forbidden(f"{path}.volumeMode", f"may not specify volumeMode other than Filesystem {where}"))
    return causes


def _validate_capacity(capacity: JsonObject, path: str) -> list[Cause]:
    causes = [] if capacity else [required(path)]
    if list(capacity) != ["storage"]:
        causes.append(not_supported(path, capacity or None, ("storage",)))
    return causes + [cause for name, value in capacity.items() for cause in validate_positive(value, f"{path}[{name}]")]


def _validate_source(spec: JsonObject, name: str, path: str) -> list[Cause]:
    chosen = [key for key in _ORDER if spec.get(key) is not None]
    if not chosen:
        return [required(path, "must specify a volume type")]
    kind, at = chosen[0], f"{path}.{PATHS.get(chosen[0], chosen[0])}"
    source = spec[kind]
    if kind == "csi":
        causes = _validate_csi(source, at)
    elif kind == "local":
        causes = validate_no_backsteps(source["path"], f"{at}.path") if source.get("path") else [required(f"{at}.path")]
        if spec.get("nodeAffinity") is None:
            causes.append(required(f"{path}.nodeAffinity", "Local volume requires node affinity"))
    else:
        causes = SOURCES[kind](source, at)
    reference = source.get("secretRef")
    if kind in {"cinder", "storageos"} and reference is not None and not reference.get("namespace"):
        causes.append(required(f"{at}.secretRef.namespace"))
    if kind == "iscsi" and source.get("initiatorName") is not None and len(f"{name}:{source.get('targetPortal') or ''}") > 64:
        causes.append(invalid(f"{at}.targetportal", source.get("targetPortal") or "", "Total length of <volume name>:<iscsi.targetPortal> "
                              "must be under 64 characters if iscsi.initiatorName is specified."))
    if kind == "glusterfs" and (namespace := source.get("endpointsNamespace")) is not None:
        causes += each(f"{at}.endpointsNamespace", namespace, dns_label_problems(namespace)) if namespace else [
            invalid(f"{at}.endpointsNamespace", "", "if the endpointnamespace is set, it must be a valid namespace name")]
    if kind == "azureFile" and source.get("secretNamespace") == "":
        causes.append(required(f"{at}.secretNamespace"))
    return causes + [more_than_one(path, "cephFS" if key == "cephfs" else key) for key in chosen[1:]]


def _validate_csi(source: JsonObject, path: str) -> list[Cause]:
    causes = validate_driver_name(source.get("driver") or "", f"{path}.driver")
    causes += [] if source.get("volumeHandle") else [required(f"{path}.volumeHandle")]
    for key in _SECRETS:
        if (reference := source.get(key)) is None:
            continue
        name, namespace = reference.get("name") or "", reference.get("namespace") or ""
        causes += each(f"{path}.{key}.name", name, dns_subdomain_problems(name)) if name else [required(f"{path}.{key}.name")]
        causes += each(f"{path}.{key}.namespace", namespace, dns_label_problems(namespace)) if namespace else \
            [required(f"{path}.{key}.namespace")]
    return causes
