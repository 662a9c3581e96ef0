"""What a ReplicaSet does about the difference between the Pods it wants and those it has; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from control_plane.controllers.replicaset.kinds import Replicated
from control_plane.controllers.replicaset.ranking import pods_to_delete
from kube.api.core_v1 import Pod
from kube.api.meta_v1 import ObjectMeta
from kube.client.objects import owner_reference

BURST_REPLICAS: Final = 500
SLOW_START: Final = 1


@dataclass(frozen=True, slots=True)
class Plan:
    create: int = 0
    delete: tuple[Pod, ...] = ()


def plan_replicas(rs: Replicated, active: Sequence[Pod], related: Sequence[Pod], now: datetime) -> Plan:
    """At most 500 at a time; the rest follows when these have been seen."""
    difference = len(active) - wanted_replicas(rs)
    if difference < 0:
        return Plan(create=min(-difference, BURST_REPLICAS))
    if difference > 0:
        return Plan(delete=tuple(pods_to_delete(active, related, min(difference, BURST_REPLICAS), now)))
    return Plan()


def wanted_replicas(rs: Replicated) -> int:
    return 1 if rs.spec.replicas is None else rs.spec.replicas


def slow_start_batches(count: int) -> Iterator[int]:
    """1, 2, 4, ...: when every creation fails (a quota, say), few were tried."""
    size = SLOW_START
    while count > 0:
        size = min(size, count)
        yield size
        count -= size
        size *= 2


def pod_from_template(rs: Replicated) -> Pod:
    template = rs.spec.template
    return Pod(
        metadata=ObjectMeta(
            namespace=rs.metadata.namespace, generate_name=f"{rs.metadata.name}-",
            labels=template.metadata.labels, annotations=template.metadata.annotations, finalizers=template.metadata.finalizers,
            owner_references=(owner_reference(rs),),
        ),
        spec=template.spec,
    )
