"""Tokens in Secrets, aggregated roles, and what a settings file says about users."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from launcher.testing.cluster import Cluster, CommandFailed, eventually
from tests.support.space import Json, Space


def token_secret(name: str, account: str) -> str:
    return json.dumps({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": name, "annotations": {"kubernetes.io/service-account.name": account}},
    })


@pytest.mark.req("SAC-03", "ATN-06")
def test_a_token_in_a_secret_lives_as_long_as_the_secret_and_the_account(space: Space, tmp_path: Path) -> None:
    space.kubectl("create", "serviceaccount", "robot")
    space.kubectl("apply", "-f", "-", stdin=token_secret("robot-token", "robot"))
    data: Json = eventually(lambda: (json.loads(space.kubectl("get", "secret", "robot-token", "-o", "json")).get("data")))
    token = base64.b64decode(data["token"]).decode()

    described = space.kubectl("describe", "secret", "robot-token")
    who = whoami(space.cluster, tmp_path, token)["username"]
    eventually(lambda: "legacy-token-last-used" in space.kubectl("get", "secret", "robot-token", "--show-labels"))
    space.kubectl("delete", "serviceaccount", "robot")
    eventually(lambda: not space.kubectl("get", "secrets", "-o", "name"))

    assert sorted(data) == ["ca.crt", "namespace", "token"]
    assert f"token:      {token}" in described
    assert who == f"system:serviceaccount:{space.namespace}:robot"
    with pytest.raises(CommandFailed, match="Unauthorized"):
        whoami(space.cluster, tmp_path, token)


@pytest.mark.req("RBC-07")
def test_a_role_made_of_others_follows_them(space: Space) -> None:
    name = f"{space.namespace}-crons"
    part = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": name, "labels": {"rbac.authorization.k8s.io/aggregate-to-view": "true"}},
        "rules": [{"apiGroups": ["stable.example.com"], "resources": [name], "verbs": ["get"]}],
    }
    space.kubectl("create", "rolebinding", "dev", "--clusterrole=view", "--user=dev-user")

    try:
        space.kubectl("auth", "reconcile", "-f", "-", stdin=json.dumps(part))
        eventually(lambda: name in space.kubectl("auth", "can-i", "--list", "--as=dev-user"))
    finally:
        space.kubectl("delete", "clusterrole", name)
    eventually(lambda: name not in space.kubectl("auth", "can-i", "--list", "--as=dev-user"))


@pytest.mark.req("ATN-02", "ATN-03", "RBC-01", "RBC-02")
def test_a_settings_file_names_a_token_file_and_policies(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, nodes=1)
    tokens, policies, settings = tmp_path / "tokens.csv", tmp_path / "policies.jsonl", tmp_path / "cluster.json"
    tokens.write_text('token123,user1,u0001,"group1,group2"\n')
    policy = {"user": "bob", "namespace": "a", "resource": "pods", "apiGroup": "", "readonly": True}
    policies.write_text(json.dumps({"apiVersion": "abac.authorization.kubernetes.io/v1beta1", "kind": "Policy", "spec": policy}))
    chosen = {"token_auth_file": str(tokens), "authorization_modes": ["Node", "RBAC", "ABAC"], "authorization_policy_file": str(policies)}

    settings.write_text(json.dumps({"apiserver": {"basic_auth_file": str(tokens)}}))
    with pytest.raises(CommandFailed, match="Kubernetes removed --basic-auth-file"):
        cluster.start("--config", str(settings))
    settings.write_text(json.dumps({"apiserver": chosen}))
    try:
        cluster.start("--config", str(settings))
        user = whoami(cluster, tmp_path, "token123")
        allowed = cluster.kubectl("auth", "can-i", "list", "pods", "-n", "a", "--as=bob")
        with pytest.raises(CommandFailed, match='in the namespace "b": abac: No policy matched'):
            cluster.kubectl("get", "pods", "-n", "b", "--as=bob")
    finally:
        cluster.stop()

    assert allowed.strip() == "yes"
    assert user == {"username": "user1", "uid": "u0001", "groups": ["group1", "group2", "system:authenticated"]}


def whoami(cluster: Cluster, folder: Path, token: str) -> Json:
    """With nothing but the token: a kubeconfig's certificate would go first."""
    config = json.loads(cluster.kubectl("config", "view", "--raw", "-o", "json"))
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    (folder / "token.conf").write_text(json.dumps(config))
    review = json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
    made = cluster.kubectl(
        f"--kubeconfig={folder / 'token.conf'}", "create", "--raw", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "-f", "-",
        stdin=review)
    user: Json = json.loads(made)["status"]["userInfo"]
    return user
