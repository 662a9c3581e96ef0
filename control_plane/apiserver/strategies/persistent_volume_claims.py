"""PersistentVolumeClaims. Follows ValidatePersistentVolumeClaim and registry/core/persistentvolumeclaim."""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.strategies.base import OPEN_METADATA, Strategy
from control_plane.apiserver.strategies.differences import unified
from control_plane.apiserver.strategies.pod_defaults import canonical_list
from control_plane.apiserver.strategies.resource_lists import read, validate_amount
from control_plane.apiserver.strategies.selectors import validate_label_selector
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.quantity import Quantity
from kube.apimachinery.validation import (
    FIELD_IMMUTABLE,
    dns_label_problems,
    dns_subdomain_problems,
    each,
    forbidden,
    invalid,
    not_supported,
    qualified_name_problems,
    required,
)

ACCESS_MODES: Final = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES: Final = ("Block", "Filesystem")
BETA_CLASS: Final = "volume.beta.kubernetes.io/storage-class"
_FROZEN: Final = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
_CLAIM: Final = "PersistentVolumeClaim"
_SOURCES: Final = (("", _CLAIM), ("snapshot.storage.k8s.io", "VolumeSnapshot"))
_RESIZE_STATES: Final = ("ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress", "NodeResizeInfeasible",
                         "NodeResizePending")


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

    def prepare_for_create(self, obj: JsonObject) -> None:
        super().prepare_for_create(obj)
        _align_sources(obj["spec"])

    def align_with_old(self, obj: JsonObject, old: JsonObject) -> None:
        _align_sources(obj.setdefault("spec", {}), held=old["spec"].get("dataSource") is not None)

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        return validate_claim_spec(obj.get("spec") or {}, "spec", lenient=old is not None)

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        new, held = dict(obj["spec"]), dict(old["spec"])
        causes: list[Cause] = []
        if not held.get("volumeName") and new.get("volumeName"):
            held["volumeName"] = new["volumeName"]
        causes += _class_moves(obj, old, new, held)
        if (obj.get("status") or {}).get("phase") == "Bound":
            _without_growth(new, held)
        if _told(new) != _told(held):
            causes.append(forbidden("spec", f"{_FROZEN}\n{unified(held, new)}"))
        wanted, had = _storage(obj["spec"]), _storage(old["spec"])
        if wanted < had and wanted <= (read(((old.get("status") or {}).get("capacity") or {}).get("storage")) or Quantity.of(0)):
            causes.append(forbidden("spec.resources.requests.storage", "field can not be less than status.capacity"))
        if obj["spec"].get("volumeMode") != old["spec"].get("volumeMode"):
            causes.append(invalid("volumeMode", obj["spec"].get("volumeMode"), FIELD_IMMUTABLE))
        before, now = old["spec"].get("volumeAttributesClassName"), obj["spec"].get("volumeAttributesClassName")
        if before is not None and before != now and not now:
            what = "nil" if now is None else "an empty string"
            causes.append(forbidden("spec.volumeAttributesClassName", f"update from non-nil value to {what} is forbidden"))
        return causes

    def validate_status(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        status, causes = obj.get("status") or {}, []
        for name, value in (status.get("capacity") or {}).items():
            amount = read(value)
            if amount is not None and amount < Quantity.of(0):
                causes.append(invalid(f"status.capacity[{name}]", amount.value(), "must be a valid resource quantity"))
        for key, allowed in (("allocatedResourceStatuses", _RESIZE_STATES), ("allocatedResources", None)):
            path = "status.allocatedResourceStatus" if allowed else "status.allocatedResources"
            for name, value in (status.get(key) or {}).items():
                wrong = each(path, name, qualified_name_problems(name))
                if not wrong and name != "storage" and ("/" not in name or "kubernetes.io/" in name):
                    wrong = [not_supported(path, name, ("storage",))]
                if allowed and value not in allowed:
                    wrong.append(not_supported(path, name, allowed))
                elif not allowed and not wrong:
                    wrong = validate_amount("storage", value, f"{path}[{name}]")
                causes += wrong
        return causes

    def warnings(self, obj: JsonObject, old: JsonObject | None) -> list[str]:
        said: list[str] = []
        if BETA_CLASS in (obj["metadata"].get("annotations") or {}):
            said.append(f'metadata.annotations[{BETA_CLASS}]: deprecated since v1.8; use "storageClassName" attribute instead')
        return said + claim_warnings(obj.get("spec") or {}, "spec")


def _align_sources(spec: JsonObject, *, held: bool = False) -> None:
    """`dataSource` and `dataSourceRef` say the same unless another namespace is meant; others than claims and snapshots need the latter."""
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    if source is not None and not held and (source.get("apiGroup") or "", source.get("kind")) not in _SOURCES:
        source = None
        del spec["dataSource"]
    if source is not None and reference is None:
        spec["dataSourceRef"] = dict(source)
    elif reference is not None and source is None and not reference.get("namespace"):
        spec["dataSource"] = {key: value for key, value in reference.items() if key != "namespace"}


def _class_moves(obj: JsonObject, old: JsonObject, new: JsonObject, held: JsonObject) -> list[Cause]:
    """The class may be set where there was none, or move from its old annotation to the field."""
    now, before = ((one["metadata"].get("annotations") or {}).get(BETA_CLASS) for one in (obj, old))
    name = new.get("storageClassName")
    if before is not None and held.get("storageClassName") is None and name == before and now in (None, before):
        new.pop("storageClassName", None)
        return []
    if name is not None and held.get("storageClassName") is None and before in (None, name):
        held["storageClassName"] = name
    if (now or "") == (before or ""):
        return []
    return [invalid(f"metadata.annotations.{BETA_CLASS}", now or "", FIELD_IMMUTABLE)]


def _without_growth(new: JsonObject, held: JsonObject) -> None:
    """A bound claim may grow and change its attributes."""
    resources = new.get("resources") or {}
    if resources.get("requests") is not None:
        had = ((held.get("resources") or {}).get("requests") or {}).get("storage")
        new["resources"] = {**resources, "requests": {**resources["requests"], "storage": had}}
    if new.get("volumeAttributesClassName") is not None:
        new["volumeAttributesClassName"] = held.get("volumeAttributesClassName")


def _told(spec: JsonObject) -> JsonObject:
    return {key: value for key, value in spec.items() if value not in (None, {}, [])}


def _storage(spec: JsonObject) -> Quantity:
    return read(((spec.get("resources") or {}).get("requests") or {}).get("storage")) or Quantity.of(0)


def validate_claim_spec(spec: JsonObject, path: str, *, lenient: bool = False) -> list[Cause]:
    """`lenient`: what was stored with an odd group of its data source stays."""
    causes: list[Cause] = []
    if not spec.get("accessModes"):
        causes.append(required(f"{path}.accessModes", "at least 1 access mode is required"))
    if spec.get("selector") is not None:
        causes += validate_label_selector(spec["selector"], f"{path}.selector")
    causes += validate_access_modes(spec, path)
    storage, at = ((spec.get("resources") or {}).get("requests") or {}).get("storage"), f"{path}.resources[storage]"
    causes += [required(at)] if storage is None else validate_positive(storage, at)
    if name := spec.get("storageClassName"):
        causes += each(f"{path}.storageClassName", name, dns_subdomain_problems(name))
    if spec.get("volumeMode") not in {None, *VOLUME_MODES}:
        causes.append(not_supported(f"{path}.volumeMode", spec["volumeMode"], VOLUME_MODES))
    causes += _validate_data_sources(spec, path, lenient=lenient)
    if name := spec.get("volumeAttributesClassName"):
        causes += each(f"{path}.volumeAttributesClassName", name, dns_subdomain_problems(name))
    return causes


def _validate_data_sources(spec: JsonObject, path: str, *, lenient: bool) -> list[Cause]:
    source, reference = spec.get("dataSource"), spec.get("dataSourceRef")
    causes: list[Cause] = []
    for key, one in (("dataSource", source), ("dataSourceRef", reference)):
        if one is not None:
            causes += _validate_data_source(one, f"{path}.{key}", lenient=lenient)
    if source is None or reference is None:
        return causes
    if reference.get("namespace"):
        causes.append(invalid(path, f"{path}.dataSource", "may not be specified when dataSourceRef.namespace is specified"))
    elif any((source.get(key) or "") != (reference.get(key) or "") for key in ("apiGroup", "kind", "name")):
        causes.append(invalid(path, f"{path}.dataSource", "must match dataSourceRef"))
    return causes


def _validate_data_source(source: JsonObject, path: str, *, lenient: bool) -> list[Cause]:
    causes = [required(f"{path}.{key}") for key in ("name", "kind") if not source.get(key)]
    group, namespace = source.get("apiGroup") or "", source.get("namespace") or ""
    if not group and source.get("kind") != _CLAIM:
        causes.append(invalid(path, source.get("kind") or "", f"must be '{_CLAIM}' when referencing the default apiGroup"))
    if group and not lenient:
        causes += each(f"{path}.apiGroup", group, dns_subdomain_problems(group))
    return causes + (each(f"{path}.namespace", namespace, dns_label_problems(namespace)) if namespace else [])


def validate_access_modes(spec: JsonObject, path: str) -> list[Cause]:
    modes = spec.get("accessModes") or ()
    causes = [not_supported(f"{path}.accessModes", mode, ACCESS_MODES) for mode in modes if mode not in ACCESS_MODES]
    if "ReadWriteOncePod" in modes and any(mode in ACCESS_MODES and mode != "ReadWriteOncePod" for mode in modes):
        causes.append(forbidden(f"{path}.accessModes", "may not use ReadWriteOncePod with other access modes"))
    return causes


def validate_positive(value: str, path: str) -> list[Cause]:
    amount = read(value)
    if amount is None:
        return validate_amount("storage", value, path)
    return [] if amount > Quantity.of(0) else [invalid(path, str(amount), "must be greater than zero")]


def claim_warnings(spec: JsonObject, path: str) -> list[str]:
    value = read(((spec.get("resources") or {}).get("requests") or {}).get("storage"))
    if value is None or value.milli_value() % 1000 == 0:
        return []
    return [f'{path}.resources.requests[storage]: fractional byte value "{value}" is invalid, must be an integer']
