"""A Pod's life in order: init containers, sidecars, probes, and its end."""

from __future__ import annotations

import time
from typing import Any

import pytest

from launcher.testing.cluster import eventually
from tests.support.space import Json, Space, container, pod, server, service

ON_TERM = "trap 'echo got TERM; exit 0' TERM; echo up; while true; do sleep 0.1; done"


def probe(command: str, **settings: Any) -> Json:
    """Never too slow for a busy machine."""
    return {"exec": {"command": ["sh", "-c", command]}, "periodSeconds": 1, "timeoutSeconds": 30, **settings}


def endpoints(space: Space, name: str) -> list[tuple[str, bool, bool]]:
    """(Pod, ready, terminating) of every endpoint of the Service."""
    slices = space.items("endpointslices", "-l", f"kubernetes.io/service-name={name}")
    return sorted(
        (endpoint["targetRef"]["name"], endpoint["conditions"]["ready"], endpoint["conditions"].get("terminating", False))
        for found in slices for endpoint in found["endpoints"] or []
    )


@pytest.mark.req("LIF-08", "POD-03", "TRM-09")
def test_init_containers_run_in_order_and_sidecars_stay(space: Space) -> None:
    mounts = [{"name": "shared", "mountPath": "/shared"}]
    inits = [
        container("one", "echo one >>/shared/order", volumeMounts=mounts),
        container("side", f"echo side >>/shared/order; {ON_TERM}", volumeMounts=mounts, restartPolicy="Always",
                  startupProbe=probe("test -s /shared/order")),
        container("two", "until test -e /shared/go; do sleep 0.05; done; echo two >>/shared/order", volumeMounts=mounts),
    ]
    main = container("main", f"echo main >>/shared/order; {ON_TERM}", volumeMounts=mounts)
    space.create(pod("p", main, initContainers=inits, volumes=[{"name": "shared", "emptyDir": {}}], terminationGracePeriodSeconds=10))

    eventually(lambda: space.kubectl("get", "pod", "p", "--no-headers").split()[1:3] == ["1/2", "Init:2/3"])
    space.sh("p", "touch /shared/go", container="side")
    space.ready("p")
    assert space.kubectl("get", "pod", "p", "--no-headers").split()[1:3] == ["2/2", "Running"]
    assert space.sh("p", "cat /shared/order", container="main").split() == ["one", "side", "two", "main"]
    status = space.pod("p")["status"]["initContainerStatuses"]
    assert status[0]["state"]["terminated"]["reason"] == "Completed"
    assert "running" in status[1]["state"]

    with space.started("logs", "p", "--all-containers", "--prefix", "-f", "--timestamps") as follow:
        eventually(lambda: "got TERM" not in follow.text and follow.text.count(" up\n") == 2)
        space.kubectl("delete", "pod", "p")
        lines = [line for line in follow.finish().splitlines() if "got TERM" in line]
        assert [line.split()[0] for line in sorted(lines, key=lambda line: line.split()[1])] == ["[pod/p/main]", "[pod/p/side]"]


@pytest.mark.req("POD-06")
def test_a_failing_liveness_probe_restarts(space: Space) -> None:
    alive = probe("cat /tmp/live", failureThreshold=1, initialDelaySeconds=2)
    live = container(script="touch /tmp/live; exec sleep 1000", livenessProbe=alive)
    space.run(pod("p", live))
    before = space.state("p")["containerID"]

    space.sh("p", "rm /tmp/live")

    eventually(lambda: space.state("p")["restartCount"] == 1 and space.state("p")["ready"])
    assert space.state("p")["containerID"] != before
    assert space.state("p")["lastState"]["terminated"]["exitCode"] == 137
    assert "Liveness probe failed: cat: can't open '/tmp/live': No such file or directory" in space.event("p", "Unhealthy")
    assert space.event("p", "Killing") == "Container main failed liveness probe, will be restarted"
    restarts = space.kubectl("get", "pod", "p", "--no-headers").split()[3:5]
    assert restarts[0] == "1"
    assert restarts[1].startswith("(")


@pytest.mark.req("POD-06", "LIF-03", "EPS-01")
def test_a_failing_readiness_probe_leaves_the_service_and_restarts_nothing(space: Space) -> None:
    ready = container(script="touch /tmp/ready; exec httpd -f -p 8080", readinessProbe=probe("test -e /tmp/ready", failureThreshold=1))
    space.create(service("web"))
    space.run(pod("p", ready, labels={"app": "web"}))
    eventually(lambda: endpoints(space, "web") == [("p", True, False)])

    space.sh("p", "rm /tmp/ready")

    eventually(lambda: endpoints(space, "web") == [("p", False, False)])
    assert space.kubectl("get", "pod", "p", "--no-headers").split()[1:4] == ["0/1", "Running", "0"]
    assert "Readiness probe failed: " in space.event("p", "Unhealthy")
    space.sh("p", "touch /tmp/ready")
    eventually(lambda: endpoints(space, "web") == [("p", True, False)])


@pytest.mark.req("POD-06")
def test_probes_by_http_and_tcp_and_startup_before_all(space: Space) -> None:
    slow = container(
        script="until test -e /tmp/go; do sleep 0.1; done; mkdir -p /www/ok; echo ok >/www/ok/index.html; exec httpd -f -p 8080 -h /www",
        ports=[{"name": "web", "containerPort": 8080}],
        startupProbe={"httpGet": {"path": "/ok/", "port": "web"}, "periodSeconds": 1, "failureThreshold": 200},
        livenessProbe={"tcpSocket": {"port": 8080}, "periodSeconds": 1, "timeoutSeconds": 30, "failureThreshold": 1},
        readinessProbe={"httpGet": {"path": "/ok/", "port": 8080}, "periodSeconds": 1},
    )
    never = container(startupProbe=probe("false", failureThreshold=1))
    space.create(pod("slow", slow), pod("never", never))

    eventually(lambda: space.state("slow")["state"].get("running"))
    assert (space.state("slow")["started"], space.state("slow")["ready"]) == (False, False)
    space.sh("slow", "touch /tmp/go")
    space.ready("slow")
    assert space.state("slow")["restartCount"] == 0
    eventually(lambda: space.state("never")["restartCount"] >= 1)
    space.tells("never", ("Killing", "Container main failed startup probe, will be restarted"))


@pytest.mark.req("TRM-01", "TRM-03", "TRM-05", "TRM-07")
def test_the_end_of_a_pod_in_order(space: Space) -> None:
    waiting = "echo hook begins >/proc/1/fd/1; until test -e /tmp/go; do sleep 0.1; done; echo hook ends >/proc/1/fd/1"
    hook = {"preStop": {"exec": {"command": ["sh", "-c", waiting]}}}
    space.run(pod("p", container(script=ON_TERM, lifecycle=hook), terminationGracePeriodSeconds=120))
    netns = space.cluster.netns_of("p", space.namespace)
    with space.started("logs", "p", "-f") as follow:
        eventually(lambda: "up" in follow.text)

        space.kubectl("delete", "pod", "p", "--wait=false")
        metadata = space.pod("p")["metadata"]
        shown = space.kubectl("get", "pod", "p", "--no-headers").split()[2]
        eventually(lambda: follow.text.endswith("hook begins\n"))
        space.sh("p", "touch /tmp/go")
        space.kubectl("wait", "--for=delete", "pod/p", "--timeout=100s")

        assert (metadata["deletionGracePeriodSeconds"], shown) == (120, "Terminating")
        assert "deletionTimestamp" in metadata
        assert follow.finish().split("\n") == ["up", "hook begins", "hook ends", "got TERM", ""]
        assert netns not in [line.split()[0] for line in space.in_host("ip", "netns", "list").splitlines()]


@pytest.mark.req("TRM-02", "TRM-06")
def test_who_ignores_the_signal_is_killed_when_the_time_is_up(space: Space) -> None:
    stubborn = container(script="trap 'echo ignored' TERM; echo up; while true; do sleep 0.1; done")
    space.run(pod("p", stubborn, terminationGracePeriodSeconds=2))
    with space.started("logs", "p", "-f") as follow:
        eventually(lambda: "up" in follow.text)

        begin = time.monotonic()
        space.kubectl("delete", "pod", "p")

        assert 1.9 < time.monotonic() - begin < 30      # Kubernetes' own idea of it
        assert follow.finish() == "up\nignored\n"


@pytest.mark.req("TRM-07")
def test_force_removes_the_object_at_once(space: Space) -> None:
    space.run(pod("p", container(script="trap '' TERM; while true; do sleep 0.1; done"), terminationGracePeriodSeconds=60))

    done = space.tried("delete", "pod", "p", "--force", "--grace-period=0")

    assert 'pod "p" force deleted' in done.stdout
    assert "Immediate deletion does not wait for confirmation" in done.stderr
    assert "NotFound" in space.refused("get", "pod", "p")
    eventually(lambda: f"{space.namespace}-p-" not in space.in_host("ip", "netns", "list"))


@pytest.mark.req("TRM-04")
def test_a_leaving_pod_is_replaced_and_skipped_at_once(space: Space) -> None:
    hook = {"preStop": {"sleep": {"seconds": 100}}}
    template = pod("web", server(lifecycle=hook), terminationGracePeriodSeconds=120)
    space.create(service("web"), {
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}}, "spec": template["spec"]}},
    })
    (old, *_), *_ = eventually(lambda: [entry for entry in endpoints(space, "web") if entry[1]])

    space.kubectl("delete", "pod", old, "--wait=false")

    eventually(lambda: (old, False, True) in endpoints(space, "web"))
    eventually(lambda: [name for name, ready, _ in endpoints(space, "web") if ready and name != old])
    assert (old, False, True) in endpoints(space, "web")        # still in its hook
    space.kubectl("delete", "pod", old, "--grace-period=1", "--wait=false")
