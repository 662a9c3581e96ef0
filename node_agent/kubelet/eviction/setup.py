"""The eviction manager as the kubelet's configuration wants it, and the limit that a node's own budget puts on all its Pods together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from kube.process.log import get_logger
from node_agent.kubelet.config import KubeletConfig
from node_agent.kubelet.eviction.manager import EvictionManager, EvictionSettings
from node_agent.kubelet.eviction.reclaim import remove_dead_containers
from node_agent.kubelet.eviction.watcher import Watcher
from node_agent.kubelet.pod_state import Services
from node_agent.kubelet.pod_workers import PodWorkers
from node_agent.kubelet.stats.collector import StatsCollector
from node_agent.runtime.cgroups import detect_cgroups
from node_agent.runtime.model import Resources

log = get_logger("eviction")


def eviction_manager(
    config: KubeletConfig, services: Services, workers: PodWorkers, stats: StatsCollector, *,
    tell_node: Callable[[], None], remove_images: Callable[[], Awaitable[None]] | None = None,
) -> EvictionManager:
    async def remove_containers() -> None:
        await remove_dead_containers(services.runtime, workers.states())

    settings = EvictionSettings(
        node_name=config.node_name, period_s=config.eviction_monitoring_period_s, max_grace_s=config.eviction_max_pod_grace_period_s)
    watcher = Watcher(config.eviction_thresholds(), config.eviction_pressure_transition_period_s)
    return EvictionManager(
        settings, watcher, stats, workers, services.pressure, events=services.events, clock=services.clock, tell_node=tell_node,
        reclaim=(remove_containers, *((remove_images,) if remove_images else ())),
    )


def limit_pods(stats: StatsCollector) -> None:
    """All Pods of a node together have no more memory than the node claims; upstream's enforceNodeAllocatable."""
    node = stats.node
    if node.own_memory:
        try:
            detect_cgroups().create(f"{node.cgroup}/kubepods", Resources(memory_limit=node.memory_bytes))
        except OSError as error:        # less than is used already, or a kernel without the controller
            log.warning("the node's memory is not limited", error=str(error))
