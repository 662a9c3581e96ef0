"""Whom to end first. Pure. Follows pkg/kubelet/eviction/helpers.go.

Memory and disk: who uses more than was asked for, then the lowest priority, then whoever is furthest above the request.
Process ids: the lowest priority, then who has the most. Who could not be measured comes first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kube.api.core_v1 import Pod
from kube.apimachinery.quantity import Quantity
from node_agent.kubelet.eviction.thresholds import MEMORY, PIDS, RESOURCES
from node_agent.kubelet.resources import pod_amounts
from node_agent.kubelet.stats.collector import PodUsage, Storage
from node_agent.kubelet.stats.ephemeral import ephemeral_usage

NOTHING = Quantity.parse("0")


def rank(signal: str, pods: Sequence[Pod], usages: Mapping[str, PodUsage], storage: Storage) -> list[Pod]:
    """`usages` by uid. The first is to go first."""

    def key(pod: Pod) -> tuple[int, ...]:
        usage = usages.get(pod.metadata.uid)
        if usage is None or usage.rated is None:
            return (0,)
        if signal == PIDS:
            return (1, pod.spec.priority or 0, -usage.rated.usage.processes)
        used, requested = _used(signal, usage, storage), _requested(signal, pod)
        return (1, used <= requested, pod.spec.priority or 0, requested - used)

    return sorted(pods, key=key)


def _used(signal: str, usage: PodUsage, storage: Storage) -> int:
    if signal == MEMORY:
        assert usage.rated is not None
        return usage.rated.usage.working_set_bytes
    disk = ephemeral_usage(usage, storage)
    return disk.inodes if RESOURCES[signal] == "inodes" else disk.bytes


def _requested(signal: str, pod: Pod) -> int:
    return pod_amounts(pod, "requests").get(RESOURCES[signal], NOTHING).value()
