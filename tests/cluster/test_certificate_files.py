"""The cluster's certificates as files and on the wire: what openssl and curl say of them."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from launcher.testing.cluster import Cluster, run
from tests.support.space import Space, pod

NODE1, NODE2 = "172.30.0.11", "172.30.0.12"


def pki(cluster: Cluster) -> Path:
    return Path("/var/lib/kubonsai/clusters", cluster.name, "pki")


def tried(command: Sequence[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, input=stdin)


def in_node(cluster: Cluster, node: str, *command: str) -> subprocess.CompletedProcess[str]:
    """In the node's network and with its own files."""
    return tried([
        "nsenter", f"--net=/run/netns/{cluster.name}-{node}", f"--mount=/run/kubonsai/{cluster.name}/{node}/mnt", *command])


def subject(certificate: Path) -> str:
    return run(["openssl", "x509", "-in", str(certificate), "-noout", "-subject"]).strip().removeprefix("subject=").replace(" ", "")


def shown(cluster: Cluster, node: str, address: str, *arguments: str) -> str:
    """What `openssl s_client` prints."""
    return in_node(cluster, node, "openssl", "s_client", "-connect", address, *arguments).stdout


@pytest.mark.req("CRT-01")
def test_the_cluster_and_etcd_have_each_their_own_authority(kubonsai_cluster: Cluster) -> None:
    folder = pki(kubonsai_cluster)
    for authority in ("ca.crt", "etcd/ca.crt"):
        issuer, own = run(["openssl", "x509", "-in", str(folder / authority), "-noout", "-issuer", "-subject"]).splitlines()
        assert issuer.removeprefix("issuer=") == own.removeprefix("subject=")
        assert "CA:TRUE" in run(["openssl", "x509", "-in", str(folder / authority), "-noout", "-text"])

    def etcd(name: str) -> subprocess.CompletedProcess[str]:
        return in_node(
            kubonsai_cluster, "node1", "etcdctl", "--endpoints=https://127.0.0.1:2379", f"--cacert={folder}/etcd/ca.crt",
            f"--cert={folder}/{name}.crt", f"--key={folder}/{name}.key", "--dial-timeout=15s", "--command-timeout=15s",
            "get", "/registry/namespaces/default", "--keys-only")

    def api(name: str) -> subprocess.CompletedProcess[str]:
        config = json.loads(kubonsai_cluster.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
        server = config["clusters"][0]["cluster"]["server"]
        return tried(["curl", "-sS", "--cacert", f"{folder}/ca.crt", "--cert", f"{folder}/{name}.crt", "--key", f"{folder}/{name}.key",
                      f"{server}/api/v1/namespaces"])

    assert etcd("apiserver-etcd-client").stdout.split() == ["/registry/namespaces/default"]
    assert etcd("admin").returncode != 0
    assert json.loads(api("admin").stdout)["kind"] == "NamespaceList"
    assert json.loads(api("apiserver-etcd-client").stdout)["reason"] == "Unauthorized"


@pytest.mark.req("CRT-02")
def test_every_port_shows_a_certificate_and_asks_for_one(kubonsai_cluster: Cluster) -> None:
    folder = pki(kubonsai_cluster)
    ports = {"6443": ("node1", NODE1, "CN = kube-apiserver"), "2379": ("node1", NODE1, "CN = node1"),
             "10250": ("node2", NODE2, "O = system:nodes, CN = system:node:node2")}

    for port, (node, address, name) in ports.items():
        said = shown(kubonsai_cluster, node, f"{address}:{port}")
        assert f"subject={name}\n" in said, said
        assert "issuer=CN = etcd-ca" in said if port == "2379" else "issuer=CN = kubernetes\n" in said
        plain = in_node(kubonsai_cluster, node, "curl", "-sS", "-m", "30", "-o", "/dev/null", "-w", "%{http_code}", f"http://{address}:{port}/")
        assert plain.stdout in ("400", "000"), f"{port}: {plain}"      # 000: the connection was closed

    # With TLS 1.3 the refusal comes after the handshake, and may be overtaken by the end of the connection.
    call = ["curl", "-sS", "-m", "30", "--tls-max", "1.2", "--cacert", f"{folder}/etcd/ca.crt", "https://127.0.0.1:2379/version"]
    etcd = in_node(kubonsai_cluster, "node1", *call)
    kubelet = in_node(
        kubonsai_cluster, "node2", "curl", "-sS", "-m", "30", "--cacert", f"{folder}/ca.crt", "-w", "%{http_code}", f"https://{NODE2}:10250/pods")
    assert etcd.returncode != 0
    assert "bad certificate" in etcd.stderr
    assert kubelet.stdout.endswith("401")


@pytest.mark.req("CRT-02")
def test_kubeconfigs_hold_the_components_certificates(kubonsai_cluster: Cluster, tmp_path: Path) -> None:
    def who(node: str, name: str) -> str:
        config = yaml.safe_load(in_node(kubonsai_cluster, node, "cat", f"/etc/kubernetes/{name}.conf").stdout)
        certificate = tmp_path / "client.crt"
        certificate.write_bytes(base64.b64decode(config["users"][0]["user"]["client-certificate-data"]))
        return subject(certificate)

    assert who("node1", "scheduler") == "CN=system:kube-scheduler"
    assert who("node1", "controller-manager") == "CN=system:kube-controller-manager"
    assert who("node1", "admin") == "O=system:masters,CN=kubernetes-admin"
    for node in ("node1", "node2", "node3"):
        assert who(node, "kubelet") == f"O=system:nodes,CN=system:node:{node}"
        assert who(node, "kube-proxy") == "CN=system:kube-proxy"
    call = ["kubectl", "--kubeconfig=/etc/kubernetes/kubelet.conf", "get", "node", "node2", "-o", "name"]
    kubelet = in_node(kubonsai_cluster, "node2", *call)
    assert kubelet.stdout == "node/node2\n"


@pytest.mark.req("CRT-03")
def test_an_administrator_made_by_hand_has_all_rights(kubonsai_cluster: Cluster, tmp_path: Path) -> None:
    authority, key, request, certificate = (tmp_path / name for name in ("ca.crt", "admin.key", "admin.csr", "admin.crt"))
    authority.write_bytes((pki(kubonsai_cluster) / "ca.crt").read_bytes())

    run(["openssl", "genrsa", "-out", str(key), "2048"])
    run(["openssl", "req", "-new", "-key", str(key), "-subj", "/CN=kube-admin/O=system:masters", "-out", str(request)])
    run(["openssl", "x509", "-req", "-in", str(request), "-CA", str(authority), "-CAkey", str(pki(kubonsai_cluster) / "ca.key"),
         "-CAcreateserial", "-days", "10", "-out", str(certificate)])
    call = ["curl", "-sS", "--key", str(key), "--cert", str(certificate), "--cacert", str(authority)]
    answer = run(["ip", "netns", "exec", f"{kubonsai_cluster.name}-node2", *call, "--connect-to", f"kubernetes:6443:{NODE1}:6443",
                  "https://kubernetes:6443/api/v1/pods"])

    assert json.loads(answer)["kind"] == "PodList"


@pytest.mark.req("CRT-04")
def test_the_apiserver_is_known_by_its_names_and_by_no_other(space: Space) -> None:
    certificate = pki(space.cluster) / "apiserver.crt"
    text = run(["openssl", "x509", "-in", str(certificate), "-text", "-noout"])
    (names,) = [line.strip() for line in text.splitlines() if line.strip().startswith("DNS:")]
    space.run(pod("p"))

    def asked(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        authority = str(pki(space.cluster) / "ca.crt")
        netns = space.cluster.netns_of("p", space.namespace)
        return tried(["ip", "netns", "exec", netns, "curl", "-sS", "-m", "30", "--cacert", authority, *arguments, f"https://{name}/version"])

    own = {"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}
    assert {name.rpartition(":")[2] for name in names.split(", ")} == own | {"localhost", "node1", "10.96.0.1", "127.0.0.1", NODE1}
    for name in (*own, "10.96.0.1"):
        # The shortest name is one in namespace default alone: the Pod is elsewhere.
        answer = asked(name, *(("--connect-to", "kubernetes:443:10.96.0.1:443") if name == "kubernetes" else ()))
        assert '"gitVersion"' in answer.stdout, f"{name}: {answer}"
    other = asked("other.example.com", "--connect-to", "other.example.com:443:10.96.0.1:443")
    assert (other.returncode, other.stdout) == (60, "")
    assert "no alternative certificate subject name matches" in other.stderr


@pytest.mark.req("CRT-05")
def test_start_options_tell_where_certificates_are(kubonsai_cluster: Cluster) -> None:
    def found(option: str, component: str) -> str:
        line = in_node(kubonsai_cluster, "node1", "grep", "--", option, f"/etc/kubernetes/manifests/{component}.yaml").stdout
        return line.strip().removeprefix(f"- {option}=")

    assert found("--tls-cert-file", "kube-apiserver") == "/etc/kubernetes/pki/apiserver.crt"
    assert found("--client-ca-file", "kube-apiserver") == "/etc/kubernetes/pki/ca.crt"
    assert found("--etcd-certfile", "kube-apiserver") == "/etc/kubernetes/pki/apiserver-etcd-client.crt"
    assert found("--cluster-signing-cert-file", "kube-controller-manager") == "/etc/kubernetes/pki/ca.crt"
    assert found("--cert-file", "etcd").endswith("/etc/kubernetes/pki/etcd/server.crt")
    for path in ("/etc/kubernetes/pki/apiserver.crt", found("--tls-cert-file", "kube-apiserver")):
        text = in_node(kubonsai_cluster, "node1", "openssl", "x509", "-in", path, "-text", "-noout").stdout
        assert "Subject: CN = kube-apiserver" in text
        assert "Issuer: CN = kubernetes" in text


