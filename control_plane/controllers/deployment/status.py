"""A Deployment's status: counts, and the conditions Available, Progressing and ReplicaFailure; pure. Follows progress.go."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from control_plane.controllers.deployment.rolling import max_unavailable, wanted
from control_plane.controllers.deployment.template import available, total_size
from kube.api.apps_v1 import Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet
from kube.process.clock import from_rfc3339, to_rfc3339

NO_DEADLINE: Final = 2**31 - 1
AVAILABLE: Final = "Available"
PROGRESSING: Final = "Progressing"
REPLICA_FAILURE: Final = "ReplicaFailure"
NEW_RS_AVAILABLE: Final = "NewReplicaSetAvailable"
TIMED_OUT: Final = "ProgressDeadlineExceeded"
PAUSED: Final = "DeploymentPaused"
RESUMED: Final = "DeploymentResumed"

Conditions = tuple[DeploymentCondition, ...]


def new_condition(kind: str, status: str, reason: str, message: str, now: datetime) -> DeploymentCondition:
    instant = to_rfc3339(now)
    return DeploymentCondition(
        type=kind, status=status, reason=reason, message=message, last_update_time=instant, last_transition_time=instant)


def find(conditions: Conditions, kind: str) -> DeploymentCondition | None:
    return next((held for held in conditions if held.type == kind), None)


def without(conditions: Conditions, kind: str) -> Conditions:
    return tuple(held for held in conditions if held.type != kind)


def with_condition(conditions: Conditions, new: DeploymentCondition) -> Conditions:
    """Unchanged when status and reason are; the transition time is kept while the status is."""
    held = find(conditions, new.type)
    if held is not None and held.status == new.status:
        if held.reason == new.reason:
            return conditions
        new = msgspec.structs.replace(new, last_transition_time=held.last_transition_time)
    return (*without(conditions, new.type), new)


def has_deadline(deployment: Deployment) -> bool:
    return deployment.spec.progress_deadline_seconds not in (None, NO_DEADLINE)


def calculate_status(
    deployment: Deployment, all_sets: Sequence[ReplicaSet], new: ReplicaSet | None, now: datetime
) -> DeploymentStatus:
    """Counts and Available; Progressing is `with_progress`'s."""
    can_serve = available(all_sets)
    condition = (
        new_condition(AVAILABLE, "True", "MinimumReplicasAvailable", "Deployment has minimum availability.", now)
        if can_serve >= wanted(deployment) - max_unavailable(deployment)
        else new_condition(
            AVAILABLE, "False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.", now)
    )
    return DeploymentStatus(
        observed_generation=deployment.metadata.generation,
        replicas=sum(rs.status.replicas or 0 for rs in all_sets),
        updated_replicas=(new.status.replicas or 0) if new is not None else 0,
        ready_replicas=sum(rs.status.ready_replicas or 0 for rs in all_sets),
        available_replicas=can_serve,
        unavailable_replicas=max(0, total_size(all_sets) - can_serve),
        terminating_replicas=sum(rs.status.terminating_replicas or 0 for rs in all_sets),
        collision_count=deployment.status.collision_count,
        conditions=with_condition(deployment.status.conditions, condition),
    )


def is_complete(deployment: Deployment, status: DeploymentStatus) -> bool:
    want = wanted(deployment)
    return (
        (status.updated_replicas or 0) == want and (status.replicas or 0) == want and (status.available_replicas or 0) == want
        and (status.observed_generation or 0) >= (deployment.metadata.generation or 0)
    )


def is_progressing(old: DeploymentStatus, new: DeploymentStatus) -> bool:
    def old_pods(status: DeploymentStatus) -> int:
        return (status.replicas or 0) - (status.updated_replicas or 0)

    return (
        (new.updated_replicas or 0) > (old.updated_replicas or 0) or old_pods(new) < old_pods(old)
        or (new.ready_replicas or 0) > (old.ready_replicas or 0) or (new.available_replicas or 0) > (old.available_replicas or 0)
    )


def has_timed_out(deployment: Deployment, status: DeploymentStatus, now: datetime) -> bool:
    condition = find(status.conditions, PROGRESSING)
    if not has_deadline(deployment) or condition is None or condition.reason == NEW_RS_AVAILABLE:
        return False
    if condition.reason == TIMED_OUT:
        return True
    return _deadline(deployment, condition) < now


def _deadline(deployment: Deployment, condition: DeploymentCondition) -> datetime:
    return from_rfc3339(condition.last_update_time) + timedelta(seconds=deployment.spec.progress_deadline_seconds or 0)


def with_progress(
    deployment: Deployment, status: DeploymentStatus, all_sets: Sequence[ReplicaSet], new: ReplicaSet | None, now: datetime
) -> DeploymentStatus:
    conditions = status.conditions
    current = find(deployment.status.conditions, PROGRESSING)
    if not has_deadline(deployment):
        conditions = without(conditions, PROGRESSING)
    over = status.replicas == status.updated_replicas and current is not None and current.reason == NEW_RS_AVAILABLE
    if has_deadline(deployment) and not over:
        subject = f'Deployment "{deployment.metadata.name}"' if new is None else f'ReplicaSet "{new.metadata.name}"'
        if is_complete(deployment, status):
            conditions = with_condition(conditions, new_condition(
                PROGRESSING, "True", NEW_RS_AVAILABLE, f"{subject} has successfully progressed.", now))
        elif is_progressing(deployment.status, status):
            condition = new_condition(PROGRESSING, "True", "ReplicaSetUpdated", f"{subject} is progressing.", now)
            if current is not None and current.status == "True":
                condition = msgspec.structs.replace(condition, last_transition_time=current.last_transition_time)
            conditions = (*without(conditions, PROGRESSING), condition)     # replaced: its update time moves the deadline
        elif has_timed_out(deployment, status, now):
            conditions = with_condition(conditions, new_condition(
                PROGRESSING, "False", TIMED_OUT, f"{subject} has timed out progressing.", now))
    failure = _replica_failure(all_sets, new)
    conditions = without(conditions, REPLICA_FAILURE) if failure is None else with_condition(conditions, failure)
    return msgspec.structs.replace(status, conditions=conditions)


def _replica_failure(all_sets: Sequence[ReplicaSet], new: ReplicaSet | None) -> DeploymentCondition | None:
    for rs in [*([] if new is None else [new]), *all_sets]:
        for held in rs.status.conditions:
            if held.type == REPLICA_FAILURE:
                return DeploymentCondition(
                    type=held.type, status=held.status, reason=held.reason, message=held.message,
                    last_transition_time=held.last_transition_time, last_update_time=held.last_transition_time)
    return None


def seconds_to_deadline(deployment: Deployment, status: DeploymentStatus, now: datetime) -> float | None:
    """When to look again at a rollout that may be stuck: no event will tell. None when there is nothing to wait for."""
    current = find(deployment.status.conditions, PROGRESSING)
    if not has_deadline(deployment) or current is None or is_complete(deployment, status):
        return None
    if current.reason in (TIMED_OUT, NEW_RS_AVAILABLE):
        return None
    return max(0.0, (_deadline(deployment, current) - now).total_seconds()) + 1


def differs(old: DeploymentStatus, new: DeploymentStatus) -> bool:
    """Absent and zero are one."""
    return _normal(old) != _normal(new)


def _normal(status: DeploymentStatus) -> dict[str, object]:
    return {name: value for name, value in msgspec.structs.asdict(status).items() if value}
