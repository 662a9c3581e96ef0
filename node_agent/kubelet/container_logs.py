"""Which file `kubectl logs` shows, and why it cannot; who is meant by exec and attach.

Messages follow pkg/kubelet: validateContainerLogStatus, GetExec, GetAttach. As there, the Pod's status decides, not the runtime.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from kube.api.core_v1 import Container, ContainerState, ContainerStatus, Pod
from kube.apimachinery import errors
from node_agent.kubelet.pod_state import PodState, Services
from node_agent.kubelet.pod_view import all_containers
from node_agent.runtime import model
from node_agent.runtime.logs import LogOptions, read_log
from node_agent.runtime.model import ContainerRecord


def find_container(pod: Pod, name: str) -> Container:
    """By name, or the only one. Raises BadRequest, NotFound."""
    everyone = tuple(all_containers(pod))
    if not name:
        if len(pod.spec.containers) == 1:
            return pod.spec.containers[0]
        names = [container.name for container in everyone]
        raise errors.BadRequest(f"a container name must be specified for pod {pod.metadata.name}, choose one of: [{' '.join(names)}]")
    found = next((container for container in everyone if container.name == name), None)
    if found is None:
        raise errors.NotFound(f'container "{name}" not found in pod "{pod.metadata.name}"')
    return found


def running_container(services: Services, state: PodState, name: str, refusal: str) -> ContainerRecord:
    """For exec and attach. `refusal`: what is said of a container that does not run, with {name} and {pod}. Raises InternalError."""
    container = find_container(state.pod, name)
    record = state.view(services).latest.get(container.name)
    if record is None or not record.running:
        metadata = state.pod.metadata
        raise errors.InternalError(refusal.format(name=container.name, pod=f"{metadata.name}_{metadata.namespace}"))
    return record


class Log:
    """What one request for a log will show; made when it is clear that there is something to show."""

    def __init__(self, services: Services, record: ContainerRecord | None, problem: str = "") -> None:
        self._services = services
        self._record = record
        self._problem = problem

    async def read(self, options: LogOptions) -> AsyncGenerator[bytes, None]:
        """As with upstream, what is found missing only now is told in the log's place."""
        if self._record is None:
            yield self._problem.encode()
            return
        record, path = self._record, Path(self._record.config.log_path)

        def ended() -> bool:
            held = self._services.runtime.container(record.id)
            return held is None or held.state is model.ContainerState.EXITED

        try:
            async with aclosing(read_log(path, options, ended)) as pieces:
                async for piece in pieces:
                    yield piece
        except FileNotFoundError:
            yield f'failed to try resolving symlinks in path "{path}": lstat {path}: no such file or directory'.encode()


def find_log(services: Services, state: PodState, name: str, *, previous: bool) -> Log:
    """Raises BadRequest, NotFound in upstream's words."""
    container = find_container(state.pod, name)
    reference = _container_id(services, state, container.name, previous=previous)
    record = services.runtime.container(reference.partition("://")[2])
    return Log(services, record, "" if record else f"unable to retrieve container logs for {reference}")


def _container_id(services: Services, state: PodState, name: str, *, previous: bool) -> str:
    """TYPE://ID of the container whose log is meant. Raises BadRequest."""
    pod = state.pod.metadata.name
    status = services.statuses.get(state.uid) or state.pod.status
    everyone: tuple[ContainerStatus, ...] = (
        *status.container_statuses, *status.init_container_statuses, *status.ephemeral_container_statuses)
    found = next((one for one in everyone if one.name == name), None)
    if found is None:
        raise errors.BadRequest(f'container "{name}" in pod "{pod}" is not available')
    now, last = found.state or ContainerState(), found.last_state.terminated if found.last_state else None
    if previous:
        if last is None or not last.container_id:
            raise errors.BadRequest(f'previous terminated container "{name}" in pod "{pod}" not found')
        return last.container_id
    if now.running is not None:
        return found.container_id
    ended = now.terminated or last
    if ended is not None:
        reference = ended.container_id or (last.container_id if last else "")
        if not reference:
            raise errors.BadRequest(f'container "{name}" in pod "{pod}" is terminated')
        return reference
    if now.waiting is None:
        raise errors.BadRequest(f'container "{name}" in pod "{pod}" is waiting to start - no logs yet')
    why = {"ErrImagePull": "image can't be pulled", "ImagePullBackOff": "trying and failing to pull image"}
    raise errors.BadRequest(f'container "{name}" in pod "{pod}" is waiting to start: {why.get(now.waiting.reason, now.waiting.reason)}')
