"""Certificates carry the names that Kubernetes expects; openssl is the witness."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from launcher.cluster import layout as layout_module
from launcher.cluster.layout import Layout
from launcher.cluster.pki import ensure_node_identities, ensure_pki
from launcher.cluster.private_file import make_private_folder
from launcher.cluster.settings import ClusterSettings


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setattr(layout_module, "STATE_ROOT", tmp_path)
    return Layout(ClusterSettings(name="pki"))


def openssl(*arguments: str) -> str:
    return subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=True).stdout


def test_the_apiserver_is_known_by_all_its_names(layout: Layout) -> None:
    pki = ensure_pki(layout)

    text = openssl("x509", "-in", pki.apiserver.cert_file, "-noout", "-ext", "subjectAltName")

    for name in ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"):
        assert f"DNS:{name}" in text
    for address in ("10.96.0.1", "127.0.0.1", "172.30.0.11"):
        assert f"IP Address:{address}" in text
    assert "OK" in openssl("verify", "-CAfile", pki.apiserver.ca_file, pki.apiserver.cert_file)


def test_identities_are_named_as_kubernetes_names_them(layout: Layout) -> None:
    pki = ensure_pki(layout)
    node = ensure_node_identities(layout, pki.ca, layout.node(2))

    def subject(file: str) -> str:
        return openssl("x509", "-in", file, "-noout", "-subject", "-nameopt", "multiline,-esc_msb,sname")

    assert "CN = system:kube-scheduler" in " ".join(subject(pki.scheduler.cert_file).split())
    assert "O = system:masters" in " ".join(subject(pki.admin.cert_file).split())
    kubelet = " ".join(subject(node.kubelet.cert_file).split())
    assert "O = system:nodes" in kubelet
    assert "CN = system:node:node2" in kubelet


def test_private_keys_are_private_and_a_second_run_keeps_everything(layout: Layout) -> None:
    ensure_pki(layout)
    before = {path: path.read_bytes() for path in layout.pki.rglob("*") if path.is_file()}

    ensure_pki(layout)

    assert {path: path.read_bytes() for path in layout.pki.rglob("*") if path.is_file()} == before
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in before if path.suffix == ".key")


def test_folders_of_a_cluster_are_nobody_elses(tmp_path: Path) -> None:
    folder = tmp_path / "clusters" / "c"
    folder.mkdir(parents=True, mode=0o755)

    make_private_folder(folder)
    make_private_folder(tmp_path / "run" / "c")

    assert [path.stat().st_mode & 0o777 for path in (folder, tmp_path / "run" / "c")] == [0o700, 0o700]
