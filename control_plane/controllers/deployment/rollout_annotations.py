"""The annotations by which a Deployment and its ReplicaSets remember a rollout; `kubectl rollout` reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from kube.api.apps_v1 import ReplicaSet

REVISION: Final = "deployment.kubernetes.io/revision"
REVISION_HISTORY: Final = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS: Final = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS: Final = "deployment.kubernetes.io/max-replicas"
NOT_COPIED: Final = frozenset({
    "kubectl.kubernetes.io/last-applied-configuration", REVISION, REVISION_HISTORY, DESIRED_REPLICAS, MAX_REPLICAS,
    "deprecated.deployment.rollback.to",
})
MAX_HISTORY_CHARACTERS: Final = 2000


def number(annotations: Mapping[str, str], name: str) -> int | None:
    """None when absent or no number."""
    try:
        return int(annotations[name])
    except (KeyError, ValueError):
        return None


def revision(rs: ReplicaSet) -> int:
    return number(rs.metadata.annotations, REVISION) or 0


def max_revision(replica_sets: Iterable[ReplicaSet]) -> int:
    return max(map(revision, replica_sets), default=0)


def for_new_replica_set(
    deployment: Mapping[str, str], held: Mapping[str, str], new_revision: int, size: tuple[int, int] | None
) -> dict[str, str]:
    """What the new ReplicaSet carries: the Deployment's annotations and the revision, which never falls.

    `size`: (desired, largest) for one that is about to be created. An earlier revision of a ReplicaSet that becomes the newest
    again (undo) is kept in its history.
    """
    annotations = {**held, **{name: value for name, value in deployment.items() if name not in NOT_COPIED}}
    former = number(held, REVISION)
    if (former or 0) < new_revision:
        annotations[REVISION] = str(new_revision)
        if former is not None:
            annotations[REVISION_HISTORY] = _history(held.get(REVISION_HISTORY, ""), former)
    if size is not None:
        annotations |= sizes(*size)
    return annotations


def sizes(desired: int, largest: int) -> dict[str, str]:
    return {DESIRED_REPLICAS: str(desired), MAX_REPLICAS: str(largest)}


def _history(history: str, former: int) -> str:
    entries = [*filter(None, history.split(",")), str(former)]
    while len(entries) > 1 and len(",".join(entries)) > MAX_HISTORY_CHARACTERS:
        entries.pop(0)
    return ",".join(entries)
