"""From the watches to cache and queue: which change means what. Follows kube-scheduler's event handlers."""

from __future__ import annotations

from typing import Any, Final

from control_plane.scheduler.cache import SchedulerCache
from control_plane.scheduler.changes import NodeChange, ObjectChange, PodChange
from control_plane.scheduler.framework import ClusterEvent
from control_plane.scheduler.pod_info import PodInfo
from control_plane.scheduler.scheduling_queue import SchedulingQueue
from kube.api.core_v1 import Node, PersistentVolume, PersistentVolumeClaim, Pod
from kube.api.storage_v1 import CSIDriver, CSINode, CSIStorageCapacity, StorageClass
from kube.client.informer import InformerFactory
from kube.client.objects import T

# What a new one, and a changed one, of each kind means to Pods with volumes.
VOLUME_KINDS: Final[dict[type[Any], tuple[ClusterEvent, ClusterEvent]]] = {
    PersistentVolumeClaim: (ClusterEvent.CLAIM_ADD, ClusterEvent.CLAIM_UPDATE),
    PersistentVolume: (ClusterEvent.VOLUME, ClusterEvent.VOLUME),
    StorageClass: (ClusterEvent.STORAGE_CLASS, ClusterEvent.STORAGE_CLASS),
    CSINode: (ClusterEvent.CSI_NODE, ClusterEvent.CSI_NODE),
    CSIDriver: (ClusterEvent.CSI_DRIVER, ClusterEvent.CSI_DRIVER),
    CSIStorageCapacity: (ClusterEvent.CSI_CAPACITY, ClusterEvent.CSI_CAPACITY),
}


class EventHandlers:
    """Told of every Pod and Node; knows which Pods are this scheduler's to place."""

    def __init__(self, cache: SchedulerCache, queue: SchedulingQueue, scheduler_name: str) -> None:
        self._cache = cache
        self._queue = queue
        self._scheduler_name = scheduler_name

    def register(self, informers: InformerFactory) -> None:
        # Nodes first: a Pod's Node is then mostly known when the Pod is counted.
        informers.informer(Node).add_handler(self.add_node, self.update_node, self.delete_node)
        informers.informer(Pod).add_handler(self.add_pod, self.update_pod, self.delete_pod)
        for kind, (added, changed) in VOLUME_KINDS.items():
            self._follow(informers, kind, added, changed)

    def _follow(self, informers: InformerFactory, kind: type[T], added: ClusterEvent, changed: ClusterEvent) -> None:
        informers.informer(kind).add_handler(
            lambda new: self._queue.move(ObjectChange(added, new)), lambda old, new: self._queue.move(ObjectChange(changed, new, old)))

    # -- Nodes ----------------------------------------------------------------------------------------------------------------

    def add_node(self, node: Node) -> None:
        self._cache.set_node(node)
        self._queue.move(NodeChange(ClusterEvent.NODE_ADD, new=node))

    def update_node(self, old: Node, new: Node) -> None:
        event = node_changes(old, new)
        if event or old.status.images != new.status.images:
            self._cache.set_node(new)
        if event:
            self._queue.move(NodeChange(event, old, new))

    def delete_node(self, node: Node) -> None:
        self._cache.remove_node(node.metadata.name)
        self._queue.move(NodeChange(ClusterEvent.NODE_DELETE, old=node))

    # -- Pods -----------------------------------------------------------------------------------------------------------------

    def add_pod(self, pod: Pod) -> None:
        info = PodInfo(pod)
        if info.is_terminal:
            return
        if pod.spec.node_name:
            self._cache.set_pod(info, pod.spec.node_name)
            self._queue.move(PodChange(ClusterEvent.ASSIGNED_POD_ADD, new=info))
        elif self._is_ours(pod):
            self._queue.add(info)

    def update_pod(self, old: Pod, new: Pod) -> None:
        if old.metadata.uid != new.metadata.uid:
            self.delete_pod(old)
            self.add_pod(new)
            return
        info = PodInfo(new)
        if new.spec.node_name:
            self._update_assigned(old, info)
        elif info.is_terminal:
            self.delete_pod(new)
        elif self._is_ours(new) and not self._cache.is_assumed(info.uid):
            self._queue.update(info)

    def delete_pod(self, pod: Pod) -> None:
        info = PodInfo(pod)
        self._queue.delete(info.uid)
        if self._cache.knows(info.uid):
            self._cache.remove_pod(info.uid)
            self._queue.move(PodChange(ClusterEvent.ASSIGNED_POD_DELETE, old=info))

    def _update_assigned(self, old: Pod, info: PodInfo) -> None:
        if info.is_terminal:
            self.delete_pod(info.pod)
            return
        event = assigned_pod_changes(old, info.pod)
        if event or not self._cache.knows(info.uid) or old.metadata.deletion_timestamp != info.pod.metadata.deletion_timestamp:
            self._cache.set_pod(info, info.pod.spec.node_name)
        if event is ClusterEvent.ASSIGNED_POD_ADD:
            self._queue.done(info.uid)
            self._queue.delete(info.uid)
            self._queue.move(PodChange(event, new=info))
        elif event:
            self._queue.move(PodChange(event, PodInfo(old), info))

    def _is_ours(self, pod: Pod) -> bool:
        return pod.spec.scheduler_name in (self._scheduler_name, "")


def assigned_pod_changes(old: Pod, new: Pod) -> ClusterEvent:
    """What of a Pod that has a Node changed that a waiting Pod may care for; nothing for a mere status."""
    if not old.spec.node_name:
        return ClusterEvent.ASSIGNED_POD_ADD
    event = ClusterEvent(0)
    if old.spec != new.spec:
        event |= ClusterEvent.ASSIGNED_POD_SCALE_DOWN
    if old.metadata.labels != new.metadata.labels:
        event |= ClusterEvent.ASSIGNED_POD_LABEL
    return event


def node_changes(old: Node, new: Node) -> ClusterEvent:
    """What of a Node changed that a waiting Pod may care for; nothing for a mere heartbeat."""
    event = ClusterEvent(0)
    if old.status.allocatable != new.status.allocatable:
        event |= ClusterEvent.NODE_ALLOCATABLE
    if old.metadata.labels != new.metadata.labels:
        event |= ClusterEvent.NODE_LABEL
    if old.spec.taints != new.spec.taints or bool(old.spec.unschedulable) != bool(new.spec.unschedulable):
        event |= ClusterEvent.NODE_TAINT
    if old.metadata.uid != new.metadata.uid:
        event |= ClusterEvent.NODE_ADD
    return event
