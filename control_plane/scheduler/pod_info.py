"""A Pod as the scheduler needs it: requests, host ports and images worked out once, when the Pod is first seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from control_plane.scheduler.spread_constraints import SpreadConstraint, spread_constraints
from kube.api.core_v1 import Container, Pod
from kube.apimachinery.meta import NamespacedName, Uid
from kube.apimachinery.quantity import parse_bytes, parse_cpu_milli

CPU, MEMORY, EPHEMERAL_STORAGE = "cpu", "memory", "ephemeral-storage"
NATIVE = (CPU, MEMORY, EPHEMERAL_STORAGE)

# What a container without a request counts as when Nodes are scored (never when they are filtered), so that
# Pods without requests spread too. Upstream's DefaultMilliCPURequest and DefaultMemoryRequest.
DEFAULT_MILLI_CPU = 100
DEFAULT_MEMORY_BYTES = 200 * 1024 * 1024

Amounts = dict[str, int]      # cpu in thousandths, everything else in whole units
LabelSet = frozenset[tuple[str, str]]


class HostPort(NamedTuple):
    protocol: str
    port: int
    ip: str                   # "0.0.0.0" for every address of the Node


def to_amount(resource: str, quantity: str) -> int:
    return parse_cpu_milli(quantity) if resource == CPU else parse_bytes(quantity)


def _container_request(container: Container, *, for_scoring: bool) -> Amounts:
    requests = container.resources.requests if container.resources is not None else {}
    amounts = {resource: to_amount(resource, quantity) for resource, quantity in requests.items()}
    if for_scoring:
        amounts.setdefault(CPU, DEFAULT_MILLI_CPU)
        amounts.setdefault(MEMORY, DEFAULT_MEMORY_BYTES)
    return amounts


def _add(total: Amounts, more: Mapping[str, int]) -> None:
    for resource, amount in more.items():
        total[resource] = total.get(resource, 0) + amount


def _raise_to(total: Amounts, least: Mapping[str, int]) -> None:
    for resource, amount in least.items():
        if amount > total.get(resource, 0):
            total[resource] = amount


def pod_requests(pod: Pod, *, for_scoring: bool = False) -> Amounts:
    """What a Node must hold for the Pod; `for_scoring` fills in the defaults of containers without requests.

    Init containers run one after the other, each beside the sidecars started before it: the Pod needs the larger of that peak and the
    sum of containers and sidecars. Requests on the Pod itself replace the sum of cpu, memory and huge pages; overhead comes on top.
    """
    total: Amounts = {}
    for container in pod.spec.containers:
        _add(total, _container_request(container, for_scoring=for_scoring))
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in pod.spec.init_containers:
        needs = _container_request(container, for_scoring=for_scoring)
        if container.restart_policy == "Always":
            _add(total, needs)
            _add(sidecars, needs)
            needs = sidecars
        else:
            _add(needs, sidecars)
        _raise_to(peak, needs)
    _raise_to(total, peak)
    if pod.spec.resources is not None:
        for resource, quantity in pod.spec.resources.requests.items():
            if resource in (CPU, MEMORY) or resource.startswith("hugepages-"):
                total[resource] = to_amount(resource, quantity)
    _add(total, {resource: to_amount(resource, quantity) for resource, quantity in pod.spec.overhead.items()})
    return total


def _host_ports(containers: Iterable[Container]) -> tuple[HostPort, ...]:
    return tuple(
        HostPort(port.protocol or "TCP", port.host_port, port.host_ip or "0.0.0.0")
        for container in containers
        for port in container.ports
        if port.host_port
    )


def normalized_image_name(name: str) -> str:
    """`busybox` is listed by Nodes as `busybox:latest`."""
    return name if name.rfind(":") > name.rfind("/") else name + ":latest"


@dataclass(frozen=True)
class PodInfo:
    """Immutable; a changed Pod gets a new one. Compare by uid, not by identity."""

    pod: Pod

    @cached_property
    def key(self) -> NamespacedName:
        return NamespacedName(self.pod.metadata.namespace, self.pod.metadata.name)

    @property
    def uid(self) -> Uid:
        return Uid(self.pod.metadata.uid)

    @property
    def priority(self) -> int:
        return self.pod.spec.priority or 0

    @cached_property
    def requests(self) -> Amounts:
        return pod_requests(self.pod)

    @cached_property
    def scoring_requests(self) -> Amounts:
        return pod_requests(self.pod, for_scoring=True)

    @cached_property
    def host_ports(self) -> tuple[HostPort, ...]:
        sidecars = (container for container in self.pod.spec.init_containers if container.restart_policy == "Always")
        return _host_ports((*self.pod.spec.containers, *sidecars))

    @cached_property
    def images(self) -> tuple[str, ...]:
        containers = (*self.pod.spec.init_containers, *self.pod.spec.containers)
        return tuple(normalized_image_name(container.image) for container in containers if container.image)

    @cached_property
    def label_set(self) -> LabelSet:
        return frozenset(self.pod.metadata.labels.items())

    @cached_property
    def spread_constraints(self) -> tuple[SpreadConstraint, ...]:
        return spread_constraints(self.pod)

    @property
    def is_terminating(self) -> bool:
        """Being deleted; its containers may still run."""
        return bool(self.pod.metadata.deletion_timestamp)

    @property
    def is_terminal(self) -> bool:
        return self.pod.status.phase in ("Succeeded", "Failed")
