"""docker-compose.yml as a user has it: three nodes, hello by name between them, and a cluster that comes back whatever was killed.

One cluster for the whole file, in the order of the tests: what one leaves, the next one finds. Each ends with a whole cluster.
"""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from launcher.testing.cluster import CommandFailed, eventually
from tests.compose.conftest import IMAGE
from tests.compose.engine import AnyEngine
from tests.support.ports import free_port

NODES = ["control-plane", "node-1", "node-2"]
MEMBERS = ["etcd", "apiserver", "scheduler", "controller-manager", "cloud-controller-manager"]
MEBIBYTE = 1024 * 1024
READY_S = 240.0
NOTICED_S = 240.0        # node-monitor-grace-period is 50 s


@dataclass
class Composed:
    """A compose project, and a user's commands on it."""

    engine: AnyEngine
    project: str
    port: int
    output: Path

    def compose(self, *arguments: str, timeout_s: float = 300.0) -> str:
        environment = {"KUBONSAI_API_PORT": str(self.port), "KUBONSAI_OUTPUT": str(self.output)}
        return self.engine.compose(*arguments, project=self.project, environment=environment, timeout_s=timeout_s)

    def container(self, service: str, index: int = 1) -> str:
        """Its id. (docker-compose 1.29 writes names with "_", the plugin with "-".)"""
        labels = {"project": self.project, "service": service, "container-number": str(index)}
        filters = [word for key, value in labels.items() for word in ("--filter", f"label=com.docker.compose.{key}={value}")]
        return self.engine.docker("ps", "--all", "--quiet", *filters).strip()

    def node(self, name: str) -> str:
        return self.container(name) if name == "control-plane" else self.container("node", int(name.removeprefix("node-")))

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """kubectl as a user has it in the apiserver's container."""
        return self.engine.docker("exec", "-i", self.container("apiserver"), "kubectl", *arguments, stdin=stdin)

    def get(self, *arguments: str) -> Any:
        found = json.loads(self.kubectl("get", *arguments, "-o", "json"))
        return found["items"] if found["kind"] == "List" else found

    def wait(self) -> str:
        """The documented one-liner."""
        return self.compose("exec", "-T", "apiserver", "kubonsai", "wait")

    def ready(self) -> dict[str, str]:
        """Node -> status of its condition Ready."""
        conditions = {node["metadata"]["name"]: node["status"]["conditions"] for node in self.get("nodes")}
        return {name: next(c["status"] for c in held if c["type"] == "Ready") for name, held in conditions.items()}

    def all_ready(self) -> bool:
        return self.ready() == dict.fromkeys(NODES, "True")

    def in_pod(self, node: str, *command: str) -> str:
        """In the network namespace of a hello Pod on that node."""
        script = 'ip netns exec "$(ip netns list | awk \'/default-hello/ {print $1; exit}\')" "$@"'
        return self.engine.docker("exec", self.node(node), "sh", "-c", script, "sh", *command)

    def hello(self, node: str, times: int = 12) -> Counter[str]:
        """Which nodes answered a Pod of this node, by the Service's name."""
        curl = ("curl", "-sS", "-m", "10", "http://hello.default.svc.cluster.local")
        return Counter(self.in_pod(node, *curl).split()[-1] for _ in range(times))

    def hello_is_whole(self) -> bool:
        """From each worker to each worker."""
        return all(set(self.hello(node)) == {"node-1", "node-2"} for node in ("node-1", "node-2"))

    def addresses(self) -> dict[str, str]:
        return {
            node["metadata"]["name"]: next(a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP")
            for node in self.get("nodes")
        }


@pytest.fixture(scope="module")
def composed(engine: AnyEngine, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    output = tmp_path_factory.mktemp("output")
    output.chmod(0o755)
    cluster = Composed(engine, f"t{secrets.token_hex(3)}", free_port(), output)
    try:
        cluster.compose("up", "-d", timeout_s=600)
        cluster.wait()
        cluster.kubectl("apply", "-f", "/opt/kubonsai/examples/hello")
        cluster.kubectl("rollout", "status", "deployment/hello", "--timeout=120s")
        yield cluster
    finally:
        cluster.compose("down", "-v", "-t", "2", timeout_s=600)


@pytest.fixture(autouse=True)
def _logs_of_a_failure(request: pytest.FixtureRequest, composed: Composed) -> Iterator[None]:
    failed_before = request.session.testsfailed
    yield
    if request.session.testsfailed > failed_before:
        print(composed.compose("ps"), composed.compose("logs", "--no-color", "--tail=40"))


def test_three_nodes_are_ready_from_inside_and_from_the_host(composed: Composed) -> None:
    assert composed.wait() == "3 nodes and cluster DNS are Ready.\n"
    assert composed.all_ready()
    assert "control-plane" in composed.kubectl("get", "nodes", "--selector", "node-role.kubernetes.io/control-plane")

    kubeconfig = composed.output / "kubeconfig"
    assert kubeconfig.stat().st_mode & 0o077 == 0
    assert kubeconfig.stat().st_uid == composed.output.stat().st_uid
    seen = composed.engine.enter("kubectl", "--kubeconfig", str(kubeconfig), "get", "nodes", "-o", "name")
    assert seen.split() == [f"node/{name}" for name in NODES]


def test_the_image_is_small_and_each_part_has_no_more_rights_than_it_needs(composed: Composed) -> None:
    docker = composed.engine.docker
    assert int(docker("image", "inspect", "--format", "{{.Size}}", IMAGE)) < 400 * MEBIBYTE
    for service in MEMBERS:
        container = composed.container(service)
        users = {line.split()[0] for line in docker("exec", container, "ps", "-eo", "uid,pid,comm", "--no-headers").splitlines()
                 if line.split()[2] not in ("docker-init", "ps")}
        assert users == {"10001"}, service
        capabilities = docker("exec", container, "sh", "-c", f"grep CapEff /proc/{own_process(composed, container)}/status")
        assert capabilities.split() == ["CapEff:", "0" * 16], service
    for container in docker("ps", "--quiet", "--filter", f"label=com.docker.compose.project={composed.project}").split():
        assert docker("inspect", "--format", "{{.HostConfig.Privileged}}", container) == "false\n"


def own_process(composed: Composed, container: str) -> str:
    lines = composed.engine.docker("exec", container, "ps", "-eo", "pid,uid", "--no-headers").splitlines()
    return next(pid for pid, uid in map(str.split, lines) if uid == "10001")


def test_all_containers_are_healthy(composed: Composed) -> None:
    def states() -> dict[str, str]:
        form = '{{index .Config.Labels "com.docker.compose.service"}} {{if .State.Health}}{{.State.Health.Status}}{{end}}'
        ids = [composed.container(service) for service in MEMBERS] + [composed.node(name) for name in NODES]
        return dict(line.split() for line in composed.engine.docker("inspect", "--format", form, *ids).splitlines())

    eventually(lambda: set(states().values()) == {"healthy"}, every_s=0.5)


@pytest.mark.req("ENV-03", "DNS-02", "SVC-02")
def test_pods_on_different_nodes_reach_each_other_and_services_by_name(composed: Composed) -> None:
    eventually(composed.hello_is_whole)

    service = composed.get("service", "hello")
    assert composed.in_pod("node-1", "dig", "+short", "hello.default.svc.cluster.local").split() == [service["spec"]["clusterIP"]]
    for pod in composed.get("pods", "-l", "app=hello"):
        assert "hello from" in composed.in_pod("node-2", "curl", "-sS", "-m", "20", f"http://{pod['status']['podIP']}:8080")
        eventually(lambda name=pod["metadata"]["name"]: "response:200" in composed.kubectl("logs", name))  # type: ignore[misc]


@pytest.mark.parametrize("service", ["etcd", "apiserver", "control-plane"])
@pytest.mark.parametrize("how", ["restart", "kill"])
def test_the_control_plane_comes_back(composed: Composed, service: str, how: str) -> None:
    name = f"kept-{service}-{how}"
    composed.kubectl("create", "configmap", name, "--from-literal=a=b")
    container = composed.container(service)

    if how == "restart":
        composed.engine.docker("restart", "-t", "3", container)
    else:
        composed.engine.docker("kill", container)
        composed.engine.docker("start", container)

    assert eventually(lambda: composed.get("configmap", name), within_s=READY_S)["data"] == {"a": "b"}
    eventually(composed.all_ready, within_s=READY_S)
    assert eventually(lambda: composed.kubectl("create", "configmap", f"{name}-after"))     # and it takes writes
    eventually(composed.hello_is_whole, within_s=READY_S)
    eventually(lambda: dns_is_whole(composed), within_s=READY_S)


def dns_is_whole(composed: Composed) -> bool:
    pods = composed.get("pods", "-n", "kube-system", "-l", "k8s-app=kube-dns")
    return bool(pods) and all(c["ready"] for pod in pods for c in pod["status"]["containerStatuses"])


def test_the_control_planes_processes_are_those_of_the_new_network(composed: Composed) -> None:
    """After the control-plane node was away: what runs in its old network would answer nobody."""
    address = composed.addresses()["control-plane"]
    eventually(lambda: composed.get("endpointslice", "kubernetes")["endpoints"][0]["addresses"] == [address])
    for service, port in (("scheduler", 10259), ("controller-manager", 10257), ("cloud-controller-manager", 10258)):
        page = ("curl", "-sS", "--cacert", "/var/lib/kubonsai/pki/ca.crt", f"https://control-plane:{port}/healthz")
        eventually(lambda: composed.engine.docker("exec", composed.container(service), *page) == "ok")  # noqa: B023 - asked at once


@pytest.mark.req("LIF-06")
def test_lost_nodes_are_noticed_and_come_back_with_their_pods(composed: Composed) -> None:
    pods = {pod["metadata"]["name"] for pod in composed.get("pods", "-l", "app=hello")}

    composed.engine.docker("kill", composed.node("node-1"))
    composed.engine.docker("pause", composed.node("node-2"))
    eventually(lambda: composed.ready() == {"control-plane": "True", "node-1": "Unknown", "node-2": "Unknown"}, within_s=NOTICED_S)
    eventually(lambda: "node.kubernetes.io/unreachable" in {taint["key"] for taint in composed.get("node", "node-1")["spec"]["taints"]})
    eventually(lambda: not any_endpoint_is_ready(composed))

    composed.engine.docker("start", composed.node("node-1"))
    composed.engine.docker("unpause", composed.node("node-2"))
    eventually(composed.all_ready, within_s=READY_S)
    eventually(composed.hello_is_whole, within_s=READY_S)
    assert {pod["metadata"]["name"] for pod in composed.get("pods", "-l", "app=hello")} == pods
    eventually(lambda: not {t["key"] for node in composed.get("nodes") for t in node["spec"].get("taints", ())}
               - {"node-role.kubernetes.io/control-plane"})


def any_endpoint_is_ready(composed: Composed) -> bool:
    slices = composed.get("endpointslices", "-l", "kubernetes.io/service-name=hello")
    return any(endpoint["conditions"]["ready"] for found in slices for endpoint in found["endpoints"])


def test_machines_that_come_back_with_other_addresses_are_the_same_nodes(composed: Composed) -> None:
    before = composed.addresses()
    containers = [composed.node(name) for name in NODES]
    composed.engine.docker("stop", "-t", "3", *containers)
    # somebody else has their addresses now
    network = f"{composed.project}_default"
    strangers = [
        composed.engine.docker("run", "-d", "--rm", "--network", network, "--entrypoint", "sleep", IMAGE, "600").strip() for _ in NODES
    ]
    try:
        composed.engine.docker("start", *reversed(containers))

        eventually(lambda: composed.all_ready() and all(composed.addresses()[name] != before[name] for name in NODES), within_s=READY_S)
        eventually(composed.hello_is_whole, within_s=READY_S)
        eventually(lambda: dns_is_whole(composed), within_s=READY_S)
        pod = composed.get("pods", "-l", "app=hello")[0]
        assert pod["status"]["hostIP"] == composed.addresses()[pod["spec"]["nodeName"]]
        eventually(lambda: "response:200" in composed.kubectl("logs", "--tail=5", pod["metadata"]["name"]))
    finally:
        composed.engine.docker("rm", "-f", *strangers)


@pytest.mark.usefixtures("engine_may_restart")
def test_the_cluster_survives_the_engine(composed: Composed) -> None:
    composed.kubectl("create", "configmap", "before-the-engine")

    composed.engine.restart()

    eventually(lambda: composed.get("configmap", "before-the-engine"), within_s=READY_S)
    eventually(composed.all_ready, within_s=READY_S)
    eventually(composed.hello_is_whole, within_s=READY_S)
    composed.kubectl("rollout", "restart", "deployment/hello")
    composed.kubectl("rollout", "status", "deployment/hello", "--timeout=120s")
    # Of any that has not just gone.
    eventually(lambda: composed.kubectl("logs", composed.get("pods", "-l", "app=hello")[0]["metadata"]["name"]) is not None)


def test_more_nodes_and_fewer_again(composed: Composed) -> None:
    composed.compose("up", "-d", "--scale", "node=3")
    assert composed.compose("exec", "-T", "apiserver", "kubonsai", "wait", "--nodes", "4") == "4 nodes and cluster DNS are Ready.\n"

    composed.compose("up", "-d", "--scale", "node=2")
    composed.kubectl("delete", "node", "node-3")
    assert eventually(composed.all_ready, within_s=READY_S)


def test_wrong_roles_and_settings_are_named(composed: Composed) -> None:
    with pytest.raises(CommandFailed, match=r"unknown role 'aipserver'; there are: init, addons, .*apiserver"):
        composed.engine.docker("run", "--rm", IMAGE, "aipserver")
    with pytest.raises(CommandFailed, match="not ready after 10 s: 3 of 9 nodes run"):
        composed.compose("exec", "-T", "apiserver", "kubonsai", "wait", "--nodes", "9", "--timeout", "10")


def test_down_leaves_nothing(composed: Composed) -> None:
    """The last one: the fixture's own `down` then finds nothing."""
    mine = f"label=com.docker.compose.project={composed.project}"
    assert composed.engine.docker("volume", "ls", "--quiet", "--filter", mine)
    composed.compose("down", "-v", "-t", "2")
    for kind in (("ps", "--all"), ("volume", "ls"), ("network", "ls")):
        assert composed.engine.docker(*kind, "--quiet", "--filter", mine) == ""
    dangling = composed.engine.docker("volume", "ls", "--quiet", "--filter", "dangling=true")
    assert not composed.engine.own or dangling == ""
