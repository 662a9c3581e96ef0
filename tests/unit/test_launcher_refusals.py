"""What `up` and `node add` refuse, and what they say to do: the same cluster must be named, not the default one."""

from __future__ import annotations

from pathlib import Path

import pytest

from kube.process.config import ConfigError
from launcher.cli.conformance import conformance
from launcher.cli.main import parser
from launcher.cluster import layout, state
from launcher.cluster.layout import Layout
from launcher.cluster.namespaces_provider import NamespacesCluster
from launcher.cluster.provider import UpOptions
from launcher.cluster.registry import LAST_INDEX, index_of_new
from launcher.cluster.settings import ClusterSettings


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NamespacesCluster:
    """One of two nodes that was made before, at port 7001."""
    for module in (layout, state):
        monkeypatch.setattr(module, "STATE_ROOT", tmp_path)
    held = Layout(ClusterSettings(name="ci", nodes=2, node_cpu="2"))
    state.save_settings(held)
    (held.state / "api-port").write_text("7001")
    return NamespacesCluster("ci")


def refusal(cluster: NamespacesCluster, **given: object) -> str:
    with pytest.raises(ConfigError) as caught:
        cluster.check_options(UpOptions(**given))  # type: ignore[arg-type]
    return str(caught.value)


def test_other_settings_are_named_and_so_is_the_cluster(cluster: NamespacesCluster, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("nodes: 2\nnode_cpu: '4'\nnode_memory: 2Gi\n")

    assert refusal(cluster, config=str(file)) == (
        "cluster 'ci' was made with other settings (node_cpu, node_memory); "
        "run `./kubonsai down --name ci` first, or choose another --name")


def test_another_number_of_nodes_is_refused(cluster: NamespacesCluster) -> None:
    assert "cluster 'ci' was made with 2 nodes; `./kubonsai node add --name ci` makes one more" in refusal(cluster, nodes=3)


def test_another_port_is_refused(cluster: NamespacesCluster) -> None:
    assert "the API of cluster 'ci' is at port 7001; run `./kubonsai down --name ci` first" in refusal(cluster, api_port=7002)
    cluster.check_options(UpOptions(api_port=7001))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        pytest.param("worker", "no machine can be named 'worker': nodeN is wanted", id="a word"),
        pytest.param("node0", "no machine can be named", id="none"),
        pytest.param("node244", "no machine can be named", id="beyond the fabric"),
        pytest.param("node2", "there is a machine 'node2' already", id="taken"),
    ],
)
def test_a_machine_that_cannot_be_added_is_told(name: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        index_of_new([1, 2], name)


def test_machines_get_the_lowest_free_number_until_the_fabric_is_full() -> None:
    assert index_of_new([1, 2, 4]) == 3
    assert index_of_new([1, 2], "node7") == 7
    with pytest.raises(ValueError, match="room for 243"):
        index_of_new(range(1, LAST_INDEX + 1))


def test_a_suite_that_is_no_program_starts_no_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "e2e.test").write_text("")

    assert conformance(parser().parse_args(["conformance", str(tmp_path / "e2e.test")])) == 2

    assert "is not executable" in capsys.readouterr().err
