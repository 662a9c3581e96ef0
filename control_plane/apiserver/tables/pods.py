"""Pods. What stands under STATUS is worked out from the containers, as upstream's printPod does."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

from control_plane.apiserver.tables.printer import AGE, NAME, Column, Table, wide
from control_plane.apiserver.tables.text import NONE, age, condition, labels_text, name_of, names_and_images, since
from kube.apimachinery.meta import JsonObject

_COMPLETED: Final = {
    "Succeeded": {"type": "Completed", "status": "True", "reason": "Succeeded", "message": "The pod has completed successfully."},
    "Failed": {"type": "Completed", "status": "True", "reason": "Failed", "message": "The pod failed."},
}


class _Seen(NamedTuple):
    """What a walk over containers found. `last` is when one of them last ended before a restart, "" if never."""

    reason: str = ""
    ready: int = 0
    restarts: int = 0
    last: str = ""


def _cells(pod: JsonObject, now: datetime) -> list[Any]:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    sidecars = {c.get("name") for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"}
    seen = _look(pod, sidecars)
    restarts = str(seen.restarts)
    if seen.restarts and seen.last:
        restarts = f"{seen.restarts} ({since(seen.last, now)} ago)"
    addresses = status.get("podIPs") or [{}]
    total = len(spec.get("containers") or ()) + len(sidecars)
    return [
        name_of(pod), f"{seen.ready}/{total}", seen.reason, restarts, age(pod, now), addresses[0].get("ip") or NONE,
        spec.get("nodeName") or NONE, status.get("nominatedNodeName") or NONE, _gates(pod),
    ]


def pod_status(pod: JsonObject) -> str:
    """The word under STATUS."""
    initial = (pod.get("spec") or {}).get("initContainers") or ()
    return _look(pod, {c.get("name") for c in initial if c.get("restartPolicy") == "Always"}).reason


def _look(pod: JsonObject, sidecars: set[Any]) -> _Seen:
    status = pod.get("status") or {}
    reason = status.get("reason") or status.get("phase") or ""
    if (scheduled := condition(pod, "PodScheduled")) and scheduled.get("reason") == "SchedulingGated":
        reason = "SchedulingGated"
    initial, of_sidecars, initializing = _look_at_init(pod, sidecars, reason)
    seen = initial
    if not initializing or (condition(pod, "Initialized") or {}).get("status") == "True":
        seen = _look_at_containers(pod, initial, of_sidecars)
    if (pod.get("metadata") or {}).get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            return seen._replace(reason="Unknown")
        if status.get("phase") not in {"Failed", "Succeeded"}:
            return seen._replace(reason="Terminating")
    return seen


def _look_at_init(pod: JsonObject, sidecars: set[Any], reason: str) -> tuple[_Seen, _Seen, bool]:
    """What init containers say, what the sidecars among them say, and whether they hold the Pod up."""
    ready, restarts, last, own = 0, 0, "", _Seen()
    total = len((pod.get("spec") or {}).get("initContainers") or ())
    for index, container in enumerate((pod.get("status") or {}).get("initContainerStatuses") or ()):
        count, ended = container.get("restartCount") or 0, _last_end(container)
        restarts, last = restarts + count, max(last, ended)
        sidecar = container.get("name") in sidecars
        if sidecar:
            own = own._replace(restarts=own.restarts + count, last=max(own.last, ended))
        state = container.get("state") or {}
        terminated, waiting = state.get("terminated"), (state.get("waiting") or {}).get("reason")
        if terminated is not None and not terminated.get("exitCode"):
            continue
        if sidecar and container.get("started"):
            ready += bool(container.get("ready"))
            continue
        if terminated is not None:
            reason = "Init:" + _ending(terminated)
        elif waiting and waiting != "PodInitializing":
            reason = f"Init:{waiting}"
        else:
            reason = f"Init:{index}/{total}"
        return _Seen(reason, ready, restarts, last), own, True
    return _Seen(reason, ready, restarts, last), own, False


def _look_at_containers(pod: JsonObject, initial: _Seen, sidecars: _Seen) -> _Seen:
    reason, error, running = initial.reason, "", False
    ready, restarts, last = initial.ready, sidecars.restarts, sidecars.last
    for container in reversed((pod.get("status") or {}).get("containerStatuses") or ()):
        restarts += container.get("restartCount") or 0
        last = max(last, _last_end(container))
        state = container.get("state") or {}
        terminated, waiting = state.get("terminated"), (state.get("waiting") or {}).get("reason")
        if waiting:
            reason = waiting
        elif terminated is not None:
            reason = _ending(terminated)
            error = reason if terminated.get("exitCode") else error
        elif container.get("ready") and state.get("running") is not None:
            running = True
            ready += 1
    if reason == "Completed":
        if running and (condition(pod, "Ready") or {}).get("status") == "True":
            reason = "Running"
        elif error or running:
            reason = error or "NotReady"
    return _Seen(reason, ready, restarts, last)


def _ending(terminated: JsonObject) -> str:
    if reason := terminated.get("reason"):
        return str(reason)
    return f"Signal:{terminated['signal']}" if terminated.get("signal") else f"ExitCode:{terminated.get('exitCode') or 0}"


def _last_end(container: JsonObject) -> str:
    """RFC 3339 in UTC, so that the later text is the later instant."""
    return ((container.get("lastState") or {}).get("terminated") or {}).get("finishedAt") or ""


def _gates(pod: JsonObject) -> str:
    gates = (pod.get("spec") or {}).get("readinessGates") or ()
    if not gates:
        return NONE
    true = sum((condition(pod, gate.get("conditionType")) or {}).get("status") == "True" for gate in gates)
    return f"{true}/{len(gates)}"


def _conditions(pod: JsonObject) -> list[JsonObject]:
    completed = _COMPLETED.get((pod.get("status") or {}).get("phase") or "")
    return [dict(completed)] if completed else []


def _template_cells(template: JsonObject, now: datetime) -> list[Any]:
    content = template.get("template") or {}
    return [name_of(template), *names_and_images(content.get("spec")), labels_text((content.get("metadata") or {}).get("labels"))]


POD: Final = Table((
    NAME,
    Column("Ready", "The aggregate readiness state of this pod for accepting traffic."),
    Column("Status", "The aggregate status of the containers in this pod."),
    Column("Restarts", "The number of times the containers in this pod have been restarted and when the last container in this pod has "
                       "restarted."),
    AGE,
    wide("IP", "@status.podIP"),
    wide("Node", "@spec.nodeName"),
    wide("Nominated Node", "@status.nominatedNodeName"),
    wide("Readiness Gates", "@spec.readinessGates"),
), _cells, _conditions)

POD_TEMPLATE: Final = Table((
    NAME,
    Column("Containers", "Names of each container in the template."),
    Column("Images", "Images referenced by each container in the template."),
    Column("Pod Labels", "The labels for the pod template."),
), _template_cells)
