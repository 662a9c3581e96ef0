"""Questions about Pods that many controllers ask; upstream's api/v1/pod and controller_utils."""

from __future__ import annotations

from datetime import datetime, timedelta

from kube.api.core_v1 import Pod, PodCondition
from kube.process.clock import from_rfc3339


def is_terminated(pod: Pod) -> bool:
    return pod.status.phase in {"Succeeded", "Failed"}


def is_terminating(pod: Pod) -> bool:
    return not is_terminated(pod) and bool(pod.metadata.deletion_timestamp)


def is_active(pod: Pod) -> bool:
    """Counts as a replica: neither ended nor being deleted."""
    return not is_terminated(pod) and not pod.metadata.deletion_timestamp


def condition(pod: Pod, kind: str) -> PodCondition | None:
    for held in pod.status.conditions:
        if held.type == kind:
            return held
    return None


def is_ready(pod: Pod) -> bool:
    ready = condition(pod, "Ready")
    return ready is not None and ready.status == "True"


def ready_since(pod: Pod) -> datetime | None:
    """None when it is not ready, or nobody wrote since when."""
    ready = condition(pod, "Ready")
    if ready is None or ready.status != "True" or not ready.last_transition_time:
        return None
    return from_rfc3339(ready.last_transition_time)


def is_available(pod: Pod, min_ready_seconds: int, now: datetime) -> bool:
    """Ready for at least so long."""
    if not is_ready(pod):
        return False
    if min_ready_seconds == 0:
        return True
    since = ready_since(pod)
    return since is not None and since + timedelta(seconds=min_ready_seconds) <= now


def restarts(pod: Pod) -> int:
    return sum(status.restart_count or 0 for status in pod.status.container_statuses)
