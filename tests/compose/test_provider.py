"""`./kubonsai up --provider compose` and what follows it, as a user types it. One cluster for the whole file; each test leaves it whole."""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from launcher.compose.provider_engine import compose_command
from launcher.testing.cluster import ROOT, CommandFailed, eventually
from tests.compose.engine import AnyEngine
from tests.support.image_archives import busybox_layer, docker_archive, entry, layer, oci_layout

NODES = ["control-plane", "node-1"]
MEMBERS = {"etcd", "apiserver", "scheduler", "controller-manager", "cloud-controller-manager"}
UP_S = 480.0
# Runs a command and interrupts it once its containers are there. (A shell would have it ignore that in the background.)
INTERRUPTING = """
import signal, subprocess, sys
listen = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
process = subprocess.Popen(sys.argv[1:], stderr=subprocess.PIPE, text=True, preexec_fn=listen)
for line in process.stderr:
    sys.stderr.write(line)
    if "done: starting the containers" in line:
        process.send_signal(signal.SIGINT)
raise SystemExit(process.wait())
"""


@dataclass
class Cli:
    """The command line where the engine's published ports are, with a kubeconfig of its own."""

    engine: AnyEngine
    name: str
    folder: Path

    @property
    def kubeconfig(self) -> Path:
        return self.folder / f"{self.name}.conf"

    def command(self, *arguments: str, **environment: str) -> list[str]:
        known = {
            **self.engine.environment, "KUBECONFIG": str(self.kubeconfig), "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1", **environment,
        }
        settings = [f"{key}={value}" for key, value in known.items() if value]
        unset = [word for key, value in known.items() if not value for word in ("-u", key)]
        return ["env", *unset, *settings, sys.executable, "-m", "launcher.cli.main", *arguments]

    def __call__(self, command: str, *arguments: str, timeout_s: float = 180.0) -> str:
        """Standard output of `kubonsai COMMAND --name NAME ...`. Raises CommandFailed."""
        return self.engine.enter(*self.command(*command.split(), "--name", self.name, *arguments), timeout_s=timeout_s)

    def refused(self, command: str, *arguments: str) -> str:
        """All that a command says which must fail with exit code 2."""
        with pytest.raises(CommandFailed, match="exit code 2") as failure:
            self(command, *arguments)
        return str(failure.value)

    def kubectl(self, *arguments: str) -> str:
        return self.engine.enter("kubectl", "--kubeconfig", str(self.kubeconfig), *arguments)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("status", "-o", "json"))
        return found

    def nodes(self) -> list[str]:
        return self.kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").split()

    def left(self) -> list[str]:
        """Whatever of the project is in the engine, by Docker's own word."""
        label = ("--filter", f"label=com.docker.compose.project={self.name}", "--quiet")
        docker = self.engine.docker
        return (docker("ps", "--all", *label) + docker("volume", "ls", *label) + docker("network", "ls", *label)).split()


@pytest.fixture(scope="module")
def cli(engine: AnyEngine, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    started = Cli(engine, f"t-{secrets.token_hex(3)}", tmp_path_factory.mktemp("cli"))
    try:
        said = started("up", "--provider", "compose", "--nodes", "2", timeout_s=UP_S)
        assert f"Cluster {started.name!r} is ready" in said
        yield started
    finally:
        started("down", timeout_s=UP_S)
        assert started.left() == []
        assert not started.kubeconfig.exists()
        assert not (ROOT / ".kubonsai" / started.name).exists()


def test_up_makes_a_cluster_and_its_context(cli: Cli) -> None:
    assert cli.kubectl("config", "current-context") == f"kubonsai-{cli.name}\n"
    assert cli.nodes() == NODES
    seen = cli.engine.enter(*cli.command("kubectl", "--name", cli.name, "get", "nodes", "-o", "name"))
    assert seen.split() == [f"node/{name}" for name in NODES]


def test_status_has_a_row_for_each_container(cli: Cli) -> None:
    status = cli.status()

    assert {p["name"] for p in status["processes"]} == {*MEMBERS, "control-plane", "node"}
    assert all(p["pid"] and p["uptime_seconds"] > 0 and p["memory_bytes"] > 1_000_000 for p in status["processes"])
    assert [(n["name"], n["ready"]) for n in status["nodes"]] == [(name, True) for name in NODES]
    assert status["server"] in cli.kubectl("config", "view")
    assert "Cluster" in cli("status")


def test_logs_are_a_components(cli: Cli) -> None:
    assert "kubelet started" in cli("logs kubelet", "--node", "node-1", "--tail", "1000")
    proxy = cli("logs kube-proxy", "--node", "node-1")
    assert "kube-proxy started" in proxy
    assert "kubelet" not in proxy
    assert len(cli("logs kube-apiserver", "--tail", "1").splitlines()) == 1
    assert {line.split()[0] for line in cli("logs kubelet").splitlines()} == {*NODES}
    assert "no component 'frob'; there are: addons, apiserver" in cli.refused("logs frob")


def test_logs_are_followed_over_a_restart(cli: Cli, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    command = cli.command("logs", "--name", cli.name, "-f", "--tail", "1", "--node", "node-1", "kubelet")
    script = 'timeout 180 "$@" | tee "$0" | grep -m 1 "kubelet started"'
    with ThreadPoolExecutor() as pool:
        following = pool.submit(cli.engine.enter, "sh", "-c", script, str(seen), *command, timeout_s=200)
        eventually(lambda: seen.exists() and seen.read_text())
        cli.engine.docker("restart", node(cli, "1"))

        assert "kubelet started" in following.result()
    cli("up", timeout_s=UP_S)


def node(cli: Cli, number: str) -> str:
    labels = {"project": cli.name, "service": "node", "container-number": number}
    filters = [word for key, value in labels.items() for word in ("--filter", f"label=com.docker.compose.{key}={value}")]
    return cli.engine.docker("ps", "--all", "--quiet", *filters).strip()


def test_a_node_that_is_off_is_told_and_repaired(cli: Cli) -> None:
    assert cli("node stop", "node-1") == "node/node-1 is off\n"

    with pytest.raises(CommandFailed, match="exit code 1") as failure:
        cli("status")
    assert "down, exited (137)" in str(failure.value)
    assert [line.split()[2] for line in cli("node list").splitlines()] == ["POWER", "on", "off"]

    assert "is whole" in cli("up", timeout_s=UP_S)
    assert all(node["ready"] for node in cli.status()["nodes"])


def test_up_with_another_number_scales_and_a_removed_node_is_forgotten(cli: Cli) -> None:
    cli("up", "--nodes", "4", timeout_s=UP_S)
    assert cli.nodes() == [*NODES, "node-2", "node-3"]
    cli("node remove", "node-2")
    eventually(lambda: "node-2" not in cli.nodes())

    cli("up", "--nodes", "2", timeout_s=UP_S)

    assert cli.nodes() == NODES


def test_a_node_is_added_and_nothing_else_is_started(cli: Cli) -> None:
    cli("node stop", "node-1")

    said = cli("node add")

    added = said.split()[0].removeprefix("node/")
    assert [line.split()[2] for line in cli("node list").splitlines() if line.startswith("node-1")] == ["off"]
    eventually(lambda: added in cli.nodes())
    cli("node remove", added)
    cli("up", "--nodes", "2", timeout_s=UP_S)


@pytest.mark.parametrize("form", ["archive", "directory", "standard input"])
def test_a_loaded_image_runs(cli: Cli, tmp_path: Path, form: str) -> None:
    image = f"test.example/{form.replace(' ', '-')}:1"
    layers = [busybox_layer(), layer(entry("mark", form))]
    if form == "directory":
        said = cli("load", str(oci_layout(layers, image).directory(tmp_path / "layout")), "--as", image)
    else:
        archive = str(docker_archive(layers, image).tar(tmp_path / "image.tar"))
        words = cli.command("load", "--name", cli.name, "-")
        said = cli("load", archive) if form == "archive" else cli.engine.enter("sh", "-c", 'exec "$@" <"$0"', archive, *words)

    assert said.startswith(f"loaded {image}")
    assert image.removesuffix(":1") in cli("images")
    pod = form.replace(" ", "-")
    cli.kubectl("run", pod, f"--image={image}", "--restart=Never", "--image-pull-policy=Never", "--", "cat", "/mark")
    eventually(lambda: cli.kubectl("logs", pod) == form)
    cli.kubectl("delete", "pod", pod, "--now")


def test_what_does_not_fit_the_cluster_is_refused(cli: Cli) -> None:
    port = cli.status()["server"].rpartition(":")[2]
    other = Cli(cli.engine, f"{cli.name}-b", cli.folder)

    assert f"is at port {port}" in cli.refused("up", "--api-port", "1")
    assert "is of provider compose" in cli.refused("up", "--provider", "namespaces")
    assert "nodes: must be between 1 and 200, got 0" in cli.refused("up", "--nodes", "0")
    assert f"port {port} on 127.0.0.1 is in use" in other.refused("up", "--provider", "compose", "--api-port", port)
    assert "no cluster named" in other.refused("status")
    assert other.left() == []


def test_an_interrupted_up_leaves_nothing(cli: Cli) -> None:
    other = Cli(cli.engine, f"{cli.name}-b", cli.folder)
    command = other.command("up", "--name", other.name, "--nodes", "1", KUBONSAI_PROVIDER="compose")

    with pytest.raises(CommandFailed, match="exit code 130") as failure:
        cli.engine.enter(sys.executable, "-c", INTERRUPTING, *command, timeout_s=UP_S)

    assert "interrupted, removing what was made" in str(failure.value)
    assert other.left() == []
    assert cli.kubectl("config", "get-contexts", "-o", "name").split() == [f"kubonsai-{cli.name}"]


def test_data_that_is_kept_is_there_again(cli: Cli) -> None:
    cli.kubectl("create", "configmap", "kept")

    cli("down", "--keep-data", timeout_s=UP_S)
    cli("up", "--provider", "compose", "--nodes", "2", timeout_s=UP_S)

    assert cli.kubectl("get", "configmap", "kept", "-o", "name") == "configmap/kept\n"
    assert cli.nodes() == NODES


def test_an_engine_that_does_not_answer_is_named(cli: Cli) -> None:
    command = cli.command("up", "--name", f"{cli.name}-b", "--provider", "compose", DOCKER_HOST="unix:///nowhere.sock")

    with pytest.raises(CommandFailed, match="exit code 1") as failure:
        cli.engine.enter(*command)

    assert "Docker's engine does not answer at unix:///nowhere.sock: is it running" in str(failure.value)


def test_the_tool_is_one_that_this_machine_has() -> None:
    assert compose_command() in (("docker", "compose"), ("docker-compose",))
