"""ABAC policies, line by line; who decides, and what is wrong with a configuration of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.authorization.abac import AbacAuthorizer
from control_plane.apiserver.authorization.attributes import Attributes
from control_plane.apiserver.authorization.configuration import chain_of, seconds
from control_plane.apiserver.identity_config import IdentityConfig
from kube.process.config import ConfigError

KNOWN = "system:authenticated"
BOB = UserInfo("bob", groups=("devs", KNOWN))
NOBODY = UserInfo("system:anonymous", groups=("system:unauthenticated",))


def may(tmp_path: Path, policy: dict[str, Any], user: UserInfo = BOB, verb: str = "get", **asked: Any) -> bool:
    file = tmp_path / "policy"
    line = policy if "old" not in policy else {key: value for key, value in policy.items() if key != "old"}
    file.write_text(json.dumps(
        line if "old" in policy else {"apiVersion": "abac.authorization.kubernetes.io/v1beta1", "kind": "Policy", "spec": line}))
    asked = asked or {"resource": "pods", "namespace": "a"}
    return AbacAuthorizer(str(file)).authorize(Attributes(user=user, verb=verb, is_resource="path" not in asked, **asked)).allowed


EVERYTHING = {"namespace": "*", "resource": "*", "apiGroup": "*", "nonResourcePath": "*"}


@pytest.mark.req("RBC-02")
@pytest.mark.parametrize(("policy", "more", "allowed"), [
    pytest.param({"user": "bob", **EVERYTHING}, {}, True, id="his name"),
    pytest.param({"user": "eve", **EVERYTHING}, {}, False, id="another's"),
    pytest.param({"group": "devs", **EVERYTHING}, {}, True, id="his group"),
    pytest.param({"user": "bob", "group": "ops", **EVERYTHING}, {}, False, id="name and group must fit"),
    pytest.param({"user": "*", **EVERYTHING}, {"user": NOBODY}, False, id="a star is for those who are known"),
    pytest.param(EVERYTHING, {}, False, id="nobody named"),
    pytest.param({"user": "bob", "resource": "pods", "namespace": "a"}, {}, True, id="one namespace"),
    pytest.param({"user": "bob", "resource": "pods", "namespace": "b"}, {}, False, id="another namespace"),
    pytest.param({"user": "bob", "resource": "pods", "namespace": "a", "apiGroup": "apps"}, {}, False, id="another group"),
    pytest.param({"user": "bob", "readonly": True, **EVERYTHING}, {"verb": "create"}, False, id="reads only"),
    pytest.param({"user": "bob", "nonResourcePath": "/api*"}, {"path": "/apis"}, True, id="below a path"),
    pytest.param({"user": "bob", "nonResourcePath": "/api"}, {"path": "/apis"}, False, id="another path"),
    pytest.param({"old": True, "user": "bob", "readonly": True}, {"path": "/version"}, True, id="of before 1.1"),
    pytest.param({"old": True}, {"user": NOBODY}, False, id="of before 1.1, for the known"),
])
def test_policies(policy: dict[str, Any], more: dict[str, Any], allowed: bool, tmp_path: Path) -> None:
    assert may(tmp_path, policy, **more) is allowed


def test_a_line_that_is_no_policy_is_told_with_its_number(tmp_path: Path) -> None:
    file = tmp_path / "policy"
    file.write_text('# comment\n\n{"kind": "Pod", "apiVersion": "v1"}\n')
    with pytest.raises(ConfigError, match=f"error reading policy file {file}, line 3: "):
        AbacAuthorizer(str(file))


@pytest.mark.req("RBC-01")
@pytest.mark.req("ATN-02")
@pytest.mark.parametrize(("settings", "problem"), [
    ({"authorization_modes": ("Rbac",)}, 'authorization-mode "Rbac" is not a valid mode'),
    ({"authorization_modes": ("RBAC", "RBAC")}, "has mode specified more than once"),
    ({"authorization_modes": ()}, "at least one authorization-mode must be passed"),
    ({"authorization_modes": ("ABAC",)}, "authorization-mode ABAC's authorization policy file not passed"),
    ({"authorization_modes": ("Webhook",)}, "authorization-mode Webhook's authorization config file not passed"),
    ({"authorization_policy_file": "/x"}, "cannot specify --authorization-policy-file without mode ABAC"),
    ({"authorization_config": "/x", "authorization_modes": ("RBAC",)}, "--authorization-config can not be specified when"),
    ({"basic_auth_file": "/x"}, "Kubernetes removed --basic-auth-file in 1.19"),
    ({"oidc_issuer_url": "https://x"}, "oidc-issuer-url and oidc-client-id must be specified together"),
    ({"service_account_max_token_expiration_s": 60}, "service-account-max-token-expiration must be between 1 hour and"),
    ({"service_account_jwks_uri": "http://x"}, "service-account-jwks-uri requires https scheme"),
])
def test_settings_that_cannot_be(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        IdentityConfig(**settings).check_identity()


@pytest.mark.parametrize(("authorizers", "problem"), [
    ([], "authorizers: Required value: at least one authorization mode must be defined"),
    ([{"type": "Foo", "name": "x"}], 'authorizers[0].type: Unsupported value: "Foo": supported values: "ABAC", "AlwaysAllow"'),
    ([{"type": "RBAC", "name": "x"}, {"type": "RBAC", "name": "y"}], 'authorizers[1].type: Duplicate value: "RBAC"'),
    ([{"type": "RBAC", "name": "x"}, {"type": "Node", "name": "x"}], 'authorizers[1].name: Duplicate value: "x"'),
    ([{"type": "RBAC", "name": "X_"}], 'authorizers[0].name: Invalid value: "X_": authorizer name is invalid: '),
    ([{"type": "Webhook", "name": "x"}], "authorizers[0].webhook: Required value: required when type=Webhook"),
    ([{"type": "RBAC", "name": "x", "webhook": {}}], "may only be specified when type=Webhook"),
    ([{"type": "Webhook", "name": "x", "webhook": {"timeout": "1m"}}], '.timeout: Invalid value: "1m": must be > 0s and <= 30s'),
    ([{"type": "Webhook", "name": "x", "webhook": {"matchConditions": [{"expression": "request.x"}]}}], "undefined field 'x'"),
])
def test_a_chain_that_cannot_be(authorizers: list[dict[str, Any]], problem: str, tmp_path: Path) -> None:
    file = tmp_path / "authorization.json"
    kind = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthorizationConfiguration"}
    file.write_bytes(msgspec.json.encode({**kind, "authorizers": authorizers}))
    with pytest.raises(ConfigError) as refused:
        chain_of(IdentityConfig(authorization_config=str(file)))
    assert problem in str(refused.value)


@pytest.mark.parametrize(("text", "length"), [("5m", 300), ("1m30s", 90), ("1.5h", 5400), ("250ms", 0.25), ("0", 0), ("-1s", -1)])
def test_durations(text: str, length: float) -> None:
    assert seconds(text) == pytest.approx(length)
