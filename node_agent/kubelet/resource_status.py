"""What a Pod's status says of resources and users: promised, and really set. Follows convertContainerStatusResources, pure."""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from kube.api.core_v1 import Container, ContainerUser, LinuxContainerUser, Pod, ResourceRequirements
from kube.apimachinery.quantity import Format, Quantity
from node_agent.kubelet.resources import (
    MIN_QUOTA_US,
    MIN_SHARES,
    QUOTA_PERIOD_US,
    SHARES_PER_CPU,
    pod_amounts,
    quantity,
    requests_of,
)
from node_agent.runtime.model import ContainerRecord, Resources

LEAST_LIMIT = MIN_QUOTA_US * 1000 // QUOTA_PERIOD_US       # thousandths of a CPU: less cannot be set, and is shown as it was asked for


def container_resources_status(container: Container, record: ContainerRecord | None) -> ResourceRequirements | None:
    """Of a running container what its cgroup has; of others what they are promised. None: it was never made."""
    if record is None:
        return None
    promised = container.resources or ResourceRequirements()
    return _actual(promised, record.config.resources) if record.running else promised


def allocated_resources(container: Container, record: ContainerRecord | None) -> dict[str, str]:
    return dict(requests_of(container)) if record is not None else {}


def pod_resources_status(pod: Pod, held: Resources | None) -> ResourceRequirements | None:
    """Of the Pod as a whole. `held`: of its cgroup, once the Pod runs."""
    requests, limits = _texts(pod, "requests"), _texts(pod, "limits")
    if held is None:
        return ResourceRequirements(requests=requests, limits=limits)
    said = pod.spec.resources or ResourceRequirements()
    if "memory" in requests:
        said = replace(said, requests={"memory": requests["memory"], **said.requests})
    return _actual(said, held, whole_pod=True)


def _texts(pod: Pod, kind: Literal["requests", "limits"]) -> dict[str, str]:
    return {name: str(amount) for name, amount in pod_amounts(pod, kind).items()}


def pod_allocated_resources(pod: Pod) -> dict[str, str]:
    return _texts(pod, "requests")


def container_user(record: ContainerRecord | None) -> ContainerUser | None:
    if record is None or record.user is None:
        return None
    return ContainerUser(linux=LinuxContainerUser(uid=record.user.uid, gid=record.user.gid, supplemental_groups=record.user.groups))


def _actual(promised: ResourceRequirements, held: Resources, *, whole_pod: bool = False) -> ResourceRequirements:
    requests, limits = dict(promised.requests), dict(promised.limits)
    if limits or whole_pod:
        milli = (held.cpu_quota_us or 0) * 1000 // held.cpu_period_us
        if held.cpu_quota_us and held.cpu_quota_us > 0 and max(milli, quantity(limits, "cpu").milli_value()) > LEAST_LIMIT:
            limits["cpu"] = _cpu(limits.get("cpu"), milli)
        if held.memory_limit and held.memory_limit > 0:
            limits["memory"] = _memory(limits.get("memory"), held.memory_limit)
    if (requests or whole_pod) and held.cpu_shares is not None:
        milli = -(-held.cpu_shares * 1000 // SHARES_PER_CPU)
        if max(milli, quantity(requests, "cpu").milli_value()) > MIN_SHARES:
            requests["cpu"] = _cpu(requests.get("cpu"), milli)
    return replace(promised, requests=requests, limits=limits)


def _cpu(said: str | None, milli: int) -> str:
    return said if said is not None and Quantity.parse(said).milli_value() == milli else str(Quantity.of_milli(milli))


def _memory(said: str | None, value: int) -> str:
    """As it was written, where it is the same."""
    return said if said is not None and Quantity.parse(said).value() == value else str(Quantity.of(value, Format.BINARY_SI))
