"""ResourceSlices. Follows ValidateResourceSlice and registry/resource/resourceslice."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from control_plane.apiserver.strategies.base import Strategy
from control_plane.apiserver.strategies.device_names import (
    validate_driver,
    validate_qualified,
    validate_request_name,
    validate_taint,
)
from control_plane.apiserver.strategies.pod_scheduling import validate_node_selector
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    FIELD_IMMUTABLE,
    dns_subdomain_problems,
    duplicate,
    each,
    invalid,
    required,
    too_long,
    too_many,
)
from kube.process.clock import to_rfc3339

_PLACES: Final = ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection")
_ONE_PLACE: Final = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
_MAX_DEVICES: Final = 128
_MAX_ADVANCED_DEVICES: Final = 64
_MAX_TAINTS: Final = 16
_MAX_FACTS: Final = 32
_TEXT_LENGTH: Final = 64
_VALUES: Final = ("int", "bool", "string", "version", "ints", "bools", "strings", "versions")
_NUMBER: Final = "(?:0|[1-9][0-9]*)"
_SEMVER: Final = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-(?:{_NUMBER}|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:{_NUMBER}|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*)?"
    r"(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?")


class ResourceSliceStrategy(Strategy):
    counts_generations = True
    field_words = "field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: {}"
    looks_at_names_again = False

    def prepare_for_create(self, obj: JsonObject) -> None:
        super().prepare_for_create(obj)
        _stamp_taints(obj)

    def align_with_old(self, obj: JsonObject, old: JsonObject) -> None:
        _stamp_taints(obj)

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec = obj.get("spec") or {}
        causes = validate_driver(spec.get("driver") or "", "spec.driver") + _validate_pool(spec.get("pool") or {}, "spec.pool")
        if old is not None:
            causes += _validate_identity(spec, old.get("spec") or {})
        causes += _validate_place(spec)
        if spec.get("sharedCounters") is not None and spec.get("devices") is not None:
            causes.append(invalid("spec", "", "only one of `sharedCounters` or `devices` is allowed"))
        return causes + _validate_devices(spec.get("devices") or [], "spec.devices")

    def own_fields(self, obj: JsonObject) -> dict[str, str]:
        spec = obj.get("spec") or {}
        return {"spec.nodeName": spec.get("nodeName") or "", "spec.driver": spec.get("driver") or "",
                "spec.pool.name": (spec.get("pool") or {}).get("name") or ""}


def _stamp_taints(obj: JsonObject) -> None:
    for device in (obj.get("spec") or {}).get("devices") or ():
        for taint in device.get("taints") or ():
            taint["timeAdded"] = taint.get("timeAdded") or to_rfc3339(datetime.now(UTC))


def _validate_identity(spec: JsonObject, old: JsonObject) -> list[Cause]:
    pairs = (("spec.pool.name", (spec.get("pool") or {}).get("name"), (old.get("pool") or {}).get("name")),
             ("spec.driver", spec.get("driver"), old.get("driver")), ("spec.nodeName", spec.get("nodeName"), old.get("nodeName")))
    return [invalid(path, new, FIELD_IMMUTABLE) for path, new, held in pairs if new != held]


def _validate_pool(pool: JsonObject, path: str) -> list[Cause]:
    name, count, generation = pool.get("name") or "", pool.get("resourceSliceCount") or 0, pool.get("generation") or 0
    causes: list[Cause] = []
    if not name:
        causes.append(required(f"{path}.name"))
    elif len(name) > 253:
        causes.append(too_long(f"{path}.name", 253))
    else:
        for part in name.split("/"):
            causes += each(f"{path}.name", part, dns_subdomain_problems(part))
    if count <= 0:
        causes.append(invalid(f"{path}.resourceSliceCount", count, "must be greater than zero"))
    if generation < 0:
        causes.append(invalid(f"{path}.generation", generation, "must be greater than or equal to zero"))
    return causes


def _validate_place(spec: JsonObject) -> list[Cause]:
    """Where the devices are, said in one way."""
    causes, said = list[Cause](), list[str]()
    for key in _PLACES:
        if (value := spec.get(key)) is None:
            continue
        if value == "":
            causes.append(invalid(f"spec.{key}", value, "must be either unset or set to a non-empty string"))
        elif value is False:
            causes.append(invalid(f"spec.{key}", value, "must be either unset or set to true"))
        else:
            said.append(f"`{key}`")
            if key == "nodeName":
                causes += each("spec.nodeName", value, dns_subdomain_problems(value))
            elif key == "nodeSelector":
                causes += validate_node_selector(value, "spec.nodeSelector")
                if len(terms := value.get("nodeSelectorTerms") or []) != 1:
                    causes.append(invalid("spec.nodeSelector.nodeSelectorTerms", terms, "must have exactly one node selector term"))
    if not said:
        return [*causes, required("spec", _ONE_PLACE)]
    return causes if len(said) == 1 else [
        *causes, invalid("spec", f"{{{', '.join(said)}}}", f"{_ONE_PLACE}, but multiple fields are set")]


def _validate_devices(devices: list[JsonObject], path: str) -> list[Cause]:
    most = _MAX_ADVANCED_DEVICES if any(one.get("taints") or one.get("consumesCounters") for one in devices) else _MAX_DEVICES
    if len(devices) > most:
        return [too_many(path, len(devices), most)]
    causes = [cause for index, device in enumerate(devices) for cause in _validate_device(device, f"{path}[{index}]")]
    names = [device.get("name") for device in devices]
    return causes + [duplicate(f"{path}[{index}]", name or "") for index, name in enumerate(names) if name in names[:index]]


def _validate_device(device: JsonObject, path: str) -> list[Cause]:
    attributes, capacity, taints = device.get("attributes") or {}, device.get("capacity") or {}, device.get("taints") or ()
    causes = validate_request_name(device.get("name") or "", f"{path}.name")
    if (total := len(attributes) + len(capacity)) > _MAX_FACTS:
        causes.append(invalid(path, total, f"the total number of attributes and capacities must not exceed {_MAX_FACTS}"))
    for name, attribute in sorted(attributes.items()):
        causes += _validate_key(name, f"{path}.attributes") + _validate_attribute(attribute, f"{path}.attributes[{name}]")
    for name in sorted(capacity):
        causes += _validate_key(name, f"{path}.capacity")
    if len(taints) > _MAX_TAINTS:
        return [*causes, too_many(f"{path}.taints", len(taints), _MAX_TAINTS)]
    return causes + [cause for index, taint in enumerate(taints) for cause in validate_taint(taint, f"{path}.taints[{index}]")]


def _validate_key(name: str, path: str) -> list[Cause]:
    return validate_qualified(name, path) if name else [required(path, "name required")]


def _validate_attribute(attribute: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for key, many in (("string", False), ("version", False), ("strings", True), ("versions", True)):
        values = attribute.get(key) or [] if many else [attribute[key]] if attribute.get(key) is not None else []
        for index, value in enumerate(values):
            at = f"{path}.{key}[{index}]" if many else f"{path}.{key}"
            if len(value.encode()) > _TEXT_LENGTH:
                causes.append(too_long(at, _TEXT_LENGTH))
            if key.startswith("version") and not _SEMVER.fullmatch(value):
                causes.append(invalid(at, value, "must be a string compatible with semver.org spec 2.0.0"))
    present = [key for key in _VALUES if attribute.get(key) is not None]
    if not present:
        causes.append(invalid(path, "", f"must specify one of: {', '.join(f'`{key}`' for key in _VALUES)}"))
    elif len(present) > 1:
        causes.append(invalid(path, attribute, "exactly one value must be specified"))
    return causes
