"""What happened in the cluster, as the queue tells it to the plugins: is it worth trying that Pod again?

A changed Node comes as tables of that one Node without its Pods, so that a plugin may ask its own filter whether the Pod fits there now,
and whether it did before; they are made once per change, and only if somebody looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from control_plane.scheduler.framework import ClusterEvent, CycleState, FilterPlugin
from control_plane.scheduler.node_table import NodeTable
from control_plane.scheduler.pod_info import PodInfo
from kube.api.core_v1 import Node
from kube.client.objects import ApiObject


@dataclass(frozen=True)
class NodeChange:
    """`old` is None for a new Node, `new` for a deleted one."""

    event: ClusterEvent
    old: Node | None = None
    new: Node | None = None

    @cached_property
    def before(self) -> NodeTable | None:
        return None if self.old is None else _table_of(self.old)

    @cached_property
    def after(self) -> NodeTable | None:
        return None if self.new is None else _table_of(self.new)


@dataclass(frozen=True, slots=True)
class PodChange:
    """Of a Pod that has a Node, or (TARGET_POD_UPDATE) of the waiting Pod itself."""

    event: ClusterEvent
    old: PodInfo | None = None
    new: PodInfo | None = None


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """Of what Pods' volumes depend on: claims, volumes, classes, CSI objects. `old` is None for a new one."""

    event: ClusterEvent
    new: ApiObject
    old: ApiObject | None = None


Change = NodeChange | PodChange | ObjectChange


def fits(plugin: FilterPlugin, pod: PodInfo, node: NodeTable | None) -> bool:
    """The plugin's filter lets the Pod onto this one Node."""
    if node is None:
        return False
    refused = plugin.filter(CycleState(), pod, node).refused()
    return refused is None or not refused[0]


def newly_fits(plugin: FilterPlugin, pod: PodInfo, change: NodeChange) -> bool:
    return fits(plugin, pod, change.after) and not fits(plugin, pod, change.before)


def _table_of(node: Node) -> NodeTable:
    table = NodeTable(capacity=1)
    table.set_node(node)
    return table
