"""What may change in a Pod that exists: by an update, through its resize and through its ephemeralcontainers.

Follows ValidatePodUpdate, ValidatePodResize and ValidatePodEphemeralContainersUpdate.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Final

from control_plane.apiserver.strategies.differences import unified
from control_plane.apiserver.strategies.pod_qos import qos_class
from control_plane.apiserver.strategies.pod_scheduling import added_tolerations_only
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.quantity import QuantityError
from kube.apimachinery.validation import INT32_MAX, forbidden, invalid, range_problem

_FROZEN: Final = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_REQUIRED_TERM: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_LISTS: Final = ("containers", "initContainers")


def validate_pod_change(new: JsonObject, old: JsonObject) -> list[Cause]:
    """What may change in the spec of a Pod that exists."""
    for key in _LISTS:
        if len(new.get(key) or ()) != len(old.get(key) or ()):
            return [forbidden(f"spec.{key}", "pod updates may not add or remove containers")]
    deadline, held = new.get("activeDeadlineSeconds"), old.get("activeDeadlineSeconds")
    causes: list[Cause] = []
    path = "spec.activeDeadlineSeconds"
    if deadline is None and held is not None:
        causes.append(invalid(path, None, "must not update from a positive integer to nil value"))
    elif deadline is not None and not 0 <= deadline <= INT32_MAX:
        return [invalid(path, deadline, range_problem(0, INT32_MAX))]
    elif deadline is not None and held is not None and deadline > held:
        return [invalid(path, deadline, "must be less than or equal to previous value")]
    causes += added_tolerations_only(new.get("tolerations") or (), old.get("tolerations") or (), "spec.tolerations")
    held_gates = {gate.get("name") for gate in old.get("schedulingGates") or ()}
    causes += [
        forbidden(f"spec.schedulingGates[{index}].name",
                  f"only deletion is allowed, but found new scheduling gate '{gate.get('name', '')}'")
        for index, gate in enumerate(new.get("schedulingGates") or ()) if gate.get("name") not in held_gates
    ]
    if new == old:
        return causes
    rest = _without_free_fields(new, old)
    if held_gates:
        causes += _narrow(rest, old)
    changed = _differences(rest, old)
    return [*causes, forbidden("spec", f"{_FROZEN}\n{changed}")] if changed else causes


def _without_free_fields(new: JsonObject, old: JsonObject) -> JsonObject:
    """The new spec with everything that may change put back to what it was."""
    rest = copy.deepcopy(new)
    for key in _LISTS:
        for container, held in zip(rest.get(key) or (), old.get(key) or (), strict=True):
            container["image"] = held.get("image")
    free = ["activeDeadlineSeconds", "tolerations", "schedulingGates"]
    if (old.get("terminationGracePeriodSeconds") or 0) < 0 and new.get("terminationGracePeriodSeconds") == 1:
        free.append("terminationGracePeriodSeconds")
    for key in free:
        _put_back(rest, old, key)
    return rest


def _put_back(rest: JsonObject, old: JsonObject, key: str) -> None:
    if key in old:
        rest[key] = old[key]
    else:
        rest.pop(key, None)


def _narrow(rest: JsonObject, old: JsonObject) -> list[Cause]:
    """A Pod held by gates may still be narrowed: labels of nodes added, terms of node affinity made stricter."""
    causes: list[Cause] = []
    new_labels, held_labels = rest.get("nodeSelector") or {}, old.get("nodeSelector") or {}
    if any(new_labels.get(key) != value for key, value in held_labels.items()):
        causes.append(invalid("spec.nodeSelector", new_labels,
                              "only additions to spec.nodeSelector are allowed (no mutations or deletions)"))
    _put_back(rest, old, "nodeSelector")
    affinity, held = dict(rest.get("affinity") or {}), old.get("affinity") or {}
    causes += _validate_stricter(affinity.get("nodeAffinity") or {}, held.get("nodeAffinity") or {})
    _put_back(affinity, held, "nodeAffinity")
    if affinity or held:
        rest["affinity"] = affinity
    else:
        _put_back(rest, old, "affinity")
    return causes


def _validate_stricter(new: JsonObject, old: JsonObject) -> list[Cause]:
    path = f"spec.affinity.nodeAffinity.{_REQUIRED_TERM}.nodeSelectorTerms"
    held, terms = ((one.get(_REQUIRED_TERM) or {}).get("nodeSelectorTerms") or [] for one in (old, new))
    if not held:
        return []
    if len(held) != len(terms):
        return [invalid(path, terms, "no additions/deletions to non-empty NodeSelectorTerms list are allowed")]
    return [invalid(f"{path}[{index}]", term, "only additions are allowed (no mutations or deletions)")
            for index, (term, before) in enumerate(zip(terms, held, strict=True)) if not _only_adds(term, before)]


def _only_adds(term: JsonObject, before: JsonObject) -> bool:
    pairs = [(term.get(key) or [], before.get(key) or []) for key in ("matchExpressions", "matchFields")]
    if not any(held for _, held in pairs):
        return not any(now for now, _ in pairs)
    return all(now[:len(held)] == held for now, held in pairs)


def _differences(new: JsonObject, old: JsonObject) -> str:
    """A diff, or "" when nothing but emptiness differs."""
    if all(new.get(key) == old.get(key) or not (_says(new.get(key)) or _says(old.get(key))) for key in new.keys() | old.keys()):
        return ""
    return unified(old, new)


def _says(value: Any) -> bool:
    return value not in (None, "", [], {})


def validate_ephemeral_change(new: Sequence[JsonObject], old: Sequence[JsonObject]) -> list[Cause]:
    """Those that were added stay as they are."""
    path, by_name = "spec.ephemeralContainers", {container.get("name"): container for container in new}
    causes: list[Cause] = []
    for held in old:
        name = held.get("name") or ""
        if (container := by_name.get(name)) is None:
            causes.append(forbidden(path, f'existing ephemeral containers "{name}" may not be removed\n'))
        elif container != held:
            causes.append(forbidden(path, f'existing ephemeral containers "{name}" may not be changed\n{_differences(container, held)}'))
    return causes


def validate_resize(new: JsonObject, old: JsonObject) -> list[Cause]:
    """Of whole Pods: cpu and memory of containers and of the Pod may change, within the class of service."""
    if (old["spec"].get("os") or {}).get("name") == "windows":
        return [forbidden("[]", "windows pods cannot be resized")]
    causes: list[Cause] = []
    try:
        if qos_class(new["spec"]) != ((old.get("status") or {}).get("qosClass") or qos_class(old["spec"])):
            quality = (new.get("status") or {}).get("qosClass") or ""
            causes.append(invalid("spec", quality, "Pod QOS Class may not change as a result of resizing"))
    except QuantityError:        # said already
        return []
    statuses = (old.get("status") or {}).get("containerStatuses") or ()
    first = next((one for one in statuses if (one.get("state") or {}).get("running") is not None), None)
    if first is not None and first.get("resources") is None:
        causes.append(forbidden("spec", "Pod running on node without support for resize"))
    causes += _validate_pod_resize(new["spec"].get("resources"), old["spec"].get("resources"))
    if wrong := [cause for key in _LISTS for cause in _validate_names(new["spec"].get(key) or (), old["spec"].get(key) or (), key)]:
        return causes + wrong
    for key in reversed(_LISTS):
        for index, (container, held) in enumerate(zip(new["spec"].get(key) or (), old["spec"].get(key) or (), strict=False)):
            causes += _validate_removals(container.get("resources"), held.get("resources"), f"spec.{key}[{index}].resources", "resource")
    for container, held in zip(new["spec"].get("containers") or (), old["spec"].get("containers") or (), strict=False):
        if _others(container) != _others(held):
            causes.append(forbidden("spec", "only cpu and memory resources are mutable"))
    for index, (container, held) in enumerate(zip(new["spec"].get("initContainers") or (), old["spec"].get("initContainers") or (),
                                                  strict=False)):
        causes += _validate_init_resize(container, held, f"spec.initContainers[{index}]")
    return causes


def _validate_pod_resize(new: JsonObject | None, old: JsonObject | None) -> list[Cause]:
    causes = _validate_removals(new, old, "spec.resources", "pod-level resource") if old is not None else []
    if _unsized(new) != _unsized(old):
        causes.append(forbidden("spec", "only cpu and memory resources are mutable at pod-level"))
    return causes


def _validate_init_resize(container: JsonObject, held: JsonObject, path: str) -> list[Cause]:
    causes: list[Cause] = []
    if _others(container) != _others(held):
        causes.append(forbidden(path, "only cpu and memory resources for init or sidecar containers are mutable"))
    restarts = any(policy.get("restartPolicy") == "RestartContainer" for policy in container.get("resizePolicy") or ())
    if container != held and container.get("restartPolicy") != "Always" and restarts:
        causes.append(forbidden(path, "non-sidecar init containers with a resize policy of RestartContainer cannot be resized"))
    return causes


def _unsized(resources: JsonObject | None) -> JsonObject:
    """Resources without what may be resized."""
    resources = resources or {}
    kept = {key: {name: value for name, value in (resources.get(key) or {}).items() if name not in {"cpu", "memory"}}
            for key in ("limits", "requests")}
    return {**kept, "claims": resources.get("claims") or None}


def _others(container: JsonObject) -> Any:
    """A container without what may be resized."""
    return ({key: value for key, value in container.items() if key not in {"resources", "resizePolicy"}},
            _unsized(container.get("resources")), container.get("resizePolicy"))


def _validate_names(new: Sequence[JsonObject], old: Sequence[JsonObject], key: str) -> list[Cause]:
    if len(new) != len(old):
        return [forbidden(f"spec.{key}", f"{key} may not be added or removed on resize")]
    return [
        forbidden(f"spec.{key}[{index}].name", f"{key} may not be renamed or reordered on resize")
        for index, (container, held) in enumerate(zip(new, old, strict=True)) if container.get("name") != held.get("name")
    ]


def _validate_removals(new: JsonObject | None, old: JsonObject | None, path: str, what: str) -> list[Cause]:
    new, old = new or {}, old or {}
    return [forbidden(f"{path}.{key}", f"{what} {key} cannot be removed") for key in ("requests", "limits")
            if not set(old.get(key) or ()) <= set(new.get(key) or ())]
