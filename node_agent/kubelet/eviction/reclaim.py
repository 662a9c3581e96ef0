"""What gives disk back and ends nobody: containers that have ended and will not be asked for again. Follows kuberuntime's container GC."""

from __future__ import annotations

from collections.abc import Iterable

from node_agent.kubelet.pod_state import PodState
from node_agent.kubelet.pod_status import TERMINAL
from node_agent.kubelet.pod_view import PodView
from node_agent.kubelet.seams import PodRuntime
from node_agent.runtime.model import ContainerState


async def remove_dead_containers(runtime: PodRuntime, states: Iterable[PodState]) -> None:
    """All of completed Pods, whose logs by container go too far; of others the earlier lives of containers that run again."""
    for state in states:
        records = runtime.containers(state.uid)
        latest = {} if state.pod.status.phase in TERMINAL else PodView(records).latest
        kept = {record.id for record in latest.values()}
        for record in records:
            if record.state is ContainerState.EXITED and record.id not in kept:
                await runtime.remove_container(record.id)
