"""`down` needs no part of a cluster to be whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.cluster.layout import Layout
from launcher.cluster.settings import ClusterSettings
from launcher.testing.cluster import Cluster, CommandFailed


@pytest.mark.parametrize("settings", ['{"name": "NAME", "nodes": 1, "node_disk": "lots"}', '{"name": "NAME", "nod', "{}"])
def test_a_cluster_with_settings_that_nobody_takes_is_removed(tmp_path: Path, settings: str) -> None:
    cluster = Cluster(tmp_path)
    layout = Layout(ClusterSettings(name=cluster.name))
    layout.state.mkdir(parents=True, mode=0o700)
    layout.settings_file.write_text(settings.replace("NAME", cluster.name))

    if settings != "{}":
        with pytest.raises(CommandFailed, match=f"`./kubonsai down --name {cluster.name}` removes that cluster"):
            cluster.kubonsai("status")
    cluster.stop()

    assert not layout.state.exists()
