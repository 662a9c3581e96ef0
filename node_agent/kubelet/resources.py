"""From requests and limits to cgroups: QoS class, CPU shares and quota, memory limits, oom scores. Follows pkg/kubelet/cm and qos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kube.api.core_v1 import Container, Pod
from kube.apimachinery.quantity import Quantity
from node_agent.runtime.model import Resources

MIN_SHARES, SHARES_PER_CPU, QUOTA_PERIOD_US, MIN_QUOTA_US = 2, 1024, 100_000, 1000
GUARANTEED, BURSTABLE, BEST_EFFORT = "Guaranteed", "Burstable", "BestEffort"


def quantity(amounts: Mapping[str, str], name: str) -> Quantity:
    return Quantity.parse(amounts.get(name, "0"))


def limits_of(container: Container) -> Mapping[str, str]:
    return container.resources.limits if container.resources else {}


def requests_of(container: Container) -> Mapping[str, str]:
    return container.resources.requests if container.resources else {}


def is_sidecar(container: Container) -> bool:
    """An init container that keeps running beside the others."""
    return container.restart_policy == "Always"


def qos_class(pod: Pod) -> str:
    """Follows pkg/apis/core/v1/helper/qos: guaranteed where every container's CPU and memory limits equal its requests."""
    guaranteed, any_set = True, False
    for container in (*pod.spec.containers, *pod.spec.init_containers):
        for name in ("cpu", "memory"):
            limit, request = quantity(limits_of(container), name), quantity(requests_of(container), name)
            any_set = any_set or bool(limit) or bool(request)
            if not limit or (request and request != limit):
                guaranteed = False
    if not any_set:
        return BEST_EFFORT
    return GUARANTEED if guaranteed else BURSTABLE


def pod_cgroup(parent: str, pod: Pod) -> str:
    """NODE/kubepods/{burstable,besteffort}/podUID; guaranteed Pods stand directly below kubepods."""
    qos = qos_class(pod)
    middle = "" if qos == GUARANTEED else f"/{qos.lower()}"
    return f"{parent}/kubepods{middle}/pod{pod.metadata.uid}"


def cpu_shares(milli_cpu: int) -> int:
    return max(MIN_SHARES, milli_cpu * SHARES_PER_CPU // 1000)


def cpu_quota_us(milli_cpu: int) -> int:
    return max(MIN_QUOTA_US, milli_cpu * QUOTA_PERIOD_US // 1000)


def container_resources(container: Container) -> Resources:
    limits, requests = limits_of(container), requests_of(container)
    cpu_limit, memory_limit = quantity(limits, "cpu").milli_value(), quantity(limits, "memory").value()
    cpu_request = quantity(requests, "cpu").milli_value()
    return Resources(
        cpu_shares=cpu_shares(cpu_request or cpu_limit),
        cpu_quota_us=cpu_quota_us(cpu_limit) if cpu_limit else None,
        memory_limit=memory_limit or None,
    )


def pod_resources(pod: Pod, pids_limit: int = -1) -> Resources:
    """The Pod's own cgroup: the sum of its containers, limited where every container is."""
    running = [*pod.spec.containers, *(container for container in pod.spec.init_containers if is_sidecar(container))]
    starting = [container for container in pod.spec.init_containers if not is_sidecar(container)]
    cpu_request = _peak((quantity(requests_of(c), "cpu").milli_value() or quantity(limits_of(c), "cpu").milli_value() for c in running),
                        (quantity(requests_of(c), "cpu").milli_value() for c in starting))
    cpu_limits = [quantity(limits_of(c), "cpu").milli_value() for c in running]
    memory_limits = [quantity(limits_of(c), "memory").value() for c in running]
    cpu_limit = _peak(cpu_limits, (quantity(limits_of(c), "cpu").milli_value() for c in starting)) if all(cpu_limits) else 0
    memory_limit = _peak(memory_limits, (quantity(limits_of(c), "memory").value() for c in starting)) if all(memory_limits) else 0
    return Resources(
        cpu_shares=cpu_shares(cpu_request),
        cpu_quota_us=cpu_quota_us(cpu_limit) if cpu_limit else None,
        memory_limit=memory_limit or None,
        pids_limit=pids_limit if pids_limit > 0 else None,
    )


def _peak(together: Iterable[int], one_by_one: Iterable[int]) -> int:
    return max(sum(together), *one_by_one, 0)


def oom_score_adj(pod: Pod, container: Container, node_memory: int) -> int:
    """Follows qos.GetContainerOOMScoreAdjust: the less of its memory a container asked for, the sooner it goes."""
    if pod.spec.priority_class_name == "system-node-critical":
        return -997
    qos = qos_class(pod)
    if qos == GUARANTEED:
        return -997
    if qos == BEST_EFFORT:
        return 1000
    request = quantity(requests_of(container), "memory").value()
    score = 1000 - 1000 * request // max(node_memory, 1)
    return min(max(score, 1000 - 997), 999)
