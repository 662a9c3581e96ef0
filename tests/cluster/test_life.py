"""A cluster's life: up, repaired, faults survived, down without a trace. These tests have clusters of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.cluster.cgroups import hierarchies
from launcher.testing.cluster import ROOT, Cluster, CommandFailed, eventually, run


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("own"))
    try:
        yield cluster.start()
    finally:
        cluster.stop()


def host_state() -> dict[str, object]:
    """The host's network, as its own tools print it."""
    return {
        "links": run(["ip", "-o", "link"]), "routes": run(["ip", "route"]), "rules": run(["nft", "list", "ruleset"]),
        "addresses": [re.sub(r"valid_lft.*", "", line) for line in run(["ip", "-o", "addr"]).splitlines()],
    }


def traces(name: str) -> list[str]:
    """What a cluster of that name would leave on this machine, by every place that one can look."""
    processes = [pid for pid in os.listdir("/proc") if pid.isdigit() and f"--cluster\0{name}\0".encode() in _cmdline(pid)]
    groups = [str(path) for root in hierarchies() if (path := root / "kubonsai" / name).exists()]
    names = [line.split()[0] for line in run(["ip", "netns", "list"]).splitlines() if line.startswith(name)]
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if f"/{name}/" in line or line.split()[1].endswith(name)]
    roots = ("/var/lib/kubonsai/clusters", "/run/kubonsai", "/var/log/kubonsai")
    files = [str(path) for root in roots if (path := Path(root, name)).exists()]
    return [*processes, *groups, *names, *mounts, *files]


def _cmdline(pid: str) -> bytes:
    try:
        return Path("/proc", pid, "cmdline").read_bytes().replace(b" ", b"\0")
    except OSError:
        return b""


@pytest.mark.req("NOD-02")
def test_three_nodes_and_two_dns_pods(own: Cluster) -> None:
    nodes = {node["metadata"]["name"]: node for node in own.get("nodes")}
    dns = own.pods("kube-system", "k8s-app=kube-dns")

    assert sorted(nodes) == ["node1", "node2", "node3"]
    assert nodes["node1"]["spec"]["taints"] == [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]
    assert "node-role.kubernetes.io/control-plane" in nodes["node1"]["metadata"]["labels"]
    assert all("taints" not in nodes[name]["spec"] for name in ("node2", "node3"))
    assert [pod["status"]["phase"] for pod in dns] == ["Running", "Running"]


@pytest.mark.req("ARC-01", "ARC-03")
def test_components_are_processes_of_their_own(own: Cluster) -> None:
    status = own.status()
    pids = {(p["name"], p["node"]): p["pid"] for p in status["processes"]}

    assert {name for name, _ in pids} >= {
        "supervisor", "etcd", "apiserver", "scheduler", "controller-manager", "cloud-controller-manager", "kubelet", "kube-proxy",
    }
    assert len(set(pids.values())) == len(pids)
    assert all(Path(f"/proc/{pid}").exists() for pid in pids.values())
    assert all(p["memory_bytes"] > 0 and p["uptime_seconds"] >= 0 for p in status["processes"])


def test_the_hosts_network_is_untouched(tmp_path: Path) -> None:
    before = host_state()
    cluster = Cluster(tmp_path, nodes=2)
    try:
        cluster.start()
        assert host_state() == before
    finally:
        cluster.stop()

    assert host_state() == before
    assert traces(cluster.name) == []
    assert not (tmp_path / f"{cluster.name}.conf").exists()


def test_a_second_up_repairs(own: Cluster) -> None:
    zygote = own.process("zygote")["pid"]
    os.kill(zygote, signal.SIGKILL)
    os.kill(own.process("kube-proxy", "node2")["pid"], signal.SIGKILL)

    own.start()

    assert own.process("zygote")["pid"] != zygote
    assert all(p["pid"] for p in own.status()["processes"])


@pytest.mark.req("ARC-01", "ARC-07")
@pytest.mark.parametrize("component", ["kubelet", "scheduler", "controller-manager", "apiserver", "etcd", "kube-proxy", "supervisor"])
def test_a_killed_component_comes_back_and_disturbs_no_pod(own: Cluster, component: str) -> None:
    own.kubectl("apply", "-f", str(ROOT / "examples/hello"))
    own.kubectl("rollout", "status", "deployment/hello", "--timeout=150s", timeout_s=180)
    before = {p["metadata"]["name"]: _containers(p) for p in own.pods(selector="app=hello")}
    victims = [p for p in own.status()["processes"] if p["name"] == component]
    own.kubectl("create", "configmap", f"written-before-{component}", "--from-literal=a=b")

    for victim in victims:
        os.kill(victim["pid"], signal.SIGKILL)

    def healed() -> bool:
        now = [p for p in own.status()["processes"] if p["name"] == component]
        return all(p["pid"] not in (0, *(v["pid"] for v in victims)) for p in now)

    eventually(healed)
    eventually(lambda: own.kubectl("get", "configmap", f"written-before-{component}"), within_s=120)
    eventually(lambda: own.kubectl("create", "deployment", f"after-{component}", "--image=busybox", "--", "sleep", "300"))
    own.kubectl("rollout", "status", f"deployment/after-{component}", "--timeout=150s", timeout_s=180)
    own.kubectl("delete", "deployment", f"after-{component}", "--wait=false")
    assert {p["metadata"]["name"]: _containers(p) for p in own.pods(selector="app=hello")} == before


def _containers(pod: dict[str, object]) -> list[tuple[str, int]]:
    statuses = pod["status"]["containerStatuses"]  # type: ignore[index]
    return [(status["containerID"], status["restartCount"]) for status in statuses]


def test_two_clusters_live_side_by_side(own: Cluster, tmp_path: Path) -> None:
    other = Cluster(tmp_path, nodes=2)
    try:
        other.start()
        assert other.get("service", "kubernetes")["spec"]["clusterIP"] == own.get("service", "kubernetes")["spec"]["clusterIP"]
        assert len(other.get("nodes")) == 2
        assert len(own.get("nodes")) == 3
        server = "jsonpath={.clusters[0].cluster.server}"
        assert other.kubectl("config", "view", "-o", server) != own.kubectl("config", "view", "-o", server)
    finally:
        other.stop()
    assert len(own.get("nodes")) == 3


def test_data_survives_down_with_keep_data(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, nodes=1)
    try:
        cluster.start()
        cluster.kubectl("create", "configmap", "kept", "--from-literal=a=b")
        cluster.kubonsai("down", "--keep-data")
        cluster.kubonsai("up")
        assert cluster.get("configmap", "kept")["data"] == {"a": "b"}
    finally:
        cluster.stop()
    assert traces(cluster.name) == []


def listen_to_interrupts() -> None:
    """What a shell has started in the background does not, nor what that starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interrupted_up_leaves_nothing(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    command = [str(ROOT / "kubonsai"), "up", "--name", cluster.name]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, **cluster.environment}, preexec_fn=listen_to_interrupts,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "done: preparing" in line:
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()

    left = traces(cluster.name)
    if left:
        cluster.stop()
    assert process.returncode == 130
    assert "interrupted" in rest
    assert left == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["up", "--frob"], "unrecognized arguments: --frob", id="unknown flag"),
        pytest.param(["up", "--nodes", "0"], "nodes: must be between 1 and 200, got 0", id="no node"),
        pytest.param(["up", "--name", "Nope"], "name 'Nope'", id="a bad name"),
        pytest.param(["status", "--name", "nowhere"], "no cluster named 'nowhere'", id="an unknown cluster"),
        pytest.param(["frob"], "invalid choice: 'frob'", id="unknown command"),
    ],
)
def test_wrong_input_is_explained(arguments: list[str], message: str) -> None:
    done = subprocess.run([str(ROOT / "kubonsai"), *arguments], capture_output=True, text=True, check=False, timeout=180)

    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_named(own: Cluster, tmp_path: Path) -> None:
    server = json.loads(own.kubectl("config", "view", "-o", "json"))["clusters"][0]["cluster"]["server"]
    port = server.rpartition(":")[2]
    other = Cluster(tmp_path)

    with pytest.raises(CommandFailed, match=f"port {port} on 127.0.0.1 is in use"):
        other.start("--api-port", port)

    assert traces(other.name) == []


def test_without_root_it_says_so() -> None:
    script = "import os, sys; from launcher.cli.main import main; os.setuid(65534); sys.exit(main(['up']))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment)

    assert done.returncode == 2
    assert "run it as root" in done.stderr
