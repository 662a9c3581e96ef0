"""The proxy subresources of Pods, Services and Nodes, through kubectl proxy and bare."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from launcher.testing.cluster import eventually
from tests.support.space import Space, container, pod, server, service

# Answers each request with what it has got: request line, headers, body of the given length.
ECHO = r'''
cat >/tmp/echo <<'END'
read -r line; length=0; heads=""
while read -r head && [ "$head" != "$(printf '\r')" ]; do
  heads="$heads$head
"; case "$head" in [Cc]ontent-[Ll]ength:*) length=$(echo "$head" | tr -dc 0-9);; esac
done
body=$(head -c $length)
printf 'HTTP/1.1 201 Created\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nAccess-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n'
printf '%s\n%s\n%s' "$line" "$heads" "$body"
END
chmod +x /tmp/echo; exec nc -ll -p 8080 -e sh /tmp/echo
'''
MOVED = r"""exec nc -ll -p 8080 -e printf 'HTTP/1.1 302 Found\r\nLocation: /there?a=b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'"""
# It reads its request to the last byte: a server that closes before answers with a reset, and what it said last is lost.
REPEAT = r"""while read -r l && [ ${#l} -gt 1 ]; do :; done; printf "HTTP/1.0 200 OK\r\n\r\n"; exec head -c 20000000"""
UPGRADED = r"""exec nc -ll -p 8080 -e sh -c 'while read -r l && [ ${#l} -gt 1 ]; do :; done
printf "HTTP/1.1 101 Switching Protocols\r\nUpgrade: shout\r\nConnection: Upgrade\r\n\r\n"; exec tr a-z A-Z <&0'"""


@contextmanager
def kubectl_proxy(space: Space) -> Iterator[str]:
    process = subprocess.Popen(
        ["kubectl", "proxy", "--port=0"], stdout=subprocess.PIPE, text=True, env={**os.environ, **space.cluster.environment})
    try:
        assert process.stdout is not None
        address = re.findall(r"127\.0\.0\.1:\d+", process.stdout.readline())[0]
        yield f"http://{address}/api/v1/namespaces/{space.namespace}"
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


class Unfollowed(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def ask(url: str, method: str = "GET", data: bytes | None = None, **headers: str) -> tuple[int, Any, bytes]:
    """Status, headers, body; redirects are not followed. A server that does not listen yet is waited for."""
    return eventually(lambda: answer if b"connection refused" not in (answer := _answer(url, method, data, headers))[2] else None)


def _answer(url: str, method: str, data: bytes | None, headers: dict[str, str]) -> tuple[int, Any, bytes]:
    request = urllib.request.Request(url, data, headers, method=method)      # noqa: S310
    try:
        with urllib.request.build_opener(Unfollowed).open(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def test_services_and_pods_are_reached_by_every_name_they_have(space: Space) -> None:
    space.run(pod("web", server(answer="hello")))
    space.create(service("web"))
    raw = f"/api/v1/namespaces/{space.namespace}"
    eventually(lambda: space.kubectl("get", "--raw", f"{raw}/services/web:80/proxy/") == "hello\n")

    for name in ("services/web:80", "services/web:http", "services/http:web:http", "pods/web", "pods/web:8080", "pods/http:web:8080"):
        assert space.kubectl("get", "--raw", f"{raw}/{name}/proxy/") == "hello\n"
        assert space.kubectl("get", "--raw", f"{raw}/{name}/proxy/index.html") == "hello\n"

    refused = {
        "services/web:81": 'no service port 81 found for service "web"', "services/web": 'no endpoints available for service "web"',
        "services/none:80": 'services "none" not found', "pods/none": 'pods "none" not found',
        "pods/a:b:c:d": 'invalid pod request "a:b:c:d"',
        "pods/web:9999": "error trying to reach service: dial tcp ", "services/ftp:web:80": 'invalid service request "ftp:web:80"',
    }
    for name, message in refused.items():
        assert message in space.refused("get", "--raw", f"{raw}/{name}/proxy/")


def test_requests_and_answers_pass_whole(space: Space) -> None:
    space.run(pod("echo", container(script=ECHO)))

    with kubectl_proxy(space) as base:
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            code, headers, body = ask(
                f"{base}/pods/echo:8080/proxy/a/b/?x=1&y=%20z", method, b"the body", Cookie="c=d", Connection="close")
            lines = body.decode().splitlines()
            assert (code, lines[0].strip(), lines[-1]) == (201, f"{method} /a/b/?x=1&y=%20z HTTP/1.1", "the body")
            sent = {name.lower(): value for name, _, value in (line.strip().partition(": ") for line in lines[1:-1])}
            assert sent["x-forwarded-uri"] == f"/api/v1/namespaces/{space.namespace}/pods/echo:8080/proxy/a/b/"
            assert "127.0.0.1" in sent["x-forwarded-for"]
            assert sent["cookie"] == "c=d"
            assert "authorization" not in sent
            assert headers.get_all("Set-Cookie") == ["a=1", "b=2"]
            assert "Access-Control-Allow-Origin" not in headers


def test_large_bodies_are_streamed_both_ways(space: Space) -> None:
    space.run(pod("web", container(script=f"exec nc -ll -p 8080 -e sh -c '{REPEAT}'")))

    with kubectl_proxy(space) as base:
        _, _, body = ask(f"{base}/pods/web:8080/proxy/", "POST", bytes(20_000_000))

    assert body == bytes(20_000_000)


def test_links_and_redirects_lead_through_the_proxy(space: Space) -> None:
    space.run(pod("web", server(answer="<a href=/x>y</a>")), pod("moved", container(script=MOVED)))
    prefix = f"/api/v1/namespaces/{space.namespace}/pods"

    with kubectl_proxy(space) as base:
        assert ask(f"{base}/pods/web/proxy/")[2] == f'<a href="{prefix}/web/proxy/x">y</a>\n'.encode()
        code, headers, _ = ask(f"{base}/pods/web/proxy?a=b")
        assert (code, headers["Location"]) == (301, f"{prefix}/web/proxy/?a=b")
        code, headers, _ = ask(f"{base}/pods/moved:8080/proxy/here")
        assert (code, headers["Location"]) == (302, f"{prefix}/moved:8080/proxy/there?a=b")


@pytest.mark.req("LOG-01")
def test_nodes_show_their_kubelets_pages_and_other_ports(space: Space) -> None:
    space.run(pod("p", container(script="echo hello; exec sleep 1000")))
    node = space.pod("p")["spec"]["nodeName"]

    def raw(path: str) -> str:
        return space.kubectl("get", "--raw", f"/api/v1/nodes/{path}")

    assert raw(f"{node}/proxy/healthz") == raw(f"{node}:10250/proxy/healthz") == "ok"
    assert "p" in [one["metadata"]["name"] for one in json.loads(raw(f"{node}/proxy/pods"))["items"]]
    assert "process_resident_memory_bytes" in raw(f"{node}/proxy/metrics")
    file = f"pods/{space.namespace}_p_{space.pod('p')['metadata']['uid']}/main/0.log"
    assert f">{space.namespace}_p_" in raw(f"{node}/proxy/logs/pods/")
    assert "stdout F hello" in eventually(lambda: raw(f"{node}/proxy/logs/{file}"))
    assert "the server could not find" in space.refused("get", "--raw", f"/api/v1/nodes/{node}/proxy/logs/..%2f..%2f..%2fetc/passwd")
    assert "nodeEligible" in raw(f"{node}:10256/proxy/healthz")
    assert 'nodes "none" not found' in space.refused("get", "--raw", "/api/v1/nodes/none/proxy/healthz")


def test_upgraded_connections_are_passed_through(space: Space) -> None:
    space.run(pod("shout", container(script=UPGRADED)))
    space.listens("shout", 8080)

    with kubectl_proxy(space) as base:
        host, _, path = base.removeprefix("http://").partition("/")
        with (
            socket.create_connection(("127.0.0.1", int(host.partition(":")[2])), timeout=60) as connection,
            connection.makefile("rb") as stream,
        ):
            connection.sendall(
                f"GET /{path}/pods/shout:8080/proxy/ HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\n".encode())
            assert stream.readline() == b"HTTP/1.1 101 Switching Protocols\r\n"
            while stream.readline() != b"\r\n":
                pass
            connection.sendall(b"hello" * 2000)
            assert stream.read(8192) == (b"HELLO" * 2000)[:8192]


def test_an_answer_that_is_no_upgrade_is_an_error(space: Space) -> None:
    space.run(pod("web", server()))

    with space.python_client() as client:
        found = client.rest_client.pool_manager.request(
            "GET", f"{client.configuration.host}/api/v1/namespaces/{space.namespace}/pods/web/proxy/",
            headers={"Connection": "Upgrade", "Upgrade": "shout"},
        )

    assert (found.status, found.json()["message"]) == (500, "Internal error occurred: invalid upgrade response: status code 200")


def test_who_may_not_proxy_is_refused(space: Space) -> None:
    space.run(pod("web", server()))

    told = space.refused("get", "--raw", f"/api/v1/namespaces/{space.namespace}/pods/web/proxy/", "--as=somebody")

    assert 'pods "web" is forbidden: User "somebody" cannot get resource "pods/proxy"' in told


def test_endpoints_that_are_no_pods_are_not_reached(space: Space) -> None:
    """Else whoever may write EndpointSlices could reach all that the apiserver reaches."""
    space.create(
        service("trap", clusterIP="None") | {"spec": {"ports": [{"name": "http", "port": 80}]}},
        {
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "ports": [{"name": "http", "port": 10249}],
            "metadata": {"name": "trap", "labels": {"kubernetes.io/service-name": "trap"}}, "endpoints": [{"addresses": ["172.30.0.11"]}],
        },
    )

    told = space.refused("get", "--raw", f"/api/v1/namespaces/{space.namespace}/services/trap:80/proxy/")

    assert 'no endpoints available for service "trap"' in told
