"""The status of a Pod, pure: phase, conditions, container statuses. Follows pkg/kubelet/kubelet_pods.go and status/generate.go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from msgspec.structs import replace

from kube.api.core_v1 import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    HostIP,
    Pod,
    PodCondition,
    PodIP,
    PodStatus,
)
from kube.process.clock import to_rfc3339
from node_agent.kubelet import event_names as names
from node_agent.kubelet.pod_view import PodView, ProbeResults, is_ready, is_started, restart_policy
from node_agent.kubelet.resource_status import (
    allocated_resources,
    container_resources_status,
    container_user,
    pod_allocated_resources,
    pod_resources_status,
)
from node_agent.kubelet.resources import is_sidecar, qos_class
from node_agent.runtime import model
from node_agent.runtime.model import ContainerRecord
from node_agent.runtime.references import parse_reference

RUNTIME = "kubonsai"
OWN_CONDITIONS = (
    "PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled", "PodResizePending", "PodResizeInProgress",
)


@dataclass(frozen=True, slots=True)
class Waiting:
    reason: str
    message: str = ""


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
    terminating: bool = False
    resize: Sequence[PodCondition] = ()                               # PodResizePending, PodResizeInProgress
    cgroup: model.Resources | None = None                             # what the Pod's own has


def pod_status(pod: Pod, observed: Observed) -> PodStatus:
    init = tuple(_container_status(pod, container, observed, initializing=True) for container in pod.spec.init_containers)
    initialized = _initialized(pod, init)
    main = tuple(_container_status(pod, container, observed, initializing=not initialized) for container in pod.spec.containers)
    phase = "Failed" if observed.failed else _phase(pod, init, main)
    if pod.status.phase in ("Succeeded", "Failed"):
        phase = pod.status.phase                          # an end is final
    status = PodStatus(
        phase=phase, reason=observed.reason, message=observed.message, observed_generation=pod.metadata.generation,
        host_ip=observed.host_ip, host_ips=(HostIP(ip=observed.host_ip),) if observed.host_ip else (),
        pod_ip=observed.pod_ip, pod_ips=(PodIP(ip=observed.pod_ip),) if observed.pod_ip else (),
        start_time=pod.status.start_time or to_rfc3339(observed.now), qos_class=qos_class(pod),
        init_container_statuses=init, container_statuses=main, allocated_resources=pod_allocated_resources(pod),
        resources=pod_resources_status(pod, observed.cgroup if phase == "Running" else None),
    )
    return replace(status, conditions=_conditions(pod, phase, init, main, observed))


def _container_status(pod: Pod, container: Container, observed: Observed, *, initializing: bool) -> ContainerStatus:
    record = observed.view.latest.get(container.name)
    waiting = observed.waiting.get(container.name)
    previous = observed.view.previous.get(container.name)
    state, last = _states(container, record, previous, waiting, observed, pod=pod, initializing=initializing)
    done_init = initializing and not is_sidecar(container) and container in pod.spec.init_containers
    ready = is_ready(container, record, observed.probes) and not done_init
    if done_init and record is not None and record.state is model.ContainerState.EXITED and record.exit_code == 0:
        ready = True
    image, image_id = (container.image, "") if record is None else _resolved_image(record)
    return ContainerStatus(
        name=container.name, state=state, last_state=last, ready=ready, started=is_started(container, record, observed.probes),
        restart_count=record.config.attempt if record else 0, image=image, image_id=image_id,
        container_id=container_id(record) if record else "", resources=container_resources_status(container, record),
        allocated_resources=allocated_resources(container, record), user=container_user(record),
    )


def _resolved_image(record: ContainerRecord) -> tuple[str, str]:
    """What the Pod's short name stands for: docker.io/library/busybox:latest, and the same by digest."""
    if record.image and record.image_ref:
        return record.image, record.image_ref
    reference = parse_reference(record.config.image)      # a record of an older kubelet
    return str(reference), f"{reference.name}@{record.image_id}"


def _states(
    container: Container, record: ContainerRecord | None, previous: ContainerRecord | None, waiting: Waiting | None, observed: Observed,
    *, pod: Pod, initializing: bool,
) -> tuple[ContainerState, ContainerState | None]:
    if record is None:
        is_main = container in pod.spec.containers
        default = Waiting(names.POD_INITIALIZING if is_main and initializing and pod.spec.init_containers else names.CONTAINER_CREATING)
        if container in pod.spec.init_containers and waiting is None and observed.sandbox_ready:
            default = Waiting(names.POD_INITIALIZING)
        return _waiting(waiting or default), None
    last = ContainerState(terminated=_terminated(previous, observed)) if previous is not None else None
    if record.running:
        return ContainerState(running=ContainerStateRunning(started_at=_time(record.started_at))), last
    if record.state is model.ContainerState.CREATED:
        return _waiting(waiting or Waiting(names.CONTAINER_CREATING)), last
    terminated = ContainerState(terminated=_terminated(record, observed))
    if waiting is not None and not observed.terminating:
        return _waiting(waiting), terminated
    return terminated, last


def _waiting(waiting: Waiting) -> ContainerState:
    return ContainerState(waiting=ContainerStateWaiting(reason=waiting.reason, message=waiting.message))


def _terminated(record: ContainerRecord, observed: Observed) -> ContainerStateTerminated:
    return ContainerStateTerminated(
        exit_code=record.exit_code, reason=record.reason or ("Completed" if record.exit_code == 0 else "Error"),
        message=observed.messages.get(record.id) or record.message, container_id=container_id(record),
        started_at=_time(record.started_at), finished_at=_time(record.finished_at),
    )


def container_id(record: ContainerRecord) -> str:
    return f"{RUNTIME}://{record.id}"


def _time(seconds: float) -> str:
    return to_rfc3339(datetime.fromtimestamp(seconds, UTC))


def _initialized(pod: Pod, statuses: Sequence[ContainerStatus]) -> bool:
    return not _incomplete(pod, statuses)


def _incomplete(pod: Pod, statuses: Sequence[ContainerStatus]) -> list[str]:
    names_ = []
    for container, status in zip(pod.spec.init_containers, statuses, strict=True):
        done = status.started if is_sidecar(container) else _succeeded(status)
        if not done:
            names_.append(container.name)
    return names_


def _succeeded(status: ContainerStatus) -> bool:
    return bool(status.state and status.state.terminated and status.state.terminated.exit_code == 0)


def _phase(pod: Pod, init: Sequence[ContainerStatus], main: Sequence[ContainerStatus]) -> str:
    """Follows kubelet's getPhase."""
    for container, status in zip(pod.spec.init_containers, init, strict=True):
        terminated = status.state.terminated if status.state else None
        failed = terminated is not None and terminated.exit_code != 0
        if failed and not is_sidecar(container) and restart_policy(pod, container) == "Never":
            return "Failed"
    if _incomplete(pod, init) and not any(status.container_id for status in main):
        return "Pending"
    running = waiting = stopped = succeeded = 0
    for status in main:
        state = status.state or ContainerState()
        if state.running:
            running += 1
        elif state.terminated:
            stopped += 1
            succeeded += state.terminated.exit_code == 0
        elif status.last_state and status.last_state.terminated:
            stopped += 1
        else:
            waiting += 1
    if waiting:
        return "Pending"
    if running or not stopped:
        return "Running" if running else "Pending"
    policies = {restart_policy(pod, container) for container in pod.spec.containers}
    if "Always" in policies:
        return "Running"
    if succeeded == stopped:
        return "Succeeded"
    return "Failed" if policies == {"Never"} or not _any_will_restart(pod, main) else "Running"


def _any_will_restart(pod: Pod, main: Sequence[ContainerStatus]) -> bool:
    return any(
        restart_policy(pod, container) == "OnFailure" and not _succeeded(status)
        for container, status in zip(pod.spec.containers, main, strict=True)
    )


def _conditions(
    pod: Pod, phase: str, init: Sequence[ContainerStatus], main: Sequence[ContainerStatus], observed: Observed,
) -> tuple[PodCondition, ...]:
    containers_ready = _containers_ready(pod, phase, init, main)
    wanted = [
        PodCondition(type="PodReadyToStartContainers", status="True" if observed.sandbox_ready else "False"),
        _initialized_condition(pod, phase, init),
        _pod_ready(pod, containers_ready),
        containers_ready,
        PodCondition(type="PodScheduled", status="True"),
    ]
    held = {condition.type: condition for condition in pod.status.conditions}
    now = to_rfc3339(observed.now)
    # Only our own: conditions merge by type, and another's may have changed since we read it.
    dated = (_dated(condition, held.get(condition.type), now, pod.metadata.generation) for condition in wanted)
    return (*dated, *observed.resize)


def _dated(condition: PodCondition, held: PodCondition | None, now: str, generation: int | None) -> PodCondition:
    changed = held is None or held.status != condition.status or not held.last_transition_time
    since = now if changed or held is None else held.last_transition_time
    return replace(condition, last_transition_time=since, observed_generation=generation)


def _initialized_condition(pod: Pod, phase: str, init: Sequence[ContainerStatus]) -> PodCondition:
    if phase == "Succeeded":
        return PodCondition(type="Initialized", status="True", reason="PodCompleted")
    incomplete = _incomplete(pod, init)
    if incomplete and phase != "Running":
        message = f"containers with incomplete status: [{' '.join(incomplete)}]"
        return PodCondition(type="Initialized", status="False", reason="ContainersNotInitialized", message=message)
    return PodCondition(type="Initialized", status="True")


def _containers_ready(pod: Pod, phase: str, init: Sequence[ContainerStatus], main: Sequence[ContainerStatus]) -> PodCondition:
    if phase == "Succeeded":
        return PodCondition(type="ContainersReady", status="False", reason="PodCompleted")
    if phase == "Failed":
        return PodCondition(type="ContainersReady", status="False", reason="PodFailed")
    sidecars = [status for container, status in zip(pod.spec.init_containers, init, strict=True) if is_sidecar(container)]
    unready = [status.name for status in (*sidecars, *main) if not status.ready]
    if unready:
        message = f"containers with unready status: [{' '.join(unready)}]"
        return PodCondition(type="ContainersReady", status="False", reason="ContainersNotReady", message=message)
    return PodCondition(type="ContainersReady", status="True")


def _pod_ready(pod: Pod, containers_ready: PodCondition) -> PodCondition:
    if containers_ready.status != "True":
        return replace(containers_ready, type="Ready")
    held = {condition.type: condition.status for condition in pod.status.conditions}
    missing = []
    for gate in pod.spec.readiness_gates:
        if gate.condition_type not in held:
            missing.append(f'corresponding condition of pod readiness gate "{gate.condition_type}" does not exist.')
        elif held[gate.condition_type] != "True":
            missing.append(f'the status of pod readiness gate "{gate.condition_type}" is not "True", but {held[gate.condition_type]}')
    if missing:
        return PodCondition(type="Ready", status="False", reason="ReadinessGatesNotReady", message=", ".join(missing))
    return PodCondition(type="Ready", status="True")
