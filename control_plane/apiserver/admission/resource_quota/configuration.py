"""What ResourceQuota is told by the file of --admission-control-config-file."""

from __future__ import annotations

from typing import Final

import msgspec

from kube.apimachinery.meta import JsonObject
from kube.process.config import ConfigError

_KINDS: Final = {
    "apiserver.config.k8s.io/v1": "ResourceQuotaConfiguration",
    "resourcequota.admission.k8s.io/v1beta1": "Configuration",
    "resourcequota.admission.k8s.io/v1alpha1": "Configuration",
}


class ScopeRequirement(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    scope_name: str
    operator: str
    values: tuple[str, ...] = ()


class LimitedResource(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What may be consumed only under a quota that speaks of it: usage whose name contains one of the texts, objects in the scopes."""

    resource: str
    api_group: str = ""
    match_contains: tuple[str, ...] = ()
    match_scopes: tuple[ScopeRequirement, ...] = ()


class _Configuration(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    api_version: str
    kind: str
    limited_resources: tuple[LimitedResource, ...] = ()


def limited_resources(configuration: JsonObject | None) -> tuple[LimitedResource, ...]:
    """Raises ConfigError."""
    if not configuration:
        return ()
    try:
        read = msgspec.convert(configuration, _Configuration)
    except msgspec.ValidationError as error:
        raise ConfigError(f"ResourceQuota: {error}") from error
    if _KINDS.get(read.api_version) != read.kind:
        raise ConfigError(f'no kind "{read.kind}" is registered for version "{read.api_version}" of ResourceQuota\'s configuration')
    for index, limited in enumerate(read.limited_resources):
        if not limited.resource:
            raise ConfigError(f"limitedResources[{index}].resource: Required value")
    return read.limited_resources
