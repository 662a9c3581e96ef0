"""Sizes during a rolling update; pure. Follows upstream's rolling.go and deployment_util.go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from control_plane.controllers.deployment.template import available, by_age, size, total_size
from kube.api.apps_v1 import Deployment, ReplicaSet
from kube.apimachinery.intstr import resolve


class Resize(NamedTuple):
    replica_set: ReplicaSet
    replicas: int


def wanted(deployment: Deployment) -> int:
    return 1 if deployment.spec.replicas is None else deployment.spec.replicas


def is_rolling(deployment: Deployment) -> bool:
    return deployment.spec.strategy is None or deployment.spec.strategy.type != "Recreate"


def fenceposts(deployment: Deployment) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) as numbers: surge rounded up, unavailable down, and never both zero."""
    strategy = deployment.spec.strategy
    rolling = strategy.rolling_update if strategy is not None else None
    surge: int | str | None = rolling.max_surge if rolling is not None else None
    unavailable: int | str | None = rolling.max_unavailable if rolling is not None else None
    most = resolve("25%" if surge is None else surge, wanted(deployment), round_up=True)
    fewest = resolve("25%" if unavailable is None else unavailable, wanted(deployment), round_up=False)
    return most, (1 if most == 0 and fewest == 0 else fewest)


def max_surge(deployment: Deployment) -> int:
    return fenceposts(deployment)[0] if is_rolling(deployment) else 0


def max_unavailable(deployment: Deployment) -> int:
    if not is_rolling(deployment) or wanted(deployment) == 0:
        return 0
    return min(fenceposts(deployment)[1], wanted(deployment))


def new_size(deployment: Deployment, all_sets: Sequence[ReplicaSet], current: int) -> int:
    """How large the new ReplicaSet, now `current`, may be: all at once (Recreate), or as far as maxSurge reaches."""
    if not is_rolling(deployment):
        return wanted(deployment)
    room = wanted(deployment) + max_surge(deployment) - total_size(all_sets)
    return current if room <= 0 else current + min(room, wanted(deployment) - current)


def plan_new(deployment: Deployment, all_sets: Sequence[ReplicaSet], new: ReplicaSet) -> Resize | None:
    if size(new) == wanted(deployment):
        return None
    if size(new) > wanted(deployment):
        return Resize(new, wanted(deployment))
    replicas = new_size(deployment, all_sets, size(new))
    return Resize(new, replicas) if replicas != size(new) else None


def plan_old(deployment: Deployment, new: ReplicaSet, old: Sequence[ReplicaSet]) -> list[Resize]:
    """Which old ReplicaSets shrink, to what.

    First their Pods that do not work anyway, so that a broken revision never blocks the next; then working ones, as many as
    maxUnavailable leaves. New Pods that are not yet available count as missing, or one could take all old ones down.
    """
    all_sets = [*old, new]
    if total_size(old) == 0:
        return []
    least = wanted(deployment) - max_unavailable(deployment)
    new_unavailable = size(new) - (new.status.available_replicas or 0)
    may_go = total_size(all_sets) - least - new_unavailable
    if may_go <= 0:
        return []
    sizes = {rs.metadata.uid: size(rs) for rs in old}
    for rs in by_age(old):
        unhealthy = size(rs) - (rs.status.available_replicas or 0)
        gone = max(0, min(may_go, unhealthy))
        sizes[rs.metadata.uid] -= gone
        may_go -= gone
    may_go = available(all_sets) - least
    for rs in by_age(old):
        gone = max(0, min(may_go, sizes[rs.metadata.uid]))
        sizes[rs.metadata.uid] -= gone
        may_go -= gone
    return [Resize(rs, sizes[rs.metadata.uid]) for rs in by_age(old) if sizes[rs.metadata.uid] != size(rs)]
