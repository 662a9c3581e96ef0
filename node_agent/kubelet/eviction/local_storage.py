"""Pods that use more of the node's disk than they may: sizeLimit of an emptyDir, limits of ephemeral-storage. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from kube.api.core_v1 import Pod
from kube.apimachinery.quantity import Quantity
from node_agent.kubelet.eviction import messages
from node_agent.kubelet.resources import is_sidecar, limits_of, pod_amounts, quantity
from node_agent.kubelet.stats.collector import PodUsage, Storage
from node_agent.kubelet.stats.disk_usage import NOTHING
from node_agent.kubelet.stats.ephemeral import ephemeral_usage

RESOURCE = "ephemeral-storage"


def is_limited(pod: Pod) -> bool:
    """Whether there is anything to be counted."""
    if any(volume.empty_dir is not None and volume.empty_dir.size_limit for volume in pod.spec.volumes):
        return True
    return any(RESOURCE in limits_of(container) for container in (*pod.spec.containers, *pod.spec.init_containers))


class Excess(NamedTuple):
    limit: str          # as metrics name it
    message: str


def excess(usage: PodUsage, storage: Storage) -> Excess | None:
    """None: the Pod keeps within its limits."""
    pod = usage.source.pod
    for limit, find in (("emptydirfs.limit", _volumes), ("ephemeralpodfs.limit", _pod), ("ephemeralcontainerfs.limit", _containers)):
        if message := find(pod, usage, storage):
            return Excess(limit, message)
    return None


def _volumes(pod: Pod, usage: PodUsage, storage: Storage) -> str:
    for volume in pod.spec.volumes:
        if volume.empty_dir is None or not volume.empty_dir.size_limit:
            continue
        limit, path = Quantity.parse(volume.empty_dir.size_limit), usage.source.volumes.get(volume.name, "")
        filesystem = storage.filesystems.get(path) if path in storage.mounted else None      # in memory: the kernel keeps the limit
        used = filesystem.used_bytes if filesystem else storage.counted.get(path, NOTHING).bytes
        if limit.value() > 0 and used > limit.value():
            return messages.empty_dir(volume.name, str(limit))
    return ""


def _pod(pod: Pod, usage: PodUsage, storage: Storage) -> str:
    limit = pod_amounts(pod, "limits").get(RESOURCE)
    if limit is None or ephemeral_usage(usage, storage).bytes <= limit.value():
        return ""
    return messages.pod_storage(str(limit))


def _containers(pod: Pod, usage: PodUsage, storage: Storage) -> str:
    lasting = (*pod.spec.containers, *(container for container in pod.spec.init_containers if is_sidecar(container)))
    limits = {container.name: limit for container in lasting if (limit := quantity(limits_of(container), RESOURCE))}
    for source, _ in usage.containers:
        allowed, used = limits.get(source.name), _sum(storage, (source.layer, source.logs))
        if allowed is not None and used > allowed.value():
            return messages.container_storage(source.name, str(allowed))
    return ""


def _sum(storage: Storage, paths: Iterable[str]) -> int:
    return sum(storage.counted.get(path, NOTHING).bytes for path in paths)
