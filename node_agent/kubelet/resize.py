"""In-place resize: the cgroups of a running Pod follow what it was promised (allocation.py). Follows kuberuntime's doPodResizeAction.

For memory, then for CPU: the Pod's cgroup grows first, then the containers change (those that shrink before those that grow), then the
Pod's shrinks; so a container never has more than its Pod. A container that wants to be restarted for it (resizePolicy RestartContainer)
is stopped; the next plan starts it with the new limits. What fails stays as it is, condition PodResizeInProgress, reason Error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from msgspec.structs import replace

from kube.api.core_v1 import Container, Pod
from node_agent.kubelet import event_names as names
from node_agent.kubelet.allocation import allocation_of
from node_agent.kubelet.pod_state import PodState, Services
from node_agent.kubelet.pod_view import PodView
from node_agent.kubelet.resources import container_amounts, container_resources, pod_resources
from node_agent.kubelet.termination import own_grace_s, stop_container
from node_agent.runtime.model import Amounts, ContainerRecord, Resources, RuntimeServiceError

RETRY_S: Final = 10.0                           # backOffPeriod


class Change(NamedTuple):
    """Of one container that runs with other amounts than it was promised."""

    container: Container
    record: ContainerRecord
    held: Amounts
    wanted: Amounts

    @property
    def restarts(self) -> bool:
        policies = {policy.resource_name: policy.restart_policy for policy in self.container.resize_policy}
        return any(policies.get(name) == "RestartContainer" for name in ("cpu", "memory") if _differ(name, self.held, self.wanted))


class Step(NamedTuple):
    """One write. `change` None: the Pod's own cgroup."""

    change: Change | None
    resources: Resources
    amounts: Amounts | None = None              # what the container has been given after it


async def resize(services: Services, state: PodState) -> float | None:
    """Returns after how long to try again, None if nothing is to be done. Level-triggered: may be called at any time."""
    pod, sandbox = state.pod, services.runtime.sandbox(state.uid)
    if sandbox is None:
        return None
    if sandbox.config.allocation != (promised := allocation_of(pod)):
        config = replace(sandbox.config, allocation=promised)
        await services.runtime.update_sandbox(sandbox := replace(sandbox, config=config))
    found, wanted = changes(pod, state.view(services)), pod_resources(pod, services.config.pod_pids_limit)
    if not found and not _pod_differs(sandbox.config.resources, wanted):
        services.allocations.actuated(pod)
        return None
    services.allocations.in_progress(pod)
    state.publish(services)
    try:
        _check_memory(services, pod, sandbox.config.cgroup, sandbox.config.resources, wanted, found)
        for change in found:
            if change.restarts:
                await _stop(services, state, change)
        for step in plan(sandbox.config.resources, wanted, [change for change in found if not change.restarts], pod):
            await _write(services, state, step)
    except RuntimeServiceError as error:
        services.allocations.in_progress(pod, str(error))
        return RETRY_S
    services.allocations.actuated(pod)
    return None


def changes(pod: Pod, view: PodView) -> list[Change]:
    """Only of containers that run: others get the new limits when they start."""
    found = []
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        record, wanted = view.latest.get(container.name), container_amounts(pod, container)
        if record is not None and record.running and record.config.amounts != wanted:
            found.append(Change(container, record, record.config.amounts, wanted))
    return found


def plan(held: Resources, wanted: Resources, found: Iterable[Change], pod: Pod) -> list[Step]:
    """Every write, in order."""
    found = list(found)
    given = {change.record.id: change.held for change in found}
    memory = _stage(
        Resources(memory_limit=held.memory_limit), Resources(memory_limit=wanted.memory_limit), Resources(), Resources(),
        found, given, pod, "memory",
    )
    cpu = _stage(
        Resources(cpu_quota_us=held.cpu_quota_us), Resources(cpu_quota_us=wanted.cpu_quota_us),
        Resources(cpu_shares=held.cpu_shares), Resources(cpu_shares=wanted.cpu_shares), found, given, pod, "cpu",
    )
    return [*memory, *cpu]


def _stage(
    held_limit: Resources, limit: Resources, held_request: Resources, request: Resources,
    found: list[Change], given: dict[str, Amounts], pod: Pod, name: str,
) -> list[Step]:
    growing: list[Step] = []
    shrinking: list[Step] = []
    # A limit that is no longer said stays, as upstream leaves it.
    for before, after in ((held_limit, limit), (held_request, request)):
        if _size(after) is not None and _size(before) != _size(after):
            (growing if _limit(after) > _limit(before) else shrinking).append(Step(None, after))
    steps = []
    for change in sorted(found, key=lambda change: _grows(name, change)):
        if _differ(name, change.held, change.wanted):
            given[change.record.id] = amounts = _taken_over(name, given[change.record.id], change.wanted)
            steps.append(Step(change, _part(name, container_resources(pod, change.container)), amounts))
    return [*growing, *steps, *reversed(shrinking)]


def _size(resources: Resources) -> int | None:
    return next((size for size in (resources.memory_limit, resources.cpu_quota_us, resources.cpu_shares) if size is not None), None)


def _limit(resources: Resources) -> float:
    size = _size(resources)
    return size if size is not None and size >= 0 else float("inf")


def _grows(name: str, change: Change) -> bool:
    if name == "memory":
        return (change.wanted.memory_limit or float("inf")) > (change.held.memory_limit or float("inf"))
    return (change.wanted.cpu_limit or float("inf")) > (change.held.cpu_limit or float("inf"))


def _differ(name: str, held: Amounts, wanted: Amounts) -> bool:
    if name == "memory":
        return (held.memory_request, held.memory_limit) != (wanted.memory_request, wanted.memory_limit)
    return (held.cpu_request, held.cpu_limit) != (wanted.cpu_request, wanted.cpu_limit)


def _taken_over(name: str, held: Amounts, wanted: Amounts) -> Amounts:
    memory, cpu = (wanted, held) if name == "memory" else (held, wanted)
    return Amounts(
        cpu_request=cpu.cpu_request, cpu_limit=cpu.cpu_limit, memory_request=memory.memory_request, memory_limit=memory.memory_limit,
    )


def _part(name: str, resources: Resources) -> Resources:
    """What there is to write for one resource; a limit that is gone is written as none."""
    if name == "memory":
        return Resources(memory_limit=resources.memory_limit or -1)
    return Resources(cpu_shares=resources.cpu_shares, cpu_quota_us=resources.cpu_quota_us or -1)


def _pod_differs(held: Resources, wanted: Resources) -> bool:
    pairs: tuple[Callable[[Resources], int | None], ...] = (
        lambda resources: resources.memory_limit, lambda resources: resources.cpu_quota_us, lambda resources: resources.cpu_shares,
    )
    return any(read(wanted) is not None and read(held) != read(wanted) for read in pairs)


def _check_memory(services: Services, pod: Pod, cgroup: str, held: Resources, wanted: Resources, found: Iterable[Change]) -> None:
    """Raises RuntimeServiceError before anything is written where less memory is wanted than is in use."""
    problems = []
    limit = wanted.memory_limit
    if limit is not None and limit < _limit(Resources(memory_limit=held.memory_limit)):
        used = services.runtime.memory_in_use(cgroup)
        if used >= limit:
            problems.append(f"attempting to set pod memory limit ({limit}) below current usage ({used})")
    for change in found:
        limit = change.wanted.memory_limit
        if not change.restarts and limit and limit < (change.held.memory_limit or float("inf")):
            used = services.runtime.memory_in_use(change.record.config.cgroup)
            if used >= limit:
                problems.append(
                    f'attempting to set container "{change.container.name}" memory limit ({limit}) below current usage ({used})')
    if problems:
        text = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
        raise RuntimeServiceError(f"cannot decrease memory limits: {text}")


async def _stop(services: Services, state: PodState, change: Change) -> None:
    message = f"Container {change.container.name} resize requires restart"
    services.events.event(names.container_ref(state.pod, change.container), "Normal", names.KILLING, message)
    await stop_container(services, state, change.container, change.record, own_grace_s(state.pod))


async def _write(services: Services, state: PodState, step: Step) -> None:
    if step.change is None:
        await services.runtime.resize_pod(state.uid, step.resources)
    elif step.amounts is not None:
        await services.runtime.resize_container(step.change.record.id, step.resources, step.amounts)
