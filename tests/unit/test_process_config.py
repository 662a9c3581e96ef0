"""Configuration files: what is wrong is named with its file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from kube.process.config import ConfigError, load_config, write_config
from launcher.cluster.settings import ClusterSettings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("name: a\nnodez: 4\n", ':2: unknown key "nodez", did you mean "nodes"?', id="a typo"),
        pytest.param(
            'nodes: 1\napiserver:\n  event_ttl_s: 1\n  enable-admission-plugins: [X]\n',
            ':4: apiserver: unknown key "enable-admission-plugins", did you mean "enable_admission_plugins"?', id="a typo further in",
        ),
        pytest.param("apiserver:\n  event_ttl_s: x\n", ":2: apiserver: event_ttl_s: expected float, got str", id="a wrong type further in"),
        pytest.param("nodes: many\n", ":1: nodes: expected int, got str", id="a wrong type"),
        pytest.param("nodes: 3\nname: [\n", ":3: not valid YAML", id="broken YAML"),
        pytest.param(
            "registries:\n- {host: a}\n- {hots: b}\n", ':3: registries[1]: unknown key "hots", did you mean "host"?', id="a typo in a list",
        ),
        pytest.param(
            "registries:\n- {host: a,\n   network: host}\n",
            ":3: registries[0].network: invalid enum value 'host'; there are: node, machine", id="no such choice"),
        pytest.param("registries: [a]\n", ":1: registries[0]: expected object, got str", id="a wrong type in a list"),
        pytest.param("node_cpu: 2\n", ":1: node_cpu: expected str, got int; put it in quotes", id="no quotes"),
        pytest.param("- a\n", ": expected object, got array", id="a list"),
        pytest.param("name: a\nnodes: 0\n", ":2: nodes: must be between 1 and 200, got 0", id="out of range"),
        pytest.param("node_disk: 10GB\n", ":1: node_disk: must be a quantity above 0, as 2Gi or 512Mi, got '10GB'", id="no quantity"),
        pytest.param("node_memory: -1Gi\n", ":1: node_memory: must be a quantity above 0", id="a negative quantity"),
        pytest.param("node_cpu: two\n", ":1: node_cpu: must be a quantity above 0, as 2 or 500m", id="no number"),
        pytest.param("kubelet:\n  max_pods: -1\n", ":2: kubelet: max_pods: must be 0 or more, got -1", id="a negative number"),
        pytest.param("kubelet: {sync_period_s: 0}\n", ":1: kubelet: sync_period_s: must be above 0, got 0", id="no pause"),
        pytest.param("node_labels: {worker: {a: b}}\n", ":1: node_labels: no node can be named 'worker'", id="no node's name"),
        pytest.param("node_labels: {node2: {a b: c}}\n", ":1: node_labels.node2: a b=c: name part must consist of", id="no label"),
        pytest.param("name: Big\n", ": name 'Big': use lower-case", id="a bad name"),
        pytest.param("service_subnet: 10.244.0.0/16\n", "overlap", id="subnets overlap"),
        pytest.param("pod_subnet: 10.244.0.0/33\n", "pod_subnet", id="no subnet"),
        pytest.param("fabric_subnet: 127.0.0.0/24\n", ":1: fabric_subnet: 127.0.0.0/24 is set aside", id="the loopback"),
    ],
)
def test_a_wrong_file_is_explained(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(text)

    with pytest.raises(ConfigError) as caught:
        load_config(ClusterSettings, file)

    assert str(caught.value).startswith(str(file))
    assert message in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.yaml: No such file"):
        load_config(ClusterSettings, tmp_path / "nowhere.yaml")


def test_a_written_config_reads_back_and_is_private(tmp_path: Path) -> None:
    settings = ClusterSettings(name="ci", nodes=5)

    write_config(settings, tmp_path / "c.json")

    assert load_config(ClusterSettings, tmp_path / "c.json") == settings
    assert (tmp_path / "c.json").stat().st_mode & 0o777 == 0o600
