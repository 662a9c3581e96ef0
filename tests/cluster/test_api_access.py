"""Who may do what: RBAC, ServiceAccount tokens, impersonation, reviews."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import Any

import pytest

from launcher.testing.cluster import Cluster, eventually
from tests.support.space import OFFICIAL, Json, Space, config_map, container, pod


def as_token(space: Space, token: str, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """kubectl with nothing but the server's address, its CA and a token."""
    config = json.loads(space.kubectl("config", "view", "--raw", "-o", "json"))
    path = space.cluster.folder / f"{space.namespace}.conf"
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    path.write_text(json.dumps(config))
    return space.tried(*arguments, environment={"KUBECONFIG": str(path)}, stdin=stdin)


def token_of(space: Space, account: str, **spec: Any) -> str:
    """By a TokenRequest: old kubectls have no `create token`."""
    path = f"/api/v1/namespaces/{space.namespace}/serviceaccounts/{account}/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    made: str = json.loads(space.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(request)))["status"]["token"]
    return made


def who_am_i(space: Space, token: str) -> subprocess.CompletedProcess[str]:
    review = json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
    return as_token(space, token, "create", "--raw", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "-f", "-", stdin=review)


def payload(token: str) -> Json:
    part = token.split(".")[1]
    found: Json = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


@pytest.mark.req("SAC-01", "SAC-05", "RBC-05", "RBC-08")
def test_a_service_account_has_exactly_the_rights_that_are_bound(space: Space) -> None:
    space.kubectl("create", "serviceaccount", "robot")
    token = token_of(space, "robot")
    user = f"system:serviceaccount:{space.namespace}:robot"

    before = as_token(space, token, "get", "pods")
    space.kubectl("create", "role", "reader", "--verb=get,list,watch", "--resource=pods")
    space.kubectl("create", "rolebinding", "robot-reads", "--role=reader", f"--serviceaccount={space.namespace}:robot")
    eventually(lambda: "No resources found" in as_token(space, token, "get", "pods").stderr)
    elsewhere = as_token(space, token, "get", "pods", "--namespace=default")
    write = as_token(space, token, "delete", "pod", "p")
    who = json.loads(who_am_i(space, token).stdout)["status"]["userInfo"]

    assert before.stderr.strip() == (
        f'Error from server (Forbidden): pods is forbidden: User "{user}" cannot list resource "pods" in API group "" '
        f'in the namespace "{space.namespace}"'
    )
    assert 'cannot list resource "pods" in API group "" in the namespace "default"' in elsewhere.stderr
    assert 'pods "p" is forbidden' in write.stderr
    assert 'cannot delete resource "pods"' in write.stderr
    assert who["username"] == user
    assert {"system:serviceaccounts", f"system:serviceaccounts:{space.namespace}", "system:authenticated"} <= set(who["groups"])


@pytest.mark.req("SAC-04")
def test_tokens_say_for_whom_and_how_long(space: Space) -> None:
    space.kubectl("create", "serviceaccount", "robot")

    token = token_of(space, "robot", expirationSeconds=1200, audiences=["vault"])
    claims = payload(token)

    assert claims["sub"] == f"system:serviceaccount:{space.namespace}:robot"
    assert claims["aud"] == ["vault"]
    assert claims["exp"] - claims["iat"] == 1200
    assert claims["kubernetes.io"]["serviceaccount"]["name"] == "robot"
    assert "must be logged in" in as_token(space, token, "get", "pods").stderr      # another audience's


@pytest.mark.modern_kubectl
def test_kubectl_makes_tokens_and_says_whose_they_are(space: Space) -> None:
    space.kubectl("create", "serviceaccount", "robot")

    token = space.kubectl("create", "token", "robot", "--duration=20m").strip()

    assert payload(token)["exp"] - payload(token)["iat"] == 1200
    who = json.loads(as_token(space, token, "auth", "whoami", "-o", "json").stdout)["status"]["userInfo"]
    assert who["username"] == f"system:serviceaccount:{space.namespace}:robot"


@pytest.mark.req("ADM-01", "SAC-04")
def test_a_token_dies_with_its_account(space: Space) -> None:
    space.kubectl("create", "serviceaccount", "robot")
    token = token_of(space, "robot")
    assert who_am_i(space, token).returncode == 0

    space.kubectl("delete", "serviceaccount", "robot")

    eventually(lambda: "You must be logged in to the server" in who_am_i(space, token).stderr)


@pytest.mark.req("SAC-01", "SAC-04", "SVC-16", "ADM-16")
def test_a_pod_speaks_to_the_apiserver_with_its_token(space: Space) -> None:
    space.run(pod("p", container()))
    folder = "/var/run/secrets/kubernetes.io/serviceaccount"

    files = space.sh("p", f"ls {folder}").split()
    token = space.sh("p", f"cat {folder}/token")
    certificate = space.cluster.folder / f"{space.namespace}.crt"
    certificate.write_text(space.sh("p", f"cat {folder}/ca.crt"))
    call = ["--cacert", str(certificate), "-H", f"Authorization: Bearer {token}"]
    version = json.loads(space.curl("p", *call, "https://kubernetes.default.svc/version"))
    pods = json.loads(space.curl("p", *call, f"https://kubernetes.default.svc/api/v1/namespaces/{space.namespace}/pods"))
    space.kubectl("create", "rolebinding", "view", "--clusterrole=view", f"--serviceaccount={space.namespace}:default")

    bound = payload(token)["kubernetes.io"]
    assert files == ["ca.crt", "namespace", "token"]
    assert space.sh("p", f"cat {folder}/namespace") == space.namespace
    assert (bound["pod"]["name"], bound["node"]["name"]) == ("p", space.pod("p")["spec"]["nodeName"])
    assert version["gitVersion"] == "v1.37.0"
    assert (pods["code"], pods["reason"]) == (403, "Forbidden")
    eventually(lambda: "PodList" in space.curl("p", *call, f"https://kubernetes.default.svc/api/v1/namespaces/{space.namespace}/pods"))


@pytest.mark.req("SAC-02")
def test_the_default_account_and_the_root_certificate_come_back(space: Space) -> None:
    old = space.get("serviceaccount", "default")["metadata"]["uid"]

    space.kubectl("delete", "serviceaccount/default", "configmap/kube-root-ca.crt")

    eventually(lambda: space.get("serviceaccount", "default")["metadata"]["uid"] != old)
    eventually(lambda: "BEGIN CERTIFICATE" in space.get("configmap", "kube-root-ca.crt")["data"]["ca.crt"])


@pytest.mark.req("RBC-05", "RBC-06", "RBC-07", "RBC-08")
def test_can_i(space: Space) -> None:
    space.kubectl("create", "role", "developer", "--verb=create,get", "--resource=pods,configmaps")
    space.kubectl("create", "rolebinding", "dev", "--role=developer", "--user=dev-user")
    space.kubectl("create", "rolebinding", "viewers", "--clusterrole=view", "--group=viewers")

    def can(*question: str) -> str:
        return space.tried("auth", "can-i", *question).stdout.strip()

    assert can("create", "deployments") == "yes"
    assert eventually(lambda: can("create", "pods", "--as=dev-user") == "yes")
    assert can("create", "deployments", "--as=dev-user") == "no"
    assert can("get", "configmaps/one", "--as=dev-user") == "yes"
    assert can("create", "pods", "--as=dev-user", "--namespace=default") == "no"
    assert can("list", "pods", "--as=someone", "--as-group=viewers") == "yes"
    assert can("list", "secrets", "--as=someone", "--as-group=viewers") == "no"
    assert "not namespace scoped" in space.tried("auth", "can-i", "delete", "nodes", "--as=dev-user").stderr
    assert can("get", "/version", "--as=dev-user") == "yes"
    assert can("get", "/metrics", "--as=dev-user") == "no"
    listed = space.kubectl("auth", "can-i", "--list", "--as=dev-user")
    assert "[create get]" in next(line for line in listed.splitlines() if line.startswith("pods "))


@pytest.mark.req("RBC-08", "RBC-09")
def test_nobody_lifts_himself(space: Space) -> None:
    space.kubectl("create", "rolebinding", "edit", "--clusterrole=edit", "--user=ed")
    space.kubectl("create", "role", "binder", "--verb=create", "--resource=rolebindings,roles")
    space.kubectl("create", "rolebinding", "binder", "--role=binder", "--user=ed")
    space.kubectl("create", "serviceaccount", "robot")
    token = token_of(space, "robot")

    def granting(role: str) -> str:
        return space.refused("create", "rolebinding", "more", f"--clusterrole={role}", "--user=ed", "--as=ed")

    denied = 'user "ed" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held'
    eventually(lambda: denied in granting("cluster-admin"))
    impersonated = as_token(space, token, "get", "pods", "--as=admin").stderr
    assert 'users "admin" is forbidden: User' in impersonated
    assert 'cannot impersonate resource "users" in API group "" at the cluster scope' in impersonated


@pytest.mark.req("ADM-01")
def test_without_credentials(space: Space, kubonsai_cluster: Cluster) -> None:
    with space.python_client(cert_file=None, key_file=None) as anonymous:
        def get(path: str, **headers: str) -> tuple[int, str]:
            answer = anonymous.call_api("GET", anonymous.configuration.host + path, header_params=headers)
            return answer.status, answer.read().decode()

        forbidden = get("/api/v1/namespaces/default/pods")
        invalid = get("/api", Authorization="Bearer abc")
        assert get("/version")[0] == 200
        assert get("/livez") == (200, "ok")

    assert forbidden[0] == 403
    assert json.loads(forbidden[1])["message"] == (
        'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" in the namespace "default"'
    )
    assert (invalid[0], json.loads(invalid[1])["reason"]) == (401, "Unauthorized")


@pytest.mark.req("RBC-03")
def test_a_kubelet_is_held_to_its_own_node(space: Space) -> None:
    space.create(config_map("mine"), pod("p", nodeName="node2", volumes=[{"name": "v", "configMap": {"name": "mine"}}]))
    kubelet = ("--as=system:node:node2", "--as-group=system:nodes", "--as-group=system:authenticated")
    other = ("--as=system:node:node3", "--as-group=system:nodes", "--as-group=system:authenticated")

    eventually(lambda: space.kubectl("get", "configmap", "mine", *kubelet))
    answer = space.refused("get", "configmap", "mine", *other)
    label = space.refused("label", "node", "node3", "a=b", *kubelet)

    assert "no relationship found between node 'node3' and this object" in answer
    assert "node 'node2' cannot read 'node3', only its own Node object" in label


def test_reviews_through_the_python_client(space: Space) -> None:
    with space.python_client() as api:
        kube = OFFICIAL.client
        review = kube.AuthorizationV1Api(api).create_subject_access_review({
            "spec": {"user": "bob", "resourceAttributes": {"verb": "get", "resource": "pods", "namespace": space.namespace}},
        })
        wanted = {"spec": {"expirationSeconds": 3600}}
        token = kube.CoreV1Api(api).create_namespaced_service_account_token("default", space.namespace, wanted)
        told = kube.AuthenticationV1Api(api).create_token_review({"spec": {"token": token.status.token}})

    assert review.status.allowed is False
    assert told.status.authenticated is True
    assert told.status.user.username == f"system:serviceaccount:{space.namespace}:default"
