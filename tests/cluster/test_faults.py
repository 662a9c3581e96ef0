"""Faults of a node and its helpers: the Pod ends in the state that Kubernetes reaches, and nothing is left over. A cluster of its own.

The short forms are samples of the long ones, which run with `./kubonsai test --full`.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from launcher.testing.cluster import Cluster, eventually
from node_agent.runtime.processes import start_ticks
from tests.support import faults
from tests.support.leaks import Holdings, assert_nothing_left, node_holdings
from tests.support.space import Space, config_map, container, pod

NODE = "node2"
SEED = 20


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("faults"), nodes=2)
    try:
        yield cluster.start()
    finally:
        cluster.stop()


@pytest.fixture
def space(own: Cluster) -> Iterator[Space]:
    made = Space(own, f"faults-{secrets.token_hex(3)}")
    own.kubectl("create", "namespace", made.namespace)
    eventually(lambda: made.kubectl("get", "serviceaccount/default", "configmap/kube-root-ca.crt"))
    made.create(config_map("settings", colour="green"))
    yield made
    own.kubectl("delete", "namespace", made.namespace, "--wait=false")


@pytest.fixture(scope="module")
def before(own: Cluster) -> Holdings:
    """Of a kubelet that has worked already: its threads are there. No other Pods are on the node, whose restarts would show."""
    own.kubectl("scale", "deployment/coredns", "-n", "kube-system", "--replicas=0")
    made = Space(own, "default")
    eventually(lambda: made.kubectl("get", "serviceaccount/default", "configmap/kube-root-ca.crt"))
    made.create(config_map("settings", colour="green"))
    rounds(made, 10, 10)
    eventually(lambda: not pods_on_disk(own))
    return node_holdings(own, NODE)


@pytest.fixture
def clean(space: Space, before: Holdings) -> Iterator[None]:
    """What the node holds after the test, when its Pods are gone, is what it held before any."""
    yield
    space.kubectl("delete", "pods", "--all", "--wait=false")
    assert_nothing_left(before, lambda: node_holdings(space.cluster, NODE))


def pods_on_disk(cluster: Cluster) -> list[str]:
    own = faults.layout_of(cluster).state / "nodes" / NODE
    return [path.name for folder in ("sandboxes", "pods") for path in (own / folder).iterdir()]


def full_pod(name: str, **spec: Any) -> dict[str, Any]:
    """One of everything that a kubelet makes: init container, sidecar, volumes of several kinds, probe, shared PID namespace."""
    mounts = [{"name": name, "mountPath": f"/{name}"} for name in ("disk", "memory", "settings")]
    volumes = [
        {"name": "disk", "emptyDir": {}}, {"name": "memory", "emptyDir": {"medium": "Memory"}},
        {"name": "settings", "configMap": {"name": "settings"}},
    ]
    probe = {"exec": {"command": ["true"]}, "periodSeconds": 1, "timeoutSeconds": 30}
    return pod(
        name, container(volumeMounts=mounts, readinessProbe=probe), container("second"), initContainers=[
            container("init", "exit 0"), container("side", restartPolicy="Always"),
        ], volumes=volumes, shareProcessNamespace=True, nodeName=NODE, **spec,
    )


def rounds(space: Space, count: int, at_once: int) -> None:
    for first in range(0, count, at_once):
        space.create(*(full_pod(f"round-{number}") for number in range(first, min(count, first + at_once))))
        names = [f"pod/round-{number}" for number in range(first, min(count, first + at_once))]
        space.kubectl("wait", "--for=condition=Ready", "--timeout=240s", *names, timeout_s=300)
        space.kubectl("delete", "--wait=true", *names, timeout_s=300)


def test_twenty_pods_leave_nothing(space: Space, clean: None) -> None:
    rounds(space, 20, 10)


@pytest.mark.full
def test_two_thousand_pods_leave_nothing(space: Space, clean: None) -> None:
    rounds(space, 2000, 20)


def is_back(space: Space, name: str) -> bool:
    """All its containers run, each for the second time."""
    return all(status["restartCount"] == 1 and status["ready"] for status in space.pod(name)["status"]["containerStatuses"])


def record_of(space: Space, name: str, container_name: str = "main") -> dict[str, Any]:
    """The runtime's record of the container that runs. Others come and go meanwhile."""
    uid, folder = space.pod(name)["metadata"]["uid"], faults.layout_of(space.cluster).state / "nodes" / NODE / "containers"

    def found() -> dict[str, Any] | None:
        for file in folder.glob("*/record.json"):
            with suppress(FileNotFoundError):
                record: dict[str, Any] = json.loads(file.read_text())
                if (record["config"]["pod_uid"], record["config"]["name"], record["state"]) == (uid, container_name, "running"):
                    return record
        return None

    return eventually(found)


def test_a_killed_process_and_a_killed_conmon_are_restarted(space: Space, clean: None) -> None:
    space.run(pod("process", nodeName=NODE), pod("keeper", nodeName=NODE))
    process, keeper = record_of(space, "process"), record_of(space, "keeper")

    os.kill(process["pid"], signal.SIGKILL)
    os.kill(keeper["conmon_pid"], signal.SIGKILL)

    for name in ("process", "keeper"):
        eventually(partial(is_back, space, name))
        ended = space.state(name)["lastState"]["terminated"]
        assert (ended["exitCode"], ended["reason"]) == (137, "Error")
        assert space.pod(name)["status"]["phase"] == "Running"
    eventually(lambda: start_ticks(keeper["pid"]) == 0)


def killed_at(space: Space, name: str, start: float | int, stop: float | int) -> int:
    """A Pod whose kubelet is killed while it starts and again while it ends: seconds after the call, or at the n-th step on disk.

    Returns how often it was.
    """
    cluster = space.cluster
    hits = int(faults.killed_when(cluster, NODE, start, lambda: space.create(full_pod(name))))
    space.ready(name, within_s=240)
    state = space.pod(name)["status"]
    assert state["phase"] == "Running"
    assert all(status["ready"] for status in state["containerStatuses"])
    hits += faults.killed_when(cluster, NODE, stop, lambda: space.kubectl("delete", "pod", name, "--wait=false"))
    eventually(lambda: not space.get("pods", "--field-selector", f"metadata.name={name}")["items"], within_s=240)
    return hits


def moments(count: int) -> list[tuple[float | int, float | int]]:
    chosen = random.Random(SEED)
    return [
        (chosen.randrange(1, 40), chosen.randrange(1, 30)) if number % 2 else (chosen.uniform(0, 0.6), chosen.uniform(0, 1.5))
        for number in range(count)
    ]


def test_a_kubelet_killed_at_some_points(space: Space, clean: None) -> None:
    assert sum(killed_at(space, f"hurt-{number}", start, stop) for number, (start, stop) in enumerate(moments(2))) >= 2


@pytest.mark.full
def test_a_kubelet_killed_at_twenty_points(space: Space, clean: None) -> None:
    assert sum(killed_at(space, f"hurt-{number}", start, stop) for number, (start, stop) in enumerate(moments(20))) >= 20


def test_a_runc_that_fails_or_hangs(space: Space, tmp_path: Path, clean: None) -> None:
    with faults.runc_of_our_own(space.cluster, NODE, tmp_path, timeout_s=4.0) as mode:
        mode.write_text("fail")
        space.create(pod("failing", nodeName=NODE))
        assert "runc is out of order" in space.event("failing", "Failed")
        eventually(lambda: space.waiting("failing") in ("RunContainerError", "CrashLoopBackOff"))
        mode.write_text("hang")
        space.create(pod("hanging", nodeName=NODE), pod("once", nodeName=NODE, restartPolicy="Never"))
        assert "context deadline exceeded" in space.event("hanging", "Failed")
        eventually(lambda: space.pod("once")["status"]["phase"] == "Failed")
        ended = space.state("once")["state"]["terminated"]
        assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
        space.kubectl("delete", "pods", "--all", "--timeout=200s", timeout_s=220)

        mode.write_text("ok")

        space.run(pod("fine", nodeName=NODE))
        space.kubectl("delete", "pods", "--all")


def test_cgroups_that_cannot_be_written(space: Space, clean: None) -> None:
    with faults.cgroups_read_only(space.cluster, NODE):
        space.create(pod("waiting", nodeName=NODE))

        message = space.event("waiting", "FailedCreatePodContainer")

        uid = space.pod("waiting")["metadata"]["uid"]
        group = f"[kubepods besteffort pod{uid}]"
        assert message.startswith(f"unable to ensure pod container exists: failed to create container for {group} : ")
        assert "read-only file system" in message
        eventually(lambda: space.waiting("waiting") == "ContainerCreating")
    space.ready("waiting", within_s=240)


def test_a_machine_that_lost_its_power(space: Space, clean: None) -> None:
    space.run(full_pod("survivor"), pod("once", nodeName=NODE, restartPolicy="Never"))

    space.cluster.kubonsai_in("node", "stop", NODE)
    space.cluster.kubonsai_in("node", "start", NODE)

    eventually(partial(is_back, space, "survivor"), within_s=180)
    assert space.event("survivor", "SandboxChanged") == "Pod sandbox changed, it will be killed and re-created."
    ended = space.state("survivor")["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (255, "Unknown")
    eventually(lambda: space.pod("once")["status"]["phase"] == "Failed")
