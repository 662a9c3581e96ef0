"""What happens to Pods when their Node falls silent, or is deleted."""

from __future__ import annotations

import os
import signal

import pytest

from launcher.testing.cluster import eventually
from tests.support.space import Json, Space, container, deployment, pod, server, service


def node(space: Space, name: str) -> Json:
    found: Json = space.cluster.get("node", name)
    return found


@pytest.mark.req("POD-04")
def test_a_deleted_node_registers_again_and_its_pods_keep_their_network(space: Space) -> None:
    space.run(pod("web", server(), nodeName="node3"), pod("client", container(), nodeName="node2"))
    before, address = node(space, "node3"), space.pod("web")["status"]["podIP"]

    space.cluster.kubectl("delete", "node", "node3")

    after = eventually(lambda: node(space, "node3"))
    space.cluster.kubectl("wait", "--for=condition=Ready", "node/node3", "--timeout=120s")
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert node(space, "node3")["spec"]["podCIDR"] == before["spec"]["podCIDR"]
    assert eventually(lambda: space.curl("client", f"http://{address}:8080")).strip() == "web"
    space.run(pod("new", container(), nodeName="node3"))
    eventually(lambda: "taints" not in node(space, "node3")["spec"])


@pytest.mark.full
@pytest.mark.req("NOD-01", "NOD-08", "NOD-09", "LIF-06")
def test_a_silent_node_loses_its_pods_and_gets_them_back_or_not(space: Space) -> None:
    toleration = {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 3}
    moving = deployment("d", server(), replicas=2)
    moving["spec"]["template"]["spec"]["tolerations"] = [toleration]
    space.create(moving, service("d"), pod("bare", nodeName="node3"))
    space.kubectl("rollout", "status", "deployment/d", "--timeout=120s")
    assert {item["spec"]["nodeName"] for item in space.items("pods", "-l", "app=d")} == {"node2", "node3"}
    kubelet = space.cluster.process("kubelet", "node3")["pid"]

    os.kill(kubelet, signal.SIGSTOP)
    try:
        eventually(lambda: "node3   NotReady" in space.cluster.kubectl("get", "nodes"), within_s=70)
        taints = eventually(lambda: [(taint["key"], taint["effect"]) for taint in node(space, "node3")["spec"]["taints"]])
        ready = next(item for item in node(space, "node3")["status"]["conditions"] if item["type"] == "Ready")
        assert (ready["status"], ready["reason"], ready["message"]) == (
            "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.",
        )
        assert ("node.kubernetes.io/unreachable", "NoSchedule") in taints
        eventually(lambda: "False" in space.kubectl("get", "pod", "bare", "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].status}"))
        space.kubectl("rollout", "status", "deployment/d", "--timeout=120s")
        shown = eventually(lambda: "Terminating" in (text := space.kubectl("get", "pods", "-o", "wide")) and text)
        assert sum("Running" in line and "node2" in line for line in str(shown).splitlines()) == 2
    finally:
        os.kill(kubelet, signal.SIGCONT)

    space.cluster.kubectl("wait", "--for=condition=Ready", "node/node3", "--timeout=120s")
    eventually(lambda: len(space.items("pods", "-l", "app=d")) == 2)
    assert {item["spec"]["nodeName"] for item in space.items("pods", "-l", "app=d")} == {"node2"}
    eventually(lambda: "taints" not in node(space, "node3")["spec"])
    space.ready("bare")
    assert space.state("bare")["restartCount"] == 0
