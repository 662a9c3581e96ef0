"""Pods and PodTemplates. Follows registry/core/pod/strategy.go and ValidatePodUpdate."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

from control_plane.apiserver.strategies.base import OPEN_METADATA, Strategy
from control_plane.apiserver.strategies.pod_defaults import default_pod, default_pod_spec, sync_service_account
from control_plane.apiserver.strategies.pod_qos import qos_class
from control_plane.apiserver.strategies.pod_scheduling import added_tolerations_only
from control_plane.apiserver.strategies.pod_spec import validate_pod_spec, validate_pod_template
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.quantity import QuantityError
from kube.apimachinery.validation import forbidden, invalid, shown

_FROZEN: Final = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_GATED: Final = ("nodeSelector", "affinity")     # may still be narrowed while scheduling gates hold the Pod


class PodStrategy(Strategy):
    counts_generations = True
    status_metadata = OPEN_METADATA

    def default(self, obj: JsonObject) -> None:
        spec = obj.setdefault("spec", {})
        default_pod_spec(spec)
        default_pod(spec)

    def initial_status(self, obj: JsonObject) -> JsonObject:
        spec = obj.get("spec") or {}
        try:
            status = {"phase": "Pending", "qosClass": qos_class(spec)}
        except QuantityError:        # validation will say so
            status = {"phase": "Pending"}
        if spec.get("schedulingGates"):
            return {**status, "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message":
                                              "Scheduling is blocked due to non-empty scheduling gates"}]}
        return status

    def prepare_for_create(self, obj: JsonObject) -> None:
        super().prepare_for_create(obj)
        sync_service_account(obj["spec"])

    def align_with_old(self, obj: JsonObject, old: JsonObject) -> None:
        sync_service_account(obj.setdefault("spec", {}))

    def align_status_with_old(self, obj: JsonObject, old: JsonObject) -> None:
        if qos := (old.get("status") or {}).get("qosClass"):
            obj.setdefault("status", {}).setdefault("qosClass", qos)

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec = obj.get("spec") or {}
        causes = validate_pod_spec(spec, "spec")
        if old is None:
            if spec.get("ephemeralContainers"):
                causes.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
            if spec.get("nodeName") and spec.get("schedulingGates"):
                causes.append(forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"))
        return causes

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        return validate_pod_change(obj["spec"], old["spec"])

    def validate_status(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        new, held = (o.get("status") or {} for o in (obj, old))
        nominated = new.get("nominatedNodeName")
        causes = [] if nominated is None or isinstance(nominated, str) else [invalid("status.nominatedNodeName", nominated, "")]
        for key in ("containerStatuses", "initContainerStatuses"):
            causes += _validate_container_statuses(new.get(key) or (), held.get(key) or (), old["spec"], f"status.{key}")
        return causes

    def own_fields(self, obj: JsonObject) -> dict[str, str]:
        spec, status = obj.get("spec") or {}, obj.get("status") or {}
        ips = status.get("podIPs") or ()
        return {
            "spec.nodeName": spec.get("nodeName", ""),
            "spec.restartPolicy": spec.get("restartPolicy", ""),
            "spec.schedulerName": spec.get("schedulerName", ""),
            "spec.serviceAccountName": spec.get("serviceAccountName", ""),
            "spec.hostNetwork": "true" if spec.get("hostNetwork") else "false",
            "status.phase": status.get("phase", ""),
            "status.podIP": ips[0].get("ip", "") if ips else status.get("podIP", ""),
            "status.nominatedNodeName": status.get("nominatedNodeName", ""),
        }

    def grace_period(self, obj: JsonObject, options: Mapping[str, Any]) -> int:
        spec, phase = obj.get("spec") or {}, (obj.get("status") or {}).get("phase")
        asked = options.get("gracePeriodSeconds")
        period = int(spec.get("terminationGracePeriodSeconds") or 0) if asked is None else int(asked)
        if not spec.get("nodeName") or phase in {"Failed", "Succeeded"}:
            return 0
        return 1 if period < 0 else period


class PodTemplateStrategy(Strategy):
    counts_generations = True

    def default(self, obj: JsonObject) -> None:
        default_pod_spec(obj.setdefault("template", {}).setdefault("spec", {}))

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        return validate_pod_template(obj.get("template") or {}, "template")


def validate_pod_change(new: JsonObject, old: JsonObject) -> list[Cause]:
    """What may change in the spec of a Pod that exists."""
    for key in ("containers", "initContainers"):
        if len(new.get(key) or ()) != len(old.get(key) or ()):
            return [forbidden(f"spec.{key}", "pod updates may not add or remove containers")]
    causes = _validate_deadline(new.get("activeDeadlineSeconds"), old.get("activeDeadlineSeconds"))
    causes += added_tolerations_only(new.get("tolerations") or (), old.get("tolerations") or (), "spec.tolerations")
    held_gates = {gate.get("name") for gate in old.get("schedulingGates") or ()}
    for index, gate in enumerate(new.get("schedulingGates") or ()):
        if gate.get("name") not in held_gates:
            causes.append(forbidden(f"spec.schedulingGates[{index}]",
                                    f"only deletion is allowed, but found new scheduling gate '{gate.get('name', '')}'"))
    if causes:
        return causes
    changed = _frozen_differences(_without_free_fields(new, old), old)
    return [forbidden("spec", f"{_FROZEN}\n{changed}")] if changed else []


def _without_free_fields(new: JsonObject, old: JsonObject) -> JsonObject:
    """The new spec with everything that may change put back to what it was."""
    rest = copy.deepcopy(new)
    for key in ("containers", "initContainers"):
        for container, held in zip(rest.get(key) or (), old.get(key) or (), strict=True):
            container["image"] = held.get("image")
    free = ["activeDeadlineSeconds", "tolerations", "schedulingGates", "ephemeralContainers"]
    if (old.get("terminationGracePeriodSeconds") or 0) < 0 and new.get("terminationGracePeriodSeconds") == 1:
        free.append("terminationGracePeriodSeconds")
    if old.get("schedulingGates"):
        free += _GATED
    for key in free:
        if key in old:
            rest[key] = old[key]
        else:
            rest.pop(key, None)
    return rest


def _frozen_differences(new: JsonObject, old: JsonObject) -> str:
    lines: list[str] = []
    for key in sorted(new.keys() | old.keys()):
        if (new.get(key) or None) != (old.get(key) or None):
            lines += [f"- {key}: {shown(old.get(key))}", f"+ {key}: {shown(new.get(key))}"]
    return "\n".join(lines)


def _validate_deadline(new: int | None, old: int | None) -> list[Cause]:
    if new is None:
        return [] if old is None else [invalid("spec.activeDeadlineSeconds", None, "must not update from a positive integer to nil value")]
    if old is not None and new > old:
        return [invalid("spec.activeDeadlineSeconds", new, "must be less than or equal to previous value")]
    return []


def _validate_container_statuses(new: Any, old: Any, spec: JsonObject, path: str) -> list[Cause]:
    """A container that ended for good stays ended: with restartPolicy Never, or OnFailure after success."""
    if spec.get("restartPolicy") == "Always":
        return []
    states = {status.get("name"): status.get("state") or {} for status in new}
    causes: list[Cause] = []
    for status in old:
        ended = (status.get("state") or {}).get("terminated")
        if not ended or (ended.get("exitCode") != 0 and spec.get("restartPolicy") == "OnFailure"):
            continue
        if status.get("name") in states and states[status["name"]].get("terminated") is None:
            causes.append(forbidden(f"{path}[{list(states).index(status['name'])}].state",
                                    "may not be transitioned to non-terminated state"))
    return causes
