"""port-forward with the oldest and the newest kubectl of the machine: SPDY, WebSocket, SPDY in WebSocket."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from launcher.testing.cluster import eventually
from tests.support.kubectls import Kubectl
from tests.support.space import OFFICIAL, Space, container, pod
from tests.support.streams import MB, SIZES, Memory, descriptors, every_kubectl, no_more_than, start

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
