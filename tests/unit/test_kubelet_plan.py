"""What is to be done next for a Pod."""

from __future__ import annotations

import pytest

from kube.api.core_v1 import Container, Probe
from node_agent.kubelet.pod_plan import PodActions, plan_pod
from node_agent.kubelet.pod_view import PodView
from node_agent.runtime.model import ContainerRecord
from tests.support.pods import Verdicts, container, pod, record, sidecar


def plan(
    init: tuple[Container, ...], records: list[ContainerRecord], verdicts: Verdicts | None = None, policy: str = "Always",
) -> PodActions:
    return plan_pod(pod(init=init, restart_policy=policy), PodView(records), verdicts or Verdicts())


@pytest.mark.req("POD-03")
@pytest.mark.parametrize(("init", "records", "start"), [
    pytest.param((), [], ["main"], id="nothing runs"),
    pytest.param((), [record()], [], id="all runs"),
    pytest.param((container("one"), container("two")), [], ["one"], id="first init container"),
    pytest.param((container("one"), container("two")), [record("one")], [], id="init container runs"),
    pytest.param((container("one"), container("two")), [record("one", state="exited")], ["two"], id="next init container"),
    pytest.param((container("one"),), [record("one", state="exited")], ["main"], id="initialized"),
    pytest.param((container("one"),), [record("one", state="exited", exit_code=1)], ["one"], id="init container failed"),
    pytest.param((sidecar(),), [], ["side"], id="sidecar first"),
    pytest.param((sidecar(),), [record("side")], ["main"], id="sidecar is up"),
    pytest.param((sidecar(), container("one")), [record("side")], ["one"], id="init container after a sidecar"),
    pytest.param((sidecar(),), [record("side", state="exited"), record()], ["side"], id="sidecar is kept up"),
    pytest.param((container("one"),), [record()], [], id="begun Pods are initialized"),
])
def test_next_containers_to_start(init: tuple[Container, ...], records: list[ContainerRecord], start: list[str]) -> None:
    actions = plan(init, records)

    assert ([chosen.name for chosen in actions.start], actions.kill_pod) == (start, False)


def test_sidecar_with_startup_probe_is_waited_for() -> None:
    side = sidecar(startup_probe=Probe())

    waiting = plan((side,), [record("side")])
    started = plan((side,), [record("side")], Verdicts(up={"side-0": True}))

    assert waiting.start == []
    assert [chosen.name for chosen in started.start] == ["main"]


@pytest.mark.req("POD-07")
@pytest.mark.parametrize(("policy", "exit_code", "restarts"), [
    ("Always", 0, True), ("Always", 1, True), ("OnFailure", 0, False), ("OnFailure", 1, True), ("Never", 0, False), ("Never", 1, False),
])
def test_restart_policy(policy: str, exit_code: int, restarts: bool) -> None:
    actions = plan((), [record(state="exited", exit_code=exit_code)], policy=policy)

    assert (bool(actions.start), actions.kill_pod) == (restarts, not restarts)


def test_pod_whose_containers_ended_takes_its_sidecars_down() -> None:
    actions = plan((sidecar(),), [record("side", state="exited"), record(state="exited")], policy="Never")

    assert actions.kill_pod
    assert actions.start == []


def test_failed_init_container_that_may_not_restart_ends_the_pod() -> None:
    assert plan((container("one"),), [record("one", state="exited", exit_code=2)], policy="Never").kill_pod


@pytest.mark.req("POD-06")
@pytest.mark.parametrize(("verdicts", "message"), [
    pytest.param(Verdicts(live={"main-0": False}), "Container main failed liveness probe, will be restarted", id="liveness"),
    pytest.param(Verdicts(up={"main-0": False}), "Container main failed startup probe, will be restarted", id="startup"),
])
def test_failed_probe_kills_and_restarts(verdicts: Verdicts, message: str) -> None:
    actions = plan((), [record()], verdicts)

    assert [kill.message for kill in actions.kill] == [message]
    assert [chosen.name for chosen in actions.start] == ["main"]


def test_failed_liveness_without_restart_only_kills() -> None:
    actions = plan((), [record()], Verdicts(live={"main-0": False}), policy="Never")

    assert [kill.message for kill in actions.kill] == ["Container main failed liveness probe"]
    assert actions.start == []
