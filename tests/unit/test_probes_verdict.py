"""Probes: thresholds, timing, one look."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from kube.api.core_v1 import ContainerPort, ExecAction, HTTPGetAction, HTTPHeader, Probe, TCPSocketAction
from node_agent.probes.probe_worker import ProbeTarget, ProbeWorker, Verdict
from node_agent.probes.probers import Prober
from node_agent.probes.results import Finding, Outcome, ProbeKind
from tests.support.pods import container, pod

GOOD, BAD, BROKEN = Finding(Outcome.SUCCESS), Finding(Outcome.FAILURE, "no"), Finding(Outcome.UNKNOWN)


@pytest.mark.parametrize(("kind", "probe", "findings", "values"), [
    pytest.param(ProbeKind.LIVENESS, Probe(failure_threshold=2), "gbgbb", [True, True, True, True, False], id="a run of failures"),
    pytest.param(ProbeKind.READINESS, Probe(success_threshold=2), "ggb", [False, True, True], id="readiness starts unready"),
    pytest.param(ProbeKind.READINESS, Probe(failure_threshold=1), "gbg", [True, False, True], id="readiness comes and goes"),
    pytest.param(ProbeKind.STARTUP, Probe(failure_threshold=3), "bbb", [None, None, False], id="startup gives up"),
    pytest.param(ProbeKind.LIVENESS, Probe(failure_threshold=2), "b?b", [None, None, False], id="a broken probe counts for nothing"),
])
def test_thresholds(kind: ProbeKind, probe: Probe, findings: str, values: list[bool | None]) -> None:
    verdict, seen = Verdict(kind, probe), []
    for letter in findings:
        verdict.add({"g": GOOD, "b": BAD, "?": BROKEN}[letter])
        seen.append(verdict.value)

    assert seen == values


class RunningClock:
    """Sleeping takes no time but counts; ends the worker after a while."""

    def __init__(self, until_s: float) -> None:
        self.seconds = 0.0
        self._until_s = until_s

    def now(self) -> datetime:
        return datetime.fromtimestamp(1000, UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += max(0.0, seconds)
        if self.seconds > self._until_s:
            raise asyncio.CancelledError


async def looks(kind: ProbeKind, probe: Probe, good_from_s: float, until_s: float) -> tuple[list[float], list[tuple[float, bool]], int]:
    """When it looked, when the verdict changed to what, and how many failures were told."""
    clock, at, changes, told = RunningClock(until_s), [], [], []
    target = ProbeTarget(pod=pod(), container=container(), container_id="c", started_at=1000.0, address="10.0.0.1")

    async def look(*_: object) -> Finding:
        at.append(round(clock.seconds, 3))
        return GOOD if clock.seconds >= good_from_s else BAD

    worker = ProbeWorker(
        kind, probe, target, look, clock, lambda _, __, finding: told.append(finding.outcome),
        lambda _: changes.append((round(clock.seconds, 3), worker.verdict.value is True)),
    )
    with suppress(asyncio.CancelledError):
        await worker.run()
    return at, changes, told.count(Outcome.FAILURE)


@pytest.mark.req("POD-06")
async def test_a_server_that_starts_slowly_is_ready_soon_and_no_failure_is_told() -> None:
    at, changes, failures = await looks(ProbeKind.READINESS, Probe(period_seconds=10), good_from_s=0.3, until_s=25)

    assert at[:7] == [0, 0.05, 0.113, 0.191, 0.288, 0.41, 10.41]
    assert (changes, failures) == ([(0.41, True)], 0)


async def test_a_server_that_takes_longer_than_a_period_is_ready_soon_after_it_listens() -> None:
    _, changes, failures = await looks(ProbeKind.READINESS, Probe(period_seconds=1), good_from_s=1.2, until_s=5)

    assert (changes, failures) == ([(1.298, True)], 2)


async def test_a_container_warms_up_once() -> None:
    clock, probe, answers = RunningClock(4), Probe(period_seconds=1, failure_threshold=1), iter([GOOD, BAD, BAD, BAD, BAD, BAD])
    at = []
    target = ProbeTarget(pod=pod(), container=container(), container_id="c", started_at=1000.0, address="10.0.0.1")

    async def look(*_: object) -> Finding:
        at.append(clock.seconds)
        return next(answers)

    worker = ProbeWorker(ProbeKind.READINESS, probe, target, look, clock, lambda *_: None, lambda _: None)
    with suppress(asyncio.CancelledError):
        await worker.run()

    assert at == [0, 1, 2, 3, 4]


async def test_startup_probe_gives_up_at_whole_periods_only() -> None:
    at, changes, failures = await looks(ProbeKind.STARTUP, Probe(period_seconds=1, failure_threshold=3), good_from_s=99, until_s=99)

    assert (changes, failures) == ([(2.0, False)], 3)
    assert {0.0, 1.0, 2.0} <= {*at}


async def test_liveness_keeps_to_its_period_and_delay() -> None:
    at, changes, _ = await looks(ProbeKind.LIVENESS, Probe(initial_delay_seconds=5, period_seconds=2, failure_threshold=2), 99, 99)

    assert (at, changes) == ([5.0, 7.0], [(7.0, False)])


@pytest.fixture
async def server() -> AsyncIterator[int]:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=int(request.path.strip("/") or 200), text=request.headers.get("X-Test", request.headers["User-Agent"]))

    runner = web.AppRunner(web.Application(middlewares=[]))
    runner.app.router.add_get("/{tail:.*}", answer)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def look(probe: Probe, port: int = 0, code: int = 0) -> Finding:
    async def run(container_id: str, command: Sequence[str], timeout_s: float) -> tuple[int, bytes]:
        if command[0] == "hang":
            raise TimeoutError
        return code, b"output"

    prober = Prober(run)
    try:
        return await prober.look(probe, container(ports=(ContainerPort(name="web", container_port=port or 1),)), "c", "127.0.0.1")
    finally:
        await prober.close()


async def test_http_probe(server: int) -> None:
    assert await look(Probe(http_get=HTTPGetAction(path="/204", port="web")), server) == Finding(Outcome.SUCCESS, "")
    headers = (HTTPHeader(name="X-Test", value="seen"),)
    assert await look(Probe(http_get=HTTPGetAction(path="/", port=server, http_headers=headers))) == Finding(Outcome.SUCCESS, "seen")
    assert await look(Probe(http_get=HTTPGetAction(path="/", port=server))) == Finding(Outcome.SUCCESS, "kube-probe/1.37")
    assert await look(Probe(http_get=HTTPGetAction(path="/503", port=server))) == Finding(
        Outcome.FAILURE, "HTTP probe failed with statuscode: 503")


async def test_refused_connections_read_as_in_go() -> None:
    refused = "dial tcp 127.0.0.1:1: connect: connection refused"

    by_http = await look(Probe(http_get=HTTPGetAction(path="/x", port=1)))

    assert by_http == Finding(Outcome.FAILURE, f'Get "http://127.0.0.1:1/x": {refused}')
    assert await look(Probe(tcp_socket=TCPSocketAction(port=1))) == Finding(Outcome.FAILURE, refused)


async def test_tcp_probe(server: int) -> None:
    assert (await look(Probe(tcp_socket=TCPSocketAction(port=server)))).outcome is Outcome.SUCCESS


async def test_exec_probe() -> None:
    probe = Probe(exec=ExecAction(command=("check",)), timeout_seconds=2)

    assert await look(probe) == Finding(Outcome.SUCCESS, "output")
    assert await look(probe, code=1) == Finding(Outcome.FAILURE, "output")
    hanging = await look(Probe(exec=ExecAction(command=("hang",)), timeout_seconds=2))
    assert hanging == Finding(Outcome.FAILURE, 'command timed out: "hang" timed out after 2s')
