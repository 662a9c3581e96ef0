"""What two generations of compose say of their containers, and what a user is told of it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kube.process.config import ConfigError
from launcher.cluster.provider import LogQuery
from launcher.compose import provider_engine
from launcher.compose.provider_access import admin_files, api_port, renamed
from launcher.compose.provider_containers import Container, parse_containers, parse_memory, parse_size, process_info
from launcher.compose.provider_engine import silence, summary
from launcher.compose.provider_folder import output_folder
from launcher.compose.provider_logs import COMMON_SPEAKERS, PROXY_SPEAKERS, Filter, choose
from launcher.compose.provider_machines import change, surplus

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 21, 3, 25, tzinfo=UTC)
NODE = Container(id="n", name="p-node-1", service="node", number=1)


def inspected(name: str, service: str, number: int = 1, *, v2: bool = True, **changes: Any) -> dict[str, Any]:
    """What `docker inspect` shows, cut to what matters; compose v2 has more labels and other names than 1.29."""
    labels = {
        "com.docker.compose.project": "p", "com.docker.compose.service": service, "com.docker.compose.container-number": str(number),
        "com.docker.compose.oneoff": "False", "com.docker.compose.version": "2.29.7" if v2 else "1.29.2",
        **({"com.docker.compose.depends_on": "", "com.docker.compose.image": "sha256:1"} if v2 else {}),
    }
    state = {
        "Status": "running", "Pid": 17850, "ExitCode": 0, "StartedAt": "2026-11-21T03:24:40.475031995Z", "Health": {"Status": "healthy"},
        **changes.pop("State", {}),
    }
    return {
        "Id": f"id-{name}", "Name": f"/{name}", "State": state, "RestartCount": 2,
        "Config": {"Labels": {**labels, **changes.pop("labels", {})}, "Env": ["PATH=/bin"]},
        "HostConfig": {"PortBindings": {}}, "Mounts": [],
        "NetworkSettings": {"Networks": {"p_default": {"IPAddress": "172.20.0.8"}}}, **changes,
    }


@pytest.mark.parametrize(("name", "v2"), [("p_node_2", False), ("p-node-2", True)])
def test_a_node_is_known_by_its_labels_whatever_its_container_is_called(name: str, v2: bool) -> None:
    (node,) = parse_containers(json.dumps([inspected(name, "node", 2, v2=v2)]))

    assert (node.name, node.node, node.running, node.health, node.address) == (name, "node-2", True, "healthy", "172.20.0.8")
    assert node.trouble == ""
    assert process_info(node, {node.id: 75}, NOW).uptime_seconds == 19.5


def test_the_control_plane_comes_first_then_nodes_by_number_then_what_has_ended() -> None:
    done = {"Status": "exited", "Pid": 0}
    given = [
        inspected("init", "init", State=done), *(inspected(f"n{i}", "node", i) for i in (10, 2)), inspected("cp", "control-plane"),
        inspected("api", "apiserver"),
    ]
    assert [c.id for c in parse_containers(json.dumps(given))] == ["id-api", "id-cp", "id-n2", "id-n10", "id-init"]


def test_what_compose_run_started_is_none_of_the_cluster() -> None:
    assert parse_containers(json.dumps([inspected("p-node-run-1", "node", labels={"com.docker.compose.oneoff": "True"})])) == []


@pytest.mark.parametrize(("service", "state", "trouble", "note", "pid"), [
    pytest.param("node", {}, "", "", 17850, id="healthy"),
    pytest.param("node", {"Health": {"Status": "starting"}}, "", "starting", 17850, id="starting"),
    pytest.param("node", {"Health": {"Status": "unhealthy"}}, "unhealthy", "unhealthy", 17850, id="unhealthy"),
    pytest.param("etcd", {"Status": "exited", "ExitCode": 137, "Pid": 0}, "exited (137)", "exited (137)", 0, id="killed"),
    pytest.param("etcd", {"Status": "exited", "Pid": 0}, "exited (0)", "exited (0)", 0, id="stopped"),
    pytest.param("etcd", {"Status": "restarting", "Pid": 0}, "restarting", "restarting", 0, id="restarting"),
    pytest.param("etcd", {"Status": "created", "Pid": 0, "StartedAt": "0001-01-01T00:00:00Z"}, "created", "created", 0, id="never started"),
    pytest.param("addons", {"Status": "exited", "Pid": 0, "Health": None}, "", "", 0, id="a one-shot has done its work"),
    pytest.param("addons", {"Status": "exited", "ExitCode": 1, "Pid": 0}, "exited (1)", "exited (1)", 0, id="a one-shot has failed"),
])
def test_what_is_wrong_with_a_container(service: str, state: dict[str, Any], trouble: str, note: str, pid: int) -> None:
    (found,) = parse_containers(json.dumps([inspected("c", service, State=state)]))
    info = process_info(found, {}, NOW)

    assert (found.trouble, info.note, info.pid) == (trouble, note, pid)


def test_the_apis_port_is_the_published_one_or_what_init_was_told() -> None:
    published = inspected("cp", "control-plane", HostConfig={"PortBindings": {"6443/tcp": [{"HostIp": "127.0.0.1", "HostPort": "7443"}]}})
    init = inspected("i", "init", State={"Status": "exited"}, Mounts=[{"Destination": "/output", "Source": "/home/u/.kubonsai"}])
    init["Config"]["Env"] = ["KUBONSAI_API_PORT=7444"]

    assert api_port(parse_containers(json.dumps([published, init]))) == 7443
    (told,) = parse_containers(json.dumps([init]))
    assert (api_port([told]), told.output) == (7444, "/home/u/.kubonsai")
    assert api_port([NODE]) == 0


@pytest.mark.parametrize(("text", "size"), [
    ("75.13MiB", 78_779_514), ("0B", 0), ("1.5GiB", 1_610_612_736), ("512KiB", 524_288), ("3kB", 3000), ("--", 0), ("", 0),
])
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


def test_memory_is_what_the_engine_says() -> None:
    lines = ['{"ID":"a","MemUsage":"1MiB / 23.54GiB","Name":"p_etcd_1"}', '{"ID":"b","MemUsage":"-- / --","Name":"p_node_1"}']

    assert parse_memory("\n".join(lines) + "\n") == {"a": 1 << 20, "b": 0}


@pytest.mark.parametrize(("component", "shown"), [("kubelet", [0, 1, 4, 5, 6]), ("kube-proxy", [2, 3, 4, 7]), ("node", list(range(8)))])
def test_lines_of_kubelet_and_kube_proxy_are_told_apart(component: str, shown: list[int]) -> None:
    lines = [
        "2026-11-21T03:24:41.890735Z INFO kubelet started",
        "2026-11-21T03:24:42.086955Z INFO network pod network is ready pod_cidr=10.244.2.0/24",
        "2026-11-21T03:24:41.968101Z INFO kube-proxy started",
        "  a line of a traceback",
        "2026-11-21T03:24:43.000000Z WARNING reflector watch ended",
        "2026-11-21T03:24:44.000000Z ERROR pods failed pod=default/x",
        "Traceback (most recent call last):",
        "kube-proxy/node-1 ended with 1 after 0.3 s, starts again in 0.05 s",
    ]
    wanted = Filter(component)

    assert [index for index, line in enumerate(lines) if wanted(line)] == shown


def test_every_logger_of_the_nodes_agents_is_known_as_the_ones_or_the_others() -> None:
    def speakers(folder: str) -> set[str]:
        return {name for file in (ROOT / folder).rglob("*.py") for name in re.findall(r'get_logger\("([^"]+)"', file.read_text())}

    assert speakers("node_agent/proxy") <= PROXY_SPEAKERS
    assert not (speakers("node_agent/kubelet") | speakers("node_agent/runtime") | speakers("node_agent/probes")) & PROXY_SPEAKERS
    assert speakers("kube/client") - {"leader_election"} <= COMMON_SPEAKERS


def test_logs_of_what_is_not_there() -> None:
    held = [Container(id="e", name="e", service="etcd", number=1), Container(id="c", name="c", service="control-plane", number=1), NODE]

    assert choose(LogQuery(component="kubelet"), held) == held[1:]
    assert choose(LogQuery(component="kubelet", node="node-1"), held) == [NODE]
    with pytest.raises(ConfigError, match=r"no component 'frob'; there are: control-plane, etcd, kube-proxy, kubelet, node$"):
        choose(LogQuery(component="frob"), held)
    with pytest.raises(ConfigError, match=r"no log of kubelet on 'node9'; it is on: control-plane, node-1$"):
        choose(LogQuery(component="kubelet", node="node9"), held)


def test_the_workers_of_the_highest_numbers_are_too_many() -> None:
    held = [Container(id=f"{i}", name="", service="node", number=i) for i in (1, 3, 10)]
    held.append(Container(id="cp", name="", service="control-plane", number=1))

    assert [c.node for c in surplus(held, 2)] == ["node-10", "node-3"]
    assert surplus(held, 4) == surplus(held, 9) == []
    assert len(surplus(held, 1)) == 3


@pytest.mark.parametrize(("action", "node", "message"), [
    ("stop", "node-7", "no machine 'node-7'; there are: node-1"), ("remove", "control-plane", "the control plane runs there"),
    ("disconnect", "node-1", "loses its address"), ("add", "node-9", "without a name"),
])
def test_what_a_container_cannot_do(action: Any, node: str, message: str) -> None:
    held = [NODE] if node != "control-plane" else [Container(id="cp", name="", service="control-plane", number=1)]

    with pytest.raises(ConfigError, match=message):
        change(action, node, held, lambda: NODE)


def test_the_users_kubeconfig_goes_by_the_clusters_name(tmp_path: Path) -> None:
    held = {
        "clusters": [{"name": "kubonsai", "cluster": {"certificate-authority-data": "Y2E=", "server": "https://127.0.0.1:7443"}}],
        "users": [{"name": "kubonsai-admin", "user": {"client-certificate-data": "Y3J0", "client-key-data": "a2V5"}}],
        "contexts": [{"name": "kubonsai", "context": {"cluster": "kubonsai", "user": "kubonsai-admin"}}],
    }
    addition = renamed(held, "kubonsai-ci", "kubonsai-ci-admin")

    assert addition["current-context"] == "kubonsai-ci"
    assert addition["contexts"] == [{"name": "kubonsai-ci", "context": {"cluster": "kubonsai-ci", "user": "kubonsai-ci-admin"}}]
    assert addition["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:7443"
    with admin_files(addition) as files:
        assert [Path(file).read_text() for file in (files.ca_file, files.cert_file, files.key_file)] == ["ca", "crt", "key"]
        assert Path(files.key_file).stat().st_mode & 0o077 == 0
    assert not Path(files.key_file).exists()


def test_where_the_kubeconfig_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBONSAI_OUTPUT", raising=False)
    assert (output_folder("kubonsai"), output_folder("ci")) == (ROOT / ".kubonsai", ROOT / ".kubonsai/ci")
    monkeypatch.setenv("KUBONSAI_OUTPUT", "/somewhere")
    assert (output_folder("kubonsai"), output_folder("ci")) == (Path("/somewhere"), Path("/somewhere/ci"))


def test_silence_says_where_why_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")

    assert silence("Cannot connect to the Docker daemon at unix:///nowhere.sock. Is the docker daemon running?") == (
        "Docker's engine does not answer at unix:///nowhere.sock: is it running, may this user use it (group docker)?")
    assert "nowhere.sock (permission denied): is it" in silence("Got permission denied while trying to connect to the Docker daemon socket")


def test_without_a_client_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(provider_engine.EngineUnavailable, match=r"apt-get install docker\.io docker-compose"):
        provider_engine.docker("ps")


def test_of_a_clients_many_words_those_that_say_what_went_wrong_are_shown() -> None:
    words = "Creating p_init_1 ... error\n\x1b[91mERROR: for p_init_1  Cannot start init: no space left\x1b[0m\nEncountered errors\n"

    assert summary(words) == "ERROR: for p_init_1  Cannot start init: no space left"
    assert summary("step 1\nthis is an error\nend") == "this is an error"
    assert summary("one\n\ntwo\n") == "one\ntwo"
    assert summary("") == "no word of why"
