"""Ways to be known other than certificates and service accounts, by table; and acting as another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from control_plane import jwt
from control_plane.apiserver.authentication import configuration
from control_plane.apiserver.authentication.certificate import UNKNOWN_AUTHORITY, ClientAuthorities
from control_plane.apiserver.authentication.claims import user_of
from control_plane.apiserver.authentication.token import InvalidToken, TokenAuthority
from control_plane.apiserver.authentication.token_file import TokenFile
from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.authorization.attributes import Attributes
from control_plane.apiserver.authorization.authorizer import Authorizer
from control_plane.apiserver.impersonation import impersonated
from kube.apimachinery.errors import BadRequest, Forbidden
from kube.apimachinery.meta import JsonObject
from kube.process.clock import SystemClock
from kube.process.config import ConfigError
from tests.support.apiserver_pki import TestPki
from tests.support.identity import elliptic_key
from tests.support.memory_store import memory_cache

GOOD: dict[str, Any] = {
    "issuer": {"url": "https://issuer", "audiences": ["a"]}, "claimMappings": {"username": {"claim": "sub", "prefix": "x:"}},
}


@pytest.mark.parametrize(("line", "problem"), [
    ("token,user", "must have at least 3 columns (token, user name, user uid), found 2"), ('token,"user,1', "unexpected end of data"),
])
def test_a_token_file_that_cannot_be_read(line: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "t").write_text(line)
    with pytest.raises(ConfigError) as refused:
        TokenFile(str(tmp_path / "t"), ("a",))
    assert problem in str(refused.value)


@pytest.mark.req("ATN-05")
@pytest.mark.parametrize(("change", "problem"), [
    ({"issuer": {"url": "http://issuer", "audiences": ["a"]}}, '.url: Invalid value: "http://issuer": URL scheme must be https'),
    ({"issuer": {"audiences": ["a"]}}, "jwt[0].issuer.url: Required value"),
    ({"issuer": {"url": "https://own", "audiences": ["a"]}}, "URL must not overlap with disallowed issuers: [https://own]"),
    ({"issuer": {"url": "https://issuer"}}, "jwt[0].issuer.audiences: Required value: at least one"),
    ({"issuer": {"url": "https://issuer", "audiences": ["a", "b"]}}, "audienceMatchPolicy must be MatchAny for multiple audiences"),
    ({"claimMappings": {}}, "jwt[0].claimMappings.username: Required value: claim or expression is required"),
    ({"claimMappings": {"username": {"claim": "sub"}}}, "jwt[0].claimMappings.username.prefix: Required value: prefix is required when"),
    ({"claimMappings": {"username": {"expression": "claims.email"}}}, "claims.email_verified must be used in"),
    ({"claimMappings": {"username": {"expression": "nothing.x"}}}, "undeclared reference to 'nothing'"),
    ({"claimValidationRules": [{"expression": "claims.x + 'a'"}]}, "must evaluate to bool"),
    ({"claimMappings": {**GOOD["claimMappings"], "extra": [{"key": "k8s.io/x", "valueExpression": "'a'"}]}}, "reserved for Kubernetes use"),
    ({"unknown": 1}, "unknown field"),
])
def test_an_authentication_configuration_that_cannot_be(change: dict[str, Any], problem: str, tmp_path: Path) -> None:
    file = tmp_path / "authentication.json"
    kind = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration"}
    file.write_text(json.dumps({**kind, "jwt": [{**GOOD, **change}]}))
    with pytest.raises(ConfigError) as refused:
        configuration.read(str(file), own_issuers=("https://own",))
    assert problem in str(refused.value)


@pytest.mark.parametrize(("claims", "told"), [
    ({"email": "a@b"}, UserInfo("a@b")), ({"email": "a@b", "email_verified": True}, UserInfo("a@b")),
    ({"email": "a@b", "email_verified": False}, "oidc: email not verified"),
    ({}, 'oidc: parse username claims "email": claim not present'),
    ({"email": "a@b", "role": "dev"}, UserInfo("a@b", groups=("g:dev",))),
    ({"email": "a@b", "role": ["dev", 1]}, 'oidc: parse groups claim "role": it is neither a string nor a list of strings'),
])
def test_what_claims_say(claims: dict[str, Any], told: UserInfo | str) -> None:
    claim = configuration.PrefixedClaim
    config = configuration.JwtAuthenticator(claim_mappings=configuration.ClaimMappings(claim("email", ""), claim("role", "g:")))
    try:
        found: UserInfo | str = user_of(claims, config)
    except InvalidToken as error:
        found = str(error)
    assert found == told


@pytest.mark.req("ATN-04")
def test_whose_certificates_are_believed(tmp_path: Path) -> None:
    ours, theirs, proxies = TestPki(tmp_path / "ours"), TestPki(tmp_path / "theirs"), TestPki(tmp_path / "proxies")
    authorities = ClientAuthorities(ours.ca_file, proxies.ca_file)

    def judged(pki: TestPki) -> tuple[str, str, bool]:
        pem = Path(pki.identity("anna", ["staff"]).cert_file).read_bytes()
        der = x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER)
        subject = authorities.subject(der)
        return subject.common_name, subject.problem, subject.front_proxy

    assert judged(ours) == ("anna", "", False)
    assert judged(theirs) == ("anna", UNKNOWN_AUTHORITY, False)
    assert judged(proxies) == ("anna", UNKNOWN_AUTHORITY, True)
    assert authorities.subject(b"no certificate").problem.startswith("x509: ")


def test_a_service_account_key_may_be_elliptic_and_an_issuer_be_replaced(tmp_path: Path) -> None:
    key = tmp_path / "ec.key"
    key.write_bytes(elliptic_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    before = TokenAuthority("https://old", str(key), [str(key)], SystemClock())
    after = TokenAuthority(("https://new", "https://old"), str(key), [str(key)], SystemClock())
    token = before.issue(namespace="default", name="robot", uid="1").token

    assert jwt.parse(token).algorithm == "ES256"
    assert (after.verify(token) or {})["iss"] == "https://old"
    assert after.jwks()["keys"][0]["crv"] == "P-256"
    assert after.api_audiences == ("https://new", "https://old")
    assert TokenAuthority("https://new", str(key), [], SystemClock()).verify(token) is None


def role_for(name: str, *rules: dict[str, Any]) -> list[JsonObject]:
    group = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": list(rules)},
        {"apiVersion": f"{group}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
         "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name}, "subjects": [{"kind": "User", "name": "boss"}]},
    ]


OLD = {"apiGroups": [""], "resources": ["users"], "resourceNames": ["anna"], "verbs": ["impersonate"]}
WHOM = {"apiGroups": ["authentication.k8s.io"], "resources": ["users"], "resourceNames": ["anna"], "verbs": ["impersonate:user-info"]}
ON = {"apiGroups": [""], "resources": ["pods"], "verbs": ["impersonate-on:user-info:list"]}


@pytest.mark.req("RBC-08")
@pytest.mark.parametrize(("rules", "headers", "told"), [
    pytest.param([], [("impersonate-user", "anna")],
                 'users "anna" is forbidden: User "boss" cannot impersonate resource "users" in API group ""', id="no right"),
    pytest.param([OLD], [("impersonate-user", "anna")], ("anna", ("system:authenticated",)), id="the old verb"),
    pytest.param([WHOM, ON], [("impersonate-user", "anna")], ("anna", ("system:authenticated",)), id="to list Pods alone"),
    pytest.param([WHOM], [("impersonate-user", "anna")], 'users "anna" is forbidden', id="but on nothing"),
    pytest.param([OLD], [("impersonate-user", "anna"), ("impersonate-group", "x")], 'groups "x" is forbidden', id="a group"),
    pytest.param([OLD], [("impersonate-group", "x")], "without impersonating a user name", id="a group of nobody"),
])
async def test_acting_as_another(rules: list[dict[str, Any]], headers: list[tuple[str, str]], told: Any) -> None:
    boss = UserInfo("boss", groups=("system:authenticated",))
    request = Attributes(user=boss, verb="list", version="v1", resource="pods", namespace="a")
    async with memory_cache(*role_for("r", *rules)) as (_, cache):
        try:
            user = await impersonated(boss, headers, Authorizer(cache), request)
            found: Any = user.name, user.groups
        except (Forbidden, BadRequest) as error:
            found = told if told in str(error) else str(error)
    assert found == told
