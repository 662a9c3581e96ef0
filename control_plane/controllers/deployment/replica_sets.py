"""The Deployment controller's writes to ReplicaSets: sizes, and cleaning up old ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from control_plane.controllers.deployment import rollout_annotations as notes
from control_plane.controllers.deployment.rolling import Resize, max_surge, wanted
from control_plane.controllers.deployment.status import NO_DEADLINE
from control_plane.controllers.deployment.template import size
from kube.api.apps_v1 import Deployment, ReplicaSet
from kube.apimachinery import errors
from kube.client.client import Client
from kube.client.events import EventRecorder
from kube.client.objects import key_of


async def resize_all(client: Client, events: EventRecorder, deployment: Deployment, plan: Iterable[Resize]) -> bool:
    """Whether any size changed. Each ReplicaSet also learns what it was sized for, so that a later scaling is noticed."""
    changed = False
    for rs, replicas in plan:
        changed |= await resize(client, events, deployment, rs, replicas)
    return changed


async def resize(client: Client, events: EventRecorder, deployment: Deployment, rs: ReplicaSet, replicas: int) -> bool:
    sized_for = notes.sizes(wanted(deployment), wanted(deployment) + max_surge(deployment))
    held = rs.metadata.annotations
    if size(rs) == replicas and sized_for.items() <= held.items():
        return False
    await client.update(msgspec.structs.replace(
        rs,
        metadata=msgspec.structs.replace(rs.metadata, annotations={**held, **sized_for}),
        spec=msgspec.structs.replace(rs.spec, replicas=replicas),
    ))
    if size(rs) == replicas:
        return False
    announce(events, deployment, rs.metadata.name, size(rs), replicas)
    return True


def announce(events: EventRecorder, deployment: Deployment, replica_set: str, former: int, replicas: int) -> None:
    direction = "up" if former < replicas else "down"
    message = f"Scaled {direction} replica set {replica_set} from {former} to {replicas}"
    events.event(deployment, "Normal", "ScalingReplicaSet", message)


def superfluous(deployment: Deployment, old: Sequence[ReplicaSet]) -> list[ReplicaSet]:
    """Empty old ReplicaSets beyond revisionHistoryLimit, oldest revisions first; pure."""
    limit = deployment.spec.revision_history_limit
    if limit is None or limit == NO_DEADLINE:
        return []
    alive = sorted((rs for rs in old if not rs.metadata.deletion_timestamp), key=notes.revision)
    return [rs for rs in alive[:max(0, len(alive) - limit)] if _is_idle(rs)]


def _is_idle(rs: ReplicaSet) -> bool:
    seen = (rs.status.observed_generation or 0) >= (rs.metadata.generation or 0)
    return size(rs) == 0 and not rs.status.replicas and seen


async def clean_up(client: Client, deployment: Deployment, old: Sequence[ReplicaSet]) -> None:
    for rs in superfluous(deployment, old):
        try:
            await client.delete(ReplicaSet, key_of(rs), uid=rs.metadata.uid)
        except errors.NotFound:
            continue
