"""The user's kubeconfig: our context comes and goes, everything else stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kube.process.config import ConfigError
from launcher.cluster import kubeconfig

OTHER: dict[str, Any] = {
    "apiVersion": "v1", "kind": "Config", "current-context": "work",
    "clusters": [{"name": "work", "cluster": {"server": "https://work:6443", "tls-server-name": "x"}}],
    "users": [{"name": "me", "user": {"token": "t"}}],
    "contexts": [{"name": "work", "context": {"cluster": "work", "user": "me", "namespace": "dev"}}],
}


def ours(server: str = "https://127.0.0.1:6443") -> dict[str, Any]:
    return {
        "current-context": "kubonsai",
        "clusters": [{"name": "kubonsai", "cluster": {"server": server}}],
        "users": [{"name": "kubonsai-admin", "user": {}}],
        "contexts": [{"name": "kubonsai", "context": {"cluster": "kubonsai", "user": "kubonsai-admin"}}],
    }


def test_merging_keeps_other_entries_and_switches_the_context(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(OTHER))

    kubeconfig.merge(file, ours())

    merged = yaml.safe_load(file.read_text())
    assert merged["current-context"] == "kubonsai"
    assert merged["clusters"][0] == OTHER["clusters"][0]
    assert merged["contexts"][0] == OTHER["contexts"][0]
    assert [entry["name"] for entry in merged["users"]] == ["me", "kubonsai-admin"]


def test_merging_twice_replaces(tmp_path: Path) -> None:
    file = tmp_path / "sub" / "config"

    kubeconfig.merge(file, ours())
    kubeconfig.merge(file, ours("https://127.0.0.1:7000"))

    merged = yaml.safe_load(file.read_text())
    assert [entry["cluster"]["server"] for entry in merged["clusters"]] == ["https://127.0.0.1:7000"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_removing_leaves_what_was_there_before(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(OTHER))
    kubeconfig.merge(file, ours())

    assert kubeconfig.remove(file, "kubonsai", "kubonsai-admin")

    assert yaml.safe_load(file.read_text()) == {**OTHER, "current-context": "work"}


def test_removing_the_only_entries_removes_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config"
    kubeconfig.merge(file, ours())

    assert kubeconfig.remove(file, "kubonsai", "kubonsai-admin")

    assert list(tmp_path.iterdir()) == []


def test_a_broken_file_is_refused_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("clusters: [")

    with pytest.raises(ConfigError, match="nothing was changed"):
        kubeconfig.merge(file, ours())

    assert file.read_text() == "clusters: ["


def test_kubeconfig_variable_is_respected() -> None:
    assert kubeconfig.user_file({"KUBECONFIG": "/a/b:/c/d", "HOME": "/home/x"}) == Path("/a/b")
    assert kubeconfig.user_file({"HOME": "/home/x"}) == Path("/home/x/.kube/config")
