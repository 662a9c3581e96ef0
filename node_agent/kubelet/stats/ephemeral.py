"""What of a Pod's files is on the node's disk and ends with the Pod. Pure."""

from __future__ import annotations

from kube.api.core_v1 import Volume
from node_agent.kubelet.stats.collector import PodUsage, Storage
from node_agent.kubelet.stats.disk_usage import NOTHING, DiskUsage


def ephemeral_usage(pod: PodUsage, storage: Storage) -> DiskUsage:
    """What the Pod has on the node's disk: writable layers, logs, and volumes that end with it and are no memory."""
    total = storage.counted.get(pod.source.logs, NOTHING)
    for container in pod.containers:
        total = total.plus(storage.counted.get(container.source.layer, NOTHING))
    for volume in pod.source.pod.spec.volumes:
        if is_ephemeral(volume):
            total = total.plus(storage.counted.get(pod.source.volumes.get(volume.name, ""), NOTHING))
    return total


def is_ephemeral(volume: Volume) -> bool:
    """Whether it is on the node's disk and ends with the Pod."""
    if volume.empty_dir is not None:
        return volume.empty_dir.medium == ""
    return any(source is not None for source in (volume.config_map, volume.downward_api, volume.git_repo))
