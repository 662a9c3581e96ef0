"""kubectl logs, exec, attach and cp."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from launcher.testing.cluster import eventually
from tests.support.space import Space, container, pod


@pytest.mark.req("LOG-01", "LOG-02")
def test_logs_are_chosen_by_container_length_and_time(space: Space) -> None:
    script = "i=0; while [ $i -lt 20 ]; do i=$((i+1)); echo line $i; done; echo to stderr >&2; exec sleep 1000"
    space.run(pod("p", container("main", script), container("side", "echo from the side; exec sleep 1000"), labels={"app": "x"}))
    eventually(lambda: "to stderr" in space.kubectl("logs", "p", "-c", "main"))

    def logs(*arguments: str) -> list[str]:
        container_of = [] if "-l" in arguments or "-c" in arguments else ["-c", "main"]
        return space.kubectl("logs", *arguments, *container_of).splitlines()

    eventually(lambda: logs("p", "-c", "side"))
    assert logs("p") == [*(f"line {number}" for number in range(1, 21)), "to stderr"]
    assert logs("p", "-c", "side") == ["from the side"]
    assert logs("p", "--tail=2") == ["line 20", "to stderr"]
    assert logs("p", "--limit-bytes=6") == ["line 1"]
    assert logs("p", "--since=1h", "--tail=1") == ["to stderr"]
    assert logs("p", "--since-time=2100-01-01T00:00:00Z") == []
    assert logs("p", "--tail=1", "--timestamps")[0].endswith("Z to stderr")
    everywhere = logs("-l", "app=x", "--all-containers", "--tail=1", "--prefix")
    assert sorted(everywhere) == ["[pod/p/main] to stderr", "[pod/p/side] from the side"]
    assert "container nope is not valid for pod p" in space.refused("logs", "p", "-c", "nope")
    assert 'previous terminated container "main" in pod "p" not found' in space.refused("logs", "p", "--previous", "-c", "main")
    files = Path("/var/lib/kubonsai/clusters", space.cluster.name, "nodes").glob(f"*/logs/pods/{space.namespace}_p_*/main/0.log")
    first = next(files).read_text().splitlines()[0].split(" ", 3)
    assert first[1:] == ["stdout", "F", "line 1"]


@pytest.mark.modern_kubectl
def test_kubectl_chooses_the_first_container(space: Space) -> None:
    space.run(pod("p", container("main", "echo hello; exec sleep 1000"), container("side")))

    eventually(lambda: space.kubectl("logs", "p") == "hello\n")
    assert "Defaulted container \"main\" out of: main, side" in space.tried("logs", "p").stderr


@pytest.mark.req("LOG-01", "LIF-16")
def test_logs_follow_across_a_restart_and_show_the_run_before(space: Space) -> None:
    script = "touch /v/n; echo run $(cat /v/n); echo x >>/v/n; until test -e /tmp/end; do sleep 0.05; done"
    counting = container(script=script, volumeMounts=[{"name": "v", "mountPath": "/v"}])
    space.run(pod("p", counting, volumes=[{"name": "v", "emptyDir": {}}]))
    with space.started("logs", "p", "-f") as follow:
        eventually(lambda: follow.text == "run\n")

        space.sh("p", "echo more >/proc/1/fd/1; sleep 0.2; touch /tmp/end")

        assert follow.finish() == "run\nmore\n"
        eventually(lambda: space.state("p")["restartCount"] == 1)
        eventually(lambda: space.kubectl("logs", "p") == "run x\n")
        assert space.kubectl("logs", "p", "--previous") == "run\nmore\n"


def test_logs_of_what_has_not_started(space: Space) -> None:
    space.create(pod("p", {"name": "main", "image": "registry.invalid/x"}), pod("huge", container(resources={"requests": {"cpu": "99"}})))
    eventually(lambda: space.waiting("p"))

    assert space.refused("logs", "p").strip() in [
        f'Error from server (BadRequest): container "main" in pod "p" is waiting to start: {why}'
        for why in ("image can't be pulled", "trying and failing to pull image")
    ]
    assert "pod huge does not have a host assigned" in space.refused("exec", "huge", "--", "true")
    assert space.tried("logs", "huge").stdout == ""


@pytest.mark.req("POD-01")
def test_exec_carries_streams_and_exit_codes(space: Space) -> None:
    space.run(pod("p", container("a"), container("b")))

    done = space.tried("exec", "p", "-c", "a", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.stdout, done.stderr.splitlines(), done.returncode) == ("out\n", ["err", "command terminated with exit code 7"], 7)
    assert space.kubectl("exec", "-i", "p", "-c", "b", "--", "cat", stdin="a\nb\n") == "a\nb\n"
    big = "0123456789abcdef" * 65536
    assert space.kubectl("exec", "-i", "p", "-c", "a", "--", "wc", "-c", stdin=big).strip() == str(len(big))
    assert len(space.kubectl("exec", "p", "-c", "a", "--", "head", "-c", "3000000", "/dev/zero")) == 3_000_000
    missing = space.tried("exec", "p", "-c", "a", "--", "no-such-program")
    assert 'exec: "no-such-program": executable file not found in $PATH' in missing.stderr
    assert missing.returncode != 0
    assert "container nope is not valid for pod p" in space.refused("exec", "p", "-c", "nope", "--", "true")
    assert space.refused("exec", "nope", "--", "true").strip() == 'Error from server (NotFound): pods "nope" not found'


@contextmanager
def terminal(space: Space, *arguments: str) -> Iterator[Terminal]:
    """kubectl with a real terminal of 24 x 80."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        ["kubectl", "-n", space.namespace, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        env={**os.environ, **space.cluster.environment, "TERM": "xterm"},
    )
    os.close(theirs)
    try:
        yield Terminal(ours, process)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


class Terminal:
    def __init__(self, fd: int, process: subprocess.Popen[bytes]) -> None:
        self.fd, self.process, self.seen = fd, process, ""
        os.set_blocking(fd, False)

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def sees(self, text: str, *, after_typing: str = "") -> bool:
        if after_typing:
            self.type(after_typing)
        with suppress(BlockingIOError, OSError):
            self.seen += os.read(self.fd, 65536).decode()
        return text in self.seen

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process.send_signal(28)        # SIGWINCH


def test_exec_with_a_terminal_follows_its_size(space: Space) -> None:
    space.run(pod("p"))

    with terminal(space, "exec", "-it", "p", "--", "sh") as screen:
        eventually(lambda: screen.sees("/ # ", after_typing="\n"), every_s=0.3)
        screen.type("tty; stty size\n")
        eventually(lambda: screen.sees("24 80"))
        assert "/dev/pts/" in screen.seen
        screen.resize(40, 132)
        eventually(lambda: screen.sees("40 132", after_typing="stty size\n"), every_s=0.3)
        screen.type("sleep 100\n")
        eventually(lambda: "sleep 100" in space.sh("p", "ps"))
        screen.type("\x03")
        screen.type("echo back-$((40+2))\n")
        eventually(lambda: screen.sees("back-42"))
        screen.type("exit 9\n")
        assert screen.process.wait(timeout=60) == 9


def test_attach_and_run_interactively(space: Space) -> None:
    with terminal(space, "run", "shell", "--image=busybox", "--restart=Never", "--rm", "-it", "--", "sh") as screen:
        eventually(lambda: screen.sees("/ # ", after_typing="\n"), every_s=0.3)
        screen.type("echo in-$((1+1)); exit\n")
        eventually(lambda: screen.sees("in-2"))
        eventually(lambda: screen.sees('pod "shell" deleted') or screen.process.poll() is not None)

    eventually(lambda: "NotFound" in space.refused("get", "pod", "shell"))


def test_attach_shows_what_is_said_from_now_on(space: Space) -> None:
    space.run(pod("p", container(script="while true; do read line && echo said $line; done", stdin=True)))

    done = subprocess.Popen(
        ["kubectl", "-n", space.namespace, "attach", "-i", "p"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, env={**os.environ, **space.cluster.environment},
    )
    with done:
        assert done.stdin is not None
        assert done.stdout is not None
        done.stdin.write("hello\n")
        done.stdin.flush()
        line = done.stdout.readline()
        done.kill()

    assert line == "said hello\n"


def test_cp_both_ways(space: Space, tmp_path: Path) -> None:
    space.run(pod("p"))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_bytes(os.urandom(100_000))

    space.kubectl("cp", str(tmp_path / "folder"), "p:/tmp/copied")
    space.kubectl("cp", "p:/tmp/copied/file", str(tmp_path / "back"))

    assert (tmp_path / "back").read_bytes() == (tmp_path / "folder/file").read_bytes()
