"""The status of a ReplicaSet or a ReplicationController; pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from control_plane.controllers.pods import is_available, is_ready
from control_plane.controllers.replicaset.kinds import Replicated, ReplicatedCondition, ReplicatedStatus, condition_of
from control_plane.controllers.replicaset.plan import wanted_replicas
from kube.api.apps_v1 import ReplicaSetStatus
from kube.api.core_v1 import Pod
from kube.process.clock import to_rfc3339

REPLICA_FAILURE = "ReplicaFailure"


def calculate_status(
    rs: Replicated, active: Sequence[Pod], terminating: int, failure: Exception | None, now: datetime
) -> ReplicatedStatus:
    """`failure`: why creating or deleting Pods did not work, if it was tried."""
    template_labels = rs.spec.template.metadata.labels.items()
    min_ready_seconds = rs.spec.min_ready_seconds or 0
    status = msgspec.structs.replace(
        rs.status,
        replicas=len(active),
        fully_labeled_replicas=sum(template_labels <= pod.metadata.labels.items() for pod in active),
        ready_replicas=sum(is_ready(pod) for pod in active),
        available_replicas=sum(is_available(pod, min_ready_seconds, now) for pod in active),
        observed_generation=rs.metadata.generation,
        conditions=_conditions(rs, len(active), failure, now),
    )
    return msgspec.structs.replace(status, terminating_replicas=terminating) if isinstance(status, ReplicaSetStatus) else status


def _conditions(
    rs: Replicated, active: int, failure: Exception | None, now: datetime
) -> tuple[ReplicatedCondition, ...]:
    others = tuple(held for held in rs.status.conditions if held.type != REPLICA_FAILURE)
    held = next((held for held in rs.status.conditions if held.type == REPLICA_FAILURE), None)
    if failure is None:
        return others
    if held is not None:
        return rs.status.conditions
    reason = "FailedCreate" if active < wanted_replicas(rs) else "FailedDelete"
    return (*others, condition_of(
        rs, type=REPLICA_FAILURE, status="True", reason=reason, message=str(failure), last_transition_time=to_rfc3339(now)))


def differs(old: ReplicatedStatus, new: ReplicatedStatus) -> bool:
    """Absent and zero are one."""
    return _normal(old) != _normal(new)


def _normal(status: ReplicatedStatus) -> tuple[object, ...]:
    terminating = status.terminating_replicas if isinstance(status, ReplicaSetStatus) else 0
    return (
        status.replicas or 0, status.fully_labeled_replicas or 0, status.ready_replicas or 0, status.available_replicas or 0,
        terminating or 0, status.observed_generation or 0, status.conditions,
    )
