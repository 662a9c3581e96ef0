"""kubectl as people use it: make, change, select, print and delete objects."""

from __future__ import annotations

import json

import pytest

from launcher.testing.cluster import eventually
from tests.support.space import Space, config_map, deployment, pod, service

GENERATED = {
    "deployment.apps": ["deployment", "x", "--image=busybox", "--replicas=2", "--", "sleep", "100"],
    "configmap": ["configmap", "x", "--from-literal=a=b"],
    "secret": ["secret", "generic", "x", "--from-literal=password=geheim"],
    "serviceaccount": ["serviceaccount", "x"],
    "role.rbac.authorization.k8s.io": ["role", "x", "--verb=get,list", "--resource=pods,deployments.apps"],
    "rolebinding.rbac.authorization.k8s.io": ["rolebinding", "x", "--role=x", "--user=bob"],
    "job.batch": ["job", "x", "--image=busybox", "--", "true"],
    "cronjob.batch": ["cronjob", "x", "--image=busybox", "--schedule=0 0 1 1 *"],
    "service": ["service", "nodeport", "x", "--tcp=80:8080"],
    "ingress.networking.k8s.io": ["ingress", "x", "--rule=example.com/path*=x:80"],
    "resourcequota": ["quota", "x", "--hard=pods=30"],
    "poddisruptionbudget.policy": ["poddisruptionbudget", "x", "--selector=a=b", "--min-available=1"],
}


@pytest.mark.req("CFG-03", "RBC-05")
@pytest.mark.modern_kubectl
def test_create_generators(space: Space) -> None:
    answers = [space.kubectl("create", *arguments).strip() for arguments in GENERATED.values()]

    names = [f"{kind}/x" for kind in GENERATED]
    assert answers == [f"{name} created" for name in names]
    assert space.kubectl("get", *names, "-o", "name").split() == names
    assert space.kubectl("describe", *names).count("\nName:") == len(names) - 1
    assert space.refused("create", *GENERATED["configmap"]).strip() == 'error: failed to create configmap: configmaps "x" already exists'
    assert 'deployments.apps "x" already exists' in space.refused("create", *GENERATED["deployment.apps"])
    assert len(space.kubectl("delete", *names, "--wait=false").splitlines()) == len(names)


@pytest.mark.req("SVC-12", "CFG-06", "NS-01")
def test_create_more(space: Space) -> None:
    space.kubectl("create", "service", "externalname", "x", "--external-name=example.com")
    space.kubectl("create", "service", "clusterip", "y", "--clusterip=None")
    space.kubectl("create", "secret", "docker-registry", "r", "--docker-server=r", "--docker-username=u", "--docker-password=p")

    rows = [line.split()[:5] for line in space.kubectl("get", "services", "--no-headers").splitlines()]
    assert rows == [["x", "ExternalName", "<none>", "example.com", "<none>"], ["y", "ClusterIP", "None", "<none>", "<none>"]]
    assert space.get("secret", "r")["type"] == "kubernetes.io/dockerconfigjson"
    assert space.refused("create", "namespace", space.namespace).strip() == (
        f'Error from server (AlreadyExists): namespaces "{space.namespace}" already exists'
    )


def test_apply_twice_changes_nothing(space: Space) -> None:
    things = [deployment("d", replicas=0), service("s"), config_map("c", a="b"), pod("p")]

    first, second = space.apply(*things).splitlines(), space.apply(*things).splitlines()
    changed = space.apply(*things[:2], config_map("c", a="other"), things[3]).splitlines()

    assert [line.split()[1] for line in first] == ["created"] * 4
    assert [line.split()[1] for line in second] == ["unchanged"] * 4
    assert [line.split()[1] for line in changed] == ["unchanged", "unchanged", "configured", "unchanged"]
    assert space.get("configmap", "c")["data"] == {"a": "other"}
    assert space.tried("diff", "-f", "-", stdin=json.dumps(config_map("c", a="other"))).returncode == 0
    assert '-  a: other\n+  a: third' in space.tried("diff", "-f", "-", stdin=json.dumps(config_map("c", a="third"))).stdout


def test_apply_removes_what_its_last_manifest_held(space: Space) -> None:
    space.apply(config_map("c", kept="1", dropped="2"))
    space.kubectl("patch", "configmap", "c", "--type=merge", "-p", '{"data":{"foreign":"3"}}')

    space.apply(config_map("c", kept="1"))

    assert space.get("configmap", "c")["data"] == {"kept": "1", "foreign": "3"}


def test_the_three_kinds_of_patch(space: Space) -> None:
    space.create(deployment("d", replicas=0))

    space.kubectl("patch", "deployment", "d", "-p", json.dumps(
        {"spec": {"template": {"spec": {"containers": [{"name": "second", "image": "busybox"}]}}}},
    ))
    by_strategy = space.get("deployment", "d")["spec"]["template"]["spec"]["containers"]
    space.kubectl("patch", "deployment", "d", "--type=merge", "-p", '{"metadata":{"labels":{"app":null,"new":"yes"}}}')
    merged = space.get("deployment", "d")["metadata"]["labels"]
    space.kubectl("patch", "deployment", "d", "--type=json", "-p", '[{"op":"replace","path":"/spec/replicas","value":1}]')
    space.create(config_map("c", a="b"))
    nothing = space.kubectl("patch", "configmap", "c", "-p", '{"data":{"a":"b"}}')

    assert sorted(container["name"] for container in by_strategy) == ["main", "second"]
    assert merged == {"new": "yes"}
    assert nothing.strip() == "configmap/c patched (no change)"
    refused = space.refused("patch", "deployment", "d", "--type=json", "-p", '[{"op":"remove","path":"/spec/nope"}]')
    assert refused == "The request is invalid\n" or "due to an error in our request" in refused


@pytest.mark.req("RES-02")
def test_labels_and_annotations(space: Space) -> None:
    space.create(config_map("c"), config_map("other"))

    assert space.kubectl("label", "configmap", "c", "tier=web").strip() == "configmap/c labeled"
    assert "already has a value (web), and --overwrite is false" in space.refused("label", "configmap", "c", "tier=db")
    assert space.kubectl("label", "configmap", "c", "tier=db", "--overwrite").strip() == "configmap/c labeled"
    assert space.kubectl("annotate", "configmap", "c", "note=some text").strip() == "configmap/c annotated"
    assert space.kubectl("get", "configmap", "-l", "tier=db", "-o", "name").split() == ["configmap/c"]
    space.kubectl("label", "configmap", "c", "tier-")
    assert "labels" not in space.get("configmap", "c")["metadata"]
    assert space.get("configmap", "c")["metadata"]["annotations"] == {"note": "some text"}


def test_label_selectors(space: Space) -> None:
    labels = {"a": {"app": "a", "tier": "web", "rank": "3"}, "b": {"app": "b", "rank": "5"}, "c": {"tier": "db"}}
    space.create(*({**config_map(name), "metadata": {"name": name, "labels": labels[name]}} for name in "abc"))

    found = {
        "app=a": "a", "app==a": "a", "app!=a": "b c", "app in (a,b)": "a b", "app notin (a)": "b c", "app": "a b", "!app": "c",
        "app=a,tier=web": "a", "app=a,tier=db": "",
    }

    def names(selector: str) -> str:
        return space.kubectl("get", "configmap", "-l", selector, "-o", "jsonpath={.items[*].metadata.name}")

    assert {selector: names(selector).replace("kube-root-ca.crt", "").strip() for selector in found} == found


def test_field_selectors(space: Space) -> None:
    space.create(pod("here", nodeName="node2"), pod("there", nodeName="node3"))

    def names(selector: str) -> str:
        return space.kubectl("get", "pods", "--field-selector", selector, "-o", "jsonpath={.items[*].metadata.name}")

    assert names("spec.nodeName=node3") == "there"
    assert names("metadata.name!=there") == "here"
    assert names(f"metadata.namespace={space.namespace},metadata.name=here") == "here"
    space.ready("here", "there")
    assert names("status.phase=Running") == "here there"
    assert names("status.phase!=Running") == ""
    assert 'field label not supported: spec.nope' in space.refused("get", "pods", "--field-selector", "spec.nope=1")


def test_output_forms(space: Space) -> None:
    space.run(pod("p"))

    header, row = space.kubectl("get", "pod", "p", "-o", "wide").splitlines()
    assert header.split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE", "NOMINATED", "NODE", "READINESS", "GATES"]
    assert row.split()[:4] == ["p", "1/1", "Running", "0"]
    assert row.split()[5:] == [space.pod("p")["status"]["podIP"], space.pod("p")["spec"]["nodeName"], "<none>", "<none>"]
    assert space.kubectl("get", "pods", "--no-headers").split()[:3] == ["p", "1/1", "Running"]
    labels = space.kubectl("get", "pod", "p", "--show-labels").splitlines()[1].split()[-1]
    assert labels.split(",")[0] == "app=p"      # the node's topology follows
    assert space.kubectl("get", "pods", "-L", "app").splitlines()[0].split()[-1] == "APP"
    assert space.kubectl("get", "pods", "-o", "name").strip() == "pod/p"
    assert space.kubectl("get", "pod", "p", "-o", "jsonpath={.status.phase}/{.spec.containers[0].name}") == "Running/main"
    columns = "custom-columns=N:.metadata.name,I:.spec.containers[*].image"
    assert space.kubectl("get", "pod", "p", "-o", columns).split() == ["N", "I", "p", "busybox"]
    assert space.kubectl("get", "pod", "p", "-o", "go-template={{.metadata.name}}") == "p"
    assert "phase: Running" in space.kubectl("get", "pod", "p", "-o", "yaml")
    assert space.kubectl("get", "pods", "--sort-by=.metadata.name", "-A", "-o", "name").count("coredns") == 2
    assert space.kubectl("get", "configmaps", "--chunk-size=1", "-o", "name").split() == ["configmap/kube-root-ca.crt"]
    assert "No resources found" in space.tried("get", "secrets").stderr
    assert space.refused("get", "pod", "nope").strip() == 'Error from server (NotFound): pods "nope" not found'


def test_get_all_prints_each_kind(space: Space) -> None:
    space.create(deployment("web"), service("web"))
    space.kubectl("rollout", "status", "deployment/web", "--timeout=120s")

    text = space.kubectl("get", "all")

    assert [line.split()[0] for line in text.splitlines() if line.startswith("NAME")] == ["NAME"] * 4
    assert all(part in text for part in ("pod/web-", "service/web", "deployment.apps/web", "replicaset.apps/web-"))


@pytest.mark.req("POD-01", "POD-11")
def test_describe_pod_reads_naturally(space: Space) -> None:
    one = {"name": "baz", "configMap": {"name": "baz-cm"}}
    mounts = [{"name": "baz", "mountPath": "/baz"}, {"name": "data", "mountPath": "/data", "readOnly": True}]
    main = {
        "name": "main", "image": "busybox", "command": ["sleep", "100"], "ports": [{"containerPort": 80}], "volumeMounts": mounts,
        "env": [{"name": "A", "value": "b"}, {"name": "P", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "resources": {"limits": {"cpu": "100m", "memory": "100Mi"}},
        "livenessProbe": {"exec": {"command": ["true"]}},
    }
    space.create(config_map("baz-cm", a="b"), pod("p", main, volumes=[one, {"name": "data", "emptyDir": {}}]))
    space.ready("p")
    space.event("p", "Started")
    space.event("p", "Scheduled")       # by another, who may tell it later

    text = " ".join(space.kubectl("describe", "pod", "p").split())      # columns differ with kubectl's age

    address = space.pod("p")["status"]["podIP"]
    for part in (
        "Name: p Namespace:", "Labels: app=p", "Status: Running",
        f"IP: {address}",
        "Image: busybox", "Port: 80/TCP", "State: Running", "Ready: True", "Restart Count: 0",
        "cpu: 100m", "memory: 100Mi", "Liveness: exec [true] delay=0s timeout=1s period=10s #success=1 #failure=3",
        "A: b", "P: p (v1:metadata.name)", "/baz from baz (rw)", "/data from data (ro)",
        "/var/run/secrets/kubernetes.io/serviceaccount from kube-api-access-", "PodReadyToStartContainers True",
        "Type: ConfigMap (a volume populated by a ConfigMap)", "Name: baz-cm", "Optional: false",
        "Type: EmptyDir (a temporary directory that shares a pod's lifetime)", "SizeLimit: <unset>",
        "QoS Class: Guaranteed",
        "node.kubernetes.io/not-ready:NoExecute op=Exists for 300s", "Successfully assigned", "Container created", "Container started",
    ):
        assert part in text, f"{part!r} is missing in\n{text}"


def test_run_with_and_without_a_terminal(space: Space) -> None:
    answer = space.kubectl("run", "once", "--image=busybox", "--restart=Never", "--rm", "--attach", "--quiet", "--", "echo", "hello")

    assert answer.startswith("hello\n")
    made = space.kubectl("run", "p", "--image=busybox", "--restart=Never", "--env=A=b", "--labels=x=y", "--", "sleep", "100")
    assert made == "pod/p created\n"
    assert space.pod("p")["metadata"]["labels"].items() >= {"x": "y"}.items()
    assert space.kubectl("run", "q", "--image=busybox", "--dry-run=server", "-o", "name") == "pod/q\n"
    assert "NotFound" in space.refused("get", "pod", "q")


def test_events_are_listed_newest_last(space: Space) -> None:
    space.run(pod("p"))
    space.event("p", "Started")
    space.event("p", "Scheduled")       # by another, who may tell it later

    lines = space.kubectl("get", "events").splitlines()

    assert lines[0].split() == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert {"Scheduled", "Pulled", "Created", "Started"} <= {line.split()[2] for line in lines[1:]}
    assert space.kubectl("get", "events.events.k8s.io", "-o", "name").count("event.events.k8s.io/p.") >= 4


@pytest.mark.modern_kubectl
def test_a_subresource_can_be_patched(space: Space) -> None:
    space.create(deployment("d", replicas=1))

    scaled = space.kubectl("patch", "deployment", "d", "--subresource=scale", "--type=merge", "-p", '{"spec":{"replicas":0}}')

    assert "patched" in scaled
    assert space.get("deployment", "d")["spec"]["replicas"] == 0


@pytest.mark.modern_kubectl
def test_events_of_one_object_and_waiting_for_a_value(space: Space) -> None:
    space.run(pod("p"))
    space.event("p", "Started")
    space.event("p", "Scheduled")       # by another, who may tell it later

    of_pod = space.kubectl("events", "--for", "pod/p").splitlines()
    space.kubectl("wait", "--for=jsonpath={.status.phase}=Running", "pod/p", "--timeout=120s")

    assert {line.split()[3] for line in of_pod[1:]} == {"Pod/p"}


@pytest.mark.req("POD-01")
def test_replace_edit_and_delete(space: Space) -> None:
    space.create(config_map("c", a="1"))

    space.kubectl("replace", "-f", "-", stdin=json.dumps(config_map("c", a="2")))
    script = space.cluster.folder / "editor.sh"
    script.write_text("#!/bin/sh\nsed -i 's/a: \"2\"/a: \"3\"/' \"$1\"\n")
    script.chmod(0o755)
    edited = space.kubectl("edit", "configmap", "c", environment={"KUBE_EDITOR": str(script)})
    assert space.get("configmap", "c")["data"] == {"a": "3"}
    deleted = space.kubectl("delete", "configmap", "c")

    assert edited == "configmap/c edited\n"
    assert deleted.startswith('configmap "c" deleted')
    eventually(lambda: "NotFound" in space.refused("get", "configmap", "c"))
