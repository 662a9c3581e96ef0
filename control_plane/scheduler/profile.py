"""The default scheduler's plugins and weights, as in upstream's default configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from control_plane.scheduler.cache import SchedulerCache
from control_plane.scheduler.framework import Plugin, Profile
from control_plane.scheduler.plugins.default_binder import DefaultBinder
from control_plane.scheduler.plugins.default_preemption import DefaultPreemption
from control_plane.scheduler.plugins.image_locality import ImageLocality
from control_plane.scheduler.plugins.node_affinity import NodeAffinity
from control_plane.scheduler.plugins.node_name import NodeName
from control_plane.scheduler.plugins.node_ports import NodePorts
from control_plane.scheduler.plugins.node_resources_balanced_allocation import NodeResourcesBalancedAllocation
from control_plane.scheduler.plugins.node_resources_fit import NodeResourcesFit
from control_plane.scheduler.plugins.node_unschedulable import NodeUnschedulable
from control_plane.scheduler.plugins.node_volume_limits import NodeVolumeLimits
from control_plane.scheduler.plugins.pod_topology_spread import PodTopologySpread
from control_plane.scheduler.plugins.priority_sort import PrioritySort
from control_plane.scheduler.plugins.scheduling_gates import SchedulingGates
from control_plane.scheduler.plugins.taint_toleration import TaintToleration
from control_plane.scheduler.plugins.volume_binding import VolumeBinding
from control_plane.scheduler.plugins.volume_restrictions import VolumeRestrictions
from control_plane.scheduler.plugins.volume_zone import VolumeZone
from control_plane.scheduler.volume_objects import VolumeObjects
from kube.api.core_v1 import Pod
from kube.apimachinery.labels import Selector
from kube.client.client import Client

DEFAULT_SCHEDULER: Final = "default-scheduler"
WEIGHTS: Final = {
    "TaintToleration": 3,
    "NodeAffinity": 2,
    "PodTopologySpread": 2,
    "NodeResourcesFit": 1,
    "NodeResourcesBalancedAllocation": 1,
    "ImageLocality": 1,
}


def default_profile(
    cache: SchedulerCache, client: Client, default_selector: Callable[[Pod], Selector], volumes: VolumeObjects | None = None,
) -> Profile:
    """`volumes`: claims and what they are bound to; without it Pods with claims are not looked at more closely. `default_selector`:
    which Pods a Pod without spread constraints is to be spread among (workloads.py).
    """
    # The order of the filters decides which reason a Node is counted under: the first that refuses it.
    plugins: tuple[Plugin, ...] = (
        SchedulingGates(),
        PrioritySort(),
        NodeUnschedulable(),
        NodeName(),
        TaintToleration(),
        NodeAffinity(),
        NodePorts(),
        NodeResourcesFit(),         # after the rules about the Node itself: those do not change when Pods leave
        *(() if volumes is None else _volume_plugins(volumes, cache)),
        PodTopologySpread(default_selector),
        DefaultPreemption(cache),
        NodeResourcesBalancedAllocation(),
        ImageLocality(),
        DefaultBinder(client),
    )
    return Profile(DEFAULT_SCHEDULER, plugins, WEIGHTS)


def _volume_plugins(volumes: VolumeObjects, cache: SchedulerCache) -> tuple[Plugin, ...]:
    return VolumeRestrictions(volumes, cache), NodeVolumeLimits(volumes, cache), VolumeBinding(volumes), VolumeZone(volumes)
