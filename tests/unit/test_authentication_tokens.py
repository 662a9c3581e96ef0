"""Who a certificate or a token stands for, and until when."""

from __future__ import annotations

import base64
import datetime
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from control_plane import jwt
from control_plane.apiserver.authentication.authenticator import Authenticator, RequestCredentials
from control_plane.apiserver.authentication.certificate import CertificateSubject
from control_plane.apiserver.authentication.token import BoundObject, InvalidToken, TokenAuthority
from kube.apimachinery.errors import Unauthorized
from kube.apimachinery.meta import JsonObject
from tests.support.memory_store import memory_cache

ISSUER = "https://kubernetes.default.svc.cluster.local"
ACCOUNT: JsonObject = {
    "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": "default", "name": "robot", "uid": "sa-1"},
}
POD: JsonObject = {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "default", "name": "web", "uid": "pod-1"}}


class SetClock:
    def __init__(self) -> None:
        self.instant = datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.UTC)

    def now(self) -> datetime.datetime:
        return self.instant

    def monotonic(self) -> float:
        return self.instant.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self.instant += datetime.timedelta(seconds=seconds)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


def write_key(path: Path) -> str:
    key = rsa.generate_private_key(65537, 2048)
    path.write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ))
    return str(path)


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_key(tmp_path_factory.mktemp("keys") / "sa.key")


@pytest.fixture
def tokens(key_file: str, clock: SetClock) -> TokenAuthority:
    return TokenAuthority(ISSUER, key_file, [key_file], clock)


def issue(tokens: TokenAuthority, **more: Any) -> str:
    return tokens.issue(namespace="default", name="robot", uid="sa-1", **more).token


def claims_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


async def test_a_token_stands_for_its_account_and_its_pod(tokens: TokenAuthority, clock: SetClock) -> None:
    token = issue(tokens, bound=BoundObject("Pod", "web", "pod-1", node_name="node2", node_uid="node-1"))

    async with memory_cache(ACCOUNT, POD) as (_, cache):
        user = await Authenticator(tokens, cache, clock).authenticate(RequestCredentials(token=token))

    assert (user.name, user.uid) == ("system:serviceaccount:default:robot", "sa-1")
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated")
    extra = {key.removeprefix("authentication.kubernetes.io/"): value for key, value in user.extra.items()}
    assert extra.pop("credential-id") == (f"JTI={claims_of(token)['jti']}",)
    assert extra == {"pod-name": ("web",), "pod-uid": ("pod-1",), "node-name": ("node2",), "node-uid": ("node-1",)}


@pytest.mark.parametrize(("spoil", "message"), [
    pytest.param({"account": None}, 'serviceaccounts "robot" not found', id="account gone"),
    pytest.param({"account": "sa-2"}, "service account UID (sa-2) does not match claim (sa-1)", id="account made anew"),
    pytest.param({"pod": None}, "service account token has been invalidated", id="pod gone"),
    pytest.param({"pod": "pod-2"}, "pod UID (pod-2) does not match service account pod ref claim (pod-1)", id="pod made anew"),
])
async def test_a_token_dies_with_what_it_is_bound_to(
    spoil: dict[str, str | None], message: str, tokens: TokenAuthority, clock: SetClock
) -> None:
    token = issue(tokens, bound=BoundObject("Pod", "web", "pod-1"))
    objects = []
    for kind, obj in (("account", ACCOUNT), ("pod", POD)):
        uid = spoil.get(kind, obj["metadata"]["uid"])
        if uid:
            objects.append({**obj, "metadata": {**obj["metadata"], "uid": uid}})

    async with memory_cache(*objects) as (_, cache):
        authenticator = Authenticator(tokens, cache, clock)
        with pytest.raises(InvalidToken) as review:
            await authenticator.review_token(token)
        with pytest.raises(Unauthorized, match=r"^Unauthorized$"):
            await authenticator.authenticate(RequestCredentials(token=token))

    assert str(review.value) == message


async def test_a_token_outlives_neither_its_time_nor_a_minute_of_deletion(tokens: TokenAuthority, clock: SetClock) -> None:
    token = issue(tokens, expiration_s=600)
    deleted = {**ACCOUNT, "metadata": {**ACCOUNT["metadata"], "deletionTimestamp": "2026-11-20T12:00:00Z"}}

    async with memory_cache(deleted) as (_, cache):
        authenticator = Authenticator(tokens, cache, clock)
        await authenticator.review_token(token)
        clock.advance(61)
        with pytest.raises(InvalidToken, match="service account default/robot has been deleted"):
            await authenticator.review_token(token)
        clock.advance(600)
        with pytest.raises(InvalidToken, match="service account token has expired"):
            await authenticator.review_token(token)


def test_what_the_plugin_asks_for_a_pod_lives_a_year_and_says_when_to_renew(tokens: TokenAuthority, clock: SetClock) -> None:
    issued = tokens.issue(
        namespace="default", name="robot", uid="sa-1", expiration_s=3607, bound=BoundObject("Pod", "web", "pod-1")
    )
    other = tokens.issue(
        namespace="default", name="robot", uid="sa-1", expiration_s=3607, audiences=["vault"], bound=BoundObject("Pod", "web", "pod-1")
    )

    claims = claims_of(issued.token)
    assert claims["exp"] - claims["iat"] == 365 * 24 * 3600
    assert claims["kubernetes.io"]["warnafter"] - claims["iat"] == 3607
    assert issued.expires_at - clock.now() == datetime.timedelta(seconds=3607)
    assert claims_of(other.token)["exp"] - claims["iat"] == 3607
    assert "warnafter" not in claims_of(other.token)["kubernetes.io"]


async def test_a_token_for_another_audience_is_refused(tokens: TokenAuthority, clock: SetClock) -> None:
    token = issue(tokens, audiences=["vault", "other"])

    async with memory_cache(ACCOUNT) as (_, cache):
        authenticator = Authenticator(tokens, cache, clock)
        with pytest.raises(InvalidToken) as refused:
            await authenticator.review_token(token)
        review = await authenticator.review_token(token, ("vault", "third"))

    assert str(refused.value) == f'token audiences ["vault" "other"] is invalid for the target audiences ["{ISSUER}"]'
    assert review.audiences == ("vault",)


def forged(token: str, **header: Any) -> str:
    first = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    return ".".join([first, *token.split(".")[1:]])


async def test_a_token_not_signed_here_is_refused(
    tokens: TokenAuthority, clock: SetClock, key_file: str, tmp_path: Path
) -> None:
    token = issue(tokens)
    stranger = TokenAuthority(ISSUER, write_key(tmp_path / "other.key"), [], clock)
    head, _, signature = token.split(".")
    claims = claims_of(token) | {"sub": "system:serviceaccount:kube-system:root"}
    changed = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    elsewhere = TokenAuthority("https://elsewhere", key_file, [key_file], clock)
    bad = {
        "other key": issue(stranger), "changed": f"{head}.{changed}.{signature}", "alg none": forged(token, alg="none"),
        "alg HS256": forged(token, alg="HS256"), "no kid, other key": forged(issue(stranger), alg="RS256"),
        "garbage": "a.b.c", "word": "secret", "other issuer": issue(elsewhere), "no signature": f"{head}.{token.split('.')[1]}.",
    }

    async with memory_cache(ACCOUNT) as (_, cache):
        authenticator = Authenticator(tokens, cache, clock)
        passed = []
        for name, text in bad.items():
            with suppress(Unauthorized):
                await authenticator.authenticate(RequestCredentials(token=text))
                passed.append(name)

    assert passed == []


async def test_a_token_of_a_secret_dies_with_the_secret(tokens: TokenAuthority, clock: SetClock) -> None:
    token = tokens.issue_legacy(namespace="default", name="robot", uid="sa-1", secret_name="robot-token")
    secret = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "default", "name": "robot-token"},
        "data": {"token": base64.b64encode(token.encode()).decode()},
    }

    async with memory_cache(ACCOUNT, secret) as (store, cache):
        authenticator = Authenticator(tokens, cache, clock)
        user = await authenticator.authenticate(RequestCredentials(token=token))
        await store.remove(secret)
        await cache.fresh()
        with pytest.raises(Unauthorized):
            await authenticator.authenticate(RequestCredentials(token=token))

    assert user.name == "system:serviceaccount:default:robot"


async def test_an_account_made_a_moment_ago_is_asked_for_before_its_token_is_refused(tokens: TokenAuthority, clock: SetClock) -> None:
    async with memory_cache() as (store, cache):
        await store.put(ACCOUNT)            # the cache may not have heard of it yet
        await Authenticator(tokens, cache, clock).review_token(issue(tokens))


async def test_certificates_and_anonymous(tokens: TokenAuthority, clock: SetClock) -> None:
    subject = CertificateSubject("system:node:node1", ("system:nodes",), "ab")

    async with memory_cache() as (_, cache):
        open_ = Authenticator(tokens, cache, clock)
        node = await open_.authenticate(RequestCredentials(certificate=subject))
        nobody = await open_.authenticate(RequestCredentials())
        with pytest.raises(Unauthorized):
            await Authenticator(tokens, cache, clock, anonymous=False).authenticate(RequestCredentials())

    assert (node.name, node.groups) == ("system:node:node1", ("system:nodes", "system:authenticated"))
    assert node.extra["authentication.kubernetes.io/credential-id"] == ("X509SHA256=ab",)
    assert (nobody.name, nobody.groups) == ("system:anonymous", ("system:unauthenticated",))


def test_the_published_key_is_the_one_that_verifies(tokens: TokenAuthority) -> None:
    (key,) = tokens.jwks()["keys"]
    number = int.from_bytes(base64.urlsafe_b64decode(key["n"] + "=="), "big")
    public = rsa.RSAPublicNumbers(65537, number).public_key()

    assert key["e"] == "AQAB"
    assert jwt.is_signed_by(jwt.parse(issue(tokens)), public)
    assert jwt.parse(issue(tokens)).header == {"alg": "RS256", "kid": key["kid"]}
