"""exec, cp and attach with the oldest and the newest kubectl of the machine: SPDY and WebSocket."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from launcher.testing.cluster import eventually
from tests.support.kubectls import Kubectl
from tests.support.space import OFFICIAL, Space, container, hung_up, pod
from tests.support.streams import MB, SIZES, Memory, descriptors, done, every_kubectl, no_more_than, start


@pytest.mark.req("POD-01", "KCT-04")
@every_kubectl
def test_exec_carries_binary_streams_and_the_exit_code(space: Space, kubectl: Kubectl) -> None:
    space.run(pod("p"))
    data = os.urandom(3 * MB)

    echoed = done(space, kubectl, "exec", "-i", "p", "--", "cat", stdin=data)
    failed = done(space, kubectl, "exec", "p", "--", "sh", "-c", "echo out; echo err >&2; exit 7")

    assert (echoed.returncode, echoed.stdout == data, echoed.stderr) == (0, True, b"")
    assert (failed.returncode, failed.stdout) == (7, b"out\n")
    assert failed.stderr == b"err\ncommand terminated with exit code 7\n"


@every_kubectl
def test_standard_input_ends_for_itself(space: Space, kubectl: Kubectl) -> None:
    """sort says nothing before its input has ended."""
    space.run(pod("p"))

    assert done(space, kubectl, "exec", "-i", "p", "--", "sort", stdin=b"b\na\n").stdout == b"a\nb\n"
    assert done(space, kubectl, "exec", "-i", "p", "--", "true", stdin=bytes(MB)).returncode == 0      # takes nothing of it


@every_kubectl
def test_attach_repeats_what_is_typed(space: Space, kubectl: Kubectl) -> None:
    space.run(pod("p", container(script="while read line; do echo said $line; done", stdin=True)))

    with start(space, kubectl, "attach", "-i", "p", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as attached:
        assert attached.stdin is not None and attached.stdout is not None
        attached.stdin.write(b"hello\n")
        attached.stdin.flush()
        assert attached.stdout.readline() == b"said hello\n"
        attached.kill()


@every_kubectl
def test_fifty_execs_at_once(space: Space, kubectl: Kubectl) -> None:
    space.run(pod("p"))

    def one(number: int) -> bytes:
        return done(space, kubectl, "exec", "-i", "p", "--", "sh", "-c", f"read word; echo {number} $word", stdin=b"ok\n").stdout

    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(one, range(50))) == [b"%d ok\n" % number for number in range(50)]


@pytest.mark.parametrize("megabytes", SIZES)
@every_kubectl
def test_copies_do_not_pass_through_memory(space: Space, kubectl: Kubectl, megabytes: int, tmp_path: Path) -> None:
    space.run(pod("p"))
    memory = Memory(space, space.pod("p")["spec"]["nodeName"])
    block, there, back = os.urandom(MB), tmp_path / "there", tmp_path / "back"
    try:
        with there.open("wb") as file:
            for _ in range(megabytes):
                file.write(block)
        with memory.watched():
            for source, target in ((str(there), "p:/tmp/copied"), ("p:/tmp/copied", str(back))):
                Space(space.cluster, space.namespace, kubectl.path).kubectl("cp", source, target, timeout_s=600)

        assert back.stat().st_size == megabytes * MB
        assert subprocess.run(["cmp", there, back], check=False).returncode == 0
    finally:
        for large in (there, back):
            large.unlink(missing_ok=True)
    assert max(memory.grown) < 64 * MB, memory.grown


@every_kubectl
def test_a_client_that_does_not_read_holds_the_command_up(space: Space, kubectl: Kubectl) -> None:
    space.run(pod("p"))
    memory = Memory(space, space.pod("p")["spec"]["nodeName"])
    script = "trap '' PIPE; i=0; while head -c 1000000 /dev/zero; do i=$((i+1)); echo $i >/tmp/count; done"

    with start(space, kubectl, "exec", "p", "--", "sh", "-c", script, stdout=subprocess.PIPE) as process, memory.watched():
        counts: list[str] = []

        def stands_still() -> bool:
            if count := space.sh("p", "cat /tmp/count"):
                counts.append(count)
            return len(counts) > 3 and len(set(counts[-3:])) == 1

        eventually(stands_still, every_s=0.3, within_s=120)
        process.kill()

    assert int(counts[-1]) < 64, "megabytes that somebody keeps"
    assert max(memory.grown) < 64 * MB, memory.grown


@every_kubectl
def test_clients_that_are_killed_leave_nothing_behind(space: Space, kubectl: Kubectl) -> None:
    space.run(pod("p"))
    node = space.pod("p")["spec"]["nodeName"]

    def used() -> tuple[int, int]:
        return descriptors(space, "apiserver", ""), descriptors(space, "kubelet", node)

    def commands() -> str:
        return space.sh("p", "ps")

    done(space, kubectl, "exec", "p", "--", "true")
    before = used()
    silent = [start(space, kubectl, "exec", "p", "--", "sleep", "4321") for _ in range(5)]
    # Takes none of what it is given: everything on the way to it is full when its client dies.
    deaf = [start(space, kubectl, "exec", "-i", "p", "--", "sleep", "4322", stdin=subprocess.PIPE) for _ in range(3)]
    loud = [start(space, kubectl, "exec", "p", "--", "cat", "/dev/zero", stdout=subprocess.PIPE) for _ in range(2)]
    fillers = [threading.Thread(target=fill, args=(process,)) for process in deaf]
    for filler in fillers:
        filler.start()
    eventually(lambda: (commands().count("sleep 4321"), commands().count("sleep 4322")) == (5, 3))

    for process in (*silent, *deaf, *loud):
        process.send_signal(signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                close(stream)
    for filler in fillers:
        filler.join()

    eventually(lambda: not re.search("cat /dev/zero$", commands(), re.MULTILINE), within_s=60)
    eventually(lambda: no_more_than(before, used()), within_s=120)
    assert (commands().count("sleep 4321"), commands().count("sleep 4322")) == (5, 3)       # as with containerd they go on
    kubelet = str(space.cluster.process("kubelet", node)["pid"])
    eventually(lambda: "runc" not in space.in_host("ps", "-o", "args=", "--ppid", kubelet, "--pid", "1"))     # also for other Pods


def fill(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    try:
        for _ in range(64):
            process.stdin.write(bytes(MB))
    except OSError:
        return


def close(stream: Any) -> None:
    try:
        stream.close()
    except OSError:
        return


def test_the_official_client_executes_interactively(space: Space) -> None:
    space.run(pod("p"))

    with space.python_client() as client:
        call = OFFICIAL.stream.stream(
            OFFICIAL.client.CoreV1Api(client).connect_get_namespaced_pod_exec, "p", space.namespace, command=["sh"], stdin=True,
            stdout=True, stderr=True, tty=False, _preload_content=False,
        )
        with hung_up(call):
            call.write_stdin("echo out; echo err >&2\n")
            assert (call.readline_stdout(timeout=60), call.readline_stderr(timeout=60)) == ("out", "err")
            call.write_stdin("exit 3\n")
            call.run_forever(timeout=60)
            assert call.returncode == 3
