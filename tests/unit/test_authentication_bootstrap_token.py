"""A joining machine's token: which Secret it needs, and whom it stands for."""

from __future__ import annotations

import base64
import datetime
from pathlib import Path
from typing import Any

import pytest

from control_plane.apiserver.authentication.authenticator import Authenticator, RequestCredentials
from control_plane.apiserver.authentication.bootstrap_token import BootstrapTokens
from control_plane.apiserver.authentication.token import InvalidToken, TokenAuthority
from control_plane.apiserver.authentication.user import UserInfo
from kube.apimachinery.errors import Unauthorized
from kube.apimachinery.meta import JsonObject
from kube.process.clock import SystemClock
from launcher.cluster.join import bootstrap_objects, new_token
from tests.support.apiserver_pki import TestPki
from tests.support.memory_store import memory_cache

TOKEN = "abcdef.0123456789abcdef"
ISSUER = "https://kubernetes.default.svc.cluster.local"


def secret(kind: str = "bootstrap.kubernetes.io/token", name: str = "bootstrap-token-abcdef", **data: str) -> JsonObject:
    content = {
        "token-id": "abcdef", "token-secret": "0123456789abcdef", "usage-bootstrap-authentication": "true",
        **{key.replace("_", "-"): value for key, value in data.items()},
    }
    return {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "kube-system"}, "type": kind,
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in content.items()},
    }


async def user_of(token: str, *objects: JsonObject) -> UserInfo:
    async with memory_cache(*objects) as (_, cache):
        found = await BootstrapTokens(cache, SystemClock(), (ISSUER,)).review(token, (ISSUER,))
    assert found is not None
    return found.user


async def test_a_token_stands_for_its_machine_and_the_groups_of_its_secret() -> None:
    groups = "system:bootstrappers:kubonsai:default-node-token,system:bootstrappers:a"
    user = await user_of(TOKEN, secret(auth_extra_groups=groups))

    assert user == UserInfo("system:bootstrap:abcdef", groups=(
        "system:bootstrappers", "system:bootstrappers:a", "system:bootstrappers:kubonsai:default-node-token", "system:authenticated"))


@pytest.mark.parametrize(("held", "why"), [
    pytest.param(secret(name="bootstrap-token-zzzzzz"), "no secret of name bootstrap-token-abcdef", id="no secret"),
    pytest.param(secret("Opaque"), "has invalid type, expected bootstrap.kubernetes.io/token", id="another type"),
    pytest.param(secret(token_secret="0123456789abcdee"), "has invalid value for key token-secret", id="wrong secret"),
    pytest.param(secret(token_id="abcdee"), "has invalid value for key token-id", id="another id"),
    pytest.param(secret(usage_bootstrap_authentication="yes"), "not marked usage-bootstrap-authentication=true", id="not for this"),
    pytest.param(secret(expiration="2020-01-01T00:00:00Z"), "has expired", id="expired"),
    pytest.param(secret(expiration="tomorrow"), "has expired", id="expires at no known time"),
    pytest.param(secret(auth_extra_groups="system:masters"), 'bootstrap group "system:masters" is invalid', id="a group of others"),
    pytest.param(secret(auth_extra_groups="system:bootstrappers:"), "is invalid", id="half a group"),
    pytest.param(secret() | {"metadata": {
        "name": "bootstrap-token-abcdef", "namespace": "kube-system", "deletionTimestamp": "2026-01-01T00:00:00Z",
    }}, "is deleted and awaiting removal", id="being deleted"),
    pytest.param(secret() | {"metadata": {"name": "bootstrap-token-abcdef", "namespace": "default"}}, "no secret of name", id="elsewhere"),
])
async def test_without_a_proper_secret_a_token_is_nothing(held: JsonObject, why: str) -> None:
    with pytest.raises(InvalidToken) as refused:
        await user_of(TOKEN, held)
    assert why in str(refused.value)
    assert "0123456789abcde" not in str(refused.value)


async def test_a_token_that_expires_later_counts() -> None:
    later = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)).isoformat()
    assert (await user_of(TOKEN, secret(expiration=later))).name == "system:bootstrap:abcdef"


@pytest.mark.parametrize("text", ["abcdef", "abcdef.0123", "ABCDEF.0123456789abcdef", TOKEN + "\n", "a.b.c"])
async def test_only_one_form_is_a_bootstrap_token(text: str) -> None:
    async with memory_cache(secret()) as (_, cache):
        assert await BootstrapTokens(cache, SystemClock(), (ISSUER,)).review(text, (ISSUER,)) is None


async def test_a_bearer_is_let_in_and_reviewed(tmp_path: Path) -> None:
    key = TestPki(tmp_path).service_account_key()
    async with memory_cache(secret()) as (_, cache):
        clock = SystemClock()
        authenticator = Authenticator(TokenAuthority(ISSUER, key, [key], clock), cache, clock)

        async def who(token: str) -> str:
            return (await authenticator.authenticate(RequestCredentials(token=token))).name

        assert await who(TOKEN) == "system:bootstrap:abcdef"
        with pytest.raises(Unauthorized):
            await who("abcdef.0000000000000000")
        assert (await authenticator.review_token(TOKEN)).audiences == (ISSUER,)
        with pytest.raises(InvalidToken, match="is invalid for the target audiences"):
            await authenticator.review_token(TOKEN, ("vault",))


async def test_what_the_launcher_binds_lets_a_new_token_in() -> None:
    token = new_token()
    objects: list[dict[str, Any]] = bootstrap_objects(token)
    made = objects[-1]

    held = {**made, "data": {key: base64.b64encode(value.encode()).decode() for key, value in made["stringData"].items()}}
    user = await user_of(token, held)

    assert [obj["kind"] for obj in objects] == ["ClusterRoleBinding"] * 3 + ["Secret"]
    assert "system:bootstrappers:kubonsai:default-node-token" in user.groups
    assert new_token() != token
