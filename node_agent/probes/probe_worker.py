"""One probe of one container: looks every period, counts, and tells when the verdict changes. Follows pkg/kubelet/prober/worker.go.

One thing is ours: while a container warms up, readiness and startup probes look again after 50 ms, then a quarter longer each time, until
that is longer than a period. Such looks can only succeed: their failures neither count nor become events, and the looks at whole periods
stay what they are upstream. A server that listens 400 ms after its start is Ready at most 100 ms later, and not a period later.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kube.api.core_v1 import Container, Pod, Probe
from kube.process.clock import Clock
from node_agent.probes.results import Finding, Outcome, ProbeKind

# The first wait of a warming-up container, and how each following one grows; an exec costs more than a connection.
EARLY_S, EARLY_GROWTH = 0.05, 1.25
EXEC_EARLY_S, EXEC_EARLY_GROWTH = 0.4, 2.0
GOOD = (Outcome.SUCCESS, Outcome.WARNING)

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
        self._warms_up = kind is not ProbeKind.LIVENESS and (probe.success_threshold or 1) == 1
        self._wait_s, self._growth = (EXEC_EARLY_S, EXEC_EARLY_GROWTH) if probe.exec is not None else (EARLY_S, EARLY_GROWTH)

    async def run(self) -> None:
        period_s = float(self._probe.period_seconds or 10)
        age_s = self._clock.now().timestamp() - self._target.started_at
        await self._clock.sleep(max(0.0, float(self._probe.initial_delay_seconds or 0) - age_s))
        next_at = self._clock.monotonic()
        finding = await self._look_once()
        self._warms_up = self._warms_up and not self.verdict.value
        if self._warms_up and finding.outcome is Outcome.FAILURE:
            early = await self._look_early(next_at + period_s)
            next_at = self._clock.monotonic() - (0 if early else period_s)
            finding = early or finding      # a failure is told, and counts, only when nothing better came within its period
        while not self._take(finding):
            next_at = max(next_at + period_s, self._clock.monotonic())
            early = await self._look_early(next_at) if self._warms_up else None
            if early is not None:
                next_at = self._clock.monotonic()
            await self._clock.sleep(max(0.0, next_at - self._clock.monotonic()))
            finding = early or await self._look_once()

    async def _look_early(self, until: float) -> Finding | None:
        """Looks between two whole periods; a success, or None when the time is over."""
        while self._clock.monotonic() + self._wait_s < until:
            await self._clock.sleep(self._wait_s)
            finding = await self._look_once()
            if finding.outcome in GOOD:
                return finding
            self._wait_s *= self._growth
        await self._clock.sleep(max(0.0, until - self._clock.monotonic()))
        return None

    async def _look_once(self) -> Finding:
        target = self._target
        return await self._look(self._probe, target.container, target.container_id, target.address)

    def _take(self, finding: Finding) -> bool:
        """True when there is nothing left to find out."""
        self._on_finding(self._kind, self._target, finding)
        self._warms_up = self._warms_up and finding.outcome not in GOOD
        if self.verdict.add(finding):
            self._on_change(self._target)
        if self._kind is ProbeKind.STARTUP:
            return self.verdict.value is not None
        return self._kind is ProbeKind.LIVENESS and self.verdict.value is False
