"""Secrets with credentials for registries, as kubectl makes them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from kube.api.core_v1 import Secret
from kube.api.meta_v1 import ObjectMeta

CONFIG_JSON, CONFIG = "kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"


def pull_secret(name: str, logins: Mapping[str, Any], *, kind: str = CONFIG_JSON, uid: str = "", namespace: str = "default") -> Secret:
    """`logins`: username, password ... by the registry's address."""
    return Secret(type=kind, metadata=ObjectMeta(name=name, namespace=namespace, uid=uid), data=secret_data(logins, kind))


def secret_data(logins: Mapping[str, Any], kind: str = CONFIG_JSON) -> dict[str, str]:
    key, content = (".dockerconfigjson", {"auths": logins}) if kind == CONFIG_JSON else (".dockercfg", logins)
    return {key: base64.b64encode(json.dumps(content).encode()).decode()}


def auth(username: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}
