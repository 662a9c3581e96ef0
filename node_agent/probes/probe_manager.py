"""All probes of a node: starts those a running container has, keeps their verdicts by container id, ends them with the container."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from kube.api.core_v1 import Container, Probe
from kube.process.clock import Clock
from kube.process.log import get_logger
from node_agent.probes.probe_worker import Look, ProbeTarget, ProbeWorker
from node_agent.probes.results import Finding, Outcome, ProbeKind

# (container's target, type of event, reason, message)
OnEvent = Callable[[ProbeTarget, str, str, str], None]
log = get_logger("probes")


class ProbeManager:
    """`on_change` is called with the Pod's uid whenever a verdict of one of its containers changes."""

    def __init__(self, look: Look, clock: Clock, on_change: Callable[[str], None], on_event: OnEvent) -> None:
        self._look = look
        self._clock = clock
        self._on_change = on_change
        self._on_event = on_event
        self._workers: dict[tuple[str, ProbeKind], ProbeWorker] = {}
        self._tasks: dict[tuple[str, ProbeKind], asyncio.Task[None]] = {}

    def watch(self, target: ProbeTarget, *, already_ready: bool = False) -> None:
        """Idempotent. `already_ready` carries a verdict over a restart of the kubelet, until the first look."""
        container = target.container
        if container.startup_probe is not None and self.startup(target.container_id) is not True:
            if already_ready:
                self._start(ProbeKind.STARTUP, container.startup_probe, target, initial=True, run=False)
            else:
                self._start(ProbeKind.STARTUP, container.startup_probe, target)
                return
        if container.liveness_probe is not None:
            self._start(ProbeKind.LIVENESS, container.liveness_probe, target)
        if container.readiness_probe is not None:
            self._start(ProbeKind.READINESS, container.readiness_probe, target, initial=already_ready)

    def forget(self, container_id: str) -> None:
        for kind in ProbeKind:
            self._workers.pop((container_id, kind), None)
            if (task := self._tasks.pop((container_id, kind), None)) is not None:
                task.cancel()

    def stop_killing(self, container_id: str) -> None:
        """A container that is being stopped is not killed by its probes; readiness is still looked at."""
        for kind in (ProbeKind.LIVENESS, ProbeKind.STARTUP):
            if (task := self._tasks.pop((container_id, kind), None)) is not None:
                task.cancel()

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def liveness(self, container_id: str) -> bool | None:
        return self._value(container_id, ProbeKind.LIVENESS)

    def startup(self, container_id: str) -> bool | None:
        return self._value(container_id, ProbeKind.STARTUP)

    def readiness(self, container_id: str) -> bool | None:
        return self._value(container_id, ProbeKind.READINESS)

    def _value(self, container_id: str, kind: ProbeKind) -> bool | None:
        worker = self._workers.get((container_id, kind))
        return worker.verdict.value if worker else None

    def _start(self, kind: ProbeKind, probe: Probe, target: ProbeTarget, *, initial: bool = False, run: bool = True) -> None:
        key = (target.container_id, kind)
        if key in self._workers:
            return
        worker = self._workers[key] = ProbeWorker(kind, probe, target, self._look, self._clock, self._found, self._changed)
        if initial:
            worker.verdict.value = True
        if run:
            task = asyncio.create_task(worker.run(), name=f"{kind.lower()} probe {target.pod.metadata.name}/{target.container.name}")
            task.add_done_callback(_report_failure)
            self._tasks[key] = task

    def _changed(self, target: ProbeTarget) -> None:
        if self.startup(target.container_id) is True:
            self.watch(target)
        self._on_change(target.pod.metadata.uid)

    def _found(self, kind: ProbeKind, target: ProbeTarget, finding: Finding) -> None:
        if finding.outcome is Outcome.FAILURE:
            self._on_event(target, "Warning", "Unhealthy", f"{kind} probe failed: {finding.message}")
        elif finding.outcome is Outcome.UNKNOWN:
            message = f"{kind} probe errored and resulted in {finding.outcome} state: {finding.message}"
            self._on_event(target, "Warning", "Unhealthy", message)
        elif finding.outcome is Outcome.WARNING:
            self._on_event(target, "Warning", "ProbeWarning", f"{kind} probe warning: {finding.message}")


def probes_of(container: Container) -> bool:
    return any((container.liveness_probe, container.readiness_probe, container.startup_probe))


def _report_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("probe ended unexpectedly", probe=task.get_name(), error=repr(error))
