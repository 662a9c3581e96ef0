"""One probe of one container: looks every period, counts, and tells when the verdict changes. Follows pkg/kubelet/prober/worker.go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kube.api.core_v1 import Container, Pod, Probe
from kube.process.clock import Clock
from node_agent.probes.results import Finding, Outcome, ProbeKind

Look = Callable[[Probe, Container, str, str], Awaitable[Finding]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeTarget:
    pod: Pod
    container: Container
    container_id: str
    started_at: float                  # seconds since the epoch
    address: str                       # the Pod's


class Verdict:
    """Pure: what a run of findings amounts to. None until a threshold is reached."""

    def __init__(self, kind: ProbeKind, probe: Probe) -> None:
        self.value: bool | None = False if kind is ProbeKind.READINESS else None
        self._kind = kind
        self._success_threshold = probe.success_threshold or 1
        self._failure_threshold = probe.failure_threshold or 3
        self._last: Outcome | None = None
        self._run = 0

    def add(self, finding: Finding) -> bool:
        """True if the value changed."""
        if finding.outcome is Outcome.UNKNOWN:
            return False
        outcome = Outcome.SUCCESS if finding.outcome is Outcome.WARNING else finding.outcome
        self._run = self._run + 1 if outcome is self._last else 1
        self._last = outcome
        threshold = self._success_threshold if outcome is Outcome.SUCCESS else self._failure_threshold
        if self._run < threshold:
            return False
        value = outcome is Outcome.SUCCESS
        changed, self.value = value != self.value, value
        return changed


class ProbeWorker:
    """`run()` ends when a startup probe has decided, or a liveness probe has failed for good: the container will be killed."""

    def __init__(
        self, kind: ProbeKind, probe: Probe, target: ProbeTarget, look: Look, clock: Clock,
        on_finding: Callable[[ProbeKind, ProbeTarget, Finding], None], on_change: Callable[[ProbeTarget], None],
    ) -> None:
        self.verdict = Verdict(kind, probe)
        self._kind, self._probe, self._target = kind, probe, target
        self._look, self._clock = look, clock
        self._on_finding, self._on_change = on_finding, on_change

    async def run(self) -> None:
        period_s = float(self._probe.period_seconds or 10)
        age_s = self._clock.now().timestamp() - self._target.started_at
        await self._clock.sleep(max(0.0, float(self._probe.initial_delay_seconds or 0) - age_s))
        next_at = self._clock.monotonic()
        while not await self._once():
            next_at = max(next_at + period_s, self._clock.monotonic())
            await self._clock.sleep(next_at - self._clock.monotonic())

    async def _once(self) -> bool:
        target = self._target
        finding = await self._look(self._probe, target.container, target.container_id, target.address)
        self._on_finding(self._kind, target, finding)
        if self.verdict.add(finding):
            self._on_change(target)
        if self._kind is ProbeKind.STARTUP:
            return self.verdict.value is not None
        return self._kind is ProbeKind.LIVENESS and self.verdict.value is False
