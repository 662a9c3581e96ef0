"""The tests' own engine: from nothing, beside the host's network, and gone without a trace. Looked at with foreign tools."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.testing.cluster import eventually, run
from tests.compose.conftest import wants_own
from tests.compose.engine import ROOT, Engine
from tests.compose.room import sweep

SERVER = """
use IO::Socket;
$socket = IO::Socket::INET->new(LocalPort => 80, Listen => 5, ReuseAddr => 1);
while ($client = $socket->accept) { sysread $client, $request, 999; print $client qq(HTTP/1.0 200 OK\r\n\r\nhello\n); close $client }
"""
COMPOSE_FILE = """
version: "3.8"
services:
  web:
    image: debian:bookworm-slim             # perl is all that it has
    command: ["perl", "/server.pl"]
    volumes: ["./server.pl:/server.pl:ro"]
    stop_signal: KILL
    restart: unless-stopped
    ports: ["127.0.0.1:18080:80"]
"""
ENDED_BY_A_SIGNAL = """
import signal
from tests.compose.engine import Engine
with Engine() as engine:
    print(engine.room.name, flush=True)
    signal.pause()
"""


@pytest.fixture(autouse=True)
def _own_engine(request: pytest.FixtureRequest) -> None:
    if not wants_own(request.config):
        pytest.skip("about the engine that the tests make; this run has none, or somebody's")


@pytest.fixture
def own(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Not the shared one: this one's end is looked at."""
    with Engine(fresh=bool(request.config.getoption("--fresh"))) as engine:
        yield engine


def test_an_engine_comes_from_nothing_and_leaves_nothing(own: Engine, tmp_path: Path) -> None:
    hosts_network = network_of_the_host()
    (tmp_path / "Dockerfile").write_text("FROM debian:bookworm-slim AS one\nRUN echo built >/file\nFROM one\nENV A=b\n")
    (tmp_path / "docker-compose.yml").write_text(COMPOSE_FILE)
    (tmp_path / "server.pl").write_text(SERVER)

    assert own.import_base(tmp_path / "Dockerfile") == ["debian:bookworm-slim"]
    own.build(tmp_path, "kubonsai-test:built")
    assert own.docker("run", "--rm", "kubonsai-test:built", "cat", "/file") == "built\n"
    own.compose("up", "-d", project="hello", folder=tmp_path)
    assert asks_for_hello(own)
    assert network_of_the_host() == hosts_network

    before = own.docker("ps", "--quiet", "--no-trunc")
    started = own.docker("inspect", "--format", "{{.State.StartedAt}}", before.strip())
    own.restart()
    assert eventually(lambda: asks_for_hello(own))
    assert own.docker("ps", "--quiet", "--no-trunc") == before
    assert own.docker("inspect", "--format", "{{.State.StartedAt}}", before.strip()) != started

    name = own.room.name
    assert {"processes", "cgroups", "files"} == set(traces(name))
    own.stop()
    assert traces(name) == {}
    assert network_of_the_host() == hosts_network


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_of_a_run_that_was_ended(ending: signal.Signals) -> None:
    hosts_network = network_of_the_host()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", ENDED_BY_A_SIGNAL], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
    ) as started:
        assert started.stdout
        name = started.stdout.readline().strip()
        assert "processes" in traces(name)

        assert name not in sweep()                  # it lives, and is its run's
        started.send_signal(ending)
        started.wait(30)

    if ending == signal.SIGKILL:
        eventually(lambda: "processes" not in traces(name))          # the kernel ends them, without anybody's help
        sweep()
    assert eventually(lambda: not traces(name))
    assert network_of_the_host() == hosts_network


def asks_for_hello(engine: Engine) -> bool:
    return engine.enter("curl", "--silent", "--fail", "--retry", "20", "--retry-connrefused", "--retry-delay", "1",
                        "http://127.0.0.1:18080/") == "hello\n"


def traces(name: str) -> dict[str, list[str]]:
    """What carries the engine's name: on command lines, in cgroups, among mounts and files."""
    found = {
        "processes": [str(process) for process in Path("/proc").glob("[0-9]*") if mentions(process, name)],
        "mounts": [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if name in line],
        "cgroups": run(["find", "/sys/fs/cgroup", "-name", name]).split(),
        "files": run(["find", "/var/tmp", "/run", "/tmp", "-maxdepth", "2", "-name", f"*{name}*"]).split(),
    }
    return {kind: names for kind, names in found.items() if names}


def mentions(process: Path, name: str) -> bool:
    try:
        return name.encode() in (process / "cmdline").read_bytes() + (process / "cgroup").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def network_of_the_host() -> dict[str, list[str]]:
    """Only what an engine makes: others may test beside this one."""
    links = [line.split()[0] for line in run(["ip", "-brief", "link"]).splitlines()]
    rules = run(["nft", "list", "ruleset"]) + run(["iptables-save"])
    switches = [Path("/proc/sys/net", version, "conf/all/forwarding") for version in ("ipv4", "ipv6")]
    return {
        "links": [name for name in links if name.startswith(("docker", "br-", "veth"))],
        "rules": [line for line in rules.splitlines() if "docker" in line.lower()],
        "namespaces": [name for name in os.listdir("/run/netns") if "kubonsai-test" in name] if Path("/run/netns").exists() else [],
        "forwards": [switch.read_text() for switch in switches if switch.exists()],
    }
