"""Pods that cannot start or do not stay up, and what they tell their owner. All of them fail side by side, made once for the module."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

import pytest

from launcher.testing.cluster import Cluster, eventually
from tests.support.space import Space, container, pod

MUCH = "exec tail /dev/zero"


@pytest.fixture(scope="module")
def failing(kubonsai_cluster: Cluster) -> Iterator[Space]:
    space = Space(kubonsai_cluster, f"failing-{secrets.token_hex(3)}")
    kubonsai_cluster.kubectl("create", "namespace", space.namespace)
    eventually(lambda: space.get("serviceaccount", "default"))
    hook = {"postStart": {"exec": {"command": ["sh", "-c", "exit 1"]}}}
    script = "echo to the log; echo to the message >/dev/termination-log; exit 3"
    space.create(
        pod("crashing", container(script="echo run; exit 1")),
        pod("completing", container(script="exit 0"), restartPolicy="Never"),
        pod("erring", container(script=script), restartPolicy="Never"),
        pod("fallback", container(script="echo last words; exit 4", terminationMessagePolicy="FallbackToLogsOnError"),
            restartPolicy="Never"),
        pod("retried", container(script="test -e /v/x && exit 0; touch /v/x; exit 1", volumeMounts=[{"name": "v", "mountPath": "/v"}]),
            restartPolicy="OnFailure", volumes=[{"name": "v", "emptyDir": {}}]),
        pod("hungry", container(script=MUCH, resources={"limits": {"memory": "20Mi"}}), restartPolicy="Never"),
        pod("misspelt", {"name": "main", "image": "Not A Name"}),
        pod("absent", {"name": "main", "image": "busybox", "imagePullPolicy": "Never", "command": ["sleep", "1"]}),
        pod("nothing", {"name": "main", "image": "busybox", "command": ["/no/such/program"]}, restartPolicy="Never"),
        pod("huge", container(resources={"requests": {"cpu": "100", "memory": "1Mi"}})),
        pod("picky", container(), nodeSelector={"disk": "ssd"}),
        pod("hooked", container(lifecycle=hook)),
        pod("late", container(), activeDeadlineSeconds=1),
        pod("first-fails", container(), initContainers=[container("init", "exit 1")]),
        pod("first-fails-for-good", container(), initContainers=[container("init", "exit 1")], restartPolicy="Never"),
        pod("waits-for-a-volume", container(volumeMounts=[{"name": "v", "mountPath": "/v"}]),
            volumes=[{"name": "v", "secret": {"secretName": "nope"}}]),
        pod("forced", container(resources={"requests": {"cpu": "100", "memory": "1Mi"}}), nodeName="node2"),
        pod("unwilling", container(lifecycle={"preStop": {"exec": {"command": ["sh", "-c", "exit 1"]}}})),
        pod("pulling", {"name": "main", "image": "registry.invalid/team/app:1.0"}),
    )
    yield space
    kubonsai_cluster.kubectl("delete", "namespace", space.namespace, "--wait=false")


def column(space: Space, name: str) -> str:
    """STATUS as kubectl prints it."""
    return space.kubectl("get", "pod", name, "--no-headers").split()[2]


@pytest.mark.req("LIF-09")
def test_an_unknown_image_says_so(failing: Space) -> None:
    eventually(lambda: column(failing, "pulling") == "ImagePullBackOff")

    failing.tells("pulling", ("Failed", "Error: ErrImagePull"))
    assert 'Failed to pull image "registry.invalid/team/app:1.0": ' in failing.event("pulling", "Failed")
    assert 'Back-off pulling image "registry.invalid/team/app:1.0"' in failing.event("pulling", "BackOff")
    assert failing.pod("pulling")["status"]["phase"] == "Pending"
    eventually(lambda: column(failing, "misspelt") == "InvalidImageName")
    eventually(lambda: "reference" in failing.state("misspelt")["state"]["waiting"]["message"])
    failing.ready("absent")                     # built in, so it is always present


@pytest.mark.req("LIF-07")
def test_a_missing_secret_keeps_the_pod_from_starting_until_it_is_there(failing: Space) -> None:
    message = failing.event("waits-for-a-volume", "FailedMount")
    assert message == 'MountVolume.SetUp failed for volume "v" : secret "nope" not found'
    eventually(lambda: column(failing, "waits-for-a-volume") == "ContainerCreating")
    status = failing.pod("waits-for-a-volume")["status"]        # volumes come before the sandbox, as upstream shows it
    sandbox = next(each for each in status["conditions"] if each["type"] == "PodReadyToStartContainers")
    assert (sandbox["status"], status.get("podIP", "")) == ("False", "")

    failing.kubectl("create", "secret", "generic", "nope", "--from-literal=a=b")

    failing.ready("waits-for-a-volume")
    assert failing.sh("waits-for-a-volume", "cat /v/a") == "b"


@pytest.mark.req("LIF-04", "POD-07")
def test_a_finished_pod_is_completed(failing: Space) -> None:
    eventually(lambda: column(failing, "completing") == "Completed")

    found = failing.pod("completing")["status"]
    ended = found["containerStatuses"][0]["state"]["terminated"]
    assert (found["phase"], ended["reason"], ended["exitCode"]) == ("Succeeded", "Completed", 0)
    ready = next(item for item in found["conditions"] if item["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "PodCompleted")


@pytest.mark.req("LIF-05", "LIF-16")
def test_a_failed_pod_keeps_code_and_message(failing: Space) -> None:
    eventually(lambda: column(failing, "erring") == "Error")
    eventually(lambda: column(failing, "fallback") == "Error")

    found = failing.pod("erring")["status"]
    ended = found["containerStatuses"][0]["state"]["terminated"]
    assert (found["phase"], ended["reason"], ended["exitCode"], ended["message"]) == ("Failed", "Error", 3, "to the message\n")
    assert failing.state("fallback")["state"]["terminated"]["message"] == "last words\n"
    assert failing.kubectl("logs", "erring") == "to the log\n"
    text = failing.kubectl("describe", "pod", "erring")
    assert "Reason:   Error" in text
    assert "Message:  to the message" in text
    assert "Exit Code:    3" in text


@pytest.mark.req("LIF-01", "LIF-12", "POD-07", "LIF-16")
def test_a_crashing_container_waits_longer_and_longer(failing: Space) -> None:
    eventually(lambda: column(failing, "crashing") == "CrashLoopBackOff")
    uid = failing.pod("crashing")["metadata"]["uid"]

    def backs_off(least_restarts: int) -> bool:
        """Not before the first, then twice as long before every restart: its status has both."""
        status = failing.state("crashing")
        waiting, restarts = status["state"]["waiting"], status["restartCount"]
        length = {1: "10s", 2: "20s", 3: "40s", 4: "1m20s", 5: "2m40s"}.get(restarts, "5m0s")
        wanted = f"back-off {length} restarting failed container=main pod=crashing_{failing.namespace}({uid})"
        assert (waiting["reason"], waiting["message"]) == ("CrashLoopBackOff", wanted)
        return bool(restarts >= least_restarts and status["lastState"]["terminated"]["exitCode"] == 1)

    eventually(lambda: backs_off(1))
    assert failing.pod("crashing")["status"]["phase"] == "Running"
    assert "Back-off restarting failed container main in pod crashing_" in failing.event("crashing", "BackOff")
    eventually(lambda: backs_off(2), within_s=120)
    assert failing.kubectl("logs", "crashing", "--previous") == "run\n"
    assert "Last State:     Terminated" in failing.kubectl("describe", "pod", "crashing")


@pytest.mark.req("POD-07")
def test_on_failure_runs_again_until_it_succeeds(failing: Space) -> None:
    eventually(lambda: column(failing, "retried") == "Completed", within_s=120)

    assert failing.state("retried")["restartCount"] == 1


@pytest.mark.req("LIF-13")
def test_too_much_memory_is_oom_killed(failing: Space) -> None:
    eventually(lambda: column(failing, "hungry") == "OOMKilled")

    ended = failing.state("hungry")["state"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)


@pytest.mark.req("LIF-02")
def test_a_pod_that_no_node_can_hold(failing: Space) -> None:
    huge, picky = failing.event("huge", "FailedScheduling"), failing.event("picky", "FailedScheduling")

    found = eventually(lambda: huge_pod if (huge_pod := failing.pod("huge"))["status"].get("conditions") else None)
    scheduled = next(item for item in found["status"]["conditions"] if item["type"] == "PodScheduled")
    assert huge.startswith("0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu.")
    assert "2 node(s) didn't match Pod's node affinity/selector" in picky
    assert (scheduled["status"], scheduled["reason"]) == ("False", "Unschedulable")
    assert scheduled["message"] == huge
    assert "nodeName" not in found["spec"]
    assert column(failing, "huge") == "Pending"


def test_a_program_that_is_not_there(failing: Space) -> None:
    eventually(lambda: column(failing, "nothing") == "StartError")

    ended = failing.state("nothing")["state"]["terminated"]
    assert ended["exitCode"] == 128
    assert 'exec: "/no/such/program": stat /no/such/program: no such file or directory' in ended["message"]
    assert "no such file or directory" in failing.event("nothing", "Failed")


@pytest.mark.req("LIF-11")
def test_a_failing_post_start_hook_kills_the_container(failing: Space) -> None:
    message = failing.event("hooked", "FailedPostStartHook")

    assert "PostStartHook failed" in message
    eventually(lambda: column(failing, "hooked") in ("PostStartHookError", "CrashLoopBackOff"))
    assert failing.event("hooked", "Killing") == "FailedPostStartHook"


def test_a_deadline_ends_the_pod(failing: Space) -> None:
    eventually(lambda: failing.pod("late")["status"]["phase"] == "Failed")

    found = failing.pod("late")["status"]
    assert (found["phase"], found["reason"]) == ("Failed", "DeadlineExceeded")
    assert found["message"] == "Pod was active on the node longer than the specified deadline"


@pytest.mark.req("LIF-08")
def test_failing_init_containers(failing: Space) -> None:
    eventually(lambda: column(failing, "first-fails") in ("Init:Error", "Init:CrashLoopBackOff"))
    eventually(lambda: column(failing, "first-fails-for-good") == "Init:Error")

    assert failing.pod("first-fails")["status"]["phase"] == "Pending"
    assert failing.waiting("first-fails") == "PodInitializing"
    assert failing.pod("first-fails-for-good")["status"]["phase"] == "Failed"
    initialized = next(item for item in failing.pod("first-fails")["status"]["conditions"] if item["type"] == "Initialized")
    assert (initialized["status"], initialized["reason"]) == ("False", "ContainersNotInitialized")
    assert initialized["message"] == "containers with incomplete status: [init]"


def test_a_pod_that_was_put_where_it_does_not_fit(failing: Space) -> None:
    eventually(lambda: column(failing, "forced") == "OutOfcpu")

    found = failing.pod("forced")["status"]
    assert (found["phase"], found["reason"]) == ("Failed", "OutOfcpu")
    assert re.fullmatch(
        "Pod was rejected: Node didn't have enough resource: cpu, requested: 100000, used: [0-9]+, capacity: [0-9]+", found["message"])
    assert "containerStatuses" not in found


@pytest.mark.req("TRM-03")
def test_a_failing_pre_stop_hook_does_not_hold_the_end_up(failing: Space) -> None:
    failing.ready("unwilling")

    failing.kubectl("delete", "pod", "unwilling")

    assert failing.event("unwilling", "FailedPreStopHook") == "PreStopHook failed"
