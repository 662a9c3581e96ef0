"""Which Pods stand on which Node, the scheduler's own recent decisions included. Follows kube-scheduler's cache.

A decided Pod is *assumed* on its Node at once, long before the API says so, or the next decision would give its room away again.
The watch's confirmation replaces the assumption; a failed binding forgets it. Pods of a Node that is not (or no longer) known are kept
and counted when the Node appears.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from control_plane.scheduler.node_table import NodeTable
from control_plane.scheduler.pod_info import PodInfo
from kube.api.core_v1 import Node
from kube.apimachinery.meta import Uid


@dataclass(slots=True)
class Placement:
    pod: PodInfo
    node_name: str
    assumed: bool


class SchedulerCache:
    """Keeps a NodeTable's requests in step with the Pods."""

    def __init__(self, nodes: NodeTable) -> None:
        self.nodes = nodes
        self._placements: dict[Uid, Placement] = {}
        self._on_node: dict[str, dict[Uid, PodInfo]] = {}

    def pods_on(self, node_name: str) -> list[PodInfo]:
        return list(self._on_node.get(node_name, {}).values())

    def pods(self) -> Iterator[PodInfo]:
        return (placement.pod for placement in self._placements.values())

    def is_assumed(self, uid: Uid) -> bool:
        placement = self._placements.get(uid)
        return placement is not None and placement.assumed

    def knows(self, uid: Uid) -> bool:
        return uid in self._placements

    def counts(self) -> tuple[int, int, int]:
        """Nodes, Pods, assumed Pods; for the cache-size metric."""
        assumed = sum(placement.assumed for placement in self._placements.values())
        return len(self.nodes), len(self._placements), assumed

    def assume(self, pod: PodInfo, node_name: str) -> None:
        self._put(pod, node_name, assumed=True)

    def forget(self, pod: PodInfo) -> None:
        """Takes an assumption back; a Pod the API has confirmed meanwhile stays."""
        if self.is_assumed(pod.uid):
            self.remove_pod(pod.uid)

    def set_pod(self, pod: PodInfo, node_name: str) -> None:
        """The API says the Pod is on that Node: added, updated, or an assumption confirmed (or corrected)."""
        self._put(pod, node_name, assumed=False)

    def remove_pod(self, uid: Uid) -> None:
        if (placement := self._placements.pop(uid, None)) is None:
            return
        pods = self._on_node[placement.node_name]
        del pods[uid]
        if not pods:
            del self._on_node[placement.node_name]
        if (row := self.nodes.row_of(placement.node_name)) is not None:
            self.nodes.displace(row, placement.pod)

    def set_node(self, node: Node) -> None:
        known = self.nodes.row_of(node.metadata.name) is not None
        row = self.nodes.set_node(node)
        if not known:
            for pod in self.pods_on(node.metadata.name):
                self.nodes.place(row, pod)

    def remove_node(self, name: str) -> None:
        if self.nodes.row_of(name) is not None:
            self.nodes.remove_node(name)

    def _put(self, pod: PodInfo, node_name: str, *, assumed: bool) -> None:
        self.remove_pod(pod.uid)
        self._placements[pod.uid] = Placement(pod, node_name, assumed)
        self._on_node.setdefault(node_name, {})[pod.uid] = pod
        if (row := self.nodes.row_of(node_name)) is not None:
            self.nodes.place(row, pod)
