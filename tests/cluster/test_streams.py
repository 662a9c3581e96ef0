"""exec, cp and port-forward with the oldest and the newest kubectl of the machine: SPDY, WebSocket, SPDY in WebSocket."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from launcher.testing.cluster import eventually
from tests.support.kubectls import Kubectl, oldest_and_newest
from tests.support.space import OFFICIAL, Space, container, hung_up, pod

MB = 1_000_000
every_kubectl = pytest.mark.parametrize("kubectl", oldest_and_newest(), ids=str)
SIZES = [pytest.param(32, id="32 MB"), pytest.param(1000, id="1 GB", marks=pytest.mark.full)]

# 7000 repeats, 7001 answers with the sum of everything at its end, 7002 sends without end, 7003 takes nothing.
SERVERS = "; ".join((
    "nc -ll -p 7001 -e md5sum &", "nc -ll -p 7002 -e cat /dev/zero &", "nc -ll -p 7003 -e sleep 1000 &", "exec nc -ll -p 7000 -e cat",
)).replace("&;", "&")


# busybox's nc resets what comes faster than it accepts.
MANY = """
import socketserver
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)
class Server(socketserver.ThreadingTCPServer):
    request_queue_size = 128
Server(("", 7000), Echo).serve_forever()
"""


def start(space: Space, kubectl: Kubectl, *arguments: str, **streams: Any) -> subprocess.Popen[bytes]:
    command = [kubectl.path, "-n", space.namespace, *arguments]
    return subprocess.Popen(command, env={**os.environ, **space.cluster.environment}, **streams)


def done(
    space: Space, kubectl: Kubectl, *arguments: str, stdin: bytes | None = None, within_s: float = 240.0
) -> subprocess.CompletedProcess[bytes]:
    with start(space, kubectl, *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        out, error = process.communicate(stdin, timeout=within_s)
    return subprocess.CompletedProcess(arguments, process.returncode, out, error)


@contextmanager
def forwarded(space: Space, kubectl: Kubectl, name: str, *ports: int) -> Iterator[tuple[list[int], Path]]:
    """Local ports, in the order of the Pod's, and the file with what kubectl says."""
    log = space.cluster.folder / f"port-forward-{space.namespace}.log"
    with log.open("wb") as output:
        process = start(space, kubectl, "port-forward", name, *(f":{port}" for port in ports), stdout=output, stderr=output)
    try:
        yield [int(eventually(partial(re_search, rf"127.0.0.1:(\d+) -> {port}\n", log))[1]) for port in ports], log
    finally:
        process.kill()
        process.wait()


def re_search(pattern: str, log: Path) -> re.Match[str] | None:
    return re.search(pattern, log.read_text())


def talk(port: int, data: bytes, *, half_close: bool = True) -> bytes:
    """What the server says to the data, until it closes its half."""
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        connection.sendall(data)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        answer = bytearray()
        while piece := connection.recv(1 << 18):
            answer += piece
            if not half_close and len(answer) >= len(data):
                break
        return bytes(answer)


def run_servers(space: Space) -> None:
    space.run(pod("p", container(script=SERVERS)))
    space.listens("p", 7000, 7001, 7002, 7003)


def descriptors(space: Space, name: str, node: str) -> int:
    return len(os.listdir(f"/proc/{space.cluster.process(name, node)['pid']}/fd"))


class Memory:
    """The largest size of the apiserver and the Pod's kubelet while a context is open, beyond that at its beginning."""

    def __init__(self, space: Space, node: str) -> None:
        self._pids = [space.cluster.process("apiserver")["pid"], space.cluster.process("kubelet", node)["pid"]]
        self._before = self._now()
        self.grown = [0, 0]

    def _now(self) -> list[int]:
        return [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 for pid in self._pids]

    @contextmanager
    def watched(self) -> Iterator[None]:
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.05):
                self.grown = [max(most, now - before) for most, now, before in zip(self.grown, self._now(), self._before, strict=True)]

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()


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
    block = os.urandom(MB)
    with (tmp_path / "there").open("wb") as file:
        for _ in range(megabytes):
            file.write(block)

    with memory.watched():
        for source, target in (("there", "p:/tmp/copied"), ("p:/tmp/copied", "back")):
            copied = subprocess.run(
                [kubectl.path, "-n", space.namespace, "cp", source, target], cwd=tmp_path, check=False, capture_output=True, timeout=600,
                env={**os.environ, **space.cluster.environment},
            )
            assert copied.returncode == 0, copied.stderr

    assert (tmp_path / "back").stat().st_size == megabytes * MB
    assert subprocess.run(["cmp", tmp_path / "there", tmp_path / "back"], check=False).returncode == 0
    assert max(memory.grown) < 64 * MB, memory.grown


@pytest.mark.parametrize("megabytes", SIZES)
@every_kubectl
def test_forwarded_connections_do_not_pass_through_memory(space: Space, kubectl: Kubectl, megabytes: int) -> None:
    run_servers(space)
    memory = Memory(space, space.pod("p")["spec"]["nodeName"])
    block, digest = os.urandom(MB), hashlib.md5(usedforsecurity=False)

    with forwarded(space, kubectl, "pod/p", 7001, 7002) as ((summing, endless), _), memory.watched():
        with socket.create_connection(("127.0.0.1", summing), timeout=120) as connection:
            for _ in range(megabytes):
                connection.sendall(block)
                digest.update(block)
            connection.shutdown(socket.SHUT_WR)      # half-closed: the sum comes afterwards
            with connection.makefile("rb") as answer:
                assert answer.readline().split()[0].decode() == digest.hexdigest()
        with socket.create_connection(("127.0.0.1", endless), timeout=120) as connection:
            left = megabytes * MB
            while left > 0:
                left -= len(connection.recv(1 << 18))

    assert max(memory.grown) < 64 * MB, memory.grown


@pytest.mark.req("KCT-04")
@every_kubectl
def test_forwarded_connections_are_independent(space: Space, kubectl: Kubectl) -> None:
    listening = {"tcpSocket": {"port": 7000}, "periodSeconds": 1}
    space.run(pod("p", {"name": "main", "image": "python", "command": ["python3", "-c", MANY], "readinessProbe": listening}))
    data = [os.urandom(200_000) for _ in range(20)]

    with forwarded(space, kubectl, "pod/p", 7000) as ((port,), _), ThreadPoolExecutor(20) as pool:
        assert list(pool.map(lambda one: talk(port, one), data)) == data


@every_kubectl
def test_forwarding_reaches_what_listens_on_the_loopback_alone(space: Space, kubectl: Kubectl) -> None:
    space.run(pod("p", container(script="mkdir /www; echo hello >/www/index.html; exec httpd -f -p 127.0.0.1:7000 -h /www")))
    space.listens("p", 7000)

    with forwarded(space, kubectl, "pod/p", 7000) as ((port,), _):
        assert talk(port, b"GET / HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\nhello\n")


@every_kubectl
def test_a_closed_port_is_told(space: Space, kubectl: Kubectl) -> None:
    run_servers(space)

    with forwarded(space, kubectl, "pod/p", 9999) as ((port,), log):
        assert talk(port, b"x", half_close=False) == b""
        told = eventually(lambda: [line for line in log.read_text().splitlines() if "an error occurred forwarding" in line.lower()])[0]

    assert "error forwarding port 9999 to pod " in told
    assert "failed to connect to localhost:9999 inside namespace " in told
    assert "dial tcp4 127.0.0.1:9999: connect: connection refused" in told


@every_kubectl
def test_forwarding_to_a_service_finds_a_pod(space: Space, kubectl: Kubectl) -> None:
    run_servers(space)
    space.kubectl("expose", "pod", "p", "--port=80", "--target-port=7000")

    process = start(space, kubectl, "port-forward", "service/p", ":80", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with process:
        assert process.stdout is not None
        port = int(re.findall(rb":(\d+) -> 7000", process.stdout.readline())[0])
        assert talk(port, b"hello") == b"hello"
        process.kill()


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


def no_more_than(before: tuple[int, ...], now: tuple[int, ...]) -> bool:
    """A connection more or less of the cluster's own says nothing."""
    assert all(after <= then + 2 for after, then in zip(now, before, strict=True)), f"{before} -> {now}"
    return True


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


@every_kubectl
def test_connections_of_a_killed_port_forward_end(space: Space, kubectl: Kubectl) -> None:
    run_servers(space)
    node = space.pod("p")["spec"]["nodeName"]
    space.sh("p", "true")
    before = descriptors(space, "apiserver", ""), descriptors(space, "kubelet", node)

    with forwarded(space, kubectl, "pod/p", 7002, 7003) as ((endless, deaf), _):
        reading = [socket.create_connection(("127.0.0.1", endless)) for _ in range(3)]
        writing = socket.create_connection(("127.0.0.1", deaf))
        writing.setblocking(False)
        fill_up(writing)
        eventually(lambda: space.sh("p", "ps").count("cat /dev/zero") == 3 + 1)      # and the listener's own
    for connection in (*reading, writing):
        connection.close()

    eventually(lambda: space.sh("p", "ps").count("cat /dev/zero") == 1)

    def used() -> tuple[int, int]:
        return descriptors(space, "apiserver", ""), descriptors(space, "kubelet", node)

    eventually(lambda: no_more_than(before, used()), within_s=120)


def fill_up(connection: socket.socket) -> None:
    try:
        while True:
            connection.send(bytes(MB))
    except BlockingIOError:
        return


def test_the_official_client_forwards_ports_in_channels(space: Space) -> None:
    run_servers(space)

    with space.python_client() as client:
        core = OFFICIAL.client.CoreV1Api(client)
        forward = OFFICIAL.stream.portforward(core.connect_get_namespaced_pod_portforward, "p", space.namespace, ports="7000,9999")
        try:
            connection = forward.socket(7000)
            connection.settimeout(60)
            connection.sendall(b"hello")
            assert connection.recv(100) == b"hello"
            assert eventually(lambda: "connection refused" in (forward.error(9999) or ""))
            assert forward.error(7000) is None
        finally:
            forward.close()


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
