"""The two kinds that one controller serves: a ReplicationController is a ReplicaSet under its older name.

They differ in how a selector is written, in the type of their conditions, and in whether a status tells of terminating Pods.
"""

from __future__ import annotations

from typing import TypeAlias

from kube.api.apps_v1 import ReplicaSet, ReplicaSetCondition, ReplicaSetStatus
from kube.api.core_v1 import ReplicationController, ReplicationControllerCondition, ReplicationControllerStatus
from kube.apimachinery.labels import Selector, selector_from_label_selector, selector_from_set

Replicated: TypeAlias = ReplicaSet | ReplicationController
ReplicatedStatus: TypeAlias = ReplicaSetStatus | ReplicationControllerStatus
ReplicatedCondition: TypeAlias = ReplicaSetCondition | ReplicationControllerCondition


def selector_of(owner: Replicated) -> Selector:
    if isinstance(owner, ReplicaSet):
        return selector_from_label_selector(owner.spec.selector)
    return selector_from_set(owner.spec.selector)


def condition_of(owner: Replicated, **fields: str) -> ReplicatedCondition:
    kind = ReplicaSetCondition if isinstance(owner, ReplicaSet) else ReplicationControllerCondition
    return kind(**fields)
