"""Who asks, and what he may, over the real HTTPS door: token file, OpenID Connect, webhooks, front proxy, ABAC."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.apiserver import RunningApiserver
from tests.support.apiserver_pki import TestPki
from tests.support.etcd import RunningEtcd, running_etcd
from tests.support.identity import Issuer, Webhook, elliptic_key, running_issuer, running_webhook

SELF: dict[str, Any] = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


@asynccontextmanager
async def apiserver(directory: Path, etcd: RunningEtcd, pki: TestPki, **settings: Any) -> AsyncIterator[RunningApiserver]:
    server = RunningApiserver(directory, etcd, pki, **settings)
    try:
        await server.start()
        yield server
    finally:
        await server.kill()


@pytest.fixture
async def etcd(tmp_path: Path) -> AsyncIterator[RunningEtcd]:
    async with running_etcd(tmp_path / "etcd", tls=True) as running:
        yield running


@pytest.fixture
def pki(tmp_path: Path) -> TestPki:
    return TestPki(tmp_path / "pki")


async def whoami(server: RunningApiserver, token: str = "", **headers: str) -> dict[str, Any] | int:
    """The user as the server sees him, or the status of the refusal."""
    sent = {"Authorization": f"Bearer {token}", **headers} if token else headers
    async with server.anonymous_session(**sent) as session:
        return await _review(session)


async def _review(session: aiohttp.ClientSession) -> dict[str, Any] | int:
    async with session.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", json=SELF) as answer:
        if answer.status != 201:
            return answer.status
        user: dict[str, Any] = (await answer.json())["status"]["userInfo"]
        return user


async def get(session: aiohttp.ClientSession, path: str) -> tuple[int, str]:
    async with session.get(path) as answer:
        body = await answer.text()
        return answer.status, json.loads(body)["message"] if answer.status >= 400 else body


@pytest.mark.req("ATN-03")
@pytest.mark.req("ATN-02")
@pytest.mark.req("ATN-07")
async def test_a_token_of_the_file_a_wrong_one_and_none(tmp_path: Path, etcd: RunningEtcd, pki: TestPki) -> None:
    file = tmp_path / "tokens.csv"
    file.write_text('token123,user1,u0001,"group1,group2"\ntoken456,user2,u0002\n')

    async with apiserver(tmp_path / "a", etcd, pki, token_auth_file=str(file)) as server:
        known, other = await whoami(server, "token123"), await whoami(server, "token456")
        wrong = await whoami(server, "token124")
        async with server.anonymous_session() as session:
            nobody = await get(session, "/api/v1/pods")
            version, health = await get(session, "/version"), await get(session, "/healthz")
        async with server.anonymous_session(Authorization="Basic dXNlcjE6cGFzc3dvcmQ=") as session:
            basic = await get(session, "/api/v1/pods")

    assert known == {"username": "user1", "uid": "u0001", "groups": ["group1", "group2", "system:authenticated"]}
    assert other == {"username": "user2", "uid": "u0002", "groups": ["system:authenticated"]}
    assert wrong == 401
    assert nobody == basic == (
        403, 'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope')
    assert (version[0], health) == (200, (200, "ok"))


@pytest.mark.req("ATN-04")
async def test_a_certificate_of_another_authority_is_answered_with_401(tmp_path: Path, etcd: RunningEtcd, pki: TestPki) -> None:
    stranger = TestPki(tmp_path / "other").identity("kubernetes-admin", ["system:masters"])
    context = ssl.create_default_context(cafile=pki.ca_file)
    context.load_cert_chain(stranger.cert_file, stranger.key_file)

    async with apiserver(tmp_path / "a", etcd, pki) as server:
        async with server.session() as session:
            admin = await _review(session)
        async with aiohttp.ClientSession(server.url, connector=aiohttp.TCPConnector(ssl=context)) as session:
            refused = [await get(session, path) for path in ("/api/v1/pods", "/version")]

    assert isinstance(admin, dict)
    assert (admin["username"], admin["groups"]) == ("kubernetes-admin", ["system:masters", "system:authenticated"])
    assert refused == [(401, "Unauthorized"), (401, "Unauthorized")]


@pytest.mark.req("ATN-05")
async def test_an_id_token_of_an_issuer(tmp_path: Path, etcd: RunningEtcd, pki: TestPki) -> None:
    async with running_issuer(pki) as issuer, apiserver(
        tmp_path / "a", etcd, pki, oidc_issuer_url=issuer.url, oidc_client_id="kubonsai", oidc_ca_file=pki.ca_file,
        oidc_groups_claim="groups", oidc_groups_prefix="oidc:", oidc_required_claim={"org": "acme"}, oidc_signing_algs=("RS256", "ES256"),
    ) as server:
        good = await whoami(server, issuer.token(org="acme", groups=["dev", "ops"], jti="j1"))
        refused = {name: await whoami(server, token) for name, token in {
            "expired": issuer.token(org="acme", exp=1), "other audience": issuer.token(org="acme", aud="x"),
            "other org": issuer.token(org="x"), "no org": issuer.token(), "not yet": issuer.token(org="acme", nbf=2**33),
            "forged": issuer.token(elliptic_key(), org="acme"),
        }.items()}
        issuer.rotate(elliptic_key())
        rotated = await _eventually_known(server, issuer)

    assert good == {
        "username": f"{issuer.url}#anna", "groups": ["oidc:dev", "oidc:ops", "system:authenticated"],
        "extra": {"authentication.kubernetes.io/credential-id": ["JTI=j1"]},
    }
    assert refused == dict.fromkeys(refused, 401)
    assert isinstance(rotated, dict)


async def _eventually_known(server: RunningApiserver, issuer: Issuer) -> dict[str, Any] | int:
    async with asyncio.timeout(60):
        while isinstance(found := await whoami(server, issuer.token(org="acme")), int):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        return found


@pytest.mark.req("ATN-05")
async def test_a_structured_configuration_with_expressions_and_anonymous_paths(tmp_path: Path, etcd: RunningEtcd, pki: TestPki) -> None:
    async with running_issuer(pki) as issuer:
        config = {
            "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration",
            "anonymous": {"enabled": True, "conditions": [{"path": "/livez"}]},
            "jwt": [{
                "issuer": {
                    "url": issuer.url, "audiences": ["kubonsai", "other"], "audienceMatchPolicy": "MatchAny",
                    "certificateAuthority": Path(pki.ca_file).read_text(),
                },
                "claimMappings": {
                    "username": {"expression": "claims.sub + '@' + claims.tenant"}, "groups": {"claim": "role", "prefix": ""},
                    "uid": {"claim": "oid"}, "extra": [{"key": "example.com/tenant", "valueExpression": "claims.tenant"}],
                },
                "claimValidationRules": [{"expression": "claims.tenant != 'evil'", "message": "not them"}],
                "userValidationRules": [{"expression": "!user.username.startsWith('system:')", "message": "reserved"}],
            }],
        }
        file = tmp_path / "authentication.yaml"
        file.write_text(json.dumps(config))
        async with apiserver(tmp_path / "a", etcd, pki, authentication_config=str(file)) as server:
            good = await whoami(server, issuer.token(tenant="acme", role="dev", oid="7", aud=["x", "other"]))
            evil = await whoami(server, issuer.token(tenant="evil", role="dev", oid="7"))
            reserved = await whoami(server, issuer.token(tenant="acme", role="dev", oid="7", sub="system:x"))
            async with server.anonymous_session() as session:
                paths = [(await get(session, path))[0] for path in ("/livez", "/version")]
            async with server.session() as session, session.post("/apis/authentication.k8s.io/v1/tokenreviews", json={
                "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": issuer.token(tenant="evil", oid="7")},
            }) as answer:
                why = (await answer.json())["status"]["error"]

    assert good == {
        "username": "anna@acme", "uid": "7", "groups": ["dev", "system:authenticated"], "extra": {"example.com/tenant": ["acme"]},
    }
    assert (evil, reserved) == (401, 401)
    assert paths == [200, 401]
    assert why == (
        "[invalid bearer token, oidc: error evaluating claim validation expression: "
        "validation expression 'claims.tenant != 'evil'' failed: not them]")


@pytest.mark.req("ATN-05")
async def test_a_webhook_knows_a_token_and_is_not_asked_twice(tmp_path: Path, etcd: RunningEtcd, pki: TestPki) -> None:
    def answer(spec: dict[str, Any]) -> dict[str, Any]:
        if spec["token"] != "ldap:anna":
            return {"authenticated": False}
        return {"authenticated": True, "user": {"username": "anna", "uid": "7", "groups": ["staff"], "extra": {"room": ["12"]}}}

    async with running_webhook(pki, tmp_path, answer) as hook, apiserver(
        tmp_path / "a", etcd, pki, authentication_token_webhook_config_file=hook.kubeconfig, authentication_token_webhook_version="v1",
    ) as server:
        users = [await whoami(server, "ldap:anna") for _ in range(3)]
        refused = [await whoami(server, "ldap:eve") for _ in range(2)]
        known = len(hook.asked)

    assert users == [{
        "username": "anna", "uid": "7", "groups": ["staff", "system:authenticated"], "extra": {"room": ["12"]},
    }] * 3
    assert refused == [401, 401]
    assert known == 2
    assert hook.asked[0]["apiVersion"] == "authentication.k8s.io/v1"
    assert hook.asked[0]["spec"]["audiences"] == ["https://kubernetes.default.svc.cluster.local"]


async def test_a_front_proxy_vouches_for_users_and_nobody_else_does(tmp_path: Path, etcd: RunningEtcd, pki: TestPki) -> None:
    proxies = TestPki(tmp_path / "proxies")
    proxy, other = proxies.identity("front-proxy-client"), proxies.identity("someone")
    headers = {"X-Remote-User": "anna", "X-Remote-Group": "staff", "X-Remote-Extra-Example.com%2fRoom": "12"}

    async with apiserver(tmp_path / "a", etcd, pki, requestheader_client_ca_file=proxies.ca_file) as server:
        answers = []
        for who, sent in ((proxy, headers), (other, headers), (proxy, {}), (pki.identity("bob"), headers)):
            context = ssl.create_default_context(cafile=pki.ca_file)
            context.load_cert_chain(who.cert_file, who.key_file)
            async with aiohttp.ClientSession(server.url, connector=aiohttp.TCPConnector(ssl=context), headers=sent) as session:
                answers.append(await _review(session))
        answers.append(await whoami(server, **headers))

    assert answers[0] == {"username": "anna", "groups": ["staff", "system:authenticated"], "extra": {"example.com/room": ["12"]}}
    assert answers[1:3] == [401, 401]
    assert isinstance(answers[3], dict)
    assert answers[3]["username"] == "bob"
    assert answers[4] == 403


@pytest.mark.req("RBC-02")
async def test_abac_policies_of_a_file(tmp_path: Path, etcd: RunningEtcd, pki: TestPki) -> None:
    file = tmp_path / "policy.jsonl"
    kind = {"apiVersion": "abac.authorization.kubernetes.io/v1beta1", "kind": "Policy"}
    file.write_text("# bob reads pods of a\n" + json.dumps(
        {**kind, "spec": {"user": "bob", "namespace": "a", "resource": "pods", "apiGroup": "", "readonly": True}}) + "\n")

    async with apiserver(
        tmp_path / "a", etcd, pki, authorization_modes=("Node", "RBAC", "ABAC"), authorization_policy_file=str(file)
    ) as server, server.session(pki.identity("bob")) as session:
        allowed, elsewhere = await get(session, "/api/v1/namespaces/a/pods"), await get(session, "/api/v1/namespaces/b/pods")
        async with session.delete("/api/v1/namespaces/a/pods/x") as answer:
            deleting = answer.status

    assert allowed[0] == 200
    assert deleting == 403
    assert elsewhere == (
        403, 'pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "b": abac: No policy matched.')


@pytest.mark.req("RBC-04")
@pytest.mark.req("RBC-01")
async def test_a_webhook_authorizes_within_a_chain(tmp_path: Path, etcd: RunningEtcd, pki: TestPki) -> None:
    def answer(spec: dict[str, Any]) -> dict[str, Any]:
        if spec["user"] == "eve":
            return {"allowed": False, "denied": True, "reason": "not eve"}
        if spec.get("resourceAttributes", {}).get("resource") == "pods":
            return {"allowed": True, "reason": "pods are free"}
        return {"allowed": False, "reason": "we do not know you"}

    async with running_webhook(pki, tmp_path, answer) as hook:
        file = tmp_path / "authorization.yaml"
        file.write_text(json.dumps(chain(hook, "!request.user.startsWith('system:')")))
        async with apiserver(tmp_path / "a", etcd, pki, authorization_config=str(file)) as server:
            async with server.session(pki.identity("bob")) as session:
                pods = [await get(session, "/api/v1/namespaces/a/pods?labelSelector=a%3Db") for _ in range(2)]
                secrets = await get(session, "/api/v1/namespaces/a/secrets")
            async with server.session(pki.identity("eve")) as session:
                eve = await get(session, "/version")
            async with server.session(pki.identity("system:x")) as session:
                passed = await get(session, "/api/v1/namespaces/a/pods")
            hook.answer = lambda _spec: 503
            async with server.session(pki.identity("dave")) as session:
                broken = await get(session, "/api/v1/namespaces/a/pods")

    assert [status for status, _ in pods] == [200, 200]
    assert secrets == (403, 'secrets is forbidden: User "bob" cannot list resource "secrets" in API group "" '
                            'in the namespace "a": hook: we do not know you')
    assert eve == (403, 'forbidden: User "eve" cannot get path "/version": not eve')
    assert passed[0] == 403
    assert broken[0] == 403
    asked = [review["spec"] for review in hook.asked if review["spec"]["user"] == "bob" and "resourceAttributes" in review["spec"]]
    assert [spec["resourceAttributes"]["resource"] for spec in asked] == ["pods", "secrets"]
    assert asked[0] == {
        "user": "bob", "groups": ["system:authenticated"], "extra": asked[0]["extra"],
        "resourceAttributes": {
            "namespace": "a", "verb": "list", "version": "v1", "resource": "pods",
            "labelSelector": {"requirements": [{"key": "a", "operator": "In", "values": ["b"]}]},
        },
    }


def chain(hook: Webhook, condition: str) -> dict[str, Any]:
    return {
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthorizationConfiguration", "authorizers": [
            {"type": "Webhook", "name": "hook", "webhook": {
                "timeout": "3s", "subjectAccessReviewVersion": "v1", "matchConditionSubjectAccessReviewVersion": "v1",
                "failurePolicy": "Deny", "connectionInfo": {"type": "KubeConfigFile", "kubeConfigFile": hook.kubeconfig},
                "matchConditions": [{"expression": condition}],
            }},
            {"type": "Node", "name": "node"}, {"type": "RBAC", "name": "rbac"},
        ],
    }
