"""What is to be done next for a Pod."""

from __future__ import annotations

import pytest

from kube.api.core_v1 import Container, ContainerRestartRule, ContainerRestartRuleOnExitCodes, EphemeralContainer, Pod, Probe
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


def rule(action: str, *codes: int, operator: str = "In") -> ContainerRestartRule:
    return ContainerRestartRule(action=action, exit_codes=ContainerRestartRuleOnExitCodes(operator=operator, values=codes))


@pytest.mark.parametrize(("own_policy", "rules", "exit_code", "restarts"), [
    pytest.param("Never", (rule("Restart", 42),), 42, True, id="rule says restart"),
    pytest.param("Never", (rule("Restart", 42),), 1, False, id="another code"),
    pytest.param("Never", (rule("Restart", 42, operator="NotIn"),), 1, True, id="NotIn"),
    pytest.param("OnFailure", (rule("Restart", 0),), 0, True, id="rule before policy"),
    pytest.param("OnFailure", (), 0, False, id="the container's policy, not the Pod's"),
    pytest.param("Never", (), 1, False, id="never"),
])
def test_rules_of_a_container(own_policy: str, rules: tuple[ContainerRestartRule, ...], exit_code: int, restarts: bool) -> None:
    wanted = pod(container(restart_policy=own_policy, restart_policy_rules=rules), container("other"), restart_policy="Always")

    actions = plan_pod(wanted, PodView([record(state="exited", exit_code=exit_code), record("other")]), Verdicts())

    assert [chosen.name for chosen in actions.start] == (["main"] if restarts else [])
    assert not actions.kill_pod


def test_an_init_container_restarts_by_its_own_rule_in_a_pod_that_never_does() -> None:
    once = container("one", restart_policy="Never", restart_policy_rules=(rule("Restart", 7),))
    wanted = pod(init=(once,), restart_policy="Never")

    again = plan_pod(wanted, PodView([record("one", state="exited", exit_code=7)]), Verdicts())
    ended = plan_pod(wanted, PodView([record("one", state="exited", exit_code=8)]), Verdicts())

    assert ([chosen.name for chosen in again.start], again.kill_pod) == (["one"], False)
    assert ended.kill_pod


def test_an_exit_code_that_restarts_all_resets_the_pod_its_cause_last() -> None:
    wanted = pod(
        container("cause", restart_policy="Never", restart_policy_rules=(rule("RestartAllContainers", 42),)), container("victim"),
        init=(container("one"), sidecar()),
    )
    records = [record("one", state="exited"), record("side"), record("cause", state="exited", exit_code=42), record("victim")]

    actions = plan_pod(wanted, PodView(records), Verdicts())

    assert [gone.name for gone in actions.reset] == ["victim", "one", "side", "cause"]
    assert (actions.start, actions.kill_pod) == ([], False)


def debugged(name: str = "debugger") -> Pod:
    return pod(init=(container("one"),), ephemeral_containers=(EphemeralContainer(name=name, image="busybox"),))


def test_ephemeral_containers_start_once_whatever_the_others_do() -> None:
    waiting = plan_pod(debugged(), PodView([record("one")]), Verdicts())
    ended = plan_pod(debugged(), PodView([record("one", state="exited"), record(), record("debugger", state="exited")]), Verdicts())

    assert [chosen.name for chosen in waiting.start] == ["debugger"]
    assert (ended.start, ended.kill_pod) == ([], False)


def test_an_ephemeral_container_does_not_keep_a_pod_alive() -> None:
    wanted = pod(restart_policy="Never", ephemeral_containers=(EphemeralContainer(name="debugger", image="busybox"),))

    assert plan_pod(wanted, PodView([record(state="exited"), record("debugger")]), Verdicts()).kill_pod


def test_another_image_starts_the_container_anew() -> None:
    actions = plan_pod(pod(container(image="busybox:2"), restart_policy="Never"), PodView([record()]), Verdicts())

    assert [kill.message for kill in actions.kill] == ["Container main definition changed, will be restarted"]
    assert [chosen.name for chosen in actions.start] == ["main"]


@pytest.mark.parametrize(("policy", "records", "start", "kill_pod"), [
    pytest.param("Always", [record("one", state="exited"), record(state="exited")], ["one"], False, id="init again"),
    pytest.param("Never", [record("one", state="exited"), record(state="exited", exit_code=137)], [], True, id="ran once"),
    pytest.param("OnFailure", [record("one", state="exited"), record(state="exited")], [], True, id="had succeeded"),
    pytest.param("OnFailure", [record("one", state="exited"), record(state="exited", exit_code=137)], ["one"], False, id="had failed"),
])
def test_a_pod_that_lost_its_sandbox_begins_anew(policy: str, records: list[ContainerRecord], start: list[str], kill_pod: bool) -> None:
    actions = plan_pod(pod(init=(container("one"),), restart_policy=policy), PodView(records, since=None), Verdicts())

    assert ([chosen.name for chosen in actions.start], actions.kill_pod, actions.renew) == (start, kill_pod, not kill_pod)


def test_containers_of_an_earlier_sandbox_do_not_count_as_begun() -> None:
    wanted, old = pod(init=(container("one"),)), [record("one", state="exited"), record(state="exited")]

    actions = plan_pod(wanted, PodView(old, since=5000.0), Verdicts())

    assert [chosen.name for chosen in actions.start] == ["one"]
