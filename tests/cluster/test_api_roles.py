"""Rights over the whole cluster, manifests of earlier versions, and what a Deployment keeps of its manifest."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from launcher.testing.cluster import eventually
from tests.support.space import Json, Space, container, deployment, pod

RBAC = "rbac.authorization.k8s.io/v1"


@pytest.fixture
def role(space: Space) -> Iterator[str]:
    """The name of a ClusterRole and its binding, which go with the test."""
    name = f"r-{space.namespace}"
    yield name
    space.kubectl("delete", f"clusterrole/{name}", f"clusterrolebinding/{name}", "--ignore-not-found")


def cluster_role(name: str, *rules: Json) -> Json:
    return {"apiVersion": RBAC, "kind": "ClusterRole", "metadata": {"name": name}, "rules": list(rules)}


@pytest.mark.req("RBC-07")
def test_a_cluster_role_is_about_the_cluster_or_by_a_role_binding_about_one_namespace(space: Space, role: str) -> None:
    user = f"admin-of-{role}"
    space.apply(
        cluster_role(role, {"apiGroups": [""], "resources": ["nodes"], "verbs": ["list", "get", "create", "delete"]}),
        {"apiVersion": RBAC, "kind": "ClusterRoleBinding", "metadata": {"name": role},
         "subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}],
         "roleRef": {"kind": "ClusterRole", "name": role, "apiGroup": "rbac.authorization.k8s.io"}})
    space.kubectl("create", "rolebinding", "here", "--clusterrole=view", f"--user={user}")

    def can(*question: str) -> str:
        return space.tried("auth", "can-i", *question, f"--as={user}").stdout.strip()

    assert eventually(lambda: can("list", "nodes") == "yes")
    assert can("update", "nodes") == "no"
    assert eventually(lambda: can("list", "pods") == "yes")
    assert can("list", "pods", "--namespace=default") == "no"
    assert space.kubectl("get", "nodes", "-o", "name", f"--as={user}").startswith("node/node1")
    assert space.kubectl("get", "clusterrole", role).splitlines()[0].split() == ["NAME", "CREATED", "AT"]
    assert "namespace" not in space.get("clusterrole", role)["metadata"]


@pytest.mark.req("RBC-09")
def test_a_pods_account_may_hold_every_right(space: Space, role: str) -> None:
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    space.apply(cluster_role(role, everything, {"nonResourceURLs": ["*"], "verbs": ["*"]}))
    space.kubectl("create", "serviceaccount", "robot")
    space.kubectl("create", "clusterrolebinding", role, f"--clusterrole={role}", f"--serviceaccount={space.namespace}:robot")
    space.create(deployment("d", replicas=0), pod("p", container(), serviceAccountName="robot"))
    space.ready("p")
    token = space.sh("p", "cat /var/run/secrets/kubernetes.io/serviceaccount/token")
    url = f"https://kubernetes.default.svc/apis/apps/v1/namespaces/{space.namespace}/deployments"

    answer = json.loads(eventually(lambda: space.curl("p", "-k", "-X", "DELETE", "-H", f"Authorization: Bearer {token}", url)))

    assert answer["kind"] == "DeploymentList"
    eventually(lambda: space.kubectl("get", "deployments", "-o", "name") == "")


@pytest.mark.req("RES-04")
@pytest.mark.parametrize(("api_version", "kind"), [
    ("v1", "Deployment"), ("extensions/v1beta1", "Deployment"), ("extensions/v1beta1", "Ingress"),
    ("admissionregistration.k8s.io/v1beta1", "MutatingWebhookConfiguration"),
])
def test_manifests_of_versions_that_are_gone(space: Space, api_version: str, kind: str) -> None:
    refused = space.tried("apply", "-f", "-", stdin=json.dumps({"apiVersion": api_version, "kind": kind, "metadata": {"name": "old"}}))

    assert refused.returncode == 1
    assert f'no matches for kind "{kind}" in version "{api_version}"' in refused.stderr
    assert space.kubectl("get", "deployments,ingresses", "-o", "name") == ""


@pytest.mark.req("RES-05")
def test_a_deployment_keeps_what_its_manifest_says_and_tells_how_it_is(space: Space) -> None:
    wanted = deployment("d", container(ports=[{"containerPort": 80}], resources={"requests": {"cpu": "10m"}}), replicas=2)
    wanted["spec"]["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    wanted["spec"]["template"]["spec"] |= {
        "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]}, "volumes": [{"name": "v", "emptyDir": {}}]}
    space.apply(wanted)
    space.kubectl("rollout", "status", "deployment/d", "--timeout=120s")

    held = space.get("deployment", "d")
    spec, status = held["spec"], held["status"]
    template = spec["template"]["spec"]
    assert (spec["replicas"], spec["selector"], spec["strategy"]) == (2, wanted["spec"]["selector"], wanted["spec"]["strategy"])
    assert spec["template"]["metadata"]["labels"] == {"app": "d"}
    assert template["dnsConfig"] == {"options": [{"name": "ndots", "value": "2"}]}
    assert template["volumes"] == [{"name": "v", "emptyDir": {}}]
    assert template["containers"][0]["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert template["containers"][0]["resources"] == {"requests": {"cpu": "10m"}}
    assert [status[key] for key in ("replicas", "readyReplicas", "updatedReplicas", "availableReplicas")] == [2, 2, 2, 2]
    assert {one["type"]: one["status"] for one in status["conditions"]} == {"Available": "True", "Progressing": "True"}
