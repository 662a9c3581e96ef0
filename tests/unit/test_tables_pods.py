from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from control_plane.apiserver.tables.registry import table_for
from kube.apimachinery.resources import SCHEME

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
PODS = SCHEME.for_path("", "v1", "pods")
assert PODS is not None
TABLE = table_for(PODS)


def container(name: str = "c", *, ready: bool = False, restarts: int = 0, last: str = "", **state: Any) -> dict[str, Any]:
    status: dict[str, Any] = {"name": name, "ready": ready, "restartCount": restarts, "state": state}
    if last:
        status["lastState"] = {"terminated": {"finishedAt": last}}
    return status


def cells(status: dict[str, Any], *, init: int = 0, sidecar: bool = False, **metadata: Any) -> list[Any]:
    initial = [{"name": f"i{number}", **({"restartPolicy": "Always"} if sidecar else {})} for number in range(init)]
    return TABLE.row({
        "metadata": {"name": "p", "creationTimestamp": "2026-01-01T11:55:00Z", **metadata},
        "spec": {"containers": [{"name": "c"}], "initContainers": initial, "nodeName": "n1"}, "status": status,
    }, NOW)


RUNNING: dict[str, Any] = {"running": {"startedAt": "2026-01-01T11:55:00Z"}}
INIT_DONE = {"name": "i0", "state": {"terminated": {"exitCode": 0}}}


@pytest.mark.req("LIF-01")
@pytest.mark.parametrize(("status", "init", "metadata", "word"), [
    pytest.param({"phase": "Pending"}, 0, {}, "Pending", id="pending"),
    pytest.param({"phase": "Pending", "conditions": [{"type": "PodScheduled", "reason": "SchedulingGated"}]}, 0, {}, "SchedulingGated",
                 id="gated"),
    pytest.param({"phase": "Pending", "containerStatuses": [container(waiting={"reason": "ContainerCreating"})]}, 0, {},
                 "ContainerCreating", id="creating"),
    pytest.param({"phase": "Pending", "containerStatuses": [container(waiting={"reason": "ErrImagePull"})]}, 0, {}, "ErrImagePull",
                 id="image"),
    pytest.param({"phase": "Running", "containerStatuses": [container(ready=True, **RUNNING)]}, 0, {}, "Running", id="running"),
    pytest.param({"phase": "Running", "containerStatuses": [container(waiting={"reason": "CrashLoopBackOff"})]}, 0, {},
                 "CrashLoopBackOff", id="crashing"),
    pytest.param({"phase": "Succeeded", "containerStatuses": [container(terminated={"reason": "Completed", "exitCode": 0})]}, 0, {},
                 "Completed", id="completed"),
    pytest.param({"phase": "Failed", "containerStatuses": [container(terminated={"reason": "Error", "exitCode": 1})]}, 0, {}, "Error",
                 id="error"),
    pytest.param({"phase": "Failed", "containerStatuses": [container(terminated={"exitCode": 3})]}, 0, {}, "ExitCode:3", id="exit code"),
    pytest.param({"phase": "Failed", "containerStatuses": [container(terminated={"exitCode": 137, "signal": 9})]}, 0, {}, "Signal:9",
                 id="signal"),
    pytest.param({"phase": "Failed", "reason": "Evicted"}, 0, {}, "Evicted", id="evicted"),
    pytest.param({"phase": "Pending", "initContainerStatuses": [container("i0", **RUNNING)]}, 2, {}, "Init:0/2", id="first of two"),
    pytest.param({"phase": "Pending", "initContainerStatuses": [INIT_DONE, container("i1", waiting={"reason": "PodInitializing"})]}, 2, {},
                 "Init:1/2", id="second of two"),
    pytest.param({"phase": "Pending", "initContainerStatuses": [container("i0", waiting={"reason": "CrashLoopBackOff"})]}, 1, {},
                 "Init:CrashLoopBackOff", id="init crashing"),
    pytest.param({"phase": "Pending", "initContainerStatuses": [container("i0", terminated={"exitCode": 1, "reason": "Error"})]}, 1, {},
                 "Init:Error", id="init failed"),
    pytest.param({"phase": "Running", "containerStatuses": [container(ready=True, **RUNNING)]}, 0, {"deletionTimestamp": "x"},
                 "Terminating", id="terminating"),
    pytest.param({"phase": "Succeeded", "containerStatuses": [container(terminated={"reason": "Completed", "exitCode": 0})]}, 0,
                 {"deletionTimestamp": "x"}, "Completed", id="finished and deleted"),
    pytest.param({"phase": "Running", "reason": "NodeLost"}, 0, {"deletionTimestamp": "x"}, "Unknown", id="node lost"),
])
def test_status(status: dict[str, Any], init: int, metadata: dict[str, Any], word: str) -> None:
    assert cells(status, init=init, **metadata)[2] == word


def test_one_of_two_finished_with_an_error() -> None:
    two = [container("a", ready=True, **RUNNING), container("b", terminated={"reason": "Completed", "exitCode": 0})]
    ready = {"type": "Ready", "status": "True"}
    assert cells({"phase": "Running", "containerStatuses": two})[2] == "NotReady"
    assert cells({"phase": "Running", "containerStatuses": two, "conditions": [ready]})[2] == "Running"


@pytest.mark.parametrize(("restarts", "last", "text"), [
    pytest.param(0, "", "0", id="never"), pytest.param(2, "", "2", id="time unknown"),
    pytest.param(2, "2026-01-01T11:55:00Z", "2 (5m ago)", id="five minutes ago"),
])
def test_restarts(restarts: int, last: str, text: str) -> None:
    status = {"phase": "Running", "containerStatuses": [container(ready=True, restarts=restarts, last=last, **RUNNING)]}
    assert cells(status)[3] == text


def test_a_sidecar_counts_as_a_container() -> None:
    status = {"phase": "Running", "initContainerStatuses": [{**container("i0", ready=True, restarts=1, **RUNNING), "started": True}],
              "containerStatuses": [container(ready=True, **RUNNING)]}
    row = cells(status, init=1, sidecar=True)
    assert row[1:4] == ["2/2", "Running", "1"]


def test_all_cells_and_columns() -> None:
    row = cells({"phase": "Running", "podIPs": [{"ip": "10.244.1.5"}], "containerStatuses": [container(ready=True, **RUNNING)]})

    assert row == ["p", "1/1", "Running", "0", "5m", "10.244.1.5", "n1", "<none>", "<none>"]
    assert [(column["name"], column["priority"]) for column in TABLE.columns()] == [
        ("Name", 0), ("Ready", 0), ("Status", 0), ("Restarts", 0), ("Age", 0), ("IP", 1), ("Node", 1), ("Nominated Node", 1),
        ("Readiness Gates", 1)]
    assert TABLE.columns()[0]["format"] == "name"
    assert TABLE.columns()[5]["description"].startswith("podIP address")


def test_finished_pods_are_marked_completed() -> None:
    assert TABLE.conditions({"status": {"phase": "Succeeded"}})[0]["type"] == "Completed"
    assert TABLE.conditions({"status": {"phase": "Running"}}) == []
