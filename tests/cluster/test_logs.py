"""Container logs on their nodes: the files, the links, who else may read them, and every way to ask for them."""

from __future__ import annotations

import os
import re
import subprocess
from functools import partial
from typing import Any

import pytest

from launcher.testing.cluster import eventually
from tests.support.space import Space, container, pod

HOST_LOGS = {"name": "logs", "hostPath": {"path": "/var/log"}}


def reader(name: str, node: str) -> dict[str, Any]:
    """A Pod that sees its node's /var/log, as a collector of logs does."""
    mounts = [{"name": "logs", "mountPath": "/var/log", "readOnly": True}]
    return pod(name, container(volumeMounts=mounts), volumes=[HOST_LOGS], nodeName=node)


def ends_with(space: Space, name: str, script: str, text: str) -> bool:
    return space.sh(name, script).endswith(text)


@pytest.mark.req("LOG-03")
def test_a_collector_on_each_node_sees_the_logs_of_that_node(space: Space) -> None:
    """A Pod per node, placed by hand: what the Pods of a DaemonSet are, once its controller is there."""
    nodes = [node["metadata"]["name"] for node in space.items("nodes")]
    talk = "until test -e /tmp/go; do sleep 0.1; done; echo later; exec sleep 1000"
    space.run(*(pod(f"p-{node}", container(script=f"echo hello from {node}; {talk}"), nodeName=node) for node in nodes))
    space.run(*(reader(f"collector-{node}", node) for node in nodes))

    for node in nodes:
        uids = {one["metadata"]["uid"] for one in space.items("pods", "--field-selector", f"spec.nodeName={node}")}
        seen = {name.rpartition("_")[2] for name in space.sh(f"collector-{node}", "ls /var/log/pods").split()}
        assert len(uids) == 2 and uids <= seen
        tail = f"tail -n 1 /var/log/containers/p-{node}_{space.namespace}_main-*.log"
        eventually(partial(ends_with, space, f"collector-{node}", tail, f" stdout F hello from {node}"))
        space.sh(f"p-{node}", "touch /tmp/go")
        eventually(partial(ends_with, space, f"collector-{node}", tail, " stdout F later"))


@pytest.mark.req("LOG-02")
def test_every_run_of_a_container_has_its_file(space: Space) -> None:
    script = "echo run; until test -e /tmp/end; do sleep 0.05; done; exit 3"
    space.run(pod("p", container(script=script)))
    node, uid = (space.pod("p")[group][key] for group, key in (("spec", "nodeName"), ("metadata", "uid")))
    space.create(pod("done", container(script="echo over"), restartPolicy="Never", nodeName=node))
    space.run(reader("look", node))
    folder = f"/var/log/pods/{space.namespace}_p_{uid}/main"
    space.sh("p", "touch /tmp/end")
    eventually(lambda: space.state("p")["restartCount"] == 1)

    eventually(lambda: space.sh("look", f"ls {folder}").split() == ["0.log", "1.log"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}\.\d{9}(Z|\+00:00) stdout F run", space.sh("look", f"cat {folder}/0.log"))
    read_links = f"cd /var/log/containers; for one in p_{space.namespace}_main-*; do readlink $one; done"
    eventually(lambda: sorted(space.sh("look", read_links).split()) == [f"{folder}/0.log", f"{folder}/1.log"])
    ids = {state["containerID"].partition("://")[2] for state in (space.state("p"), space.state("p")["lastState"]["terminated"])}
    names = space.sh("look", f"ls /var/log/containers | grep ^p_{space.namespace}_").split()
    assert {name.rpartition("-")[2].removesuffix(".log") for name in names} == ids
    eventually(lambda: space.pod("done")["status"]["phase"] == "Succeeded")
    assert space.sh("look", f"cat /var/log/pods/{space.namespace}_done_*/main/0.log").endswith(" stdout F over")
    assert f"{space.namespace}_p_{uid}/" in space.kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/logs/pods/")


@pytest.mark.full
@pytest.mark.req("LOG-02")
def test_logs_of_pods_that_are_gone_go_too(space: Space) -> None:
    space.run(pod("p", container(script="echo hello; exec sleep 1000")))
    node, uid = (space.pod("p")[group][key] for group, key in (("spec", "nodeName"), ("metadata", "uid")))
    space.run(reader("look", node))
    space.kubectl("delete", "pod", "p")

    def left() -> str:
        return space.sh("look", f"ls /var/log/pods /var/log/containers | grep -e {uid} -e ^p_{space.namespace}_ || true")

    eventually(lambda: not left(), within_s=150, every_s=2)


def test_logs_of_every_kind_of_container(space: Space) -> None:
    waiting = container("wait", "echo waiting; until test -e /tmp/go; do sleep 0.1; done")
    space.create(pod("p", container("main", "echo main; exec sleep 1000"), initContainers=[container("prepare", "echo prepared"), waiting]))
    eventually(lambda: space.kubectl("logs", "p", "-c", "wait") == "waiting\n")

    assert space.kubectl("logs", "p", "-c", "prepare") == "prepared\n"
    assert space.refused("logs", "p", "-c", "main").strip() == (
        'Error from server (BadRequest): container "main" in pod "p" is waiting to start: PodInitializing')
    space.sh("p", "touch /tmp/go", container="wait")
    space.ready("p")
    space.kubectl("debug", "p", "--image=busybox", "--container=look", "--", "echo", "looked")
    eventually(lambda: space.kubectl("logs", "p", "-c", "look") == "looked\n")
    eventually(lambda: sorted(space.kubectl("logs", "p", "--all-containers").split()) == ["looked", "main", "prepared", "waiting"])


def test_streams_of_a_log_come_alone(space: Space) -> None:
    space.run(pod("p", container(script="echo out; echo err >&2; exec sleep 1000")))
    path = f"/api/v1/namespaces/{space.namespace}/pods/p/log"
    eventually(lambda: sorted(space.kubectl("get", "--raw", path).split()) == ["err", "out"])

    assert space.kubectl("get", "--raw", f"{path}?stream=Stdout") == "out\n"
    assert space.kubectl("get", "--raw", f"{path}?stream=Stderr&limitBytes=2") == "er"


def test_whatever_is_written_is_shown(space: Space) -> None:
    """Lines longer than a part of CRI's format, ends without a newline, no text at all, a terminal's line ends."""
    huge = "head -c 100000 /dev/zero | tr '\\000' x; echo"
    space.create(pod(
        "p", container("huge", huge), container("torn", "printf a; sleep 0.2; printf 'b\\nc'"), container("tty", "echo one", tty=True),
        container("binary", r"printf '\000\001\377\n\376'"), restartPolicy="Never"))
    eventually(lambda: space.pod("p")["status"]["phase"] == "Succeeded")

    def log(name: str, query: str = "") -> str:
        return space.kubectl("get", "--raw", f"/api/v1/namespaces/{space.namespace}/pods/p/log?container={name}{query}")

    assert log("huge") == 100_000 * "x" + "\n"
    stamp, _, text = log("huge", "&timestamps=true").partition(" ")
    assert (stamp[-1], text) == ("Z", 100_000 * "x" + "\n")
    assert (log("torn"), log("torn", "&tailLines=1"), log("tty")) == ("ab\nc", "c", "one\n")
    shown = subprocess.run(
        ["kubectl", "-n", space.namespace, "logs", "p", "-c", "binary"], check=True, capture_output=True,
        env={**os.environ, **space.cluster.environment})
    assert shown.stdout == b"\0\1\xff\n\xfe"
