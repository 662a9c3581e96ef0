"""An extension server that runs as a Pod behind a Service, as kubectl meets it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.testing.cluster import eventually
from tests.support.https_pod import https_pod
from tests.support.space import Space

# It takes only clients that the front proxy's CA vouches for, and answers with who asked.
SCRIPT = """
import http.server, json, ssl

class Extension(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.path.partition("?")[0].rstrip("/")
        asked_by = {"user": self.headers["X-Remote-User"], "groups": self.headers.get_all("X-Remote-Group")}
        answer = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
        item = {"kind": "Visit", "apiVersion": "%(group)s/v1", "metadata": {"name": "now"}, "askedBy": asked_by}
        if path == "/apis/%(group)s/v1":
            answer = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "%(group)s/v1", "resources": [
                {"name": "visits", "singularName": "visit", "namespaced": False, "kind": "Visit", "verbs": ["get", "list"]}]}
        elif path.endswith("/visits"):
            answer = {"kind": "VisitList", "apiVersion": "%(group)s/v1", "metadata": {}, "items": [item]}
        elif path.endswith("/visits/now"):
            answer = item
        body = json.dumps(answer).encode()
        self.send_response(answer.get("code", 200))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("", 8443), Extension)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tls/tls.crt", "/tls/tls.key")
context.load_verify_locations("/script/ca.crt")
context.verify_mode = ssl.CERT_REQUIRED
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
"""


@pytest.fixture
def group(space: Space, tmp_path: Path) -> Iterator[str]:
    """A group of the test's own, served by a Pod."""
    name = f"{space.namespace}.example.com"
    told = json.loads(space.kubectl(
        "get", "configmap", "extension-apiserver-authentication", "--namespace=kube-system", "-o", "json"))["data"]
    files = {"ca.crt": told["requestheader-client-ca-file"]}
    bundle = https_pod(space, tmp_path, "extension", SCRIPT % {"group": name}, **files)
    space.create({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": f"v1.{name}"},
        "spec": {
            "group": name, "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 10,
            "caBundle": bundle,
            "service": {"namespace": space.namespace, "name": "extension"},
        },
    })
    space.kubectl("wait", "--for=condition=Available", f"apiservice/v1.{name}", "--timeout=120s", timeout_s=150)
    yield name
    space.tried("delete", "apiservice", f"v1.{name}")


def test_kubectl_works_with_its_resources(space: Space, group: str) -> None:
    seen, anna = space.get(f"visits.{group}", "now"), ("--as=anna",)

    assert space.kubectl("get", f"visits.{group}", "-o", "name") == f"visit.{group}/now\n"
    assert "system:authenticated" in seen["askedBy"]["groups"]
    assert space.kubectl("get", f"visits.{group}", "now", *anna, "--as-group=system:masters", "-o", "jsonpath={.askedBy.user}") == "anna"
    assert f'cannot list resource "visits" in API group "{group}"' in space.refused("get", f"visits.{group}", *anna)
    assert "visits" in space.kubectl("api-resources", f"--api-group={group}")


def test_a_server_without_pods_is_unavailable(space: Space, group: str) -> None:
    space.kubectl("scale", "deployment/extension", "--replicas=0")

    told = eventually(lambda: "MissingEndpoints" in space.kubectl("get", "apiservice", f"v1.{group}"))
    refused = space.refused("get", "--raw", f"/apis/{group}/v1/visits")
    space.kubectl("scale", "deployment/extension", "--replicas=1")
    space.kubectl("wait", "--for=condition=Available", f"apiservice/v1.{group}", "--timeout=120s", timeout_s=150)

    assert told
    assert "the server is currently unable to handle the request" in refused
    assert "visits" in space.kubectl("get", "--raw", f"/apis/{group}/v1")
