"""The status that a Pod shows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from kube.api.core_v1 import (
    ContainerRestartRule,
    ContainerRestartRuleOnExitCodes,
    ContainerState,
    ContainerStateRunning,
    ContainerStatus,
    EphemeralContainer,
    PodCondition,
    PodReadinessGate,
    PodStatus,
    Probe,
    VolumeMount,
)
from node_agent.kubelet.pod_status import Observed, Waiting, pod_status
from node_agent.kubelet.pod_view import PodView
from node_agent.kubelet.status_manager import status_patch
from node_agent.runtime.model import ContainerRecord
from tests.support.pods import UID, Verdicts, container, pod, record, sidecar

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def observed(*records: ContainerRecord, **more: Any) -> Observed:
    fields = {
        "view": PodView(records), "probes": Verdicts(), "host_ip": "172.30.0.11", "pod_ip": "10.244.1.5", "sandbox_ready": True, "now": NOW,
    }
    return Observed(**{**fields, **more})


def conditions(status: PodStatus) -> dict[str, tuple[str, str]]:
    return {condition.type: (condition.status, condition.reason) for condition in status.conditions}


def state_of(status: ContainerStatus) -> str:
    assert status.state is not None
    if status.state.waiting:
        return status.state.waiting.reason
    return status.state.terminated.reason if status.state.terminated else "running"


def test_a_new_pod_is_pending_and_creating() -> None:
    status = pod_status(pod(), observed(pod_ip="", sandbox_ready=False))

    assert (status.phase, status.start_time) == ("Pending", "2026-11-20T12:00:00Z")
    assert state_of(status.container_statuses[0]) == "ContainerCreating"
    assert conditions(status) == {
        "PodReadyToStartContainers": ("False", "PodSandboxNotReady"), "Initialized": ("True", ""), "Ready": ("False", "ContainersNotReady"),
        "ContainersReady": ("False", "ContainersNotReady"), "PodScheduled": ("True", ""),
    }


def test_a_running_pod_is_ready() -> None:
    status = pod_status(pod(), observed(record()))

    assert (status.phase, status.pod_ip, status.qos_class) == ("Running", "10.244.1.5", "BestEffort")
    assert {kind: value for kind, (value, _) in conditions(status).items()} == dict.fromkeys(conditions(status), "True")
    assert status.container_statuses[0].container_id == "kubonsai://main-0"


@pytest.mark.req("POD-06")
def test_readiness_probe_decides() -> None:
    wanted = pod(container(readiness_probe=Probe()))

    before = pod_status(wanted, observed(record()))
    after = pod_status(wanted, observed(record(), probes=Verdicts(ready={"main-0": True})))

    assert conditions(before)["Ready"] == ("False", "ContainersNotReady")
    assert conditions(after)["Ready"] == ("True", "")


def test_init_containers_hold_the_others_back() -> None:
    status = pod_status(pod(init=(container("one"),)), observed(record("one")))

    assert (status.phase, state_of(status.container_statuses[0])) == ("Pending", "PodInitializing")
    assert conditions(status)["Initialized"] == ("False", "ContainersNotInitialized")


def test_unready_sidecar_keeps_the_pod_unready() -> None:
    wanted = pod(init=(sidecar(readiness_probe=Probe()),))

    status = pod_status(wanted, observed(record("side"), record()))

    (ready,) = (condition for condition in status.conditions if condition.type == "Ready")
    assert ready.message == "containers with unready status: [side]"


def test_crash_loop_shows_the_last_end() -> None:
    waiting = {"main": Waiting("CrashLoopBackOff", "back-off 10s restarting failed container=main pod=web_default(x)")}

    status = pod_status(pod(), observed(record(attempt=1, state="exited", exit_code=3), waiting=waiting))

    (shown,) = status.container_statuses
    assert (status.phase, state_of(shown), shown.restart_count) == ("Running", "CrashLoopBackOff", 1)
    assert shown.last_state is not None
    assert shown.last_state.terminated is not None
    assert (shown.last_state.terminated.exit_code, shown.last_state.terminated.reason) == (3, "Error")


@pytest.mark.parametrize(("policy", "codes", "phase"), [
    pytest.param("Never", (0, 0), "Succeeded", id="all succeeded"),
    pytest.param("Never", (0, 1), "Failed", id="one failed"),
    pytest.param("OnFailure", (0, 0), "Succeeded", id="on failure, succeeded"),
    pytest.param("OnFailure", (0, 1), "Running", id="on failure, one to be restarted"),
    pytest.param("Always", (0, 0), "Running", id="always"),
])
def test_phase_of_ended_containers(policy: str, codes: tuple[int, int], phase: str) -> None:
    wanted = pod(container("a"), container("b"), restart_policy=policy)
    ended = [record(name, state="exited", exit_code=code) for name, code in zip("ab", codes, strict=True)]

    assert pod_status(wanted, observed(*ended)).phase == phase


def test_completed_pod_says_so() -> None:
    status = pod_status(pod(restart_policy="Never"), observed(record(state="exited"), sandbox_ready=False))

    assert conditions(status)["Ready"] == ("False", "PodCompleted")
    assert conditions(status)["Initialized"] == ("True", "PodCompleted")
    assert state_of(status.container_statuses[0]) == "Completed"


def test_transition_times_stay_until_the_status_changes() -> None:
    held = (PodCondition(type="Ready", status="True", last_transition_time="2026-11-20T11:00:00Z"),)
    wanted = pod(status=PodStatus(phase="Running", conditions=held))

    same = pod_status(wanted, observed(record()))
    changed = pod_status(wanted, observed(record(state="exited", exit_code=1)))

    times = [next(c.last_transition_time for c in status.conditions if c.type == "Ready") for status in (same, changed)]
    assert times == ["2026-11-20T11:00:00Z", "2026-11-20T12:00:00Z"]


def test_readiness_gates_hold_ready_back() -> None:
    wanted = pod(readiness_gates=(PodReadinessGate(condition_type="example.com/gate"),))

    status = pod_status(wanted, observed(record()))

    assert conditions(status)["ContainersReady"] == ("True", "")
    assert conditions(status)["Ready"] == ("False", "ReadinessGatesNotReady")


def test_an_end_is_final() -> None:
    wanted = pod(restart_policy="Never", status=PodStatus(phase="Succeeded"))

    assert pod_status(wanted, observed(record(state="exited", exit_code=1))).phase == "Succeeded"


def test_patch_guards_the_uid_and_takes_back_what_is_no_longer_said() -> None:
    before = pod_status(pod(), observed(pod_ip="", sandbox_ready=False))
    after = pod_status(pod(), observed(record()))

    patch = status_patch(UID, before, after)

    ready = next(condition for condition in patch["status"]["conditions"] if condition["type"] == "Ready")
    assert patch["metadata"] == {"uid": UID}
    assert (ready["status"], ready["reason"], ready["message"]) == ("True", None, None)


def test_a_pod_with_init_containers_says_pod_initializing_everywhere() -> None:
    status = pod_status(pod(init=(container("one"),)), observed(pod_ip="", sandbox_ready=False))

    assert [state_of(shown) for shown in (*status.init_container_statuses, *status.container_statuses)] == ["PodInitializing"] * 2


@pytest.mark.parametrize(("records", "phase", "reason"), [
    pytest.param([record(state="exited")], "Succeeded", "Completed", id="ended well"),
    pytest.param([record(state="exited", exit_code=143)], "Failed", "Error", id="ended by the signal"),
    pytest.param([], "Failed", "ContainerStatusUnknown", id="never started"),
])
def test_a_deleted_pod_has_an_end(records: list[ContainerRecord], phase: str, reason: str) -> None:
    status = pod_status(pod(), observed(*records, ended=True, sandbox_ready=False))

    assert (status.phase, state_of(status.container_statuses[0])) == (phase, reason)


def test_containers_behind_init_containers_that_never_ran_were_not_lost() -> None:
    status = pod_status(pod(init=(container("one"), container("two"))), observed(record("one", state="exited", exit_code=1), ended=True))

    assert [state_of(shown) for shown in status.init_container_statuses] == ["Error", "PodInitializing"]
    assert (status.phase, state_of(status.container_statuses[0])) == ("Failed", "PodInitializing")


def running_before(name: str = "main") -> PodStatus:
    state = ContainerState(running=ContainerStateRunning(started_at="2026-11-20T11:00:00Z"))
    return PodStatus(phase="Running", container_statuses=(ContainerStatus(name=name, state=state, restart_count=2, container_id="kubonsai://a"),))


@pytest.mark.req("LIF-06")
def test_a_container_that_ran_and_cannot_be_found_has_an_unknown_end() -> None:
    status = pod_status(pod(status=running_before()), observed())

    (shown,) = status.container_statuses
    assert (status.phase, state_of(shown), shown.restart_count) == ("Running", "ContainerCreating", 3)
    assert shown.last_state is not None
    assert shown.last_state.terminated is not None
    assert (shown.last_state.terminated.reason, shown.last_state.terminated.exit_code) == ("ContainerStatusUnknown", 137)


def test_the_restart_of_all_containers_is_shown() -> None:
    rule = ContainerRestartRule(
        action="RestartAllContainers", exit_codes=ContainerRestartRuleOnExitCodes(operator="In", values=(42,)))
    wanted = pod(container(restart_policy="Never", restart_policy_rules=(rule,)), restart_policy="Never")

    told = pod_status(wanted, observed(record(state="exited", exit_code=42)))
    reset = pod_status(pod(*wanted.spec.containers, restart_policy="Never", status=told), observed())

    assert (told.phase, conditions(told)["AllContainersRestarting"]) == ("Running", ("True", "RestartAllContainersStarted"))
    (shown,) = reset.container_statuses
    assert (state_of(shown), shown.restart_count, reset.phase) == ("RestartingAllContainers", 1, "Running")
    assert conditions(reset)["AllContainersRestarting"] == ("False", "")
    assert conditions(reset)["Initialized"] == ("True", "")


def test_ephemeral_containers_have_a_status_and_no_part_in_the_phase() -> None:
    wanted = pod(ephemeral_containers=(EphemeralContainer(name="debugger", image="busybox"),))

    status = pod_status(wanted, observed(record(), record("debugger", state="exited", exit_code=1)))

    (shown,) = status.ephemeral_container_statuses
    assert (status.phase, conditions(status)["Ready"], state_of(shown), shown.ready, shown.started) == (
        "Running", ("True", ""), "Error", False, None)


def test_reason_and_message_of_an_ended_pod_stay() -> None:
    held = PodStatus(phase="Failed", reason="Evicted", message="The node was low on resource: memory. ")

    status = pod_status(pod(status=held), observed(record(state="exited", exit_code=137), sandbox_ready=False))

    assert (status.phase, status.reason, status.message) == ("Failed", "Evicted", held.message)


def test_volume_mounts_are_told_with_how_read_only_they_are() -> None:
    read_only = VolumeMount(name="b", mount_path="/b", read_only=True, recursive_read_only="IfPossible")
    mounts = (VolumeMount(name="a", mount_path="/a"), read_only)

    status = pod_status(pod(container(volume_mounts=mounts)), observed(record()))

    told = [(mount.name, mount.read_only, mount.recursive_read_only) for mount in status.container_statuses[0].volume_mounts]
    assert told == [("a", None, ""), ("b", True, "Enabled")]


def test_a_rejected_pod_says_nothing_but_why() -> None:
    status = pod_status(pod(), observed(reason="OutOfcpu", message="Pod was rejected: x", failed=True, rejected=True, ended=True))

    assert (status.phase, status.reason, status.conditions, status.container_statuses) == ("Failed", "OutOfcpu", (), ())
