"""The certificates API by kubectl and openssl, and a kubelet that joins by token.

Names of cluster-wide objects end with the namespace of the test.
"""

from __future__ import annotations

import base64
import json
import signal
from collections.abc import Iterator
from os import kill
from pathlib import Path
from typing import Any

import pytest
import yaml

from launcher.cluster.join import bootstrap_objects, new_token
from launcher.testing.cluster import Cluster, eventually, run
from tests.support.space import Space

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\nspec:\n  nodeName: %s\n  containers: [{name: c, image: busybox, command: [%s]}]\n"


@pytest.fixture
def person(space: Space, tmp_path: Path) -> Iterator[Person]:
    made = Person(space, tmp_path)
    yield made
    for name in made.asked:
        space.kubectl("delete", "csr", name, "--ignore-not-found")


class Person:
    """Jane, who makes keys with openssl and asks for certificates."""

    def __init__(self, space: Space, folder: Path) -> None:
        self.space = space
        self.key = folder / "jane.key"
        self.asked: list[str] = []
        run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(self.key)])

    def manifest(self, name: str, subject: str, *usages: str) -> str:
        pem = run(["openssl", "req", "-new", "-key", str(self.key), "-subj", subject])
        return json.dumps({
            "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name},
            "spec": {
                "request": base64.b64encode(pem.encode()).decode(), "signerName": "kubernetes.io/kube-apiserver-client",
                "usages": list(usages), "groups": ["system:authenticated"],
            },
        })

    def asks(self, *usages: str, subject: str = "/CN=jane/O=staff") -> str:
        """The name of the request."""
        name = f"jane-{len(self.asked)}-{self.space.namespace}"
        self.space.kubectl("apply", "-f", "-", stdin=self.manifest(name, subject, *usages))
        self.asked.append(name)
        return name

    def kubeconfig(self, certificate: Path) -> str:
        """The cluster's own, with Jane for the administrator."""
        config = yaml.safe_load(Path(self.space.cluster.environment["KUBECONFIG"]).read_text())
        for user in config["users"]:
            user["user"] = {"client-certificate": str(certificate), "client-key": str(self.key)}
        file = certificate.with_name("jane.conf")
        file.write_text(yaml.safe_dump(config))
        return str(file)

    def row(self, name: str) -> list[str]:
        return self.space.kubectl("get", "csr", name, "--no-headers").split()

    def status(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.space.kubectl("get", "csr", name, "-o", "json"))["status"]
        return found


@pytest.mark.req("CSR-01", "CSR-03", "CSR-04")
def test_a_user_gets_a_certificate_and_logs_in_with_it(person: Person, tmp_path: Path) -> None:
    name = person.asks("client auth")
    row = person.row(name)
    assert (row[0], row[2], row[3], row[-1]) == (name, "kubernetes.io/kube-apiserver-client", "kubernetes-admin", "Pending")

    said = person.space.kubectl("certificate", "approve", name)
    eventually(lambda: person.row(name)[-1] == "Approved,Issued")

    assert said.strip() == f"certificatesigningrequest.certificates.k8s.io/{name} approved"
    certificate = tmp_path / "jane.crt"
    certificate.write_bytes(base64.b64decode(person.status(name)["certificate"]))
    shown = run(["openssl", "x509", "-in", str(certificate), "-noout", "-subject", "-issuer"])
    subject, issuer = shown.replace(" = ", "=").splitlines()
    assert ("CN=jane" in subject, "O=staff" in subject, issuer) == (True, True, "issuer=CN=kubernetes")
    login = {"KUBECONFIG": person.kubeconfig(certificate)}
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    told = person.space.kubectl(
        "create", "--raw", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "-f", "-", stdin=json.dumps(review), environment=login)
    user = json.loads(told)["status"]["userInfo"]       # what `kubectl auth whoami` shows
    assert (user["username"], user["groups"]) == ("jane", ["staff", "system:authenticated"])
    refused = person.space.tried("get", "nodes", environment=login)
    assert 'User "jane" cannot list resource "nodes"' in refused.stderr


@pytest.mark.req("CSR-02")
def test_a_usage_that_does_not_fit_the_signer_fails(person: Person) -> None:
    name = person.asks("server auth")

    person.space.kubectl("certificate", "approve", name)

    eventually(lambda: person.row(name)[-1] == "Approved,Failed")
    failed = person.status(name)["conditions"][-1]
    assert (failed["reason"], failed["message"]) == ("SignerValidationFailure", "invalid usage for client certificate: server auth")
    assert failed["lastUpdateTime"] and failed["lastTransitionTime"]
    assert not person.status(name).get("certificate")


@pytest.mark.req("CSR-03")
def test_a_denied_request_gets_nothing(person: Person) -> None:
    name = person.asks("client auth")

    person.space.kubectl("certificate", "deny", name)

    assert person.row(name)[-1] == "Denied"
    changed = person.space.tried("certificate", "approve", name)
    assert changed.returncode != 0
    assert person.row(name)[-1] == "Denied"


@pytest.mark.req("ADM-03")
def test_approving_needs_the_right_for_the_signer(person: Person) -> None:
    space, name = person.space, person.asks("client auth")
    role = f"approver-{space.namespace}"
    space.kubectl("create", "clusterrole", role, "--verb=get,list,update", "--resource=certificatesigningrequests,"
                  "certificatesigningrequests.certificates.k8s.io/approval,certificatesigningrequests.certificates.k8s.io/status")
    space.kubectl("create", "clusterrolebinding", role, f"--clusterrole={role}", "--user=bob")
    try:
        refused = eventually(lambda: _said(space, "user not permitted", "certificate", "approve", name, "--as=bob"))
    finally:
        space.kubectl("delete", "clusterrole,clusterrolebinding", role)

    assert 'user not permitted to approve requests with signerName "kubernetes.io/kube-apiserver-client"' in refused
    assert person.row(name)[-1] == "Pending"


def _said(space: Space, text: str, *arguments: str) -> str:
    error = space.tried(*arguments).stderr
    return error if text in error else ""


@pytest.mark.req("ADM-04")
def test_nobody_becomes_a_master_by_certificate(person: Person) -> None:
    refused = person.space.tried("apply", "-f", "-", stdin=person.manifest("eve", "/CN=eve/O=system:masters", "client auth"))

    assert refused.returncode != 0
    assert "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed" in refused.stderr


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path, nodes=2)
    try:
        yield cluster.start()
    finally:
        cluster.stop()


def test_a_kubelet_without_certificates_joins_by_token(own: Cluster, tmp_path: Path) -> None:
    token, certificates = new_token(), Path("/var/lib/kubonsai/clusters", own.name, "nodes/node2/pki")
    for obj in bootstrap_objects(token):
        own.apply(json.dumps(obj))
    own.apply(POD % ("before", "node2", "sleep, '1000'"))
    eventually(lambda: own.get("pod", "before")["status"]["phase"] == "Running")
    started = own.get("pod", "before")["status"]["containerStatuses"][0]["containerID"]
    (tmp_path / "token").write_text(token)
    file = Path("/var/lib/kubonsai/clusters", own.name, "config/kubelet-node2.json")
    config = json.loads(file.read_text())
    (address,) = (one["address"] for one in own.get("node", "node1")["status"]["addresses"] if one["type"] == "InternalIP")
    ca = config["serving_tls"]["ca_file"]
    files = [{"cert_file": str(certificates / name), "key_file": str(certificates / name), "ca_file": ca}
             for name in ("kubelet-client.pem", "kubelet-serving.pem")]
    config["bootstrap"] = {
        "server": f"https://{address}:6443", "token_file": str(tmp_path / "token"), "ca_file": ca, "cert_dir": str(certificates)}
    config["apiserver"]["tls"], config["serving_tls"] = files
    file.write_text(json.dumps(config))

    kill(own.process("kubelet", "node2")["pid"], signal.SIGTERM)

    table = eventually(lambda: _all_issued(own.kubectl("get", "csr", "--no-headers")))
    assert {line.split()[2]: line.split()[3] for line in table} == {
        "kubernetes.io/kube-apiserver-client-kubelet": f"system:bootstrap:{token[:6]}",
        "kubernetes.io/kubelet-serving": "system:node:node2",
    }
    own.apply(POD % ("after", "node2", "echo, joined"))
    eventually(lambda: own.kubectl("logs", "after").strip() == "joined")        # by the new serving certificate
    assert own.get("pod", "before")["status"]["containerStatuses"][0]["containerID"] == started
    assert own.kubectl("exec", "before", "--", "echo", "still here").strip() == "still here"


def _all_issued(table: str) -> list[str]:
    lines = table.splitlines()
    return lines if len(lines) == 2 and all("Approved,Issued" in line for line in lines) else []
