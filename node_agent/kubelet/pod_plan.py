"""What is to be done next for a Pod that should run: a pure function of its specification and its containers.

Follows kuberuntime's computePodActions: init containers one after the other, sidecars (restartPolicy Always) kept up beside them, then all
containers together; a Pod whose containers have ended for good is killed, sidecars included. Ephemeral containers are started once,
whatever the others do. A Pod that has lost its sandbox (the machine went down) begins anew with its first init container.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kube.api.core_v1 import Container, Pod
from node_agent.kubelet.pod_view import (
    PodView,
    ProbeResults,
    ephemeral_containers,
    is_started,
    restart_policy,
    restarts_all,
    should_restart,
    whole_pod_restarts,
)
from node_agent.kubelet.resources import is_sidecar
from node_agent.runtime.model import ContainerRecord, ContainerState


@dataclass(frozen=True, slots=True)
class Kill:
    container: Container
    record: ContainerRecord
    message: str                        # of the Killing event
    probe: str = ""                     # "liveness", "startup": which probe's terminationGracePeriodSeconds counts


@dataclass(slots=True)
class PodActions:
    kill_pod: bool = False              # nothing is left to run: take the sandbox down
    renew: bool = False                 # the sandbox is gone: what is left of the containers ends first
    start: list[Container] = field(default_factory=list)
    kill: list[Kill] = field(default_factory=list)
    reset: list[ContainerRecord] = field(default_factory=list)   # restart of all: end and remove these, in this order; then plan again


def plan_pod(pod: Pod, view: PodView, probes: ProbeResults) -> PodActions:
    if whole_pod_restarts(pod, view):
        return PodActions(reset=[*_to_reset(pod, view)])
    if view.sandbox_lost:
        return _begin_anew(pod, view)
    actions = PodActions(start=[container for container in ephemeral_containers(pod) if container.name not in view.latest])
    if not _plan_init_containers(pod, view, probes, actions):
        return actions
    kept, restarted = 0, False
    for container in pod.spec.containers:
        record = view.latest.get(container.name)
        if record is None or not record.running:
            if should_restart(pod, container, record):
                actions.start.append(container)
                restarted = True
        elif kill := _reason_to_kill(pod, container, record, probes):
            actions.kill.append(kill)
            if kill.message.endswith("will be restarted"):
                actions.start.append(container)
                restarted = True
        else:
            kept += 1
    if not kept and not restarted:
        actions.kill_pod = True
        actions.start.clear()
    return actions


def failed_probe(record: ContainerRecord, probes: ProbeResults) -> str:
    if probes.liveness(record.id) is False:
        return "liveness"
    return "startup" if probes.startup(record.id) is False else ""


def _reason_to_kill(pod: Pod, container: Container, record: ContainerRecord, probes: ProbeResults) -> Kill | None:
    """Another image starts the container anew whatever its policy; rules are not asked, for there is no exit code yet."""
    if record.config.image != container.image:
        return Kill(container, record, f"Container {container.name} definition changed, will be restarted")
    if not (probe := failed_probe(record, probes)):
        return None
    message = f"Container {container.name} failed {probe} probe"
    if restart_policy(pod, container) != "Never":
        message += ", will be restarted"
    return Kill(container, record, message, probe)


def _begin_anew(pod: Pod, view: PodView) -> PodActions:
    """The sandbox is gone, records of containers are not."""
    policy = pod.spec.restart_policy or "Always"
    wanted = [
        container for container in pod.spec.containers
        if not (restart_policy(pod, container) == "OnFailure" and _succeeded(view.latest.get(container.name)))
    ]
    begun = any(container.name in view.latest for container in pod.spec.containers)
    if policy == "Never" or (not wanted and begun):
        return PodActions(kill_pod=True)
    return PodActions(renew=True, start=list(pod.spec.init_containers[:1]) or wanted)


def _to_reset(pod: Pod, view: PodView) -> Sequence[ContainerRecord]:
    """Victims before the cause, containers before init containers. Follows getContainersToReset."""
    causes: list[ContainerRecord] = []
    victims: list[ContainerRecord] = []
    for container in (*pod.spec.containers, *pod.spec.init_containers):
        for record in view.records:
            if record.name == container.name:
                ended = record.state is ContainerState.EXITED and restarts_all(container, record.exit_code)
                (causes if ended else victims).append(record)
    return [*victims, *causes]


def _plan_init_containers(pod: Pod, view: PodView, probes: ProbeResults, actions: PodActions) -> bool:
    """True once the containers proper may run. After a kubelet's restart their records tell that init was done before."""
    begun = view.begun(pod)
    for container in pod.spec.init_containers:
        record = view.active(container.name)
        if is_sidecar(container):
            _keep_sidecar(container, record, probes, actions)
            if not begun and not is_started(container, record, probes):
                return False
        elif not begun and not _init_done(pod, container, record, actions):
            return False
    return True


def _keep_sidecar(container: Container, record: ContainerRecord | None, probes: ProbeResults, actions: PodActions) -> None:
    if record is None or not record.running:
        actions.start.append(container)
        return
    if record.config.image != container.image:
        actions.kill.append(Kill(container, record, f"Init container {container.name} definition changed"))
    elif probe := failed_probe(record, probes):
        actions.kill.append(Kill(container, record, f"Init container {container.name} failed {probe} probe", probe))
    else:
        return
    actions.start.append(container)


def _init_done(pod: Pod, container: Container, record: ContainerRecord | None, actions: PodActions) -> bool:
    if record is None or record.state is ContainerState.CREATED:
        actions.start.append(container)
        return False
    if record.running:
        return False
    if record.exit_code == 0:
        return True
    if should_restart(pod, container, record):
        actions.start.append(container)
    else:
        actions.kill_pod = True
        actions.start.clear()
    return False


def _succeeded(record: ContainerRecord | None) -> bool:
    return record is not None and record.state is ContainerState.EXITED and record.exit_code == 0
