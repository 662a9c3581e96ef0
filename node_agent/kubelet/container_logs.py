"""Which file `kubectl logs` shows, and why it cannot. Messages follow pkg/kubelet/kubelet_pods.go (validateContainerLogStatus)."""

from __future__ import annotations

from pathlib import Path

from kube.api.core_v1 import Container, Pod
from kube.apimachinery import errors
from node_agent.kubelet.pod_state import PodState, Services
from node_agent.kubelet.pod_view import all_containers
from node_agent.runtime.model import ContainerRecord, ContainerState


def find_container(pod: Pod, name: str) -> Container:
    """By name, or the only one. Raises BadRequest, NotFound."""
    everyone = tuple(all_containers(pod))
    if not name:
        if len(everyone) == 1:
            return everyone[0]
        names = [container.name for container in pod.spec.containers]
        raise errors.BadRequest(f"a container name must be specified for pod {pod.metadata.name}, choose one of: [{' '.join(names)}]")
    found = next((container for container in everyone if container.name == name), None)
    if found is None:
        raise errors.BadRequest(f"container {name} is not valid for pod {pod.metadata.name}")
    return found


def running_container(services: Services, state: PodState, name: str) -> ContainerRecord:
    """For exec and attach. Raises BadRequest, NotFound."""
    container = find_container(state.pod, name)
    record = state.view(services).latest.get(container.name)
    if record is None or not record.running:
        raise errors.BadRequest(f'container not found ("{container.name}")')
    return record


def log_source(services: Services, state: PodState, name: str, *, previous: bool) -> tuple[Path, ContainerRecord]:
    """The log file and whose it is. Raises BadRequest in upstream's words."""
    container = find_container(state.pod, name)
    view, pod = state.view(services), state.pod.metadata.name
    latest = view.latest.get(container.name)
    if previous:
        record = view.previous.get(container.name)
        waiting = container.name in state.waiting
        if record is None and latest is not None and latest.state is ContainerState.EXITED and waiting:
            record = latest
        if record is None:
            raise errors.BadRequest(f'previous terminated container "{container.name}" in pod "{pod}" not found')
        return Path(record.config.log_path), record
    if latest is None:
        waiting_for = state.waiting.get(container.name)
        if waiting_for is not None and "Image" in waiting_for.reason:
            why = "trying and failing to pull image" if waiting_for.reason != "ErrImagePull" else "image can't be pulled"
            raise errors.BadRequest(f'container "{container.name}" in pod "{pod}" is waiting to start: {why}')
        reason = waiting_for.reason if waiting_for else "PodInitializing" if state.pod.spec.init_containers else "ContainerCreating"
        raise errors.BadRequest(f'container "{container.name}" in pod "{pod}" is waiting to start: {reason}')
    return Path(latest.config.log_path), latest
