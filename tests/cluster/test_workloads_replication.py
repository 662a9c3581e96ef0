"""ReplicationControllers, and the budgets that a drain of a Node has to keep."""

from __future__ import annotations

import pytest

from launcher.testing.cluster import eventually
from tests.support.space import Json, Space, container, pod, server


def replication_controller(name: str, replicas: int, image: Json, **spec: object) -> Json:
    template = {"metadata": {"labels": {"app": name}}, "spec": {"terminationGracePeriodSeconds": 1, "containers": [image]}}
    return {
        "apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": name},
        "spec": {"replicas": replicas, "template": template, **spec},
    }


def counts(space: Space, name: str) -> list[str]:
    """DESIRED, CURRENT and READY, as kubectl shows them."""
    return space.kubectl("get", "rc", name, "--no-headers").split()[1:4]


@pytest.mark.req("WRK-01")
def test_a_replication_controller_keeps_its_count(space: Space) -> None:
    space.create(replication_controller("web", 2, server()))
    eventually(lambda: counts(space, "web") == ["2", "2", "2"])
    first = space.items("pods", "-l", "app=web")[0]["metadata"]["name"]
    assert space.kubectl("get", "rc").split()[:4] == ["NAME", "DESIRED", "CURRENT", "READY"]

    space.kubectl("delete", "pod", first)
    eventually(lambda: counts(space, "web") == ["2", "2", "2"])
    assert first not in {item["metadata"]["name"] for item in space.items("pods")}

    assert "scaled" in space.kubectl("scale", "rc", "web", "--current-replicas=2", "--replicas=3")
    assert "Expected replicas to be 1, was 3" in space.refused("scale", "rc", "web", "--current-replicas=1", "--replicas=0")
    eventually(lambda: counts(space, "web") == ["3", "3", "3"])
    assert "3 current / 3 desired" in space.kubectl("describe", "rc", "web")

    space.kubectl("expose", "rc", "web", "--port=80", "--target-port=8080")
    space.run(pod("client", container()))
    assert eventually(lambda: space.curl("client", "http://web")).startswith("web-")

    odd = replication_controller("odd", 1, server(), selector={"matchLabels": {"app": "odd"}})
    assert "error" in space.refused("create", "-f", "-", stdin=str(odd).replace("'", '"')).lower()


@pytest.mark.req("NOD-05")
def test_a_drain_keeps_a_disruption_budget(space: Space) -> None:
    pinned = replication_controller("kept", 1, container())
    pinned["spec"]["template"]["spec"]["affinity"] = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{
        "weight": 100, "preference": {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["node2"]}]}}]}}
    space.create(pinned)
    space.kubectl("create", "poddisruptionbudget", "kept", "--selector=app=kept", "--min-available=1")
    eventually(lambda: counts(space, "kept") == ["1", "1", "1"])
    eventually(lambda: space.get("pdb", "kept").get("status", {}).get("currentHealthy") == 1)
    drain = ("drain", "node2", "--ignore-daemonsets", "--pod-selector=app=kept")
    try:
        assert "Cannot evict pod as it would violate the pod's disruption budget" in space.refused(*drain, "--timeout=10s")
        assert space.items("pods")[0]["spec"]["nodeName"] == "node2"

        space.kubectl("patch", "pdb", "kept", "--type=merge", "-p", '{"spec":{"minAvailable":0}}')
        assert "evict" in space.kubectl(*drain, "--timeout=120s")
        eventually(lambda: [item["spec"].get("nodeName") for item in space.items("pods")] == ["node3"])
        eventually(lambda: space.get("pdb", "kept")["status"]["disruptionsAllowed"] == 1)
    finally:
        space.cluster.kubectl("uncordon", "node2")
