"""Machines come, go, lose their power and their wire; the cluster follows. A cluster of its own, for its nodes change."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from launcher.testing.cluster import ROOT, Cluster, CommandFailed, eventually


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("nodes"))
    try:
        yield cluster.start()
    finally:
        cluster.stop()


def node(cluster: Cluster, action: str, *names: str) -> str:
    return cluster.kubonsai_in("node", action, *names)


def condition(cluster: Cluster, name: str) -> dict[str, str]:
    found: dict[str, str] = next(c for c in cluster.get("node", name)["status"]["conditions"] if c["type"] == "Ready")
    return found


@pytest.mark.req("ARC-09")
def test_an_added_machine_becomes_a_node_and_a_removed_one_disappears(own: Cluster) -> None:
    assert "node/node4 is on, at 172.30.0.14" in node(own, "add")

    eventually(lambda: condition(own, "node4")["status"] == "True")
    added = own.get("node", "node4")
    assert added["spec"]["providerID"] == f"kubonsai://{own.name}/node4"
    assert added["metadata"]["labels"]["topology.kubernetes.io/zone"] == "local-a"
    assert all(taint["key"] != "node.cloudprovider.kubernetes.io/uninitialized" for taint in added["spec"].get("taints", []))
    manifest = """
apiVersion: v1
kind: Pod
metadata: {name: there}
spec:
  nodeName: node4
  containers: [{name: a, image: busybox, command: [sleep, "300"]}]
"""
    own.apply(manifest)
    own.kubectl("wait", "--for=condition=Ready", "pod/there", "--timeout=120s")

    node(own, "remove", "node4")

    eventually(lambda: "node4" not in {n["metadata"]["name"] for n in own.get("nodes")})
    eventually(lambda: "there" not in {p["metadata"]["name"] for p in own.pods()}, within_s=60)


def test_a_machine_that_was_off_comes_back_with_its_pods(own: Cluster) -> None:
    own.kubectl("apply", "-f", str(ROOT / "examples/hello"))
    own.kubectl("rollout", "status", "deployment/hello", "--timeout=120s")
    victims = {p["metadata"]["name"] for p in own.pods(selector="app=hello") if p["spec"]["nodeName"] == "node3"}
    assert victims

    node(own, "stop", "node3")
    assert " off " in node(own, "list")
    node(own, "start", "node3")

    def restarted() -> bool:
        pods = [p for p in own.pods(selector="app=hello") if p["metadata"]["name"] in victims]
        return len(pods) == len(victims) and all(
            status["ready"] and status["restartCount"] == 1 for p in pods for status in p["status"]["containerStatuses"]
        )

    eventually(restarted, within_s=60)
    pod = next(iter(victims))
    # the DNS Pod of that machine also has to come back before every query is answered
    eventually(lambda: "hello from" in own.in_pod(pod, "curl", "-sS", "-m", "5", "http://hello.default.svc.cluster.local"))


@pytest.mark.full
@pytest.mark.req("NOD-01", "NOD-09")
def test_a_node_that_is_cut_off_becomes_unknown_and_returns(own: Cluster) -> None:
    node(own, "disconnect", "node2")
    eventually(lambda: condition(own, "node2")["status"] == "Unknown", within_s=80)
    lost = own.get("node", "node2")
    assert condition(own, "node2")["reason"] == "NodeStatusUnknown"
    assert {(t["key"], t["effect"]) for t in lost["spec"]["taints"]} >= {
        ("node.kubernetes.io/unreachable", "NoSchedule"), ("node.kubernetes.io/unreachable", "NoExecute"),
    }

    node(own, "connect", "node2")

    eventually(lambda: condition(own, "node2")["status"] == "True", within_s=60)
    eventually(lambda: not own.get("node", "node2")["spec"].get("taints"), within_s=30)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["stop", "node9"], "no machine 'node9'", id="unknown"),
        pytest.param(["remove", "node1"], "the control plane runs there", id="control plane"),
        pytest.param(["add", "web"], "no machine can be named 'web': nodeN is wanted", id="a bad name"),
        pytest.param(["add", "node2"], "there is a machine 'node2' already", id="taken"),
    ],
)
def test_wrong_orders_are_refused(own: Cluster, arguments: list[str], message: str) -> None:
    with pytest.raises(CommandFailed, match=message):
        node(own, *arguments)


def test_an_unknown_action_is_named() -> None:
    done = subprocess.run([str(ROOT / "kubonsai"), "node", "frob"], capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 2
    assert "invalid choice: 'frob'" in done.stderr
