"""Which Pods a ReplicaSet that shrinks deletes first. Follows upstream's ActivePodsWithRanks.

Not yet assigned before assigned; pending, then unknown, then running; not ready before ready; lower
controller.kubernetes.io/pod-deletion-cost; more siblings on the same Node; ready for a shorter time; more restarts; younger.
Ages are compared by magnitude (log2), so that of Pods of about one age any may go and not always the youngest.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from control_plane.controllers.pods import is_active, is_ready, ready_since, restarts
from kube.api.core_v1 import Pod
from kube.process.clock import from_rfc3339

DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"
_PHASES: Final = {"Pending": 0, "Unknown": 1, "Running": 2}


def pods_to_delete(owned: Sequence[Pod], related: Sequence[Pod], count: int, now: datetime) -> list[Pod]:
    """The first `count` of the owned ones; `related` are all Pods of the same Deployment, these included."""
    if count >= len(owned):
        return [*owned]
    siblings = Counter(pod.spec.node_name for pod in related if is_active(pod))
    return sorted(owned, key=lambda pod: deletion_rank(pod, siblings[pod.spec.node_name], now))[:count]


def deletion_rank(pod: Pod, siblings: int, now: datetime) -> tuple[Any, ...]:
    ready = is_ready(pod)
    since = ready_since(pod)
    created = pod.metadata.creation_timestamp
    return (
        bool(pod.spec.node_name),
        _PHASES.get(pod.status.phase, 0),
        ready,
        _deletion_cost(pod),
        -siblings,
        _magnitude(since, now) if ready else -1,
        -restarts(pod),
        _magnitude(from_rfc3339(created) if created else None, now),
        pod.metadata.uid,
    )


def _deletion_cost(pod: Pod) -> int:
    try:
        return int(pod.metadata.annotations.get(DELETION_COST, "0"))
    except ValueError:
        return 0


def _magnitude(instant: datetime | None, now: datetime) -> int:
    """log2 of the age in nanoseconds; -1 for no age at all."""
    if instant is None:
        return -1
    age_ns = (now - instant).total_seconds() * 1e9
    return -1 if age_ns <= 0 else int(math.log2(age_ns))
