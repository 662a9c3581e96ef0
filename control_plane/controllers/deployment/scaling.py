"""Sizes when only spec.replicas changed (or a rollout is paused); pure. Follows upstream's sync.go `scale`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from control_plane.controllers.deployment.rolling import Resize, is_rolling, max_surge, wanted
from control_plane.controllers.deployment.rollout_annotations import DESIRED_REPLICAS, MAX_REPLICAS, number
from control_plane.controllers.deployment.template import active, by_age, size, total_size
from kube.api.apps_v1 import Deployment, ReplicaSet


def is_scaling_event(deployment: Deployment, all_sets: Sequence[ReplicaSet]) -> bool:
    """Whether spec.replicas is no longer what the ReplicaSets were last sized for."""
    remembered = (number(rs.metadata.annotations, DESIRED_REPLICAS) for rs in active(all_sets))
    return any(desired is not None and desired != wanted(deployment) for desired in remembered)


def plan_scale(deployment: Deployment, new: ReplicaSet | None, old: Sequence[ReplicaSet]) -> list[Resize]:
    """One ReplicaSet takes the new size; several, in the middle of a rollout, share the change in proportion to theirs."""
    all_sets = [*old, *([] if new is None else [new])]
    if (only := _active_or_latest(new, old)) is not None:
        return [Resize(only, wanted(deployment))] if size(only) != wanted(deployment) else []
    if new is not None and _is_saturated(deployment, new):
        return [Resize(rs, 0) for rs in active(old)]
    return _share(deployment, active(all_sets)) if is_rolling(deployment) else []


def _active_or_latest(new: ReplicaSet | None, old: Sequence[ReplicaSet]) -> ReplicaSet | None:
    alive = active([*old, *([] if new is None else [new])])
    if len(alive) > 1:
        return None
    if alive:
        return alive[0]
    if new is not None:
        return new
    return by_age(old)[-1] if old else None


def _is_saturated(deployment: Deployment, new: ReplicaSet) -> bool:
    """The rollout is over: the new ReplicaSet has, and was sized for, all replicas, and all are available."""
    desired = number(new.metadata.annotations, DESIRED_REPLICAS)
    return size(new) == wanted(deployment) == desired and (new.status.available_replicas or 0) == wanted(deployment)


def _share(deployment: Deployment, alive: list[ReplicaSet]) -> list[Resize]:
    allowed = wanted(deployment) + max_surge(deployment) if wanted(deployment) > 0 else 0
    to_add = allowed - total_size(alive)
    # Largest first, they take what rounding leaves; of equals the newer grows and the older shrinks first.
    newest_first = [*reversed(by_age(alive))]
    ordered = sorted(newest_first if to_add > 0 else by_age(alive), key=size, reverse=True)
    sizes, added = [], 0
    for rs in ordered:
        share = _proportion(deployment, rs, to_add, added) if to_add else 0
        sizes.append(size(rs) + share)
        added += share
    if sizes:
        sizes[0] = max(0, sizes[0] + to_add - added)
    return [Resize(rs, replicas) for rs, replicas in zip(ordered, sizes, strict=True)]


def _proportion(deployment: Deployment, rs: ReplicaSet, to_add: int, added: int) -> int:
    left = to_add - added
    if size(rs) == 0 or left == 0:
        return 0
    fraction = _fraction(deployment, rs)
    return min(fraction, left) if to_add > 0 else max(fraction, left)


def _fraction(deployment: Deployment, rs: ReplicaSet) -> int:
    if wanted(deployment) == 0:
        return -size(rs)
    largest = wanted(deployment) + max_surge(deployment)
    former = number(rs.metadata.annotations, MAX_REPLICAS) or deployment.status.replicas or 0
    if former == 0:
        return 0
    return math.floor(size(rs) * largest / former + 0.5) - size(rs)
