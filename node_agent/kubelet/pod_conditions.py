"""The kubelet's conditions of a Pod, pure. Follows pkg/kubelet/status/generate.go."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from kube.api.core_v1 import ContainerStatus, Pod, PodCondition
from kube.process.clock import to_rfc3339
from node_agent.kubelet.pod_view import can_restart_whole
from node_agent.kubelet.resources import is_sidecar

RESTARTING = "AllContainersRestarting"
OWN_CONDITIONS = (
    "PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled", RESTARTING, "PodResizePending",
    "PodResizeInProgress",
)


def own_conditions(
    pod: Pod, phase: str, init: Sequence[ContainerStatus], main: Sequence[ContainerStatus], *, sandbox: str, restarting: bool,
    now: datetime,
) -> tuple[PodCondition, ...]:
    """`sandbox`: what is wrong with it, "" for nothing. `pod.status` holds the conditions of before: what has not changed keeps its time.

    Only our own are returned, for another's may have changed meanwhile.
    """
    containers_ready = _containers_ready(pod, phase, init, main)
    wanted = [
        _sandbox_condition(sandbox),
        _initialized_condition(pod, phase, init, main),
        _pod_ready(pod, containers_ready),
        containers_ready,
        PodCondition(type="PodScheduled", status="True"),
    ]
    if can_restart_whole(pod):
        wanted.append(_restarting_condition(phase, restarting=restarting))
    held = {condition.type: condition for condition in pod.status.conditions}
    return tuple(_dated(condition, held.get(condition.type), to_rfc3339(now), pod.metadata.generation) for condition in wanted)


def incomplete_init_containers(pod: Pod, statuses: Sequence[ContainerStatus]) -> list[str]:
    return [
        container.name for container, status in zip(pod.spec.init_containers, statuses, strict=True)
        if not (status.started if is_sidecar(container) else status.ready)
    ]


def begun(main: Sequence[ContainerStatus]) -> bool:
    """Any container proper runs or has ended."""
    return any(status.state is not None and (status.state.running or status.state.terminated) for status in main)


def _dated(condition: PodCondition, held: PodCondition | None, now: str, generation: int | None) -> PodCondition:
    changed = held is None or held.status != condition.status or not held.last_transition_time
    since = now if changed or held is None else held.last_transition_time
    return replace(condition, last_transition_time=since, observed_generation=None if condition.type == RESTARTING else generation)


def _sandbox_condition(wrong: str) -> PodCondition:
    if not wrong:
        return PodCondition(type="PodReadyToStartContainers", status="True")
    return PodCondition(type="PodReadyToStartContainers", status="False", reason="PodSandboxNotReady", message=wrong)


def _initialized_condition(pod: Pod, phase: str, init: Sequence[ContainerStatus], main: Sequence[ContainerStatus]) -> PodCondition:
    if phase == "Succeeded":
        return PodCondition(type="Initialized", status="True", reason="PodCompleted")
    incomplete = incomplete_init_containers(pod, init)
    before = any(condition.type == "Initialized" and condition.status == "True" for condition in pod.status.conditions)
    if incomplete and not begun(main) and not before:
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


def _restarting_condition(phase: str, *, restarting: bool) -> PodCondition:
    if phase in ("Succeeded", "Failed"):
        return PodCondition(type=RESTARTING, status="False", reason="PodCompleted" if phase == "Succeeded" else "PodFailed")
    if not restarting:
        return PodCondition(type=RESTARTING, status="False")
    return PodCondition(
        type=RESTARTING, status="True", reason="RestartAllContainersStarted", message="container exited with restart policy rule",
    )
