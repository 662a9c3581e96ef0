"""The types of Secrets, and which keys each must have. Follows ValidateSecret."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from control_plane.apiserver.strategies.registry import strategy_for
from kube.apimachinery.resources import SCHEME

REDACTED = "<secret contents redacted>"


def problems(kind: str, data: dict[str, str], annotations: dict[str, str] | None = None) -> list[str]:
    resource = SCHEME.for_path("", "v1", "secrets")
    assert resource is not None
    rules = strategy_for(resource)
    encoded = {key.replace("__", "-"): base64.b64encode(value.encode()).decode() for key, value in data.items()}
    obj: dict[str, Any] = {"metadata": {"name": "x", "namespace": "d", "annotations": annotations or {}}, "type": kind, "data": encoded}
    rules.default(obj)
    return [f"{cause.field}: {cause.message}" for cause in rules.validate(obj)]


@pytest.mark.req("CFG-05")
@pytest.mark.parametrize(("kind", "data"), [
    ("", {"any": "thing"}), ("Opaque", {}), ("example.com/own", {}), ("bootstrap.kubernetes.io/token", {"token__id": "abcdef"}),
    ("kubernetes.io/basic-auth", {"username": ""}), ("kubernetes.io/basic-auth", {"password": "x"}),
    ("kubernetes.io/ssh-auth", {"ssh__privatekey": "key"}), ("kubernetes.io/tls", {"tls.crt": "", "tls.key": ""}),
    ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": json.dumps({"auths": {}})}), ("kubernetes.io/dockercfg", {".dockercfg": "{}"}),
])
def test_what_each_type_takes(kind: str, data: dict[str, str]) -> None:
    assert problems(kind, data) == []


@pytest.mark.req("CFG-05")
@pytest.mark.parametrize(("kind", "data", "said"), [
    ("kubernetes.io/tls", {"tls.crt": "x"}, ["data[tls.key]: Required value"]),
    ("kubernetes.io/tls", {}, ["data[tls.crt]: Required value", "data[tls.key]: Required value"]),
    ("kubernetes.io/basic-auth", {"user": "x"}, ["data[username]: Required value", "data[password]: Required value"]),
    ("kubernetes.io/ssh-auth", {"ssh__privatekey": ""}, ["data[ssh-privatekey]: Required value"]),
    ("kubernetes.io/dockercfg", {}, ["data[.dockercfg]: Required value"]),
    ("kubernetes.io/dockerconfigjson", {}, ["data[.dockerconfigjson]: Required value"]),
    ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": ""},
     [f'data[.dockerconfigjson]: Invalid value: "{REDACTED}": unexpected end of JSON input']),
    ("kubernetes.io/dockerconfigjson", {".dockerconfigjson": "x"},
     [f'data[.dockerconfigjson]: Invalid value: "{REDACTED}": invalid character \'x\' looking for beginning of value']),
    ("kubernetes.io/dockercfg", {".dockercfg": "[]"},
     [f'data[.dockercfg]: Invalid value: "{REDACTED}": json: cannot unmarshal array into Go value of type map[string]interface {{}}']),
    ("kubernetes.io/service-account-token", {}, ["metadata.annotations[kubernetes.io/service-account.name]: Required value"]),
])
def test_what_each_type_lacks_is_said(kind: str, data: dict[str, str], said: list[str]) -> None:
    assert problems(kind, data) == said


def test_a_token_of_a_service_account_names_it() -> None:
    assert problems("kubernetes.io/service-account-token", {}, {"kubernetes.io/service-account.name": "robot"}) == []
