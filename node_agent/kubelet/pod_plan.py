"""What is to be done next for a Pod that should run: a pure function of its specification and its containers.

Follows kuberuntime's computePodActions: init containers one after the other, sidecars (restartPolicy Always) kept up beside them, then all
containers together; a Pod whose containers have ended for good is killed, sidecars included.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kube.api.core_v1 import Container, Pod
from node_agent.kubelet.pod_view import PodView, ProbeResults, is_started, restart_policy, should_restart
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
    start: list[Container] = field(default_factory=list)
    kill: list[Kill] = field(default_factory=list)


def plan_pod(pod: Pod, view: PodView, probes: ProbeResults) -> PodActions:
    actions = PodActions()
    if not _plan_init_containers(pod, view, probes, actions):
        return actions
    kept = 0
    for container in pod.spec.containers:
        record = view.latest.get(container.name)
        if record is None or record.state is ContainerState.EXITED:
            if should_restart(pod, container, record):
                actions.start.append(container)
        elif (probe := failed_probe(record, probes)) and record.running:
            _restart(pod, container, record, probe, actions)
        else:
            kept += 1
    if not kept and not any(container in actions.start for container in pod.spec.containers):
        actions.kill_pod = True
        actions.start.clear()
    return actions


def failed_probe(record: ContainerRecord, probes: ProbeResults) -> str:
    if probes.liveness(record.id) is False:
        return "liveness"
    return "startup" if probes.startup(record.id) is False else ""


def _restart(pod: Pod, container: Container, record: ContainerRecord, probe: str, actions: PodActions) -> None:
    message = f"Container {container.name} failed {probe} probe"
    if restart_policy(pod, container) != "Never":
        message += ", will be restarted"
        actions.start.append(container)
    actions.kill.append(Kill(container, record, message, probe))


def _plan_init_containers(pod: Pod, view: PodView, probes: ProbeResults, actions: PodActions) -> bool:
    """True once the containers proper may run. After a kubelet's restart their records tell that init was done before."""
    begun = any(container.name in view.latest for container in pod.spec.containers)
    for container in pod.spec.init_containers:
        record = view.latest.get(container.name)
        if is_sidecar(container):
            _keep_sidecar(pod, container, record, probes, actions)
            if not begun and not is_started(container, record, probes):
                return False
        elif not begun and not _init_done(pod, container, record, actions):
            return False
    return True


def _keep_sidecar(
    pod: Pod, container: Container, record: ContainerRecord | None, probes: ProbeResults, actions: PodActions,
) -> None:
    if record is None or record.state is ContainerState.EXITED:
        actions.start.append(container)
    elif record.running and (probe := failed_probe(record, probes)):
        _restart(pod, container, record, probe, actions)


def _init_done(pod: Pod, container: Container, record: ContainerRecord | None, actions: PodActions) -> bool:
    if record is None:
        actions.start.append(container)
        return False
    if record.state is not ContainerState.EXITED:
        return False
    if record.exit_code == 0:
        return True
    if restart_policy(pod, container) == "Never":
        actions.kill_pod = True
        actions.start.clear()
    else:
        actions.start.append(container)
    return False
