"""kubectl's ways to look, with the oldest and the newest kubectl."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from launcher.testing.cluster import eventually
from tests.support.session import Session
from tests.support.space import config_map, container, deployment, pod

POD_COLUMNS = ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
CLAIM = {
    "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "claim"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "none"},
}
POLICY = {
    "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "np"},
    "spec": {"podSelector": {"matchLabels": {"a": "b"}}, "policyTypes": ["Ingress"]},
}


@pytest.mark.req("KCT-02")
def test_get_in_every_form(session: Session) -> None:
    only = {"l": "1", "app": "x", "only": session.namespace}
    session.create(pod("a", labels=only), pod("b", labels={"l": "2"}), config_map("c", k="v"), POLICY)
    session.ready("a", "b")

    assert session.says("get pods").splitlines()[0].split() == POD_COLUMNS
    wide = session.says("get pods -o wide").splitlines()[0].split()
    assert wide == [*POD_COLUMNS, "IP", "NODE", "NOMINATED", "NODE", "READINESS", "GATES"]
    assert session.says("get pods -o name") == "pod/a\npod/b\n"
    assert session.says("get pod/a configmap/c -o name") == "pod/a\nconfigmap/c\n"
    assert {"pod/a", "pod/b", "configmap/c"} <= {row[0] for row in session.table("get pods,cm") if row}
    assert [row[1] for row in session.table(f"get pods -A -l only={session.namespace}")] == ["a"]
    assert session.says("get pods -l 'l in (1,2),l!=1' -o name") == "pod/b\n"
    assert session.says("get pods --field-selector=metadata.name=b -o name") == "pod/b\n"
    assert session.says("get pods --sort-by='{.metadata.labels.l}' -o name") == "pod/a\npod/b\n"
    assert session.says("get pods --chunk-size=1 -o name") == "pod/a\npod/b\n"
    labels = session.says("get pods -L l --show-labels").splitlines()[1].split()[-2:]
    assert (labels[0], labels[1].split(",")[:2]) == ("1", ["app=x", "l=1"])     # the node's topology may follow
    assert session.says("get pods --show-kind --no-headers").split()[0] == "pod/a"
    assert json.loads(session.says("get pod a -o json"))["kind"] == "Pod"
    assert session.says("get pod a -o yaml").startswith("apiVersion: v1\nkind: Pod\nmetadata:\n")
    assert session.says("get pods -o jsonpath='{range .items[*]}{.metadata.name}={.metadata.labels.l} {end}'") == "a=1 b=2 "
    assert json.loads(session.says("get pods -o jsonpath-as-json='{.items[*].metadata.name}'")) == ["a", "b"]
    assert session.says("get pods -o custom-columns=N:.metadata.name,L:.metadata.labels.app").split() == ["N", "L", "a", "x", "b", "<none>"]
    assert session.says("get pods -o go-template='{{len .items}}'") == "2"
    assert session.says("get networkpolicies").splitlines()[0].split() == ["NAME", "POD-SELECTOR", "AGE"]
    assert session.says("get cm c -o yaml --show-managed-fields").count("managedFields") == 1
    assert session.fails("get serviceacceount") == 'error: the server doesn\'t have a resource type "serviceacceount"\n'
    assert session.fails("get pod a nope") == 'Error from server (NotFound): pods "nope" not found\n'
    assert "unable to match a printer" in session.fails("get pods -o nope")
    assert session.tried("get", "secrets").stderr == f"No resources found in {session.namespace} namespace.\n"


def test_get_follows_changes(session: Session) -> None:
    session.create(config_map("c", a="1"))

    with session.started("get", "configmap", "c", "--watch", "-o", "jsonpath={.data.a}{'\\n'}") as following:
        eventually(lambda: following.text == "1\n")
        session.says("""patch cm c -p '{"data":{"a":"2"}}'""")
        eventually(lambda: following.text == "1\n2\n")


@pytest.mark.req("KCT-03")
def test_describe_prints_every_section(session: Session) -> None:
    session.create(pod("p"), deployment("d", replicas=0), CLAIM, config_map("c", k="v"))
    session.says("create role r --verb=get --resource=pods")
    session.says("create rolebinding rb --role=r --user=u")
    session.says("create cronjob cj --image=busybox --schedule='0 0 1 1 *'")
    session.says("create service clusterip s --tcp=80")
    session.says("create ingress i --rule=example.com/=s:80")
    session.says("create quota q --hard=configmaps=5")
    session.ready("p")
    session.event("p", "Started")
    sections = {
        "pod p": ["Namespace:", "Node:", "Status:", "IP:", "Containers:", "Conditions:", "Volumes:", "QoS Class:", "Tolerations:"],
        "pods p": ["Containers:", "Events:"],
        "node node2": ["Roles:", "Labels:", "Taints:", "Lease:", "Conditions:", "Addresses:", "Capacity:", "Allocatable:", "System Info:",
                       "PodCIDR:", "Non-terminated Pods:", "Allocated resources:", "Events:"],
        "pvc claim": ["StorageClass:", "Status:        Pending", "Finalizers:", "VolumeMode:", "Used By:", "Events:"],
        "role r": ["PolicyRule:", "Resources"], "rolebinding rb": ["Role:", "Subjects:", "User"],
        "deployment d": ["Selector:", "Replicas:", "StrategyType:", "Pod Template:", "Conditions:", "NewReplicaSet:", "Events:"],
        "configmap c": ["Data\n====", "BinaryData"], "cronjob cj": ["Schedule:", "Concurrency Policy:", "Last Schedule Time:"],
        "service s": ["Selector:", "IP Family Policy:", "Endpoints:", "Session Affinity:"],
        "ingress i": ["Default backend:", "Rules:", "example.com"], "quota q": ["Resource", "Used", "Hard"],
        f"namespace {session.namespace}": ["Status:", "Active"], "sa default": ["Tokens:", "Image pull"],
        "nodes": ["Name:               node1", "Name:               node3"],
    }

    for what, wanted in sections.items():
        text = session.says(f"describe {what}")
        assert [part for part in wanted if part not in text] == [], text
    assert "Started" in session.says("describe pod p")
    assert session.fails("describe pod nope") == 'Error from server (NotFound): pods "nope" not found\n'


@pytest.mark.req("KCT-06")
def test_resources_and_version(session: Session) -> None:
    header, *lines = session.says("api-resources").splitlines()
    rows = [line.split() for line in lines]
    version = session.says("version")

    assert header.split() == ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]
    for row in (
        ["bindings", "v1", "true", "Binding"], ["componentstatuses", "cs", "v1", "false", "ComponentStatus"],
        ["configmaps", "cm", "v1", "true", "ConfigMap"], ["endpoints", "ep", "v1", "true", "Endpoints"],
        ["events", "ev", "v1", "true", "Event"], ["limitranges", "limits", "v1", "true", "LimitRange"],
        ["namespaces", "ns", "v1", "false", "Namespace"], ["deployments", "deploy", "apps/v1", "true", "Deployment"],
    ):
        assert row in rows
    assert {"apps/v1", "v1", "batch/v1"} <= set(session.says("api-versions").split())
    assert "Warning: v1 ComponentStatus is deprecated in v1.19+" in session.tried("get", "cs").stderr
    assert re.search(rf"Client Version: .*v1\.{session.minor}\.", version)
    assert "Kustomize Version: v5" in version
    assert re.search(r"Server Version: .*v1\.37\.", version)


def test_explain(session: Session) -> None:
    assert "FIELD: env <[]EnvVar>" in session.says("explain pods.spec.containers.env")
    assert "progressDeadlineSeconds" in session.says("explain deploy.spec --recursive")
    assert "VERSION:    v1\n" in session.says("explain hpa --api-version=autoscaling/v1")
    assert 'field "nope" does not exist' in session.fails("explain pods.nope")
    assert "couldn't find resource for" in session.fails("explain nope") or "doesn't have a resource type" in session.fails("explain nope")


@pytest.mark.req("KCT-07")
def test_rights(session: Session) -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "r", "namespace": session.namespace},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}
    bound = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
             "metadata": {"name": "rb", "namespace": session.namespace},
             "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
             "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "u"}]}
    rules = json.dumps({"apiVersion": "v1", "kind": "List", "items": [role, bound]})

    assert session.says("auth reconcile -f -", rules) == (
        "role.rbac.authorization.k8s.io/r reconciled\nrolebinding.rbac.authorization.k8s.io/rb reconciled\n")
    role["rules"] = []
    assert session.says("auth reconcile -f -", json.dumps(role)).startswith("role.rbac.authorization.k8s.io/r")
    assert session.get("role", "r")["rules"][0]["verbs"] == ["get"]         # reconciling adds, and takes nothing away
    assert eventually(lambda: session.says("auth can-i get pods --as=u")) == "yes\n"
    assert session.tried("auth", "can-i", "delete", "pods", "--as=u").stdout == "no\n"
    assert session.tried("auth", "can-i", "get", "pods", "--subresource=log", "--as=u").returncode == 1
    assert "not namespace scoped" in session.tried("auth", "can-i", "get", "nodes").stderr
    listed = [line.split() for line in session.says("auth can-i --list --as=u").splitlines()]
    assert listed[0] == ["Resources", "Non-Resource", "URLs", "Resource", "Names", "Verbs"]
    assert ["pods", "[]", "[]", "[get]"] in listed
    if session.minor >= 28:     # before, kubectl asks for a version that is gone
        who = session.says("auth whoami --as=jane --as-group=staff -o jsonpath='{.status.userInfo.username} {.status.userInfo.groups}'")
        assert who == 'jane ["staff","system:authenticated"]'


def test_the_cluster_as_a_whole(session: Session, tmp_path: Path) -> None:
    session.run(pod("p"))
    session.event("p", "Started")
    session.event("p", "Scheduled")

    said = session.says(f"cluster-info dump --namespaces={session.namespace} --output-directory={tmp_path}")
    assert said == f"Cluster info dumped to {tmp_path}\n"
    assert {"nodes.json", session.namespace} <= {path.name for path in tmp_path.iterdir()}
    assert json.loads((tmp_path / session.namespace / "pods.json").read_text())["items"][0]["metadata"]["name"] == "p"
    assert (tmp_path / session.namespace / "p" / "logs.txt").exists()
    assert {row[2] for row in session.table("events --for=pod/p")} >= {"Scheduled", "Started"}
    assert {row[1] for row in session.table("events --types=Normal")} == {"Normal"}
    assert session.says("get events --field-selector=reason=Started,involvedObject.name=p -o name").startswith("event/p.")
    for what in ("nodes", "pods"):
        assert session.fails(f"top {what}") == "error: Metrics API not available\n"
    assert session.says("get --raw /readyz") == "ok"
    assert "the server could not find the requested resource" in session.fails("get --raw /nope")


def test_logs(session: Session) -> None:
    one, two = (container(name, f"for i in 1 2 3; do echo {name} $i; done; exec sleep 1000") for name in ("one", "two"))
    session.run(pod("p", one, two))

    eventually(lambda: session.says("logs p -c one").count("\n") == 3 and session.says("logs p -c two").count("\n") == 3)
    assert session.says("logs p -c two") == "two 1\ntwo 2\ntwo 3\n"
    assert session.says("logs p -c one --tail=1") == "one 3\n"
    assert sorted(session.says("logs pod/p --all-containers --prefix --tail=1").splitlines()) == ["[pod/p/one] one 3", "[pod/p/two] two 3"]
    assert sorted(session.says("logs -l app=p --all-containers --tail=1").splitlines()) == ["one 3", "two 3"]
    stamped = session.says("logs p -c one --timestamps --limit-bytes=60")
    assert stamped[4] == "-" and "T" in stamped.split()[0]
    assert session.says("logs p -c one --since=1h") == "one 1\none 2\none 3\n"
    assert "container nope is not valid for pod p" in session.fails("logs p -c nope")
    assert 'previous terminated container "one" in pod "p" not found' in session.fails("logs p -c one --previous")
    assert session.fails("logs nope") in ('error: error from server (NotFound): pods "nope" not found in namespace '
                                          f'"{session.namespace}"\n', 'Error from server (NotFound): pods "nope" not found\n')


def test_commands_that_need_no_server(session: Session, tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("namePrefix: my-\nconfigMapGenerator:\n- name: c\n  literals: [a=b]\n")

    built = session.says(f"kustomize {tmp_path}")
    assert "  name: my-c-" in built
    assert session.says(f"apply -k {tmp_path}").startswith("configmap/my-c-")
    assert session.says(f"delete -k {tmp_path}").startswith('configmap "my-c-')
    assert session.says("completion bash").count("kubectl") > 10
    assert "unable to find any kubectl plugins" in session.tried("plugin", "list", environment={"PATH": str(tmp_path)}).stderr
    assert "kubectl controls the Kubernetes cluster manager" in session.says("help")
