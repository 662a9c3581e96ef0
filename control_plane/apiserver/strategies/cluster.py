"""Namespaces, Nodes, Leases, PriorityClasses, RuntimeClasses."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

from control_plane.apiserver.strategies.base import OPEN_METADATA, Strategy
from control_plane.apiserver.strategies.metadata import validate_labels
from control_plane.apiserver.strategies.pod_defaults import canonical_list
from control_plane.apiserver.strategies.pod_scheduling import validate_effect, validate_tolerations
from control_plane.apiserver.strategies.pod_warnings import DEPRECATED_LABELS
from control_plane.apiserver.strategies.resource_lists import validate_amount, validate_requirements
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
    FIELD_IMMUTABLE,
    cidr_problems,
    dns_label_problems,
    duplicate,
    each,
    forbidden,
    invalid,
    label_value_problems,
    not_supported,
    qualified_name_problems,
    required,
)

NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"
NAMESPACE_FINALIZER: Final = "kubernetes"
HIGHEST_USER_PRIORITY: Final = 1_000_000_000
SYSTEM_PRIORITIES: Final = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}


class NamespaceStrategy(Strategy):
    """A namespace has two kinds of finalizers; those of its spec (its content) are released through /finalize only."""

    status_metadata = OPEN_METADATA

    def name_problems(self, name: str) -> list[str]:
        return dns_label_problems(name)

    def default(self, obj: JsonObject) -> None:
        metadata = obj.setdefault("metadata", {})
        if name := metadata.get("name"):
            metadata["labels"] = {**(metadata.get("labels") or {}), NAMESPACE_LABEL: name}

    def prepare_for_create(self, obj: JsonObject) -> None:
        super().prepare_for_create(obj)
        self.default(obj)        # a generated name is known only now
        spec = obj.setdefault("spec", {})
        finalizers = [name for name in spec.get("finalizers") or () if name != NAMESPACE_FINALIZER]
        spec["finalizers"] = [NAMESPACE_FINALIZER, *finalizers]

    def initial_status(self, obj: JsonObject) -> JsonObject:
        return {"phase": "Active"}

    def align_with_old(self, obj: JsonObject, old: JsonObject) -> None:
        obj.setdefault("spec", {})["finalizers"] = list((old.get("spec") or {}).get("finalizers") or [])

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        return [
            cause for index, name in enumerate((obj.get("spec") or {}).get("finalizers") or ())
            for cause in _validate_finalizer(name, "spec.finalizers" if old is None else f"spec.finalizers[{index}]")
        ]

    def validate_status(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        phase, ending = (obj.get("status") or {}).get("phase") or "", bool(obj["metadata"].get("deletionTimestamp"))
        wanted = "Terminating" if ending else "Active"
        state = "not empty" if ending else "empty"
        return [] if phase == wanted else [
            invalid("status.Phase", phase, f"may only be '{wanted}' if `deletionTimestamp` is {state}")]

    def own_fields(self, obj: JsonObject) -> dict[str, str]:
        return {"status.phase": (obj.get("status") or {}).get("phase", "")}

    def mark_deleted(self, obj: JsonObject) -> None:
        obj.setdefault("status", {})["phase"] = "Terminating"

    def may_be_removed(self, obj: JsonObject) -> bool:
        return not (obj.get("spec") or {}).get("finalizers")


def _validate_finalizer(name: str, path: str) -> list[Cause]:
    causes = each(path, name, qualified_name_problems(name))
    if "/" not in name and name != NAMESPACE_FINALIZER:
        causes.append(invalid(path, name, "name is neither a standard finalizer name nor is it fully qualified"))
    return causes


class NodeStrategy(Strategy):
    status_metadata = OPEN_METADATA

    def default(self, obj: JsonObject) -> None:
        """podCIDR is the first of podCIDRs; where they differ it counts, as upstream's conversion has it: no way round the rule below."""
        spec = obj.get("spec") or {}
        one, some = spec.get("podCIDR"), spec.get("podCIDRs")
        if one and (not some or some[0] != one):
            spec["podCIDRs"] = [one]
        elif some:
            spec["podCIDR"] = some[0]

    def initial_status(self, obj: JsonObject) -> JsonObject:
        return {}

    def prepare_for_create(self, obj: JsonObject) -> None:
        status = obj.get("status")       # the kubelet registers with capacity and addresses in one write
        super().prepare_for_create(obj)
        obj["status"] = status or {}
        self._canonical(obj)
        obj.setdefault("spec", {})

    def align_status_with_old(self, obj: JsonObject, old: JsonObject) -> None:
        self._canonical(obj)

    def _canonical(self, obj: JsonObject) -> None:
        status = obj.get("status") or {}
        for key in ("capacity", "allocatable"):
            if status.get(key):
                status[key] = canonical_list(status[key])
        if status.get("capacity") and not status.get("allocatable"):
            status["allocatable"] = dict(status["capacity"])

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec = obj.get("spec") or {}
        causes = _validate_node_resources(obj.get("status") or {})
        causes += validate_taints(spec.get("taints") or (), "metadata.taints")      # as upstream has the path
        return causes if old is not None else causes + _validate_blocks(spec.get("podCIDRs") or (), "spec.podCIDRs")

    def validate_status(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return _validate_node_resources(obj.get("status") or {}) + _validate_node_addresses(obj)

    def warnings(self, obj: JsonObject, old: JsonObject | None) -> list[str]:
        spec, said = obj.get("spec") or {}, []
        if spec.get("configSource") is not None:
            said.append("spec.configSource: the feature is no longer supported")
        if spec.get("externalID"):
            said.append("spec.externalID: this field is deprecated, and is unused by Kubernetes")
        return said

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        new, held = obj.get("spec") or {}, old.get("spec") or {}
        causes = _validate_node_addresses(obj)
        if held.get("podCIDRs") and new.get("podCIDRs") != held["podCIDRs"]:
            causes.append(forbidden("spec.podCIDRs", "node updates may not change podCIDR except from \"\" to valid"))
        if held.get("providerID") and new.get("providerID") != held["providerID"]:
            what = "modified" if new.get("providerID") else "cleared"
            causes.append(invalid("spec.providerID", None, f"field cannot be {what} once set"))
        return causes

    def own_fields(self, obj: JsonObject) -> dict[str, str]:
        return {"spec.unschedulable": "true" if (obj.get("spec") or {}).get("unschedulable") else "false"}


def _validate_node_resources(status: JsonObject) -> list[Cause]:
    return [cause for key in ("capacity", "allocatable") for name, value in (status.get(key) or {}).items()
            for cause in validate_amount(name, value, f"status.{key}.{name}")]


def _validate_node_addresses(obj: JsonObject) -> list[Cause]:
    addresses = (obj.get("status") or {}).get("addresses") or ()
    return [duplicate(f"status.addresses[{index}]", {"Type": one.get("type") or "", "Address": one.get("address") or ""})
            for index, one in enumerate(addresses) if one in addresses[:index]]


def _validate_blocks(blocks: Sequence[str], path: str) -> list[Cause]:
    """CIDRs, one of each family at most."""
    causes = [cause for index, block in enumerate(blocks) for cause in each(f"{path}[{index}]", block, cidr_problems(block))]
    if len(blocks) < 2 or causes:
        return causes
    if len(blocks) > 2 or len({ipaddress.ip_network(block, strict=False).version for block in blocks}) < 2:
        causes.append(invalid(path, list(blocks), "may specify no more than one CIDR for each IP family"))
    return causes + [duplicate(f"{path}[{index}]", block) for index, block in enumerate(blocks) if block in blocks[:index]]


def validate_taints(taints: Sequence[JsonObject], path: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(taints):
        at, key, effect = f"{path}[{index}]", taint.get("key") or "", taint.get("effect") or ""
        causes += each(f"{at}.key", key, qualified_name_problems(key))
        if problems := label_value_problems(taint.get("value") or ""):
            causes.append(invalid(f"{at}.value", taint["value"], ";".join(problems)))
        causes += validate_effect(effect, f"{at}.effect") if effect else [required(f"{at}.effect")]
        if (key, effect) in seen:
            causes.append(Cause("FieldValueDuplicate", at, f"{duplicate(at, taint).message}: taints must be unique by key and effect pair"))
        seen.add((key, effect))
    return causes


class LeaseStrategy(Strategy):
    qualified_finalizers = False
    looks_at_names_again = False
    allows_update_without_version = False
    allows_create_on_update = True

    def prepare_for_create(self, obj: JsonObject) -> None:
        super().prepare_for_create(obj)
        _without_coordination(obj, {})

    def align_with_old(self, obj: JsonObject, old: JsonObject) -> None:
        _without_coordination(obj, old)

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec, causes = obj.get("spec") or {}, []
        if (duration := spec.get("leaseDurationSeconds")) is not None and duration <= 0:
            causes.append(invalid("spec.leaseDurationSeconds", duration, "must be greater than 0"))
        if (transitions := spec.get("leaseTransitions")) is not None and transitions < 0:
            causes.append(invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0"))
        return causes


def _without_coordination(obj: JsonObject, old: JsonObject) -> None:
    """CoordinatedLeaderElection is off, as it is by default upstream."""
    for key in ("strategy", "preferredHolder"):
        if (old.get("spec") or {}).get(key) is None:
            (obj.get("spec") or {}).pop(key, None)


class PriorityClassStrategy(Strategy):
    looks_at_names_again = False

    def prepare_for_create(self, obj: JsonObject) -> None:
        super().prepare_for_create(obj)
        obj["metadata"]["generation"] = 1       # and never another

    def default(self, obj: JsonObject) -> None:
        obj.setdefault("preemptionPolicy", "PreemptLowerPriority")
        obj.setdefault("value", 0)

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        name, value, causes = obj["metadata"].get("name") or "", obj["value"], []
        if name.startswith("system-"):
            if name not in SYSTEM_PRIORITIES or (value != SYSTEM_PRIORITIES[name] or obj.get("globalDefault")):
                causes.append(forbidden("metadata.name", "priority class names with 'system-' prefix are reserved for system use only. "
                                                         f"error: {_system_problem(name, value)}"))
        elif value > HIGHEST_USER_PRIORITY:
            causes.append(forbidden("value", f"maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}"))
        if obj.get("preemptionPolicy") not in {"Never", "PreemptLowerPriority"}:
            causes.append(not_supported("preemptionPolicy", obj.get("preemptionPolicy"), ("PreemptLowerPriority", "Never")))
        return causes

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        causes = [] if obj["value"] == old.get("value", 0) else [forbidden("value", "may not be changed in an update.")]
        if obj.get("preemptionPolicy") != old.get("preemptionPolicy"):
            causes.append(invalid("preemptionPolicy", obj.get("preemptionPolicy"), "field is immutable"))
        return causes


def _system_problem(name: str, value: int) -> str:
    if name not in SYSTEM_PRIORITIES:
        return f"{name} is not a known system priority class"
    return f"value of {name} PriorityClass must be {SYSTEM_PRIORITIES[name]}" if value != SYSTEM_PRIORITIES[name] else \
        f"globalDefault of {name} PriorityClass must be false"


class RuntimeClassStrategy(Strategy):
    allows_update_without_version = False
    qualified_finalizers = False

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        handler = obj.get("handler") or ""
        causes = each("handler", handler, dns_label_problems(handler)) if handler else [required("handler")]
        if fixed := (obj.get("overhead") or {}).get("podFixed"):
            causes += validate_requirements({"limits": fixed}, "overhead")
        scheduling = obj.get("scheduling") or {}
        tolerations = scheduling.get("tolerations") or ()
        causes += validate_labels(scheduling.get("nodeSelector") or {}, "scheduling.nodeSelector")
        causes += validate_tolerations(tolerations, "scheduling.tolerations")
        return causes + [duplicate(f"scheduling.tolerations[{index}]", one)
                         for index, one in enumerate(tolerations) if one in tolerations[:index]]

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return [] if obj.get("handler") == old.get("handler") else [invalid("handler", None, FIELD_IMMUTABLE)]

    def warnings(self, obj: JsonObject, old: JsonObject | None) -> list[str]:
        return [f"scheduling.nodeSelector[{key}]: {DEPRECATED_LABELS[key]}"
                for key in (obj.get("scheduling") or {}).get("nodeSelector") or () if key in DEPRECATED_LABELS]
