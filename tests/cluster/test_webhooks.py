"""Admission webhooks that run as Pods behind a Service, as kubectl meets them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from launcher.testing.cluster import eventually
from tests.support.apiserver_pki import TestPki
from tests.support.https_pod import https_pod
from tests.support.space import Json, Space, pod
from tests.support.webhooks import configuration, rule

SCRIPT = """
import base64, http.server, json, ssl, sys

class Hook(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        request = review["request"]
        print(json.dumps(request), flush=True)
        response = {"uid": request["uid"], "allowed": True}
        if self.path.startswith("/inject"):
            sidecar = {"name": "sidecar", "image": "busybox", "command": ["sleep", "1000"]}
            patch = [{"op": "add", "path": "/spec/containers/-", "value": sidecar}]
            response |= {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(patch).encode()).decode()}
        elif request["operation"] == "CONNECT" or (request.get("object") or {}).get("data", {}).get("bad"):
            response |= {"allowed": False, "status": {"code": 403, "message": "not in my cluster"}}
        else:
            response["warnings"] = ["this was looked at"]
        body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("", 8443), Hook)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tls/tls.crt", "/tls/tls.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


class Hook:
    """A webhook behind Service `hook`; its configurations speak of this one namespace."""

    def __init__(self, space: Space, directory: Path) -> None:
        self.space = space
        self.bundle = https_pod(space, directory, "hook", SCRIPT)
        space.kubectl("rollout", "status", "deployment/hook", "--timeout=120s")
        ready = "jsonpath={.items[*].endpoints[*].conditions.ready}"        # what the apiserver goes by
        eventually(lambda: "true" in space.kubectl("get", "endpointslices", "-l", "kubernetes.io/service-name=hook", "-o", ready))

    @property
    def name(self) -> str:
        return f"hook.{self.space.namespace}.example"

    def configure(self, kind: str, path: str, *rules: Json, **more: Any) -> None:
        reference = {"namespace": self.space.namespace, "name": "hook", "path": path}
        self.space.create(configuration(kind, self.space.namespace, {
            "name": self.name, "clientConfig": {"service": reference, "caBundle": self.bundle}, "rules": [*rules], "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.space.namespace}}, **more,
        }))


@pytest.fixture
def hook(space: Space, tmp_path: Path) -> Iterator[Hook]:
    yield Hook(space, tmp_path)
    for kind in ("mutating", "validating"):
        space.tried("delete", f"{kind}webhookconfiguration", space.namespace)


@pytest.mark.req("WHK-01", "WHK-02", "ADM-09")
def test_a_sidecar_is_injected(hook: Hook) -> None:
    space = hook.space
    hook.configure("Mutating", "/inject", rule("pods", operations=("CREATE",)))

    space.run(pod("app"))
    space.kubectl("create", "configmap", "alone", "--from-literal=a=b")

    assert space.kubectl("get", "pod", "app", "--no-headers").split()[1] == "2/2"
    assert [one["name"] for one in space.pod("app")["spec"]["containers"]] == ["main", "sidecar"]
    seen = space.kubectl("logs", "deployment/hook").splitlines()
    assert len([line for line in seen if '"kind": "Pod"' in line]) == len(seen) >= 1


@pytest.mark.req("WHK-04", "WHK-08", "ADM-01")
def test_kubectl_sees_refusals_and_warnings(hook: Hook) -> None:
    space = hook.space
    hook.configure(
        "Validating", "/check", rule("configmaps"), rule("pods/exec", operations=("CONNECT",)),
    )

    good = space.tried("create", "configmap", "good", "--from-literal=a=b")
    bad = space.refused("create", "configmap", "bad", "--from-literal=bad=yes")
    executed = space.refused("exec", "deployment/hook", "--", "true")

    assert (good.returncode, good.stderr) == (0, "Warning: this was looked at\n")
    said = f'admission webhook "{hook.name}" denied the request: not in my cluster'
    assert bad.strip().endswith(said)
    assert bad.startswith(("error: failed to create configmap: ", "Error from server"))
    assert said in executed
    assert "not found" in space.refused("get", "configmap", "bad")


@pytest.mark.req("WHK-03")
def test_without_its_pod_the_failure_policy_decides(hook: Hook) -> None:
    space = hook.space
    hook.configure("Validating", "/check", rule("configmaps", operations=("CREATE",)), timeoutSeconds=2)
    space.kubectl("scale", "deployment/hook", "--replicas=0")
    eventually(lambda: not space.items("pods", "-l", "app=hook"))

    said = eventually(lambda: _refused_connection(space))
    space.kubectl(
        "patch", "validatingwebhookconfiguration", space.namespace, "--type=json",
        "-p", '[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]',
    )
    eventually(lambda: space.tried("create", "configmap", "open", "--from-literal=a=b").returncode == 0)

    assert f'failed calling webhook "{hook.name}": failed to call webhook: Post ' in said
    assert f"https://hook.{space.namespace}.svc:443/check?timeout=2s" in said


def _refused_connection(space: Space) -> str:
    said = space.refused("create", "configmap", "closed", "--from-literal=a=b")
    return said if "connect: connection refused" in said else ""


@pytest.mark.req("WHK-01")
def test_a_foreign_ca_is_not_trusted(hook: Hook, tmp_path: Path) -> None:
    other = TestPki(tmp_path / "other")
    hook.bundle = base64.b64encode(Path(other.ca_file).read_bytes()).decode()
    hook.configure("Validating", "/check", rule("configmaps"))

    said = hook.space.refused("create", "configmap", "x", "--from-literal=a=b")

    assert f'failed calling webhook "{hook.name}"' in said
    assert "tls: failed to verify certificate: x509: certificate signed by unknown authority" in said
