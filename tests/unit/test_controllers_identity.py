"""Tokens in Secrets, and roles made of other roles."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from control_plane import jwt
from control_plane.controllers.cluster_role_aggregation import ClusterRoleAggregationController
from control_plane.controllers.service_account_tokens import TYPE, TokensController
from kube.api.core_v1 import ObjectReference, Secret, ServiceAccount
from kube.api.meta_v1 import LabelSelector, ObjectMeta
from kube.api.rbac_v1 import AggregationRule, ClusterRole, PolicyRule
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from tests.support.apiserver_pki import TestPki
from tests.support.controllers import eventually, memory_client, running

TOKEN = NamespacedName("a", "robot-token")


def token_secret(account: str = "robot") -> Secret:
    annotations = {"kubernetes.io/service-account.name": account}
    return Secret(type=TYPE, metadata=ObjectMeta(namespace="a", name="robot-token", annotations=annotations))


@pytest.mark.req("SAC-03")
async def test_a_token_secret_is_filled_and_dies_with_its_account(tmp_path: Path) -> None:
    client, _ = memory_client()
    key = TestPki(tmp_path).service_account_key()
    account = await client.create(ServiceAccount(
        metadata=ObjectMeta(namespace="a", name="robot"), secrets=(ObjectReference(name="robot-token"), ObjectReference(name="other"))))
    async with running(client, lambda context: TokensController(context, key, "PEM")):
        await client.create(token_secret())

        async def filled() -> bool:
            return "token" in (await client.get(Secret, TOKEN)).data

        await eventually(filled, what="the token is there")
        secret = await client.get(Secret, TOKEN)
        await client.delete(Secret, TOKEN)

        async def not_mentioned() -> bool:
            held = await client.get(ServiceAccount, NamespacedName("a", "robot"))
            return [one.name for one in held.secrets] == ["other"]

        await eventually(not_mentioned, what="the account forgets it")
        await client.create(token_secret())
        await eventually(filled, what="another is filled")
        await client.delete(ServiceAccount, NamespacedName("a", "robot"))
        await eventually(lambda: _gone(client), what="it goes with the account")

    data = {name: base64.b64decode(value).decode() for name, value in secret.data.items()}
    claims = jwt.parse(data.pop("token")).claims
    assert data == {"ca.crt": "PEM", "namespace": "a"}
    assert secret.metadata.annotations["kubernetes.io/service-account.uid"] == account.metadata.uid
    assert (claims["iss"], claims["sub"]) == ("kubernetes/serviceaccount", "system:serviceaccount:a:robot")
    assert claims["kubernetes.io/serviceaccount/service-account.uid"] == account.metadata.uid


async def test_a_token_secret_of_nobody_is_removed(tmp_path: Path) -> None:
    client, _ = memory_client()
    await client.create(token_secret("ghost"))
    async with running(client, lambda context: TokensController(context, TestPki(tmp_path).service_account_key(), "PEM")):
        await eventually(lambda: _gone(client), what="the Secret is gone")


async def _gone(client: Client) -> bool:
    try:
        await client.get(Secret, TOKEN)
    except errors.NotFound:
        return True
    return False


async def test_an_aggregated_role_has_the_rules_of_those_it_selects() -> None:
    client, _ = memory_client()
    pods = PolicyRule(api_groups=("",), resources=("pods",), verbs=("get",))
    crons = PolicyRule(api_groups=("stable.example.com",), resources=("crontabs",), verbs=("list",))
    chosen = AggregationRule(cluster_role_selectors=(LabelSelector(match_labels={"to-view": "true"}),))
    await client.create(ClusterRole(metadata=ObjectMeta(name="view"), aggregation_rule=chosen))
    await client.create(ClusterRole(metadata=ObjectMeta(name="b", labels={"to-view": "true"}), rules=(crons, pods)))
    async with running(client, ClusterRoleAggregationController):

        async def rules_are(*rules: PolicyRule) -> bool:
            return (await client.get(ClusterRole, NamespacedName("", "view"))).rules == rules

        await eventually(lambda: rules_are(crons, pods), what="the first role's rules")
        await client.create(ClusterRole(metadata=ObjectMeta(name="a", labels={"to-view": "true"}), rules=(pods,)))
        await eventually(lambda: rules_are(pods, crons), what="by name, each once")
        await client.delete(ClusterRole, NamespacedName("", "b"))
        await eventually(lambda: rules_are(pods), what="gone with its role")
