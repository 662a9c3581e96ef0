"""The audit policy (audit.k8s.io/v1, --audit-policy-file): the first rule that fits says how much is told.

Follows apiserver's audit/policy.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec
import yaml

from control_plane.apiserver.authorization.attributes import Attributes
from kube.process.config import YAML_LOADER, ConfigError

Level = Literal["None", "Metadata", "Request", "RequestResponse"]
Stage = Literal["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"]
API_VERSION: Final = "audit.k8s.io/v1"


class _Part(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    pass


class GroupResources(_Part, frozen=True):
    group: str = ""
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()

    def match(self, asked: Attributes) -> bool:
        if self.group not in ("*", asked.group):
            return False
        if not self.resources:
            return True
        if self.resource_names and asked.name not in self.resource_names:
            return False
        whole = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
        return any(
            resource in (whole, "*") or (asked.subresource and resource == f"*/{asked.subresource}") or resource == f"{asked.resource}/*"
            for resource in self.resources
        )


class Rule(_Part, frozen=True):
    level: Level
    users: tuple[str, ...] = ()
    user_groups: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[GroupResources, ...] = ()
    namespaces: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = msgspec.field(default=(), name="nonResourceURLs")
    omit_stages: tuple[Stage, ...] = ()
    omit_managed_fields: bool | None = None

    def matches(self, asked: Attributes) -> bool:
        if self.users and asked.user.name not in self.users:
            return False
        if self.user_groups and not set(self.user_groups) & set(asked.user.groups):
            return False
        if self.verbs and asked.verb not in self.verbs:
            return False
        if self.namespaces or self.resources:
            if not asked.is_resource or (self.namespaces and asked.namespace not in self.namespaces):
                return False
            return not self.resources or any(one.match(asked) for one in self.resources)
        if self.non_resource_urls:
            return not asked.is_resource and any(_is_below(asked.path, url) for url in self.non_resource_urls)
        return True


class Policy(_Part, frozen=True):
    api_version: str = ""
    kind: str = ""
    metadata: dict[str, object] = {}
    rules: tuple[Rule, ...] = ()
    omit_stages: tuple[Stage, ...] = ()
    omit_managed_fields: bool = False

    def of(self, asked: Attributes) -> Telling:
        for rule in self.rules:
            if rule.matches(asked):
                omit = self.omit_managed_fields if rule.omit_managed_fields is None else rule.omit_managed_fields
                return Telling(rule.level, frozenset(rule.omit_stages), omit)
        return Telling("None", frozenset(self.omit_stages), self.omit_managed_fields)


class Telling(NamedTuple):
    """How much of one request."""

    level: Level
    omitted: frozenset[str]
    omit_managed_fields: bool


def read_policy(file: str) -> Policy:
    """Raises ConfigError."""
    try:
        content = yaml.load(Path(file).read_text(), Loader=YAML_LOADER)  # noqa: S506  (a SafeLoader)
        policy = msgspec.convert(content, Policy)
    except OSError as error:
        raise ConfigError(f"failed to read file path {file!r}: {error.strerror}") from error
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise ConfigError(f"{file}: {str(error).replace('`', '')}") from error
    if policy.kind != "Policy" or policy.api_version != API_VERSION:
        raise ConfigError(f"{file}: expected kind Policy of {API_VERSION}")
    if not policy.rules:
        raise ConfigError(f"loaded illegal policy with 0 rules from file {file}")
    if problems := list(_problems(policy)):
        raise ConfigError(f"{file}: {', '.join(problems)}")
    # As upstream: what a rule omits comes on top of what the policy does.
    rules = tuple(msgspec.structs.replace(rule, omit_stages=(*policy.omit_stages, *rule.omit_stages)) for rule in policy.rules)
    return msgspec.structs.replace(policy, rules=rules)


def _problems(policy: Policy) -> Iterator[str]:
    for index, rule in enumerate(policy.rules):
        at = f"rules[{index}]"
        if rule.non_resource_urls and (rule.resources or rule.namespaces):
            yield f"{at}.nonResourceURLs: Invalid value: rules cannot apply to both regular resources and non-resource URLs"
        for url in rule.non_resource_urls:
            invalid = f'{at}.nonResourceURLs: Invalid value: "{url}": non-resource URL '
            if url != "*" and not url.startswith("/"):
                yield f"{invalid}rules must begin with a '/' character"
            if "*" in url[:-1]:
                yield f"{invalid}wildcards '*' must be the final character of the rule"
        for one in rule.resources:
            if one.resource_names and not one.resources:
                yield f"{at}.resources.resourceNames: Invalid value: using resourceNames requires at least one resource"


def _is_below(path: str, url: str) -> bool:
    return url in ("*", path) or (url.endswith("*") and path.startswith(url.rstrip("*")))
