"""What the node has promised to each Pod: requests and limits at its admission, and since then every resize that fits.

Follows pkg/kubelet/allocation (KEP-1287). A Pod's specification says what is wanted. `Allocations.consider` compares it with the promise,
takes it over if the node has room beside the other Pods' promises, and gives back the Pod as it is to run; all other parts of the kubelet
see that one. What does not fit waits, condition PodResizePending, until other Pods ask for less or go. resize.py then makes it so.

The promise is kept with the sandbox on disk, for a kubelet that restarts between a wish and its fulfilment.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from msgspec.structs import replace

from kube.api.core_v1 import Container, Pod, PodCondition, ResourceRequirements
from kube.apimachinery.quantity import Quantity
from kube.process.clock import to_rfc3339
from node_agent.kubelet.resources import BURSTABLE, GUARANTEED, NOTHING, limits_of, pod_amounts, qos_class, requests_of
from node_agent.kubelet.seams import Events
from node_agent.runtime.model import Allocation

PENDING: Final = "PodResizePending"
IN_PROGRESS: Final = "PodResizeInProgress"
DEFERRED: Final = "Deferred"
ERROR: Final = "Error"
WHOLE_POD: Final = ""


@dataclass(slots=True)
class _Promise:
    pod: Pod                                    # as it is to run
    wanted: Pod                                 # as the API has it
    pending: PodCondition | None = None
    in_progress: PodCondition | None = None


class Allocations:
    """Of all Pods that run or are to run on the node. `wake` is called for a Pod whose waiting resize may fit now."""

    def __init__(
        self, allocatable: Mapping[str, str], events: Events, now: Callable[[], datetime], held: Callable[[str], Allocation],
    ) -> None:
        self._capacity = {name: Quantity.parse(allocatable.get(name, "0")) for name in ("cpu", "memory")}
        self._events = events
        self._now = now
        self._held = held                       # what an earlier kubelet kept, by uid
        self._promises: dict[str, _Promise] = {}
        self.wake: Callable[[str], None] = lambda _uid: None

    def apply(self, pod: Pod) -> Pod:
        """The Pod as it is to run; decides nothing."""
        promise = self._promises.get(pod.metadata.uid)
        return with_allocation(pod, allocation_of(promise.pod) if promise else self._held(pod.metadata.uid))

    def recall(self, pod: Pod) -> Pod:
        """The same, of a Pod that this kubelet hears of for the first time: what an earlier one promised it counts from now on."""
        allocated = self.apply(pod)
        if pod.metadata.uid not in self._promises and self._held(pod.metadata.uid):
            self._promises[pod.metadata.uid] = _Promise(allocated, pod, *_known_conditions(pod))
        return allocated

    def consider(self, wanted: Pod) -> Pod:
        """The same, after taking over what has changed and fits. Events tell of both outcomes."""
        uid = wanted.metadata.uid
        promise = self._promises.get(uid)
        if promise is None:
            promise = self._promises[uid] = _Promise(self.apply(wanted), wanted, *_known_conditions(wanted))
        allocated = with_allocation(wanted, allocation_of(promise.pod))
        promise.pod, promise.wanted = allocated, wanted
        if allocated is wanted:
            promise.pending = None
            return wanted
        if refusal := self._lacking(wanted):
            self._defer(promise, refusal)
            return allocated
        promise.pod, promise.pending = wanted, None
        promise.in_progress = self._condition(IN_PROGRESS, None, "", "", wanted)
        self._tell(wanted, "Normal", "ResizeStarted", "Pod resize started", wanted.metadata.generation)
        self._retry()
        return wanted

    def actuated(self, pod: Pod) -> None:
        """Everything runs with what was promised."""
        promise = self._promises.get(pod.metadata.uid)
        if promise is not None and promise.in_progress is not None:
            generation, promise.in_progress = promise.in_progress.observed_generation, None
            self._tell(pod, "Normal", "ResizeCompleted", "Pod resize completed", generation)

    def in_progress(self, pod: Pod, error: str = "") -> None:
        """Something runs with other limits than promised; `error` says why it could not be changed."""
        promise = self._promises.get(pod.metadata.uid)
        if promise is None:
            return
        before, reason = promise.in_progress, ERROR if error else ""
        if before is not None and not error:
            return                              # an error stands until it is overcome
        if before is None or (before.reason, before.message) != (reason, error):
            source = before.observed_generation if before is not None else pod.metadata.generation
            promise.in_progress = replace(self._condition(IN_PROGRESS, before, reason, error, pod), observed_generation=source)
            if error:
                self._tell(pod, "Warning", "ResizeError", "Pod resize error", source, error)

    def conditions(self, pod_uid: str) -> tuple[PodCondition, ...]:
        promise = self._promises.get(pod_uid)
        held = (promise.pending, promise.in_progress) if promise is not None else ()
        return tuple(condition for condition in held if condition is not None)

    def release(self, pod_uid: str) -> None:
        """The Pod has ended: what it was promised is free."""
        if self._promises.pop(pod_uid, None) is not None:
            self._retry()

    def _lacking(self, wanted: Pod) -> str:
        """"": it fits beside the others. Only what is asked for of a resource can fail for it."""
        asked = pod_amounts(wanted, "requests")
        others = [promise.pod for uid, promise in self._promises.items() if uid != wanted.metadata.uid]
        for name, capacity in self._capacity.items():
            used = sum((pod_amounts(other, "requests").get(name, NOTHING) for other in others), NOTHING)
            if (request := asked.get(name, NOTHING)) and used + request > capacity:
                count = Quantity.milli_value if name == "cpu" else Quantity.value
                return (f"Node didn't have enough resource: {name}, requested: {count(request)}, used: {count(used)}, "
                        f"capacity: {count(capacity)}")
        return ""

    def _defer(self, promise: _Promise, message: str) -> None:
        before, wanted = promise.pending, promise.wanted
        if before is not None and (before.message, before.observed_generation) == (message, wanted.metadata.generation):
            return
        promise.pending = self._condition(PENDING, before, DEFERRED, message, wanted)
        if before is None or before.observed_generation != wanted.metadata.generation:
            self._tell(wanted, "Warning", "ResizeDeferred", f"Pod resize {DEFERRED}", wanted.metadata.generation, message)

    def _condition(self, kind: str, before: PodCondition | None, reason: str, message: str, pod: Pod) -> PodCondition:
        now = to_rfc3339(self._now())
        since = before.last_transition_time if before is not None and before.reason == reason else now
        return PodCondition(
            type=kind, status="True", reason=reason, message=message, last_probe_time=now, last_transition_time=since,
            observed_generation=pod.metadata.generation,
        )

    def _retry(self) -> None:
        waiting = [promise for promise in self._promises.values() if promise.pending is not None]
        for promise in sorted(waiting, key=_turn):
            self.wake(promise.wanted.metadata.uid)

    def _tell(self, pod: Pod, type_: Any, reason: str, what: str, generation: int | None, error: str = "") -> None:
        self._events.event(pod, type_, reason, f"{what}: {_summary(pod, generation, error)}")


def _turn(promise: _Promise) -> tuple[bool, int, int, str]:
    """Who asks for no more than it has is first; then by priority, by quality of service, by how long it has waited."""
    wanted, pod = pod_amounts(promise.wanted, "requests"), pod_amounts(promise.pod, "requests")
    grows = any(wanted.get(name, NOTHING) > pod.get(name, NOTHING) for name in ("cpu", "memory"))
    quality = (GUARANTEED, BURSTABLE).index(qos) if (qos := qos_class(promise.wanted)) in (GUARANTEED, BURSTABLE) else 2
    return grows, -(promise.wanted.spec.priority or 0), quality, promise.pending.last_transition_time if promise.pending else ""


def allocation_of(pod: Pod) -> Allocation:
    everyone = (*pod.spec.init_containers, *pod.spec.containers)
    found = {container.name: _plain(container.resources) for container in everyone}
    return found | ({WHOLE_POD: _plain(pod.spec.resources)} if pod.spec.resources is not None else {})


def _plain(wanted: ResourceRequirements | None) -> dict[str, dict[str, str]]:
    return {"requests": dict(wanted.requests), "limits": dict(wanted.limits)} if wanted is not None else {}


def with_allocation(pod: Pod, allocation: Allocation) -> Pod:
    """The Pod itself where nothing differs; amounts compare by value."""
    if not allocation:
        return pod
    init, main = (_allocated(containers, allocation) for containers in (pod.spec.init_containers, pod.spec.containers))
    whole = _given(pod.spec.resources, allocation.get(WHOLE_POD))
    if init is pod.spec.init_containers and main is pod.spec.containers and whole is pod.spec.resources:
        return pod
    return replace(pod, spec=replace(pod.spec, init_containers=init, containers=main, resources=whole))


def _allocated(containers: tuple[Container, ...], allocation: Allocation) -> tuple[Container, ...]:
    given = [_given(container.resources, allocation.get(container.name)) for container in containers]
    if all(container.resources is resources for container, resources in zip(containers, given, strict=True)):
        return containers
    return tuple(replace(container, resources=resources) for container, resources in zip(containers, given, strict=True))


def _given(wanted: ResourceRequirements | None, held: Mapping[str, Mapping[str, str]] | None) -> ResourceRequirements | None:
    if held is None:
        return wanted
    said = wanted or ResourceRequirements()
    requests, limits = dict(held.get("requests", {})), dict(held.get("limits", {}))
    if _same(said.requests, requests) and _same(said.limits, limits):
        return wanted
    return replace(said, requests=requests, limits=limits)


def _same(first: Mapping[str, str], second: Mapping[str, str]) -> bool:
    return first.keys() == second.keys() and all(Quantity.parse(first[name]) == Quantity.parse(second[name]) for name in first)


def _known_conditions(pod: Pod) -> Sequence[PodCondition | None]:
    held = {condition.type: condition for condition in pod.status.conditions}
    return held.get(PENDING), held.get(IN_PROGRESS)


def _summary(pod: Pod, generation: int | None, error: str) -> str:
    """The wish in one line of JSON, as the events of upstream have it."""
    said: dict[str, Any] = {}
    for field, containers in (("initContainers", pod.spec.init_containers), ("containers", pod.spec.containers)):
        if containers:
            said[field] = [{"name": container.name, "resources": _shown(container)} for container in containers]
    said["generation"] = generation or 0
    if error:
        said["error"] = error
    return json.dumps(said, separators=(",", ":"))


def _shown(container: Container) -> dict[str, Any]:
    amounts = {"limits": limits_of(container), "requests": requests_of(container)}
    return {kind: dict(sorted(named.items())) for kind, named in amounts.items() if named}
