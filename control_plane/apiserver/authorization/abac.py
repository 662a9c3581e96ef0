"""Attribute-based access control: a file with one policy (JSON, abac.authorization.kubernetes.io/v1beta1) a line.

Follows upstream's abac authorizer. Policies of before 1.1, without a kind, are read as well. Read once, at start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from control_plane.apiserver.authentication.user import AUTHENTICATED_GROUP, UserInfo
from control_plane.apiserver.authorization.attributes import Attributes, Decision
from control_plane.apiserver.authorization.rules import Rule
from kube.process.config import ConfigError

API_VERSION: Final = "abac.authorization.kubernetes.io/v1beta1"
READ: Final = frozenset({"get", "list", "watch"})


class Policy(msgspec.Struct, frozen=True, rename="camel"):
    """What is empty matches nothing; "*" matches everything."""

    user: str = ""
    group: str = ""
    readonly: bool = False
    api_group: str = msgspec.field(default="", name="apiGroup")
    resource: str = ""
    namespace: str = ""
    non_resource_path: str = msgspec.field(default="", name="nonResourcePath")

    def names(self, user: UserInfo) -> bool:
        if self.user and self.user not in ("*", user.name):
            return False
        if self.group and self.group != "*" and self.group not in user.groups:
            return False
        return bool(self.user or self.group)

    def allows(self, attributes: Attributes) -> bool:
        if not self.names(attributes.user) or (self.readonly and attributes.verb not in READ):
            return False
        if attributes.is_resource:
            return (
                self.namespace in ("*", attributes.namespace) and self.resource in ("*", attributes.resource)
                and self.api_group in ("*", attributes.group)
            )
        path = self.non_resource_path
        return path in ("*", attributes.path) or (path.endswith("*") and attributes.path.startswith(path.rstrip("*")))

    def rules(self) -> list[Rule]:
        verbs = READ if self.readonly else frozenset("*")
        rules = [Rule(verbs, frozenset((self.api_group,)), frozenset((self.resource,)))] if self.resource else []
        return [*rules, Rule(verbs, urls=(self.non_resource_path,))] if self.non_resource_path else rules


class AbacAuthorizer:
    def __init__(self, file: str) -> None:
        """Raises ConfigError."""
        self._policies = _read(file)

    def authorize(self, attributes: Attributes) -> Decision:
        if any(policy.allows(attributes) for policy in self._policies):
            return Decision(allowed=True)
        return Decision(allowed=False, reason="No policy matched.")

    def rules_for(self, user: UserInfo, namespace: str) -> list[Rule]:
        held = (policy for policy in self._policies if policy.names(user) and policy.namespace in ("*", namespace))
        return [rule for policy in held for rule in policy.rules()]


def _read(file: str) -> list[Policy]:
    try:
        lines = Path(file).read_bytes().splitlines()
    except OSError as error:
        raise ConfigError(f"error reading policy file {file}: {error.strerror}") from error
    policies = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith(b"#"):
            continue
        try:
            policies.append(_policy(msgspec.json.decode(text, type=dict[str, Any])))
        except (msgspec.DecodeError, ValueError) as error:
            shown = text.decode(errors="replace")
            raise ConfigError(f"error reading policy file {file}, line {number}: {shown}: {error}") from error
    return policies


def _policy(line: dict[str, Any]) -> Policy:
    if not line.get("kind") and not line.get("apiVersion"):
        return _old_policy(line)
    if line.get("kind") != "Policy" or line.get("apiVersion") != API_VERSION:
        raise ValueError(f"expected kind Policy of {API_VERSION}")
    spec = msgspec.convert(line.get("spec") or {}, Policy)
    # As upstream converts it: "*" stands for all who are known.
    if spec.user == "*" or spec.group == "*":
        return msgspec.structs.replace(spec, user="" if spec.user == "*" else spec.user, group=AUTHENTICATED_GROUP)
    return spec


def _old_policy(line: dict[str, Any]) -> Policy:
    """Everything left out matched everything then; nobody named: everybody known."""
    old = msgspec.convert(line, Policy)
    everybody = not (old.user or old.group) or "*" in (old.user, old.group)
    return Policy(
        user="" if old.user == "*" else old.user, group=AUTHENTICATED_GROUP if everybody else old.group, readonly=old.readonly,
        api_group="*", resource=old.resource or "*", namespace=old.namespace or "*",
        non_resource_path="" if old.resource or old.namespace else "*",
    )
