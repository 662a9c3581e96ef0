"""Containers that end and begin again: by rule, all together; and Deployments that restart without anybody noticing."""

from __future__ import annotations

import pytest

from launcher.testing.cluster import eventually
from tests.support.space import Json, Space, container, deployment, pod, server, service


def rule(action: str, *codes: int) -> list[Json]:
    return [{"action": action, "exitCodes": {"operator": "In", "values": list(codes)}}]


def test_an_exit_code_restarts_the_container_of_a_pod_that_never_restarts(space: Space) -> None:
    script = "test -e /tmp/v/once && exec sleep 1000; touch /tmp/v/once; exit 42"
    mounts = [{"name": "v", "mountPath": "/tmp/v"}]
    ruled = container(script=script, volumeMounts=mounts, restartPolicy="Never", restartPolicyRules=rule("Restart", 42))

    space.create(pod("p", ruled, restartPolicy="Never", volumes=[{"name": "v", "emptyDir": {}}]))

    state = eventually(lambda: found if (found := space.state("p"))["ready"] and found["restartCount"] else None)
    assert (state["restartCount"], state["lastState"]["terminated"]["exitCode"]) == (1, 42)


def test_an_exit_code_restarts_all_containers_and_init_containers(space: Space) -> None:
    mounts = [{"name": "v", "mountPath": "/v"}]
    cause = container("cause", "test -e /v/once && exec sleep 1000; touch /v/once; exit 42", volumeMounts=mounts,
                      restartPolicy="Never", restartPolicyRules=rule("RestartAllContainers", 42))
    init = container("init", "echo ran >>/v/runs", volumeMounts=mounts)
    volumes = [{"name": "v", "emptyDir": {}}]
    space.create(pod("p", cause, container("victim"), initContainers=[init], restartPolicy="Never", volumes=volumes))

    eventually(lambda: space.pod("p")["status"]["containerStatuses"][1].get("restartCount") == 1)
    space.ready("p")

    status = space.pod("p")["status"]
    everyone = (*status["initContainerStatuses"], *status["containerStatuses"])
    assert [(each["name"], each["restartCount"]) for each in everyone] == [("init", 1), ("cause", 1), ("victim", 1)]
    assert space.sh("p", "cat /v/runs", container="cause").split() == ["ran", "ran"]
    told = {condition["type"]: condition["status"] for condition in status["conditions"]}
    assert (told["AllContainersRestarting"], told["Initialized"], told["Ready"]) == ("False", "True", "True")


ASK = """
import os, time, urllib.request
while not os.path.exists("/tmp/stop"):
    try:
        print("ok" if urllib.request.urlopen("http://web", timeout=30).status == 200 else "FAILED", flush=True)
    except OSError as error:
        print("FAILED", error, flush=True)
    time.sleep(0.02)
print("done", flush=True)
time.sleep(1000)
"""


@pytest.mark.req("TRM-08")
def test_no_request_fails_while_a_deployment_restarts_when_its_pods_wait_before_they_end(space: Space) -> None:
    at_once = {"rollingUpdate": {"maxSurge": 2, "maxUnavailable": 0}}
    web = deployment("web", server(lifecycle={"preStop": {"sleep": {"seconds": 8}}}), replicas=2, strategy=at_once)
    web["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 60
    space.create(service("web"), web)
    space.kubectl("rollout", "status", "deployment/web", "--timeout=120s", timeout_s=150)
    space.run(pod("client", {"name": "main", "image": "python", "command": ["python3", "-c", ASK]}))
    eventually(lambda: space.kubectl("logs", "client").split()[-1] == "ok")
    before = {found["metadata"]["name"] for found in space.items("pods", "-l", "app=web")}
    earlier = len(space.kubectl("logs", "client").splitlines())

    space.kubectl("rollout", "restart", "deployment/web")
    space.kubectl("rollout", "status", "deployment/web", "--timeout=180s", timeout_s=200)
    eventually(lambda: before.isdisjoint(found["metadata"]["name"] for found in space.items("pods", "-l", "app=web")), within_s=120)
    space.exec("client", "python3", "-c", "open('/tmp/stop', 'w')")

    answers = eventually(lambda: [lines for lines in [space.kubectl("logs", "client").splitlines()[earlier:]] if lines[-1] == "done"])[0]
    assert set(answers) == {"ok", "done"}
    assert len(answers) > 20
