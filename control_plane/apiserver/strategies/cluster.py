"""Namespaces, Nodes, Leases, PriorityClasses, RuntimeClasses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from control_plane.apiserver.strategies.base import OPEN_METADATA, Strategy
from control_plane.apiserver.strategies.pod_defaults import canonical_list
from control_plane.apiserver.strategies.pod_scheduling import validate_effect, validate_tolerations
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import (
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
            cause for name in (obj.get("spec") or {}).get("finalizers") or ()
            for cause in _validate_finalizer(name)
        ]

    def own_fields(self, obj: JsonObject) -> dict[str, str]:
        return {"status.phase": (obj.get("status") or {}).get("phase", "")}

    def mark_deleted(self, obj: JsonObject) -> None:
        obj.setdefault("status", {})["phase"] = "Terminating"

    def may_be_removed(self, obj: JsonObject) -> bool:
        return not (obj.get("spec") or {}).get("finalizers")


def _validate_finalizer(name: str) -> list[Cause]:
    causes = each("spec.finalizers", name, qualified_name_problems(name))
    if "/" not in name and name != NAMESPACE_FINALIZER:
        causes.append(invalid("spec.finalizers", name, "name is neither a standard finalizer name nor is it fully qualified"))
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
        causes = validate_taints(spec.get("taints") or (), "spec.taints")
        for index, cidr in enumerate(spec.get("podCIDRs") or ()):
            causes += each(f"spec.podCIDRs[{index}]", cidr, cidr_problems(cidr))
        return causes

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        new, held = obj.get("spec") or {}, old.get("spec") or {}
        causes: list[Cause] = []
        if held.get("podCIDRs") and new.get("podCIDRs") != held["podCIDRs"]:
            causes.append(forbidden("spec.podCIDRs", "node updates may not change podCIDR except from \"\" to valid"))
        if held.get("providerID") and new.get("providerID") != held["providerID"]:
            causes.append(forbidden("spec.providerID", "node updates may not change providerID except from \"\" to valid"))
        return causes

    def own_fields(self, obj: JsonObject) -> dict[str, str]:
        return {"spec.unschedulable": "true" if (obj.get("spec") or {}).get("unschedulable") else "false"}


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
            causes.append(duplicate(at, taint))
        seen.add((key, effect))
    return causes


class LeaseStrategy(Strategy):
    allows_update_without_version = False
    allows_create_on_update = True

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec, causes = obj.get("spec") or {}, []
        if (duration := spec.get("leaseDurationSeconds")) is not None and duration <= 0:
            causes.append(invalid("spec.leaseDurationSeconds", duration, "must be greater than 0"))
        if (transitions := spec.get("leaseTransitions")) is not None and transitions < 0:
            causes.append(invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0"))
        if spec.get("holderIdentity") == "" and spec.get("strategy"):
            causes.append(invalid("spec.holderIdentity", "", "must not be empty"))
        return causes


class PriorityClassStrategy(Strategy):
    counts_generations = True

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
            causes.append(not_supported("preemptionPolicy", obj.get("preemptionPolicy"), ("Never", "PreemptLowerPriority")))
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
    immutable = ("handler",)

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        handler = obj.get("handler") or ""
        causes = each("handler", handler, dns_label_problems(handler))
        return causes + validate_tolerations((obj.get("scheduling") or {}).get("tolerations") or (), "scheduling.tolerations")
