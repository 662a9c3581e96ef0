"""The end of a Pod's containers: preStop, the stop signal, what is left of the grace period, SIGKILL; sidecars after the others.

All hooks begin at once, also those of sidecars; what waits for its turn is the signal. Follows kuberuntime's killContainer and
terminationOrdering.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from kube.api.core_v1 import Container, Pod
from node_agent.kubelet import event_names as names
from node_agent.kubelet.lifecycle import HookError, run_hook
from node_agent.kubelet.pod_state import PodState, Services
from node_agent.kubelet.pod_view import all_containers
from node_agent.kubelet.resources import is_sidecar
from node_agent.runtime.model import ContainerRecord, ContainerState

MIN_GRACE_S = 2.0             # what a container gets at least, also after its preStop hook has used all of the grace period


class Order:
    """Whose end waits for whose: sidecars for all containers proper, and for the sidecars that were started after them."""

    def __init__(self, pod: Pod, alive: Sequence[str]) -> None:
        self._ended = {name: asyncio.Event() for name in alive}
        main = [container.name for container in pod.spec.containers]
        self._before: dict[str, list[str]] = {}
        later: list[str] = []
        for container in reversed(pod.spec.init_containers):
            if is_sidecar(container):
                self._before[container.name] = [*main, *later]
                later = [container.name]

    async def turn(self, name: str) -> None:
        for other in self._before.get(name, ()):
            if (event := self._ended.get(other)) is not None:
                await event.wait()

    def ended(self, name: str) -> None:
        if (event := self._ended.get(name)) is not None:
            event.set()


async def stop_pod(services: Services, state: PodState, grace_s: float) -> None:
    """Returns when nothing of the Pod runs. May be cancelled and called again with a shorter grace period."""
    containers = {container.name: container for container in all_containers(state.pod)}
    alive = [record for record in services.runtime.containers(state.uid) if record.state is not ContainerState.EXITED]
    order = Order(state.pod, [record.name for record in alive])
    await asyncio.gather(*(_stop_announced(services, state, containers.get(record.name), record, grace_s, order) for record in alive))


async def _stop_announced(
    services: Services, state: PodState, container: Container | None, record: ContainerRecord, grace_s: float, order: Order,
) -> None:
    if record.id not in state.announced:
        state.announced.add(record.id)
        message = f"Stopping container {record.name}"
        services.events.event(names.container_ref(state.pod, container or record.name), "Normal", names.KILLING, message)
    await stop_container(services, state, container, record, grace_s, order)
    order.ended(record.name)


async def stop_container(
    services: Services, state: PodState, container: Container | None, record: ContainerRecord, grace_s: float, order: Order | None = None,
) -> None:
    services.probes.stop_killing(record.id)
    clock = services.clock
    deadline = clock.monotonic() + grace_s
    if container is not None and record.running and record.id not in state.hooked and grace_s > 0:
        await _pre_stop(services, state, container, record, grace_s)
    state.hooked.add(record.id)
    if order is not None:
        try:
            async with asyncio.timeout(max(0.0, deadline - clock.monotonic())):
                await order.turn(record.name)
        except TimeoutError:
            pass
    await services.runtime.stop_container(record.id, max(deadline - clock.monotonic(), MIN_GRACE_S))
    services.probes.forget(record.id)


async def _pre_stop(services: Services, state: PodState, container: Container, record: ContainerRecord, grace_s: float) -> None:
    hook = container.lifecycle.pre_stop if container.lifecycle else None
    if hook is None:
        return
    try:
        async with asyncio.timeout(grace_s):
            await run_hook(
                hook, state.pod, container, container_id=record.id, address=services.address(state.pod), run=services.runtime.exec,
                events=services.events,
            )
    except HookError:
        services.events.event(names.container_ref(state.pod, container), "Warning", names.FAILED_PRE_STOP, "PreStopHook failed")
    except TimeoutError:
        pass                  # the grace period is over: no event, as upstream


def own_grace_s(pod: Pod) -> float:
    """What the specification gives."""
    grace_s = pod.spec.termination_grace_period_seconds
    return 30.0 if grace_s is None else float(grace_s)


def grace_period_s(pod: Pod, *, gone: bool) -> float:
    """What the deletion asks for. A Pod deleted by force, and one that has vanished from the API, still gets a second."""
    asked = pod.metadata.deletion_grace_period_seconds
    if asked is None:
        asked = 1 if gone else pod.spec.termination_grace_period_seconds
    return float(max(1, 30 if asked is None else asked))
