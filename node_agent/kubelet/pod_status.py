"""The status of a Pod, pure: phase and all that is beside the containers' statuses. Follows pkg/kubelet/kubelet_pods.go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from kube.api.core_v1 import ContainerState, ContainerStateTerminated, ContainerStatus, HostIP, Pod, PodCondition, PodIP, PodStatus
from kube.process.clock import to_rfc3339
from node_agent.kubelet import event_names as names
from node_agent.kubelet.container_statuses import Seen, Waiting, container_id, container_statuses, final_statuses
from node_agent.kubelet.pod_conditions import OWN_CONDITIONS, RESTARTING, own_conditions
from node_agent.kubelet.pod_view import PodView, ProbeResults, ephemeral_containers, restarts_after, whole_pod_restarts
from node_agent.kubelet.resource_status import pod_allocated_resources, pod_resources_status
from node_agent.kubelet.resources import is_sidecar, qos_class
from node_agent.runtime.model import Resources

TERMINAL: Final = ("Succeeded", "Failed")
__all__ = ["OWN_CONDITIONS", "TERMINAL", "Observed", "Waiting", "container_id", "pod_status"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """All that a status is made of, beside the Pod itself."""

    view: PodView
    probes: ProbeResults
    host_ip: str
    pod_ip: str
    sandbox_ready: bool
    now: datetime
    waiting: Mapping[str, Waiting] = field(default_factory=dict)      # by container
    messages: Mapping[str, str] = field(default_factory=dict)         # termination messages by container id
    reason: str = ""                                                  # of the Pod: Evicted, DeadlineExceeded ...
    message: str = ""
    failed: bool = False                                              # the kubelet gave the Pod up
    rejected: bool = False                                            # it never was to run here
    ended: bool = False                                               # it was to end, and nothing of it runs any more
    resize: Sequence[PodCondition] = ()                               # PodResizePending, PodResizeInProgress
    cgroup: Resources | None = None                                   # what the Pod's own has


def pod_status(pod: Pod, observed: Observed) -> PodStatus:
    """`pod.status` is the status of before; some of it is known from there only."""
    if observed.rejected:
        return PodStatus(
            phase="Failed", reason=observed.reason, message=observed.message, observed_generation=pod.metadata.generation,
            qos_class=qos_class(pod), start_time=pod.status.start_time or to_rfc3339(observed.now),
        )
    init, main, ephemeral, restarting = _containers(pod, observed)
    phase = _phase(pod, init, main, begun=observed.view.begun(pod), ended=observed.ended)
    if observed.ended:
        phase, init, main = _final(pod, phase, init, main)
    if observed.failed:
        phase = "Failed"
    if pod.status.phase in TERMINAL:
        phase = pod.status.phase                          # an end is final
    same = phase == pod.status.phase
    status = PodStatus(
        phase=phase, reason=observed.reason or (pod.status.reason if same else ""),
        message=observed.message or (pod.status.message if same else ""), observed_generation=pod.metadata.generation,
        host_ip=observed.host_ip, host_ips=(HostIP(ip=observed.host_ip),) if observed.host_ip else (),
        pod_ip=observed.pod_ip, pod_ips=(PodIP(ip=observed.pod_ip),) if observed.pod_ip else (),
        start_time=pod.status.start_time or to_rfc3339(observed.now), qos_class=qos_class(pod),
        init_container_statuses=init, container_statuses=main, ephemeral_container_statuses=ephemeral,
        allocated_resources=pod_allocated_resources(pod),
        resources=pod_resources_status(pod, observed.cgroup if phase == "Running" else None),
    )
    own = own_conditions(
        pod, phase, init, main, sandbox=_sandbox_trouble(observed), restarting=restarting and bool(observed.view.latest), now=observed.now,
    )
    return replace(status, conditions=(*own, *observed.resize))


def _containers(
    pod: Pod, observed: Observed,
) -> tuple[tuple[ContainerStatus, ...], tuple[ContainerStatus, ...], tuple[ContainerStatus, ...], bool]:
    old, said = pod.status, {condition.type: condition.status for condition in pod.status.conditions}
    restarting = said.get(RESTARTING) == "True" or whole_pod_restarts(pod, observed.view)
    seen = Seen(
        pod=pod, view=observed.view, probes=observed.probes, waiting=observed.waiting, messages=observed.messages, restarting=restarting,
    )
    return (
        container_statuses(seen, pod.spec.init_containers, old.init_container_statuses, kind="init"),
        container_statuses(seen, pod.spec.containers, old.container_statuses, kind="main"),
        container_statuses(seen, ephemeral_containers(pod), old.ephemeral_container_statuses, kind="ephemeral"),
        restarting,
    )


def _sandbox_trouble(observed: Observed) -> str:
    if observed.sandbox_ready:
        return ""
    return "pod sandbox is not ready" if observed.view.latest else "no pod sandbox exists"


def _phase(pod: Pod, init: Sequence[ContainerStatus], main: Sequence[ContainerStatus], *, begun: bool, ended: bool) -> str:
    """Follows kubelet's getPhase."""
    pending, failed = _init_progress(pod, init)
    if failed:
        return "Failed"
    running = waiting = sidecars_pending = 0
    for container, status in zip(pod.spec.init_containers, init, strict=True):
        if not is_sidecar(container):
            continue
        state = status.state or ContainerState()
        if state.running:
            running += 1
            sidecars_pending += not status.started
        elif not state.terminated and not _last_end(status):
            waiting += 1
            sidecars_pending += 1
    stopped, lasting, succeeded = 0, 0, 0
    for container, status in zip(pod.spec.containers, main, strict=True):
        state = status.state or ContainerState()
        end = state.terminated or _last_end(status)
        if state.running:
            running += 1
        elif end:
            stopped += 1
            lasting += not (restarts_after(pod, container, end.exit_code or 0) or end.reason == names.RESTARTING_ALL)
            succeeded += bool(state.terminated) and not end.exit_code
        else:
            waiting += 1
    if pending or (sidecars_pending and not begun) or waiting:
        return "Pending"
    if running or not stopped:
        return "Running" if running else "Pending"
    if not ended and stopped != lasting:
        return "Running"
    return "Succeeded" if stopped == succeeded else "Failed"


def _init_progress(pod: Pod, init: Sequence[ContainerStatus]) -> tuple[int, int]:
    """How many init containers (sidecars apart) are still to be done, and how many have failed for good."""
    pending = failed = 0
    for container, status in zip(pod.spec.init_containers, init, strict=True):
        if is_sidecar(container):
            continue
        state = status.state or ContainerState()
        end = state.terminated or _last_end(status)
        if state.running or end is None:
            pending += 1
        elif end.exit_code and not restarts_after(pod, container, end.exit_code) and end.reason != names.RESTARTING_ALL:
            failed += 1
    return pending, failed


def _last_end(status: ContainerStatus) -> ContainerStateTerminated | None:
    return status.last_state.terminated if status.last_state else None


def _final(
    pod: Pod, phase: str, init: tuple[ContainerStatus, ...], main: tuple[ContainerStatus, ...],
) -> tuple[str, tuple[ContainerStatus, ...], tuple[ContainerStatus, ...]]:
    """A life that is over has an end: what was not seen to end counts as lost, what did not succeed as failed."""
    if not pod.spec.init_containers or _initialized(pod, init, main):
        main = final_statuses(main)
    tried = max((index + 1 for index, status in enumerate(init) if _was_tried(status)), default=1)
    init = (*final_statuses(init[:tried]), *init[tried:])
    return (phase if phase in TERMINAL else "Failed"), init, main


def _was_tried(status: ContainerStatus) -> bool:
    return status.state is None or status.state.waiting is None or _last_end(status) is not None


def _initialized(pod: Pod, init: Sequence[ContainerStatus], main: Sequence[ContainerStatus]) -> bool:
    if any(_was_tried(status) for status in main):
        return True
    last, container = init[-1], pod.spec.init_containers[-1]
    if is_sidecar(container):
        return bool(last.started)
    end = (last.state.terminated if last.state else None) or _last_end(last)
    return end is not None and not end.exit_code
