"""Who decides, in which order: AuthorizationConfiguration (apiserver.config.k8s.io/v1, --authorization-config), or the flags that say less.

Rules and messages follow apiserver's validation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from control_plane.apiserver.authentication.configuration import Part, decode, quoted
from control_plane.apiserver.identity_config import MODES, IdentityConfig
from kube.apimachinery.validation import dns_subdomain_problems
from kube.process.config import ConfigError

REPEATABLE: Final = "Webhook"
MAX_CONDITIONS: Final = 64
MAX_TIMEOUT_S: Final = 30.0
_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


class ConnectionInfo(Part, frozen=True):
    type: str = ""
    kube_config_file: str | None = None


class MatchCondition(Part, frozen=True):
    expression: str = ""


class Webhook(Part, frozen=True):
    """Durations as Go writes them: "5m", "1m30s". The TTLs and `cache...` have upstream's defaults."""

    authorized_ttl: str = msgspec.field(default="5m", name="authorizedTTL")
    unauthorized_ttl: str = msgspec.field(default="30s", name="unauthorizedTTL")
    cache_authorized_requests: bool = True
    cache_unauthorized_requests: bool = True
    timeout: str = ""
    subject_access_review_version: str = ""
    match_condition_subject_access_review_version: str = ""
    failure_policy: str = ""
    connection_info: ConnectionInfo = ConnectionInfo()
    match_conditions: tuple[MatchCondition, ...] = ()


class Link(Part, frozen=True):
    """One authorizer of the chain."""

    type: str = ""
    name: str = ""
    webhook: Webhook | None = None


class AuthorizationConfiguration(Part, frozen=True):
    api_version: str = ""
    kind: str = ""
    authorizers: tuple[Link, ...] = ()


def chain_of(config: IdentityConfig) -> tuple[Link, ...]:
    """The authorizers by file or by flags. Raises ConfigError."""
    if config.authorization_config:
        held = decode(config.authorization_config, AuthorizationConfiguration, "AuthorizationConfiguration")
        if problems := list(_problems(held)):
            raise ConfigError(f"{config.authorization_config}: {problems[0] if len(problems) == 1 else '[' + ', '.join(problems) + ']'}")
        return held.authorizers
    return tuple(Link(mode, mode.lower(), _webhook_of_flags(config) if mode == "Webhook" else None) for mode in config.authorization_modes)


def _webhook_of_flags(config: IdentityConfig) -> Webhook:
    return Webhook(
        authorized_ttl=f"{config.authorization_webhook_cache_authorized_ttl_s}s",
        unauthorized_ttl=f"{config.authorization_webhook_cache_unauthorized_ttl_s}s", timeout="30s",
        subject_access_review_version=config.authorization_webhook_version, failure_policy="NoOpinion",
        connection_info=ConnectionInfo("KubeConfigFile", config.authorization_webhook_config_file),
    )


def seconds(duration: str) -> float:
    """Raises ValueError."""
    negative, text = duration.startswith("-"), duration.lstrip("+-")
    if text == "0":
        return 0.0
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f'time: invalid duration "{duration}"')
    total = sum(float(number) * _UNITS[unit] for number, unit in parts)
    return -total if negative else total


def _problems(config: AuthorizationConfiguration) -> Iterator[str]:
    if not config.authorizers:
        yield "authorizers: Required value: at least one authorization mode must be defined"
    names: set[str] = set()
    types: set[str] = set()
    for index, link in enumerate(config.authorizers):
        at = f"authorizers[{index}]"
        if not link.type:
            yield f"{at}.type: Required value"
            continue
        if link.type not in MODES:
            known = ", ".join(f'"{mode}"' for mode in sorted(MODES))
            yield f'{at}.type: Unsupported value: "{link.type}": supported values: {known}'
            continue
        if link.type in types and link.type != REPEATABLE:
            yield f'{at}.type: Duplicate value: "{link.type}"'
            continue
        types.add(link.type)
        yield from _name_problems(link.name, at, names)
        names.add(link.name)
        if link.type == "Webhook":
            missing = [f"{at}.webhook: Required value: required when type=Webhook"]
            yield from _webhook_problems(link.webhook, at) if link.webhook else missing
        elif link.webhook:
            yield f'{at}.webhook: Invalid value: "non-null": may only be specified when type=Webhook'


def _name_problems(name: str, at: str, seen: set[str]) -> Iterator[str]:
    if not name:
        yield f"{at}.name: Required value"
    elif name in seen:
        yield f'{at}.name: Duplicate value: "{name}"'
    elif problems := dns_subdomain_problems(name):
        yield f'{at}.name: Invalid value: "{name}": authorizer name is invalid: {", ".join(problems)}'


def _webhook_problems(webhook: Webhook, at: str) -> Iterator[str]:
    yield from _duration_problems(webhook.timeout, f"{at}.timeout", MAX_TIMEOUT_S, "must be > 0s and <= 30s")
    yield from _duration_problems(webhook.authorized_ttl, f"{at}.authorizedTTL", float("inf"), "must be > 0s")
    yield from _duration_problems(webhook.unauthorized_ttl, f"{at}.unauthorizedTTL", float("inf"), "must be > 0s")
    yield from _choice(webhook.subject_access_review_version, f"{at}.subjectAccessReviewVersion", ("v1", "v1beta1"))
    version, field = webhook.match_condition_subject_access_review_version, f"{at}.matchConditionSubjectAccessReviewVersion"
    if version:
        yield from _choice(version, field, ("v1",))
    elif webhook.match_conditions:
        yield f"{field}: Required value: required if match conditions are specified"
    yield from _choice(webhook.failure_policy, f"{at}.failurePolicy", ("NoOpinion", "Deny"))
    yield from _connection_problems(webhook.connection_info, f"{at}.connectionInfo")
    yield from _condition_problems(webhook.match_conditions, f"{at}.matchConditions")


def _duration_problems(duration: str, at: str, longest: float, rule: str) -> Iterator[str]:
    try:
        length = seconds(duration) if duration else 0.0
    except ValueError as error:
        yield f'{at}: Invalid value: "{duration}": {error}'
        return
    if not length:
        yield f"{at}: Required value"
    elif not 0 < length <= longest:
        yield f'{at}: Invalid value: "{duration}": {rule}'


def _choice(value: str, at: str, known: tuple[str, ...]) -> Iterator[str]:
    if not value:
        yield f"{at}: Required value"
    elif value not in known:
        yield f'{at}: Unsupported value: "{value}": supported values: {", ".join(quoted(one) for one in known)}'


def _connection_problems(info: ConnectionInfo, at: str) -> Iterator[str]:
    file = info.kube_config_file
    if not info.type:
        yield f"{at}.type: Required value"
    elif info.type == "InClusterConfig":
        yield f'{at}.type: Invalid value: "InClusterConfig": kube-apiserver is not in a Pod; use KubeConfigFile'
    elif info.type != "KubeConfigFile":
        yield f'{at}.type: Unsupported value: "{info.type}": supported values: "InClusterConfig", "KubeConfigFile"'
    elif not file:
        yield f"{at}.kubeConfigFile: Required value"
    elif not Path(file).is_absolute():
        yield f'{at}.kubeConfigFile: Invalid value: "{file}": must be an absolute path'
    elif not Path(file).exists():
        yield f'{at}.kubeConfigFile: Invalid value: "{file}": error loading file: stat {file}: no such file or directory'
    elif not Path(file).is_file():
        yield f'{at}.kubeConfigFile: Invalid value: "{file}": must be a regular file'


def _condition_problems(conditions: tuple[MatchCondition, ...], at: str) -> Iterator[str]:
    if len(conditions) > MAX_CONDITIONS:
        yield f"{at}: Too many: {len(conditions)}: must have at most {MAX_CONDITIONS} items"
        return
    seen: set[str] = set()
    for index, condition in enumerate(conditions):
        here, expression = f"{at}[{index}].expression", condition.expression
        if not expression.strip():
            yield f"{here}: Required value"
            continue
        if expression in seen:
            yield f"{here}: Duplicate value: {quoted(expression)}"
            continue
        seen.add(expression)
        from control_plane.apiserver.authorization import conditions as cel  # much to load, and seldom used

        if problem := cel.problem_of(expression):
            yield f"{here}: Invalid value: {quoted(expression)}: {problem}"
