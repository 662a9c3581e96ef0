"""Static Pods: what a file in a node's folder is, runs, and shows itself in the API as a mirror."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.cluster.layout import Layout
from launcher.cluster.state import load_settings
from launcher.testing.cluster import eventually
from tests.support.space import Space, container, pod


@pytest.fixture
def manifest(space: Space) -> Iterator[Path]:
    layout = Layout(load_settings(space.cluster.name))
    path = layout.static_pods(layout.node(2)) / f"{space.namespace}.yaml"
    yield path
    path.unlink(missing_ok=True)


def write(path: Path, space: Space, script: str) -> None:
    wanted = pod("web", container(script=script))
    wanted["metadata"]["namespace"] = space.namespace
    path.write_text(json.dumps(wanted))


def is_ready(space: Space) -> bool:
    """Asked of whatever mirror is there: one takes the other's place."""
    shown = space.tried("get", "pod", "web-node2", "-o", 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')
    return shown.stdout == "True"


def test_a_manifest_runs_and_its_mirror_decides_nothing(space: Space, manifest: Path) -> None:
    write(manifest, space, "echo one; exec sleep 1000")
    eventually(lambda: is_ready(space))
    mirror, container_id = space.pod("web-node2"), space.state("web-node2")["containerID"]
    assert mirror["metadata"]["ownerReferences"][0]["kind"] == "Node"
    eventually(lambda: space.kubectl("logs", "web-node2").strip() == "one")

    space.kubectl("delete", "pod", "web-node2", "--wait=false")
    uids = ("get", "pod", "web-node2", "-o", "jsonpath={.metadata.uid}")
    eventually(lambda: space.tried(*uids).stdout not in ("", mirror["metadata"]["uid"]))
    eventually(lambda: is_ready(space))
    assert space.state("web-node2")["containerID"] == container_id

    write(manifest, space, "echo two; exec sleep 1000")
    eventually(lambda: space.tried("logs", "web-node2").stdout.strip() == "two")
    eventually(lambda: is_ready(space))

    manifest.unlink()
    eventually(lambda: space.tried("get", "pod", "web-node2").returncode != 0)
