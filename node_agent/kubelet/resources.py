"""From requests and limits to cgroups: QoS class, CPU shares and quota, memory limits, oom scores. Follows pkg/kubelet/cm and qos.

What a Pod says as a whole (spec.resources, KEP-2837) comes before the sum of its containers; a container without a limit has the Pod's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal

from kube.api.core_v1 import Container, Pod, ResourceRequirements
from kube.apimachinery.quantity import Quantity
from node_agent.runtime.model import Amounts, Resources

MIN_SHARES, MAX_SHARES, SHARES_PER_CPU, QUOTA_PERIOD_US, MIN_QUOTA_US = 2, 262_144, 1024, 100_000, 1000
GUARANTEED, BURSTABLE, BEST_EFFORT = "Guaranteed", "Burstable", "BestEffort"
GUARANTEED_SCORE: Final = -997
CRITICAL_PRIORITY: Final = 2_000_000_000
NOTHING: Final = Quantity.parse("0")
Kind = Literal["requests", "limits"]


def quantity(amounts: Mapping[str, str], name: str) -> Quantity:
    return Quantity.parse(amounts.get(name, "0"))


def limits_of(container: Container) -> Mapping[str, str]:
    return container.resources.limits if container.resources else {}


def requests_of(container: Container) -> Mapping[str, str]:
    return container.resources.requests if container.resources else {}


def is_sidecar(container: Container) -> bool:
    """An init container that keeps running beside the others."""
    return container.restart_policy == "Always"


def pod_level(pod: Pod, kind: Kind) -> Mapping[str, str]:
    """Of spec.resources what a Pod as a whole may ask for: cpu, memory, huge pages."""
    said = pod.spec.resources
    amounts = (said.requests if kind == "requests" else said.limits) if said is not None else {}
    return {name: amount for name, amount in amounts.items() if name in ("cpu", "memory") or name.startswith("hugepages-")}


def has_pod_level(pod: Pod) -> bool:
    return bool(pod_level(pod, "requests") or pod_level(pod, "limits"))


def pod_amounts(pod: Pod, kind: Kind) -> dict[str, Quantity]:
    """What its containers ask for; what the Pod itself says comes first. Plus the overhead."""
    total = containers_amounts(pod, kind)
    total.update({name: Quantity.parse(amount) for name, amount in pod_level(pod, kind).items()})
    for name, amount in pod.spec.overhead.items():
        if kind == "requests" or total.get(name):               # where nothing is limited, the overhead is no limit
            total[name] = total.get(name, NOTHING) + Quantity.parse(amount)
    return total


def containers_amounts(pod: Pod, kind: Kind) -> dict[str, Quantity]:
    """Containers and sidecars together, or an init container's more."""
    read: Callable[[Container], Mapping[str, str]] = requests_of if kind == "requests" else limits_of
    total: dict[str, Quantity] = {}
    for container in pod.spec.containers:
        _add(total, read(container))
    beside: dict[str, Quantity] = {}
    peak: dict[str, Quantity] = {}
    for container in pod.spec.init_containers:
        now = dict(beside)
        _add(now, read(container))
        if is_sidecar(container):
            _add(total, read(container))
            beside = now
        for name, amount in now.items():
            peak[name] = max(peak.get(name, amount), amount)
    for name, amount in peak.items():
        total[name] = max(total.get(name, amount), amount)
    return total


def _add(total: dict[str, Quantity], amounts: Mapping[str, str]) -> None:
    for name, amount in amounts.items():
        total[name] = total.get(name, NOTHING) + Quantity.parse(amount)


def qos_class(pod: Pod) -> str:
    """As the API computed it at the Pod's creation, for it never changes; of a Pod without one, by its resources."""
    return pod.status.qos_class or computed_qos(pod)


def computed_qos(pod: Pod) -> str:
    """Follows pkg/apis/core/v1/helper/qos: guaranteed where CPU and memory limits equal requests, for the Pod or for every container."""
    if pod.spec.resources is not None and has_pod_level(pod):
        return _quality((pod.spec.resources,))
    everyone = (*pod.spec.containers, *pod.spec.init_containers)
    return _quality(container.resources or ResourceRequirements() for container in everyone)


def _quality(requirements: Iterable[ResourceRequirements]) -> str:
    guaranteed, any_set = True, False
    for wanted in requirements:
        for name in ("cpu", "memory"):
            limit, request = quantity(wanted.limits, name), quantity(wanted.requests, name)
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
    return min(MAX_SHARES, max(MIN_SHARES, milli_cpu * SHARES_PER_CPU // 1000))


def cpu_quota_us(milli_cpu: int) -> int:
    return max(MIN_QUOTA_US, milli_cpu * QUOTA_PERIOD_US // 1000)


def container_amounts(pod: Pod, container: Container) -> Amounts:
    """What the container is to run with: its own requests and limits, and the Pod's limits where it has none."""
    requests, limits, whole = requests_of(container), limits_of(container), pod_level(pod, "limits")
    return Amounts(
        cpu_request=quantity(requests, "cpu").milli_value(), memory_request=quantity(requests, "memory").value(),
        cpu_limit=(quantity(limits, "cpu") or quantity(whole, "cpu")).milli_value(),
        memory_limit=(quantity(limits, "memory") or quantity(whole, "memory")).value(),
    )


def container_resources(pod: Pod, container: Container) -> Resources:
    amounts = container_amounts(pod, container)
    request = amounts.cpu_request if "cpu" in requests_of(container) else amounts.cpu_limit
    return Resources(
        cpu_shares=cpu_shares(request), cpu_quota_us=cpu_quota_us(amounts.cpu_limit) if amounts.cpu_limit else None,
        memory_limit=amounts.memory_limit or None, oom_group=True, huge_pages=huge_pages(limits_of(container)),
    )


def huge_pages(limits: Mapping[str, str]) -> dict[str, int]:
    """Bytes by the kernel's name of the page size, as in hugetlb.2MB.limit_in_bytes."""
    found = {}
    for name, amount in limits.items():
        if name.startswith("hugepages-"):
            kib = Quantity.parse(name.removeprefix("hugepages-")).value() >> 10
            size = f"{kib >> 20}GB" if kib >= 1 << 20 else f"{kib >> 10}MB" if kib >= 1 << 10 else f"{kib}KB"
            found[size] = Quantity.parse(amount).value()
    return found


def pod_resources(pod: Pod, pids_limit: int = -1) -> Resources:
    """The Pod's own cgroup: what it asks for as a whole, limited where it says so itself or every container is."""
    requests, limits = pod_amounts(pod, "requests"), pod_amounts(pod, "limits")
    for name, amount in _limits_for_requests(pod).items():
        requests.setdefault(name, amount)
    quality = qos_class(pod)
    cpu = limits.get("cpu", NOTHING).milli_value() if _is_limited(pod, "cpu") else 0
    memory = limits.get("memory", NOTHING).value() if _is_limited(pod, "memory") else 0
    return Resources(
        cpu_shares=MIN_SHARES if quality == BEST_EFFORT else cpu_shares(requests.get("cpu", NOTHING).milli_value()),
        cpu_quota_us=cpu_quota_us(cpu) if cpu else None, memory_limit=memory or None, pids_limit=pids_limit if pids_limit > 0 else None,
    )


def _limits_for_requests(pod: Pod) -> dict[str, Quantity]:
    # The API sets requests to limits where only these are given; a static Pod's file may come without.
    return {"cpu": pod_amounts(pod, "limits").get("cpu", NOTHING)} if _is_limited(pod, "cpu") else {}


def _is_limited(pod: Pod, name: str) -> bool:
    everyone = (*pod.spec.containers, *pod.spec.init_containers)
    return bool(quantity(pod_level(pod, "limits"), name)) or all(quantity(limits_of(container), name) for container in everyone)


def is_critical(pod: Pod) -> bool:
    """Static Pods, and those of system-cluster-critical and above."""
    source = pod.metadata.annotations.get("kubernetes.io/config.source", "api")
    mirror = "kubernetes.io/config.mirror" in pod.metadata.annotations
    return source != "api" or mirror or (pod.spec.priority or 0) >= CRITICAL_PRIORITY


def pod_memory(pod: Pod, allocatable: Mapping[str, str]) -> int:
    """Bytes that the Pod may have at most: the sum of its limits, or all that the node gives to Pods."""
    limit, given = pod_resources(pod).memory_limit, quantity(allocatable, "memory").value()
    return min(limit, given) if limit else given


def oom_score_adj(pod: Pod, container: Container, node_memory: int) -> int:
    """Follows qos.GetContainerOOMScoreAdjust: the less of its memory a container asked for, the sooner it goes."""
    quality = qos_class(pod)
    if quality == GUARANTEED or (is_critical(pod) and pod.spec.priority_class_name == "system-node-critical"):
        return GUARANTEED_SCORE
    if quality == BEST_EFFORT:
        return 1000
    share = _unclaimed_share(pod)
    score = _score(quantity(requests_of(container), "memory").value() + share, node_memory)
    if is_sidecar(container) and container in pod.spec.init_containers:
        least = min((quantity(requests_of(other), "memory").value() for other in pod.spec.containers), default=0)
        score = min(score, _score(least + share, node_memory))
    return 999 if score == 1000 else max(score, 1000 + GUARANTEED_SCORE)


def _score(request: int, node_memory: int) -> int:
    return 1000 - 1000 * request // max(node_memory, 1)


def _unclaimed_share(pod: Pod) -> int:
    """Bytes of the Pod's own memory request that no container asked for, per container."""
    whole = quantity(pod_level(pod, "requests"), "memory")
    claimed = containers_amounts(pod, "requests").get("memory", NOTHING)
    if whole <= claimed:
        return 0
    return (whole.value() - claimed.value()) // (len(pod.spec.containers) + len(pod.spec.init_containers))
