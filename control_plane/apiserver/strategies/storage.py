"""StorageClasses, VolumeAttributesClasses, CSI's kinds, VolumeAttachments. Follows apis/storage/validation and its defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from control_plane.apiserver.strategies.base import Strategy
from control_plane.apiserver.strategies.persistent_volumes import validate_volume_spec
from control_plane.apiserver.strategies.pod_warnings import DEPRECATED_LABELS
from control_plane.apiserver.strategies.resource_lists import read
from control_plane.apiserver.strategies.selectors import validate_label_selector
from control_plane.apiserver.strategies.volume_sources import validate_driver_name
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.quantity import Quantity
from kube.apimachinery.validation import (
    FIELD_IMMUTABLE,
    INT32_MAX,
    dns_subdomain_problems,
    duplicate,
    each,
    forbidden,
    invalid,
    not_negative,
    not_supported,
    qualified_name_problems,
    range_problem,
    required,
    too_long,
)

RECLAIM_POLICIES: Final = ("Delete", "Retain")
BINDING_MODES: Final = ("Immediate", "WaitForFirstConsumer")
_PARAMETER_COUNT: Final = 512
_SIZE: Final = 256 * 1024
_MESSAGE_SIZE: Final = 1024
_NODE_ID_LENGTH: Final = 256
_GROUP_POLICIES: Final = ("File", "None", "ReadWriteOnceWithFSType")
_TOKEN_MIN_S: Final = 600


def _validate_provisioner(name: str, path: str) -> list[Cause]:
    return each(path, name.lower(), qualified_name_problems(name.lower())) if name else [required(path)]


def _validate_parameters(parameters: Mapping[str, str], *, may_be_empty: bool) -> list[Cause]:
    path = "parameters"
    if len(parameters) > _PARAMETER_COUNT:
        return [too_long(path, _PARAMETER_COUNT)]
    causes = [invalid(path, key, "field can not be empty.") for key in parameters if not key]
    if sum(len(key.encode()) + len(value.encode()) for key, value in parameters.items()) > _SIZE:
        causes.append(too_long(path, _SIZE))
    if not may_be_empty and not parameters:
        causes.append(required(path, "must contain at least one key/value pair"))
    return causes


def _validate_topologies(terms: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: list[dict[str, set[str]]] = [{}]         # an empty term is a duplicate, the first one too
    for index, term in enumerate(terms):
        at, chosen = f"{path}[{index}].matchLabelExpressions", dict[str, set[str]]()
        for number, expression in enumerate(term.get("matchLabelExpressions") or ()):
            key, values = expression.get("key") or "", expression.get("values") or ()
            causes += [] if values else [required(f"{at}[{number}].values")]
            causes += [duplicate(f"{at}[{number}].values[{place}]", value) for place, value in enumerate(values) if value in values[:place]]
            causes += each(f"{at}[{number}].key", key, qualified_name_problems(key))
            if key in chosen:
                causes.append(duplicate(f"{at}[{number}].key", key))
            chosen[key] = set(values)
        if chosen in seen:
            causes.append(duplicate(at, ""))
        seen.append(chosen)
    return causes


_TOKENS_IN_ATTRIBUTES: Final = (
    "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in "
    "volume attributes"
)


class StorageClassStrategy(Strategy):
    def default(self, obj: JsonObject) -> None:
        obj.setdefault("reclaimPolicy", "Delete")
        obj.setdefault("volumeBindingMode", "Immediate")

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        causes = _validate_provisioner(obj.get("provisioner") or "", "provisioner")
        causes += _validate_parameters(obj.get("parameters") or {}, may_be_empty=True)
        for key, known in (("reclaimPolicy", RECLAIM_POLICIES), ("volumeBindingMode", BINDING_MODES)):
            if obj.get(key) not in known:
                causes.append(not_supported(key, obj.get(key), known))
        return causes + _validate_topologies(obj.get("allowedTopologies") or (), "allowedTopologies")

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return [invalid(key, None, FIELD_IMMUTABLE) for key in ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode")
                if (obj.get(key) or None) != (old.get(key) or None)]

    def warnings(self, obj: JsonObject, old: JsonObject | None) -> list[str]:
        return [
            f"allowedTopologies[{index}].matchLabelExpressions[{number}].key: {DEPRECATED_LABELS[expression['key']]}"
            for index, term in enumerate(obj.get("allowedTopologies") or ())
            for number, expression in enumerate(term.get("matchLabelExpressions") or ()) if expression.get("key") in DEPRECATED_LABELS
        ]


class VolumeAttributesClassStrategy(Strategy):
    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        causes = _validate_provisioner(obj.get("driverName") or "", "driverName")
        return causes + _validate_parameters(obj.get("parameters") or {}, may_be_empty=False)

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return [forbidden(key, f"updates to {key} are forbidden.") for key in ("driverName", "parameters")
                if (obj.get(key) or None) != (old.get(key) or None)]


class CSIDriverStrategy(Strategy):
    looks_at_names_again = False
    allows_update_without_version = False
    counts_generations = True

    def prepare_for_create(self, obj: JsonObject) -> None:
        super().prepare_for_create(obj)
        del obj["metadata"]["generation"]       # upstream counts changes alone

    def warnings(self, obj: JsonObject, old: JsonObject | None) -> list[str]:
        spec = obj.get("spec") or {}
        asked = spec.get("tokenRequests")
        changed = old is None or asked != (old.get("spec") or {}).get("tokenRequests")
        return [_TOKENS_IN_ATTRIBUTES] if asked and changed and spec.get("serviceAccountTokenInSecrets") is None else []

    def default(self, obj: JsonObject) -> None:
        spec = obj.setdefault("spec", {})
        for key, value in (("attachRequired", True), ("podInfoOnMount", False), ("storageCapacity", False), ("requiresRepublish", False),
                           ("seLinuxMount", False), ("preventPodSchedulingIfMissing", False), ("fsGroupPolicy", "ReadWriteOnceWithFSType")):
            spec.setdefault(key, value)
        spec["volumeLifecycleModes"] = spec.get("volumeLifecycleModes") or ["Persistent"]

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec, causes = obj.get("spec") or {}, []
        if (policy := spec.get("fsGroupPolicy")) is not None and policy not in _GROUP_POLICIES:
            causes.append(not_supported("spec.fsGroupPolicy", policy, _GROUP_POLICIES))
        audiences: set[str] = set()
        for index, request in enumerate(spec.get("tokenRequests") or ()):
            at, audience, seconds = f"spec.tokenRequests[{index}]", request.get("audience") or "", request.get("expirationSeconds")
            if audience in audiences:
                causes.append(duplicate(f"{at}.audience", audience))
            elif seconds is not None and seconds < _TOKEN_MIN_S:
                causes.append(invalid(f"{at}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes"))
            elif seconds is not None and seconds > 1 << 32:
                causes.append(invalid(f"{at}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds"))
            audiences.add(audience)
        causes += [not_supported("spec.volumeLifecycleModes", mode, ("Persistent", "Ephemeral"))
                   for mode in spec.get("volumeLifecycleModes") or () if mode not in {"Persistent", "Ephemeral"}]
        if (period := spec.get("nodeAllocatableUpdatePeriodSeconds")) is not None and period < 10:
            causes.append(invalid("spec.nodeAllocatableUpdatePeriodSeconds", period, "must be greater than or equal to 10 seconds"))
        return causes

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        new, held = obj.get("spec") or {}, old.get("spec") or {}
        return [invalid(f"spec.{shown}", new.get(key), FIELD_IMMUTABLE)
                for key, shown in (("attachRequired", "attachedRequired"), ("volumeLifecycleModes", "volumeLifecycleModes"))
                if new.get(key) != held.get(key)]


class CSINodeStrategy(Strategy):
    allows_update_without_version = False

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        causes: list[Cause] = []
        names: set[str] = set()
        for index, driver in enumerate((obj.get("spec") or {}).get("drivers") or ()):
            at, name, node = f"spec.drivers[{index}]", driver.get("name") or "", driver.get("nodeID") or ""
            causes += validate_driver_name(name, f"{at}.name")
            causes += [] if node else [required(f"{at}.nodeID")]
            if len(node) > _NODE_ID_LENGTH:
                causes.append(invalid(f"{at}.nodeID", node, f"must be {_NODE_ID_LENGTH} characters or less"))
            causes += not_negative(f"{at}.allocatable.count", (driver.get("allocatable") or {}).get("count"))
            if name in names:
                causes.append(duplicate(f"{at}.name", name))
            names.add(name)
            keys = driver.get("topologyKeys") or ()
            for number, key in enumerate(keys):
                causes += [] if key else [required(at)]
                causes += [duplicate(at, key)] if key in keys[:number] else []
                causes += each(at, key, qualified_name_problems(key))
        return causes

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        held = {driver.get("name"): _fixed(driver) for driver in (old.get("spec") or {}).get("drivers") or ()}
        return [invalid("spec.drivers", driver, FIELD_IMMUTABLE) for driver in (obj.get("spec") or {}).get("drivers") or ()
                if held.get(driver.get("name"), _fixed(driver)) != _fixed(driver)]


def _fixed(driver: JsonObject) -> JsonObject:
    return {key: value for key, value in driver.items() if key != "allocatable"}


class CSIStorageCapacityStrategy(Strategy):
    allows_update_without_version = False

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        name, amount = obj.get("storageClassName") or "", read(obj.get("capacity"))
        causes = validate_label_selector(obj.get("nodeTopology") or {}, "nodeTopology")
        causes += each("storageClassName", name, dns_subdomain_problems(name))
        if amount is not None and amount < Quantity.of(0):
            causes.append(invalid("capacity", str(amount), "must be greater than or equal to 0"))
        return causes

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return [invalid(key, obj.get(key), FIELD_IMMUTABLE) for key in ("nodeTopology", "storageClassName")
                if (obj.get(key) or None) != (old.get(key) or None)]


class VolumeAttachmentStrategy(Strategy):
    allows_update_without_version = False

    def initial_status(self, obj: JsonObject) -> JsonObject:
        return {"attached": False}

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec = obj.get("spec") or {}
        attacher, node = spec.get("attacher") or "", spec.get("nodeName") or ""
        causes = [] if attacher else [required("spec.attacher")]
        causes += self._validate_source(spec.get("source") or {}, "spec.source")
        causes += each("spec.nodeName", node, dns_subdomain_problems(node))
        causes += self._validate_outcome(obj)
        if old is None:
            causes += validate_driver_name(attacher, "spec.attacher")
            if name := (spec.get("source") or {}).get("persistentVolumeName"):
                causes += each("spec.source.persistentVolumeName", name, dns_subdomain_problems(name))
        return causes

    @staticmethod
    def _validate_source(source: JsonObject, path: str) -> list[Cause]:
        inline, name = source.get("inlineVolumeSpec"), source.get("persistentVolumeName")
        words = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
        if inline is None and name is None:
            return [required(path, words)]
        if inline is not None and name is not None:
            return [forbidden(path, words)]
        if inline is not None:
            return validate_volume_spec(inline, "", f"{path}.inlineVolumeSpec", inline=True)
        return [] if name else [required(f"{path}.persistentVolumeName", "must specify non empty persistentVolumeName")]

    @staticmethod
    def _validate_outcome(obj: JsonObject) -> list[Cause]:
        status, causes = obj.get("status") or {}, []
        if sum(len(key.encode()) + len(value.encode()) for key, value in (status.get("attachmentMetadata") or {}).items()) > _SIZE:
            causes.append(too_long("status.attachmentMetadata", _SIZE))
        for key in ("attachError", "detachError"):
            error = status.get(key) or {}
            if len((error.get("message") or "").encode()) > _MESSAGE_SIZE:
                causes.append(too_long(f"status.{key}.message", _SIZE))
            if (code := error.get("errorCode")) is not None and code < 0:
                causes.append(invalid(f"status.{key}.errorCode", code, range_problem(0, INT32_MAX)))
        return causes

    def validate_status(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return self._validate_outcome(obj)

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return [] if obj.get("spec") == old.get("spec") else [invalid("spec", None, FIELD_IMMUTABLE)]
