"""Services and controllers as far as their selectors, to tell which Pods belong together. Follows upstream's helper.DefaultSelector.

The objects are decoded into views with nothing but metadata and selector: the Pod templates of a cluster's ReplicaSets would be most of
this process's memory.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from kube.api.apps_v1 import ReplicaSet, StatefulSet
from kube.api.core_v1 import Pod, ReplicationController, Service
from kube.api.meta_v1 import LabelSelector, ObjectMeta
from kube.apimachinery.labels import Requirement, Selector, SelectorError, selector_from_label_selector, selector_from_set
from kube.apimachinery.meta import NamespacedName
from kube.apimachinery.scheme import GroupVersionKind
from kube.client.informer import InformerFactory
from kube.client.objects import controller_of


class _Labels(msgspec.Struct, frozen=True):
    selector: dict[str, str] = {}


class _Expressions(msgspec.Struct, frozen=True):
    selector: LabelSelector | None = None


class ServiceSelector(msgspec.Struct, frozen=True, kw_only=True):
    GVK: ClassVar[GroupVersionKind] = Service.GVK
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: _Labels = msgspec.field(default_factory=_Labels)


class ReplicationControllerSelector(ServiceSelector, frozen=True, kw_only=True):
    GVK: ClassVar[GroupVersionKind] = ReplicationController.GVK


class ReplicaSetSelector(msgspec.Struct, frozen=True, kw_only=True):
    GVK: ClassVar[GroupVersionKind] = ReplicaSet.GVK
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: _Expressions = msgspec.field(default_factory=_Expressions)


class StatefulSetSelector(ReplicaSetSelector, frozen=True, kw_only=True):
    GVK: ClassVar[GroupVersionKind] = StatefulSet.GVK


REPLICATION_CONTROLLER, REPLICA_SET, STATEFUL_SET = (
    (kind.GVK.api_version, kind.GVK.kind) for kind in (ReplicationController, ReplicaSet, StatefulSet)
)


class Workloads:
    """What selects or owns Pods, kept by watches."""

    def __init__(self, informers: InformerFactory) -> None:
        self._services = informers.informer(ServiceSelector).store
        self._replication_controllers = informers.informer(ReplicationControllerSelector).store
        self._replica_sets = informers.informer(ReplicaSetSelector).store
        self._stateful_sets = informers.informer(StatefulSetSelector).store

    def default_selector(self, pod: Pod) -> Selector:
        """Pods that the same Services select and the same controller owns; one that selects everything when there are none."""
        own, namespace = pod.metadata.labels, pod.metadata.namespace
        labels: dict[str, str] = {}
        for service in self._services.list(namespace):
            if service.spec.selector and service.spec.selector.items() <= own.items():
                labels.update(service.spec.selector)
        requirements: tuple[Requirement, ...] = ()
        if (owner := controller_of(pod)) is not None:
            key = NamespacedName(namespace, owner.name)
            kind = (owner.api_version, owner.kind)
            if kind == REPLICA_SET:
                requirements = _requirements(self._replica_sets.get(key))
            elif kind == STATEFUL_SET:
                requirements = _requirements(self._stateful_sets.get(key))
            elif kind == REPLICATION_CONTROLLER and (controller := self._replication_controllers.get(key)) is not None:
                labels.update(controller.spec.selector)
        return Selector(tuple(dict.fromkeys((*selector_from_set(labels).requirements, *requirements))))


def _requirements(owner: ReplicaSetSelector | None) -> tuple[Requirement, ...]:
    try:
        return () if owner is None else selector_from_label_selector(owner.spec.selector).requirements
    except SelectorError:
        return ()           # as upstream: the owner's mistake keeps no Pod from its Node
