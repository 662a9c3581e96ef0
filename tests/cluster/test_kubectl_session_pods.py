"""An hour with Pods, as the oldest and the newest kubectl of the machine see it: logs, exec, attach, cp, port-forward, debug."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from launcher.testing.cluster import eventually
from tests.support.session import Session
from tests.support.space import container, pod, server


def test_logs(session: Session) -> None:
    script = "echo one; echo two >&2; test -e /v/x || { touch /v/x; exit 1; }; exec sleep 1000"
    mounted = container("main", script, volumeMounts=[{"name": "v", "mountPath": "/v"}])
    session.create(pod("web", mounted, container("side", "echo aside; exec sleep 1000"), volumes=[{"name": "v", "emptyDir": {}}]))
    eventually(lambda: [state["restartCount"] for state in session.pod("web")["status"]["containerStatuses"]] == [1, 0])
    session.ready("web")

    eventually(lambda: session.says("logs web -c main") == "one\ntwo\n")
    eventually(lambda: session.says("logs web -c side") == "aside\n")
    assert session.says("logs web -c main --tail=1") == "two\n"
    assert session.says("logs web -c main --limit-bytes=5") == "one\nt"
    assert session.says("logs web -c main --previous") == "one\ntwo\n"
    assert session.says("logs web -c main --since=1h --since-time=") == "one\ntwo\n"
    assert re.fullmatch(r"[\d-]+T[\d:]+\.\d{9}Z one\n[\d-]+T[\d:]+\.\d{9}Z two\n", session.says("logs web -c main --timestamps"))
    everything = session.says("logs -l app=web --all-containers --prefix").splitlines()
    assert sorted(everything) == ["[pod/web/main] one", "[pod/web/main] two", "[pod/web/side] aside"]
    assert session.fails("logs web -c side --previous").strip() == (
        'Error from server (BadRequest): previous terminated container "side" in pod "web" not found')
    assert 'pods "nope" not found' in session.fails("logs nope")
    with session.started("logs", "-f", "web", "-c", "main", "--tail=1") as following:
        eventually(lambda: following.text == "two\n")
        session.kubectl("exec", "web", "-c", "main", "--", "sh", "-c", "echo more >/proc/1/fd/1")
        eventually(lambda: following.text == "two\nmore\n")
        session.kubectl("delete", "pod", "web", "--now", "--wait=false")
        assert following.finish() == "two\nmore\n"


def test_exec(session: Session) -> None:
    session.run(pod("web"))

    assert session.says("exec web -- hostname") == "web\n"
    assert session.says("exec -i web -- sort", stdin="b\na\n") == "a\nb\n"
    assert session.says("exec pod/web -c main -- sh -c 'echo $HOSTNAME'") == "web\n"
    failed = session.tried("exec", "web", "--", "sh", "-c", "echo out; echo err >&2; exit 42")
    assert (failed.returncode, failed.stdout, failed.stderr) == (42, "out\n", "err\ncommand terminated with exit code 42\n")
    assert session.tried("exec", "web", "--", "sh", "-c", "kill -9 $$").returncode == 137
    missing = session.tried("exec", "web", "--", "no-such")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert re.fullmatch(
        "error: Internal error occurred: error executing command in container: failed to exec in container: failed to start exec "
        r'"[0-9a-f]{64}": OCI runtime exec failed: exec failed: unable to start container process: exec: "no-such": executable file '
        r"not found in \$PATH: unknown\n", missing.stderr)


def test_what_does_not_run_cannot_be_talked_to(session: Session) -> None:
    session.create(pod("half", container("gone", "exit 0"), container("here"), restartPolicy="Never"))
    eventually(lambda: "terminated" in session.state("half")["state"] and "running" in session.state("half", 1)["state"])

    said = "error: unable to upgrade connection: container"
    assert session.fails("exec half -c gone -- true").splitlines()[-1] == f'{said} not found ("gone")'
    assert session.fails("attach half -c gone").splitlines()[-1] == f"{said} gone not found in pod half_{session.namespace}"


def test_attach(session: Session) -> None:
    session.run(pod("once", container(script="sort; echo end", stdin=True, stdinOnce=True), restartPolicy="Never"))

    assert session.says("attach -i once", stdin="b\na\n") == "a\nb\nend\n"
    assert session.says("run job --image=busybox --restart=Never --rm -i -q --command -- sh -c 'tr a-z A-Z'", stdin="hello\n") == "HELLO\n"


def test_cp(session: Session, tmp_path: Path) -> None:
    session.run(pod("web"))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_bytes(data := os.urandom(2_000_000))

    session.kubectl("cp", str(tmp_path / "folder"), "web:/tmp/there")
    session.kubectl("cp", "web:/tmp/there", str(tmp_path / "back"))

    assert (tmp_path / "back/file").read_bytes() == data


def test_port_forward(session: Session) -> None:
    session.run(pod("web", server(answer="hello")))
    command = [session.binary, "-n", session.namespace, "port-forward", "pod/web", ":8080"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={
        **os.environ, **session.cluster.environment}) as forwarding:
        try:
            assert forwarding.stdout is not None
            port = re.findall(r"127.0.0.1:(\d+) -> 8080", forwarding.stdout.readline())[0]
            assert session.in_host("curl", "-sS", "-m", "20", f"http://127.0.0.1:{port}/") == "hello\n"
            session.kubectl("delete", "pod", "web", "--now")
            failed = subprocess.run(["curl", "-sS", "-m", "20", f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=False)
            assert failed.returncode != 0
            told = eventually(lambda: (forwarding.poll() is not None) and forwarding.stdout and forwarding.stdout.read())
            assert "lost connection to pod" in str(told)
        finally:
            forwarding.kill()


def test_debug(session: Session) -> None:
    session.run(pod("web", container(script="exec sleep 4242")))

    session.says("debug web --image=busybox --container=look --target=main -- sh -c 'ps; sleep 1000'")
    eventually(lambda: "sleep 4242" in session.says("logs web -c look"))
    assert session.says("exec web -c look -- hostname") == "web\n"
    session.says("debug web --image=busybox --copy-to=copy --container=main -- sleep 77")
    session.ready("copy")
    eventually(lambda: "sleep 77" in session.says("exec copy -- ps"))


@pytest.mark.req("KCT-05")
def test_follow_ends_with_the_container(session: Session) -> None:
    session.run(pod("job", container(script="echo begun; until test -e /tmp/end; do sleep 0.05; done; echo over"), restartPolicy="Never"))
    with session.started("logs", "-f", "job") as following:
        eventually(lambda: following.text == "begun\n")
        session.says("exec job -- touch /tmp/end")
        assert following.finish() == "begun\nover\n"
