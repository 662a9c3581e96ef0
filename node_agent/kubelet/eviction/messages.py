"""The words of an eviction, as upstream says them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from kube.api.core_v1 import Pod
from kube.apimachinery.quantity import Format, Quantity
from node_agent.kubelet.eviction.signals import Observations
from node_agent.kubelet.eviction.thresholds import MEMORY, NODE_FS, RESOURCES, Threshold
from node_agent.kubelet.resources import pod_level, quantity, requests_of
from node_agent.kubelet.stats.collector import ContainerUsage, PodUsage, Storage
from node_agent.kubelet.stats.disk_usage import NOTHING

_BYTES: Final = (RESOURCES[MEMORY], RESOURCES[NODE_FS])


def node_low(resource: str, thresholds: Sequence[Threshold], observations: Observations, pod: Pod, usage: PodUsage | None,
             storage: Storage) -> str:
    """Of a Pod that has to go because the node is short of `resource`."""
    text = f"The node was low on resource: {resource}. "
    for threshold in thresholds:
        if RESOURCES[threshold.signal] == resource and (observed := observations.get(threshold.signal)) is not None:
            least, left = _amount(resource, threshold.value.of(observed.capacity)), _amount(resource, observed.available)
            text += f"Threshold quantity: {least}, available: {left}. "
            break
    if usage is None:
        return text
    request = pod_level(pod, "requests").get(resource)
    if resource == "memory" and request is not None and usage.rated is not None:
        used = _amount(resource, usage.rated.usage.working_set_bytes)
        text += f"Pod {pod.metadata.name} was using {used}, request is {request}, has larger consumption of {resource}. "
    return text + "".join(_larger(resource, pod, container, storage) for container in usage.containers)


def _larger(resource: str, pod: Pod, container: ContainerUsage, storage: Storage) -> str:
    name = container.source.name
    found = next((each for each in (*pod.spec.containers, *pod.spec.init_containers) if each.name == name), None)
    used = _used(resource, container, storage)
    if found is None or used is None:
        return ""
    request = quantity(requests_of(found), resource)
    if used <= request.value():
        return ""
    return f"Container {name} was using {_amount(resource, used)}, request is {request}, has larger consumption of {resource}. "


def _used(resource: str, container: ContainerUsage, storage: Storage) -> int | None:
    if resource == "memory":
        return container.rated.usage.working_set_bytes
    if resource == "ephemeral-storage":
        return storage.counted.get(container.source.layer, NOTHING).plus(storage.counted.get(container.source.logs, NOTHING)).bytes
    return None


def _amount(resource: str, value: int) -> str:
    return str(Quantity.of(value, Format.BINARY_SI if resource in _BYTES else Format.DECIMAL_SI))


def empty_dir(volume: str, limit: str) -> str:
    return f'Usage of EmptyDir volume "{volume}" exceeds the limit "{limit}". '


def pod_storage(limit: str) -> str:
    return f"Pod ephemeral local storage usage exceeds the total limit of containers {limit}. "


def container_storage(container: str, limit: str) -> str:
    return f'Container {container} exceeded its local ephemeral storage limit "{limit}". '
