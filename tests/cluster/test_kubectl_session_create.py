"""kubectl create, in each of its forms, with the oldest and the newest kubectl: what is printed, and what is there afterwards."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.testing.cluster import eventually, run
from tests.support.session import Session


@pytest.fixture
def cluster_wide(session: Session) -> Iterator[str]:
    """A name for objects without a namespace; they go with the test."""
    name = f"x-{session.namespace}"
    yield name
    for kind in ("namespace", "clusterrole", "clusterrolebinding", "priorityclass"):
        session.kubectl("delete", kind, name, "--ignore-not-found", "--wait=false")


@pytest.mark.req("KCT-07")
def test_workloads(session: Session) -> None:
    assert session.says("create deployment d --image=busybox --replicas=0 --port=80") == "deployment.apps/d created\n"
    assert session.says("create job j --image=busybox -- true") == "job.batch/j created\n"
    assert session.says("create cronjob c --image=busybox --schedule='0 0 1 1 *' -- date") == "cronjob.batch/c created\n"
    assert session.says("create job j2 --from=cronjob/c") == "job.batch/j2 created\n"

    (container,) = session.get("deployment", "d")["spec"]["template"]["spec"]["containers"]
    assert container["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert session.get("job", "j2")["metadata"]["annotations"] == {"cronjob.kubernetes.io/instantiate": "manual"}
    assert session.get("job", "j2")["metadata"]["ownerReferences"][0]["kind"] == "CronJob"
    assert "Invalid value" in session.fails("create cronjob c2 --image=busybox --schedule='61 * * * *'")
    assert 'deployments.apps "d" already exists' in session.fails("create deployment d --image=busybox")


@pytest.mark.req("KCT-07")
def test_config_maps_and_secrets(session: Session, tmp_path: Path) -> None:
    (tmp_path / "env").write_text("# comment\nA=b\nC=d\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "text").write_text("hello\n")
    (tmp_path / "folder" / "bytes").write_bytes(b"\xff\xfe")
    key, certificate = tmp_path / "tls.key", tmp_path / "tls.crt"
    run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(certificate), "-subj", "/CN=x"])
    run(["openssl", "genrsa", "-out", str(tmp_path / "other.key"), "2048"])

    assert session.says("create configmap literal --from-literal=a=b --from-literal=c=d=e") == "configmap/literal created\n"
    from_files = f"create configmap files --from-file={tmp_path}/folder --from-file=other={tmp_path}/env"
    assert session.says(from_files) == "configmap/files created\n"
    assert session.says(f"create configmap env --from-env-file={tmp_path}/env") == "configmap/env created\n"
    assert session.says("create secret generic g --from-literal=p=geheim --type=example.com/x") == "secret/g created\n"
    assert session.says(f"create secret tls t --cert={certificate} --key={key}") == "secret/t created\n"
    registry = "create secret docker-registry r --docker-server=r.example.com --docker-username=u --docker-password=p --docker-email=a@b"
    assert session.says(registry) == "secret/r created\n"

    assert session.get("configmap", "literal")["data"] == {"a": "b", "c": "d=e"}
    files = session.get("configmap", "files")
    assert (files["data"]["text"], files["binaryData"]["bytes"]) == ("hello\n", base64.b64encode(b"\xff\xfe").decode())
    assert session.get("configmap", "env")["data"] == {"A": "b", "C": "d"}
    assert {row[0]: row[1:3] for row in session.table("get secrets")} == {
        "g": ["example.com/x", "1"], "t": ["kubernetes.io/tls", "2"], "r": ["kubernetes.io/dockerconfigjson", "1"],
    }
    config = json.loads(base64.b64decode(session.get("secret", "r")["data"][".dockerconfigjson"]))
    assert config["auths"]["r.example.com"]["auth"] == base64.b64encode(b"u:p").decode()
    mixed = session.fails(f"create secret tls bad --cert={certificate} --key={tmp_path}/other.key")
    assert "private key does not match public key" in mixed
    assert "geheim" not in session.says("describe secret g")


@pytest.mark.req("KCT-07")
def test_services_and_ingresses(session: Session) -> None:
    assert session.says("create service clusterip a --tcp=80:8080 --tcp=81") == "service/a created\n"
    assert session.says("create service clusterip headless --clusterip=None") == "service/headless created\n"
    assert session.says("create service nodeport b --tcp=80") == "service/b created\n"
    assert session.says("create service loadbalancer c --tcp=80:8080") == "service/c created\n"
    assert session.says("create service externalname e --external-name=example.com") == "service/e created\n"
    assert session.says("create ingress i --rule='example.com/p*=a:80,tls=t' --class=k --default-backend=b:80 --annotation=a=b") == (
        "ingress.networking.k8s.io/i created\n")

    rows = {row[0]: row for row in session.table("get services")}
    assert [rows[name][1] for name in ("a", "b", "c", "e")] == ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]
    assert rows["a"][4] == "80/TCP,81/TCP"
    assert rows["headless"][2:5] == ["None", "<none>", "<none>"]
    assert rows["e"][2:5] == ["<none>", "example.com", "<none>"]
    assert session.table("get ingress")[0][:3] == ["i", "k", "example.com"]
    spec = session.get("ingress", "i")["spec"]
    assert spec["tls"] == [{"hosts": ["example.com"], "secretName": "t"}]
    assert spec["rules"][0]["http"]["paths"][0]["pathType"] == "Prefix"
    assert spec["defaultBackend"] == {"service": {"name": "b", "port": {"number": 80}}}


@pytest.mark.req("KCT-07", "ATN-01")
def test_accounts_and_rights(session: Session, cluster_wide: str) -> None:
    assert session.says("create serviceaccount sa1") == "serviceaccount/sa1 created\n"
    assert [row[0] for row in session.table("get serviceaccount")] == ["default", "sa1"]
    assert session.fails("get users") == 'error: the server doesn\'t have a resource type "users"\n'
    rights = {"r": "--verb=get,list --resource=pods,deployments.apps,pods/log", "n": "--verb=get --resource=pods --resource-name=a"}
    for name, what in rights.items():
        assert session.says(f"create role {name} {what}") == f"role.rbac.authorization.k8s.io/{name} created\n"
    assert session.says(f"create clusterrole {cluster_wide} --verb=get --non-resource-url=/x/*") == (
        f"clusterrole.rbac.authorization.k8s.io/{cluster_wide} created\n")
    assert session.says(f"create rolebinding rb --role=r --user=u --group=g --serviceaccount={session.namespace}:sa1") == (
        "rolebinding.rbac.authorization.k8s.io/rb created\n")
    assert session.says(f"create clusterrolebinding {cluster_wide} --clusterrole={cluster_wide} --user=u") == (
        f"clusterrolebinding.rbac.authorization.k8s.io/{cluster_wide} created\n")

    token = session.says("create token sa1 --duration=20m --audience=vault").strip()
    assert len(token.split(".")) == 3
    assert "may not specify a duration less than 10 minutes" in session.fails("create token sa1 --duration=5m")
    assert eventually(lambda: session.says(f"auth can-i get pods --as=system:serviceaccount:{session.namespace}:sa1")) == "yes\n"
    assert session.says("auth can-i get /x/y --as=u") == "yes\n"
    described = session.says("describe role r").splitlines()
    assert described[4].split() == ["Resources", "Non-Resource", "URLs", "Resource", "Names", "Verbs"]
    assert [line.split() for line in described[6:]] == [
        ["pods/log", "[]", "[]", "[get", "list]"], ["pods", "[]", "[]", "[get", "list]"], ["deployments.apps", "[]", "[]", "[get", "list]"]]
    assert [line.split() for line in session.says("describe rolebinding rb").splitlines()[-3:]] == [
        ["User", "u"], ["Group", "g"], ["ServiceAccount", "sa1", session.namespace]]


def test_policies_and_namespaces(session: Session, cluster_wide: str) -> None:
    assert session.says("create quota q --hard=pods=5,cpu=1") == "resourcequota/q created\n"
    assert session.says("create pdb p1 --selector=a=b --min-available=50%") == "poddisruptionbudget.policy/p1 created\n"
    assert session.says("create pdb p2 --selector=a=b --max-unavailable=1") == "poddisruptionbudget.policy/p2 created\n"
    assert session.says(f"create priorityclass {cluster_wide} --value=7 --description=d --preemption-policy=Never") == (
        f"priorityclass.scheduling.k8s.io/{cluster_wide} created\n")
    assert session.says(f"create namespace {cluster_wide}") == f"namespace/{cluster_wide} created\n"

    assert {row[0]: row[1:3] for row in session.table("get pdb")} == {"p1": ["50%", "N/A"], "p2": ["N/A", "1"]}
    assert session.get("resourcequota", "q")["spec"] == {"hard": {"cpu": "1", "pods": "5"}}
    assert session.get("priorityclass", cluster_wide)["preemptionPolicy"] == "Never"
    assert "prefix are reserved for system use only" in session.fails("create priorityclass system-x --value=1")
    assert session.fails(f"create namespace {cluster_wide}") == (
        f'Error from server (AlreadyExists): namespaces "{cluster_wide}" already exists\n')


def test_dry_runs_print_and_keep_nothing(session: Session) -> None:
    client = session.says("create deployment d --image=busybox --dry-run=client -o yaml")
    server = session.says("create deployment d --image=busybox --dry-run=server -o yaml")

    assert "uid:" not in client
    assert "  replicas: 1\n" in client
    assert "progressDeadlineSeconds: 600" in server
    assert "  uid: " in server
    assert session.says("create configmap c --dry-run=server") == "configmap/c created (server dry run)\n"
    assert session.says("create configmap c --dry-run=client") == "configmap/c created (dry run)\n"
    assert "NotFound" in session.fails("get deployment d")
    assert session.says("create -f - --dry-run=server", client) == "deployment.apps/d created (server dry run)\n"
