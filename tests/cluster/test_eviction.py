"""Nodes with budgets of their own: what they tell about use (`kubectl top`), whom they end when they run short."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from launcher.testing.cluster import Cluster, eventually
from tests.support.kubectls import Kubectl, oldest_and_newest
from tests.support.space import Following, Json, Space, container, deployment, pod

pytestmark = pytest.mark.cluster
SETTINGS = """\
node_memory: 512Mi
node_disk: 512Mi
addons: [metrics-server]
kubelet: {eviction_monitoring_period_s: 1, eviction_pressure_transition_period_s: 3}
"""
MEMORY_TAINT = "node.kubernetes.io/memory-pressure"
TAKES_MEMORY = "a = bytearray(400 << 20)\nimport time\ntime.sleep(1000)"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """node1 is the control plane, Pods go to node2."""
    folder = tmp_path_factory.mktemp("small")
    cluster = Cluster(folder, nodes=2)
    (folder / "cluster.yaml").write_text(f"name: {cluster.name}\n{SETTINGS}")
    try:
        yield cluster.start("--config", str(folder / "cluster.yaml"))
    finally:
        cluster.stop()


@pytest.fixture
def space(small: Cluster, request: pytest.FixtureRequest) -> Iterator[Space]:
    name = request.node.name.replace("_", "-").partition("[")[0][:60].strip("-")
    small.kubectl("create", "namespace", name)
    made = Space(small, name)
    eventually(lambda: made.kubectl("get", "serviceaccount/default"))
    yield made
    small.kubectl("delete", "namespace", name, "--wait=false")


def limited(name: str, path: str, *, size_limit: str = "", limits: dict[str, str] | None = None) -> Json:
    """Writes 3 MB to the path."""
    scratch = {"name": "scratch", "emptyDir": {"sizeLimit": size_limit} if size_limit else {}}
    writer = container(
        "c", f"dd if=/dev/zero of={path}/x bs=1M count=3; exec sleep 1000", volumeMounts=[{"name": "scratch", "mountPath": "/scratch"}],
        resources={"limits": limits or {}},
    )
    beside = [container("d", resources={"limits": {"ephemeral-storage": "9Mi"}})] if limits and path != "/scratch" else []
    return pod(name, writer, *beside, volumes=[scratch])


def evicted(space: Space, name: str) -> Json | None:
    status: Json = space.pod(name)["status"]
    return status if status.get("reason") == "Evicted" else None


def conditions(cluster: Cluster, node: str) -> dict[str, str]:
    return {each["type"]: each["status"] for each in cluster.get("node", node)["status"]["conditions"]}


@contextmanager
def seen(space: Space, node: str, condition: str) -> Iterator[Following]:
    """What becomes of a node's condition: it may hold for seconds only."""
    path = f'{{.status.conditions[?(@.type=="{condition}")].status}}'
    with space.started("get", "node", node, "--watch", "-o", f"jsonpath={path}{{\"\\n\"}}") as following:
        eventually(lambda: following.text)
        yield following


def taints(cluster: Cluster, node: str) -> list[str]:
    return [each["key"] for each in cluster.get("node", node)["spec"].get("taints", [])]


@pytest.mark.req("VOL-02")
def test_a_pod_beyond_its_own_limits_is_evicted(space: Space) -> None:
    space.create(
        limited("volume", "/scratch", size_limit="1Mi"), limited("whole", "/scratch", limits={"ephemeral-storage": "1Mi"}),
        limited("layer", "/root", limits={"ephemeral-storage": "1Mi"}), limited("modest", "/scratch", size_limit="9Mi"),
    )

    told = {name: eventually(partial(evicted, space, name), within_s=180)["message"] for name in ("volume", "whole", "layer")}

    assert told == {
        "volume": 'Usage of EmptyDir volume "scratch" exceeds the limit "1Mi". ',
        "whole": "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. ",
        "layer": 'Container c exceeded its local ephemeral storage limit "1Mi". ',
    }
    assert space.event("volume", "Evicted").strip() == told["volume"].strip()
    eventually(lambda: space.pod("modest")["status"]["phase"] == "Running" or None)


@pytest.mark.req("LIF-15")
def test_a_node_short_of_memory_ends_who_took_it_and_takes_no_best_effort(small: Cluster, space: Space) -> None:
    space.run(pod("modest", container(resources={"requests": {"memory": "20Mi"}})))
    hog = {"name": "c", "image": "python", "command": ["python3", "-c", TAKES_MEMORY]}

    def ended() -> Json | None:
        return next((each for each in space.items("pods", "-l", "app=hog") if each["status"].get("reason") == "Evicted"), None)

    with seen(space, "node2", "MemoryPressure") as pressure:
        space.create(deployment("hog", hog))
        status = eventually(ended, within_s=180)["status"]
        eventually(lambda: "True" in pressure.text)
    assert status["phase"] == "Failed"
    assert status["message"].startswith("The node was low on resource: memory. Threshold quantity: 100Mi, available: ")
    assert "Container c was using " in status["message"]
    assert "request is 0, has larger consumption of memory. " in status["message"]
    disruption = next(each for each in status["conditions"] if each["type"] == "DisruptionTarget")
    assert (disruption["status"], disruption["reason"]) == ("True", "TerminationByKubelet")
    eventually(lambda: MEMORY_TAINT in taints(small, "node2") or None, within_s=180)      # the others of the Deployment bring it again
    eventually(lambda: len(space.items("pods", "-l", "app=hog")) > 1)       # its controller has made another

    space.kubectl("delete", "deployment", "hog", "--wait=false")
    assert space.pod("modest")["status"]["phase"] == "Running"
    eventually(lambda: conditions(small, "node2")["MemoryPressure"] == "False" or None, within_s=180)
    eventually(lambda: MEMORY_TAINT not in taints(small, "node2") or None, within_s=180)


@pytest.mark.req("LIF-15")
def test_a_node_short_of_disk_is_marked_and_takes_no_pod(small: Cluster, space: Space) -> None:
    with seen(space, "node2", "DiskPressure") as pressure:
        space.create(pod("fill", container(script="dd if=/dev/zero of=/x bs=1M count=480; exec sleep 1000")))
        status = eventually(lambda: evicted(space, "fill"), within_s=180)
        eventually(lambda: "True" in pressure.text)
    assert status["message"].startswith("The node was low on resource: ephemeral-storage. Threshold quantity: ")
    space.create(pod("late", nodeName="node2", tolerations=[{"operator": "Exists"}]))
    late = eventually(lambda: status if (status := space.pod("late")["status"])["phase"] != "Pending" else None)

    assert late["phase"] == "Running" or late["message"].startswith((
        "Pod was rejected: The node had condition: [DiskPressure", "The node was low on resource: ephemeral-storage"))
    eventually(lambda: conditions(small, "node2")["DiskPressure"] == "False" or None, within_s=180)


def summary(cluster: Cluster, node: str) -> Any:
    return json.loads(cluster.kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/stats/summary"))


def test_a_kubelet_tells_what_its_pods_use(small: Cluster, space: Space) -> None:
    space.run(limited("writer", "/scratch", size_limit="9Mi"))
    eventually(lambda: _volume_bytes(small, "writer") >= 3 << 20 or None, within_s=180)

    found = summary(small, "node2")
    own = next(each for each in found["pods"] if each["podRef"]["name"] == "writer")

    assert found["node"]["memory"]["availableBytes"] + found["node"]["memory"]["workingSetBytes"] == 512 << 20
    assert found["node"]["fs"]["capacityBytes"] == 512 << 20
    assert own["containers"][0]["cpu"]["usageCoreNanoSeconds"] > 0
    assert own["containers"][0]["memory"]["workingSetBytes"] > 0
    assert own["ephemeral-storage"]["usedBytes"] >= 3 << 20
    assert own["network"]["name"] == "eth0"
    text = small.kubectl("get", "--raw", "/api/v1/nodes/node2/proxy/metrics/resource")
    assert 'container_memory_working_set_bytes{container="c",' in text
    assert 'kubelet_node_name{node="node2"} 1.0' in small.kubectl("get", "--raw", "/api/v1/nodes/node2/proxy/metrics")
    cadvisor = small.kubectl("get", "--raw", "/api/v1/nodes/node2/proxy/metrics/cadvisor")
    assert "container_network_receive_bytes_total" in cadvisor


@pytest.mark.req("PVC-06")
def test_use_of_claims_is_a_metric(small: Cluster, space: Space, tmp_path: Path) -> None:
    name, room = space.namespace, {"storage": "1Gi"}
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": "", "volumeName": name, "resources": {"requests": room}}
    space.create(
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
         "spec": {"accessModes": ["ReadWriteOnce"], "capacity": room, "hostPath": {"path": str(tmp_path)}}},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": spec},
    )
    mounts = [{"name": "data", "mountPath": "/data"}]
    writer = container(script="dd if=/dev/zero of=/data/x bs=1M count=3; exec sleep 1000", volumeMounts=mounts)
    space.run(pod("writer", writer, volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]))
    labels = f'{{namespace="{name}",persistentvolumeclaim="data"}}'

    def told() -> dict[str, float] | None:
        lines = small.kubectl("get", "--raw", "/api/v1/nodes/node2/proxy/metrics").splitlines()
        found = {line.partition("{")[0]: float(line.split()[-1]) for line in lines if labels in line}
        return found if found.get("kubelet_volume_stats_used_bytes", 0) >= 3 << 20 else None

    try:
        found = eventually(told, within_s=180)
    finally:
        space.kubectl("delete", "pod/writer", "pvc/data", "--wait=false")
        small.kubectl("delete", "pv", name, "--wait=false")
    assert {key.removeprefix("kubelet_volume_stats_") for key in found} == {
        "available_bytes", "capacity_bytes", "inodes", "inodes_free", "inodes_used", "used_bytes"}
    assert found["kubelet_volume_stats_capacity_bytes"] >= found["kubelet_volume_stats_available_bytes"] > 0


def _volume_bytes(cluster: Cluster, name: str) -> int:
    own = next((each for each in summary(cluster, "node2")["pods"] if each["podRef"]["name"] == name), None)
    used: int = next((each["usedBytes"] for each in (own or {}).get("volume", ()) if each["name"] == "scratch"), 0)
    return used


@pytest.mark.parametrize("kubectl", oldest_and_newest(), ids=str)
def test_kubectl_top(small: Cluster, kubectl: Kubectl) -> None:
    top = Space(small, "kube-system", kubectl.path)

    def nodes() -> bool:
        """Each once it was asked."""
        done = top.tried("top", "nodes")
        assert done.returncode == 0 or "not available" in done.stderr, done.stderr
        return [line.split()[0] for line in done.stdout.splitlines()] == ["NAME", "node1", "node2"] and "<unknown>" not in done.stdout

    def containers() -> set[str]:
        shown = top.tried("top", "pods", "-l", "k8s-app=kube-dns", "--containers", "--sort-by=memory").stdout
        return {line.split()[1] for line in shown.splitlines()[1:]}

    eventually(nodes, within_s=180)
    assert eventually(containers, within_s=180) == {"coredns"}
    used = top.get("nodes.metrics.k8s.io", "node1")["usage"]
    assert used["cpu"].endswith("n")
    assert used["memory"].endswith("Ki")
    assert "not found" in top.refused("get", "pods.metrics.k8s.io", "nobody")
