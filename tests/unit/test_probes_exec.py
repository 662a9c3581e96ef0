"""Probes that run a command in the container."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kube.api.core_v1 import EnvVar, EnvVarSource, ExecAction, Probe
from node_agent.probes.probers import Prober
from node_agent.probes.results import Finding, Outcome
from tests.support.pods import container

COMMAND = Probe(exec=ExecAction(command=("test", "$(FILE)", "$(SECRET)")), timeout_seconds=2)
ENV = (EnvVar(name="FILE", value="/ready"), EnvVar(name="SECRET", value_from=EnvVarSource()))


@pytest.mark.parametrize(("answer", "finding"), [
    pytest.param((0, b"fine\n"), Finding(Outcome.SUCCESS, "fine\n"), id="success"),
    pytest.param((3, b"no\n"), Finding(Outcome.FAILURE, "no\n"), id="failure"),
    pytest.param(
        TimeoutError(), Finding(Outcome.FAILURE, 'command timed out: "test /ready " timed out after 2s'), id="too slow"),
    pytest.param(RuntimeError("gone"), Finding(Outcome.UNKNOWN, "rpc error: code = Unknown desc = gone"), id="could not run"),
])
async def test_what_a_command_says(answer: tuple[int, bytes] | Exception, finding: Finding) -> None:
    ran: list[Sequence[str]] = []

    async def run(_: str, command: Sequence[str], __: float) -> tuple[int, bytes]:
        ran.append(command)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert await Prober(run).look(COMMAND, container(env=ENV), "id", "") == finding
    assert ran == [["test", "/ready", ""]]
