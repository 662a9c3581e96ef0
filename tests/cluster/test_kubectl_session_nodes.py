"""kubectl on nodes and in running Pods, with the oldest and the newest kubectl: these change nodes, and give them back."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.testing.cluster import eventually, run
from tests.support.session import Session
from tests.support.space import deployment, pod, server

NODE = "node3"


@pytest.fixture
def node(session: Session) -> Iterator[str]:
    """Schedulable and without the taint again, whatever the test does."""
    yield NODE
    session.says(f"uncordon {NODE}")
    session.tried("taint", "node", NODE, "session-")


@pytest.mark.req("KCT-07")
def test_cordon_taint_and_uncordon(session: Session, node: str) -> None:
    assert session.says(f"cordon {node}") == f"node/{node} cordoned\n"
    assert session.says(f"cordon {node}") == f"node/{node} already cordoned\n"
    assert session.table(f"get node {node}")[0][1] == "Ready,SchedulingDisabled"
    assert session.says(f"uncordon {node}") == f"node/{node} uncordoned\n"
    assert session.says(f"taint node {node} session=a:PreferNoSchedule") == f"node/{node} tainted\n"
    assert "already has session taint(s) with same effect(s) and --overwrite is false" in session.fails(
        f"taint node {node} session=b:PreferNoSchedule")
    assert session.says(f"taint node {node} session=b:PreferNoSchedule --overwrite") == f"node/{node} modified\n"
    assert session.says(f"taint node {node} session:PreferNoSchedule-") == f"node/{node} untainted\n"
    assert 'taint "session" not found' in session.fails(f"taint node {node} session-")
    assert "invalid taint effect: Nope" in session.fails(f"taint node {node} session=a:Nope")


@pytest.mark.req("KCT-07")
def test_drain(session: Session, node: str) -> None:
    session.create(pod("bare", nodeName=node))
    session.ready("bare")
    only_mine = f"--pod-selector=app=bare --timeout=120s {node}"

    refused = session.fails(f"drain --ignore-daemonsets {only_mine}")
    dry = session.says(f"drain --force --ignore-daemonsets --dry-run=server {only_mine}")
    done = session.tried(*f"drain --force --ignore-daemonsets --delete-emptydir-data {only_mine}".split())

    assert f"(use --force to override): {session.namespace}/bare" in refused
    assert "(server dry run)" in dry
    assert "evicting pod" in done.stdout + done.stderr
    assert done.stdout.endswith(f"node/{node} drained\n")
    assert 'pods "bare" not found' in session.fails("get pod bare")


@pytest.mark.req("KCT-07")
def test_certificates(session: Session, tmp_path: Path) -> None:
    run(["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", str(tmp_path / "key"), "-subj", "/CN=jane",
         "-out", str(tmp_path / "csr")])
    request = run(["base64", "-w0", str(tmp_path / "csr")])
    names = [f"{name}-{session.namespace}" for name in ("good", "bad")]
    for name in names:
        session.says("create -f -", json.dumps({
            "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name},
            "spec": {"request": request, "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"]},
        }))
    try:
        assert session.table(f"get csr {names[0]}")[0][-1] == "Pending"
        assert session.says(f"certificate approve {names[0]}") == f"certificatesigningrequest.certificates.k8s.io/{names[0]} approved\n"
        assert session.says(f"certificate deny {names[1]}") == f"certificatesigningrequest.certificates.k8s.io/{names[1]} denied\n"
        eventually(lambda: session.table(f"get csr {names[0]}")[0][-1] == "Approved,Issued")
        assert session.table(f"get csr {names[1]}")[0][-1] == "Denied"
        assert "NotFound" in session.fails("certificate approve nope")
    finally:
        session.says(f"delete csr {' '.join(names)}")


def test_exec_cp_and_attach(session: Session, tmp_path: Path) -> None:
    session.run(pod("p"))
    (tmp_path / "file").write_text("content\n")

    assert session.says("exec p -- echo hello") == "hello\n"
    assert session.says("exec -i p -- sh -c 'cat; exit 0'", "typed\n") == "typed\n"
    ended = session.tried("exec", "p", "--", "sh", "-c", "exit 7")
    assert (ended.returncode, "command terminated with exit code 7" in ended.stderr) == (7, True)
    assert "container nope is not valid for pod p" in session.fails("exec p -c nope -- true")
    session.says(f"cp {tmp_path}/file p:/tmp/there")
    assert session.says("exec p -- cat /tmp/there") == "content\n"
    session.says(f"cp p:/tmp/there {tmp_path}/back")
    assert (tmp_path / "back").read_text() == "content\n"
    assert "not found" in session.fails("attach nope")


def test_port_forward_and_proxy(session: Session) -> None:
    session.run(pod("web", server(answer="it works")))

    with session.started("port-forward", "pod/web", ":8080") as forwarding:
        port = eventually(lambda: re.search(r"127\.0\.0\.1:(\d+) -> 8080", forwarding.text))[1]
        assert fetched(f"http://127.0.0.1:{port}/") == "it works\n"
    with session.started("proxy", "--port=0") as proxy:
        address = eventually(lambda: re.search(r"Starting to serve on (\S+)", proxy.text))[1]
        path = f"/api/v1/namespaces/{session.namespace}/pods/web:8080/proxy/"
        assert fetched(f"http://{address}{path}") == "it works\n"
        assert json.loads(fetched(f"http://{address}/version"))["minor"] == "37"


def fetched(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310  (http on loopback)
        found: str = answer.read().decode()
    return found


def test_debug(session: Session, node: str) -> None:
    session.create(pod("p"), deployment("d", replicas=0))
    session.ready("p")

    session.says("debug p --image=busybox --container=dbg --target=main --quiet -- sleep 600")
    (added,) = session.get("pod", "p")["spec"]["ephemeralContainers"]
    assert (added["name"], added["image"], added["targetContainerName"]) == ("dbg", "busybox", "main")
    session.says("debug p --image=busybox --copy-to=copy --container=dbg --quiet -- sleep 600")
    assert [one["name"] for one in session.get("pod", "copy")["spec"]["containers"]] == ["main", "dbg"]
    session.says(f"debug node/{node} --image=busybox --quiet -- true")
    (debugger,) = [one for one in session.items("pods") if one["metadata"]["name"].startswith(f"node-debugger-{node}")]
    assert debugger["spec"]["nodeName"] == node
    assert 'pods "nope" not found' in session.fails("debug nope --image=busybox")
