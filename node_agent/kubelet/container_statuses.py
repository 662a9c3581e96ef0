"""The status of each container of a Pod, pure. Follows convertToAPIContainerStatuses of pkg/kubelet/kubelet_pods.go.

What the runtime has forgotten is told by the last status: a container that ran and cannot be found any more has ended as
ContainerStatusUnknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from msgspec.structs import replace

from kube.api.core_v1 import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    Pod,
    VolumeMountStatus,
)
from kube.process.clock import to_rfc3339
from node_agent.kubelet import event_names as names
from node_agent.kubelet.pod_view import PodView, ProbeResults, is_ready, is_started, should_restart
from node_agent.kubelet.resource_status import allocated_resources, container_resources_status, container_user
from node_agent.kubelet.resources import is_sidecar
from node_agent.runtime import model
from node_agent.runtime.model import ContainerRecord
from node_agent.runtime.references import parse_reference

RUNTIME = "kubonsai"
KILLED = 137                             # the exit code of a container whose end nobody saw
NOT_LOCATED = "The container could not be located when the pod was terminated"
NOT_LOCATED_RAN = "The container could not be located when the pod was deleted.  The container used to be Running"
RESTARTING_ALL_TEXT = "The container is removed because RestartAllContainers in place"
INIT_FORGOTTEN = "Unable to get init container status from container runtime and pod has been initialized, treat it as exited normally"


@dataclass(frozen=True, slots=True)
class Waiting:
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known of a Pod's containers; `old` is the status of before."""

    pod: Pod
    view: PodView
    probes: ProbeResults
    waiting: Mapping[str, Waiting]
    messages: Mapping[str, str]          # termination messages by container id
    restarting: bool                     # all containers begin anew


def container_statuses(
    seen: Seen, containers: Sequence[Container], old: Sequence[ContainerStatus], *, kind: str,
) -> tuple[ContainerStatus, ...]:
    """`kind`: "init", "main" or "ephemeral". In the order of the specification."""
    held = {status.name: status for status in old}
    return tuple(_status(seen, container, held.get(container.name), kind) for container in containers)


def _status(seen: Seen, container: Container, old: ContainerStatus | None, kind: str) -> ContainerStatus:
    record = seen.view.latest.get(container.name)
    status = _forgotten(seen, container, old) if record is None else _known(seen, container, record, old)
    status = _with_waiting(seen, container, record, status, kind)
    if kind == "ephemeral":
        return replace(status, ready=False)
    running = status.state is not None and status.state.running is not None
    if kind == "init" and not is_sidecar(container):
        ended = status.state.terminated if status.state else None
        ready = ended is not None and ended.exit_code == 0
    else:
        ready = running and is_ready(container, record, seen.probes)
    return replace(status, started=running and is_started(container, record, seen.probes), ready=ready)


def _known(seen: Seen, container: Container, record: ContainerRecord, old: ContainerStatus | None) -> ContainerStatus:
    previous = seen.view.previous.get(container.name)
    last, restarts = None, record.config.attempt
    if old is not None:
        # Containers that were removed before they began anew leave their end in the last status only.
        restarts = max(restarts, old.restart_count or 0)
        old_end = old.state.terminated if old.state else None
        last = ContainerState(terminated=old_end) if old_end and old.container_id != container_id(record) else old.last_state
    if previous is not None:
        last = ContainerState(terminated=_terminated(previous, seen.messages))
    image, image_id = _resolved_image(record)
    return ContainerStatus(
        name=container.name, state=_state(record, seen.messages), last_state=last, restart_count=restarts, image=image, image_id=image_id,
        container_id=container_id(record), volume_mounts=_volume_mounts(container), user=container_user(record),
        resources=container_resources_status(container, record), allocated_resources=allocated_resources(container, record),
        stop_signal=_stop_signal(container),
    )


def _forgotten(seen: Seen, container: Container, old: ContainerStatus | None) -> ContainerStatus:
    """Of a container that the runtime does not know: not made yet, or removed."""
    reason = names.POD_INITIALIZING if seen.pod.spec.init_containers else names.CONTAINER_CREATING
    status = ContainerStatus(
        name=container.name, image=container.image, image_id="", state=_waiting(Waiting(reason)), restart_count=0, ready=False,
        volume_mounts=_volume_mounts(container),
    )
    if old is None or old.state is None:
        return status
    restarts = old.restart_count or 0
    if seen.restarting and old.state.waiting is None:
        ended = ContainerStateTerminated(reason=names.RESTARTING_ALL, message=RESTARTING_ALL_TEXT, exit_code=KILLED)
        held = old if old.state.terminated is not None else status
        return replace(
            held, state=_waiting(Waiting(names.RESTARTING_ALL, RESTARTING_ALL_TEXT)), last_state=ContainerState(terminated=ended),
            restart_count=restarts + 1,
        )
    if old.state.terminated is not None:
        return old
    status = replace(status, restart_count=restarts, last_state=old.last_state)
    if old.state.running is None or (old.last_state is not None and old.last_state.terminated is not None):
        return status
    ended = ContainerStateTerminated(reason=names.STATUS_UNKNOWN, message=NOT_LOCATED_RAN, exit_code=KILLED)
    again = 0 if seen.pod.metadata.deletion_timestamp else 1
    return replace(status, last_state=ContainerState(terminated=ended), restart_count=restarts + again)


def _with_waiting(
    seen: Seen, container: Container, record: ContainerRecord | None, status: ContainerStatus, kind: str,
) -> ContainerStatus:
    """A container that is to be started (again), and why it was not."""
    state = status.state or ContainerState()
    if kind == "init" and record is None and state.waiting is not None and seen.view.begun(seen.pod) and not is_sidecar(container):
        ended = ContainerStateTerminated(reason="Completed", message=INIT_FORGOTTEN, exit_code=0)
        return replace(status, state=ContainerState(terminated=ended))
    if kind == "init" and _succeeded(record) and not is_sidecar(container):
        return status
    waiting = seen.waiting.get(container.name)
    never_again = kind == "ephemeral" and record is not None
    if waiting is None or never_again or seen.pod.metadata.deletion_timestamp or not should_restart(seen.pod, container, record):
        return status
    last = state if state.terminated is not None else status.last_state
    return replace(status, state=_waiting(waiting), last_state=last)


def final_statuses(statuses: Sequence[ContainerStatus]) -> tuple[ContainerStatus, ...]:
    """Of a Pod whose life is over: whoever has not ended was not seen to end. Follows the status manager's TerminatePod."""
    ended = ContainerState(terminated=ContainerStateTerminated(reason=names.STATUS_UNKNOWN, message=NOT_LOCATED, exit_code=KILLED))
    return tuple(
        status if status.state is not None and status.state.terminated is not None else replace(status, state=ended) for status in statuses
    )


def _succeeded(record: ContainerRecord | None) -> bool:
    return record is not None and record.state is model.ContainerState.EXITED and record.exit_code == 0


def _state(record: ContainerRecord, messages: Mapping[str, str]) -> ContainerState:
    if record.running:
        return ContainerState(running=ContainerStateRunning(started_at=_time(record.started_at)))
    if record.state is model.ContainerState.CREATED:
        return ContainerState(waiting=ContainerStateWaiting())
    return ContainerState(terminated=_terminated(record, messages))


def _waiting(waiting: Waiting) -> ContainerState:
    return ContainerState(waiting=ContainerStateWaiting(reason=waiting.reason, message=waiting.message))


def _terminated(record: ContainerRecord, messages: Mapping[str, str]) -> ContainerStateTerminated:
    return ContainerStateTerminated(
        exit_code=record.exit_code, reason=record.reason or ("Completed" if record.exit_code == 0 else "Error"),
        message=messages.get(record.id) or record.message, container_id=container_id(record),
        started_at=_time(record.started_at), finished_at=_time(record.finished_at),
    )


def _resolved_image(record: ContainerRecord) -> tuple[str, str]:
    """What the Pod's short name stands for: docker.io/library/busybox:latest, and the same by digest."""
    if record.image and record.image_ref:
        return record.image, record.image_ref
    reference = parse_reference(record.config.image)      # a record of an older kubelet
    return str(reference), f"{reference.name}@{record.image_id}"


def _volume_mounts(container: Container) -> tuple[VolumeMountStatus, ...]:
    return tuple(
        VolumeMountStatus(
            name=mount.name, mount_path=mount.mount_path, read_only=mount.read_only or None,
            recursive_read_only=_recursive(mount.recursive_read_only) if mount.read_only else "",
        )
        for mount in container.volume_mounts
    )


def _recursive(asked: str) -> str:
    return "Enabled" if asked in ("Enabled", "IfPossible") else "Disabled"


def _stop_signal(container: Container) -> str:
    return container.lifecycle.stop_signal if container.lifecycle else ""


def container_id(record: ContainerRecord) -> str:
    return f"{RUNTIME}://{record.id}"


def _time(seconds: float) -> str:
    return to_rfc3339(datetime.fromtimestamp(seconds, UTC))
