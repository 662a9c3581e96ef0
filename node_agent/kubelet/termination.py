"""The end of a Pod's containers: preStop, the stop signal, what is left of the grace period, SIGKILL; sidecars after the others."""

from __future__ import annotations

import asyncio

from kube.api.core_v1 import Container, Pod
from node_agent.kubelet import event_names as names
from node_agent.kubelet.lifecycle import HookError, run_hook
from node_agent.kubelet.pod_state import PodState, Services
from node_agent.kubelet.resources import is_sidecar
from node_agent.runtime.model import ContainerRecord, ContainerState

MIN_GRACE_S = 2.0             # what a container gets after its preStop hook has used all of the grace period


async def stop_pod(services: Services, state: PodState, grace_s: float) -> None:
    """Returns when nothing of the Pod runs. May be cancelled and called again with a shorter grace period."""
    deadline = services.clock.monotonic() + grace_s
    containers = {container.name: container for container in (*state.pod.spec.init_containers, *state.pod.spec.containers)}
    alive = [record for record in services.runtime.containers(state.uid) if record.state is not ContainerState.EXITED]
    sidecars = {container.name for container in state.pod.spec.init_containers if is_sidecar(container)}
    await asyncio.gather(*(
        _stop_announced(services, state, containers.get(record.name), record, grace_s) for record in alive if record.name not in sidecars
    ))
    order = [container.name for container in reversed(state.pod.spec.init_containers)]
    for record in sorted((record for record in alive if record.name in sidecars), key=lambda record: order.index(record.name)):
        left_s = max(0.0, deadline - services.clock.monotonic())
        await _stop_announced(services, state, containers.get(record.name), record, max(left_s, min(MIN_GRACE_S, grace_s)))


async def _stop_announced(
    services: Services, state: PodState, container: Container | None, record: ContainerRecord, grace_s: float,
) -> None:
    if record.id not in state.hooked:
        message = f"Stopping container {record.name}"
        services.events.event(names.container_ref(state.pod, container or record.name), "Normal", names.KILLING, message)
    await stop_container(services, state, container, record, grace_s)


async def stop_container(
    services: Services, state: PodState, container: Container | None, record: ContainerRecord, grace_s: float,
) -> None:
    services.probes.stop_killing(record.id)
    started = services.clock.monotonic()
    hook = container.lifecycle.pre_stop if container is not None and container.lifecycle else None
    if hook is not None and container is not None and record.running and record.id not in state.hooked and grace_s > 0:
        try:
            async with asyncio.timeout(grace_s):
                await run_hook(hook, container, record.id, services.address(state.pod), services.runtime.exec)
        except (HookError, TimeoutError) as error:
            text = f"PreStopHook failed: {error}" if isinstance(error, HookError) else "PreStopHook did not end within the grace period"
            services.events.event(names.container_ref(state.pod, container), "Warning", names.FAILED_PRE_STOP, text)
    state.hooked.add(record.id)
    left_s = grace_s - (services.clock.monotonic() - started)
    await services.runtime.stop_container(record.id, max(left_s, min(MIN_GRACE_S, grace_s)))
    services.probes.forget(record.id)


def grace_period_s(pod: Pod, *, gone: bool) -> float:
    """What the deletion asks for. A Pod deleted by force, and one that has vanished from the API, still gets a second."""
    asked = pod.metadata.deletion_grace_period_seconds
    if asked is None:
        asked = 1 if gone else pod.spec.termination_grace_period_seconds
    return float(max(1, 30 if asked is None else asked))
