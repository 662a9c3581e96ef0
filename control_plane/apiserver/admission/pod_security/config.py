"""PodSecurityConfiguration: what holds where namespaces say nothing, and who is exempt."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from control_plane.apiserver.admission.pod_security.levels import LevelVersion, Policy, parse_level, parse_version
from kube.apimachinery.validation import dns_label_problems, dns_subdomain_problems
from kube.process.config import ConfigError

_VERSIONS: Final = tuple(f"pod-security.admission.config.k8s.io/{version}" for version in ("v1", "v1beta1", "v1alpha1"))


class Defaults(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    enforce: str = "privileged"
    enforce_version: str = "latest"
    audit: str = "privileged"
    audit_version: str = "latest"
    warn: str = "privileged"
    warn_version: str = "latest"

    def policy(self) -> Policy:
        """Raises ConfigError."""
        parts: dict[str, LevelVersion] = {}
        for mode in Policy._fields:
            level, version = getattr(self, mode), getattr(self, f"{mode}_version")
            minor = parse_version(version)
            if parse_level(level) is None:
                raise ConfigError(
                    f'PodSecurity: defaults.{mode}: Invalid value: "{level}": must be one of privileged, baseline, restricted'
                )
            if minor is None:
                raise ConfigError(f'PodSecurity: defaults.{mode}-version: Invalid value: "{version}": must be "latest" or "v1.x"')
            parts[mode] = LevelVersion(level, minor)
        return Policy(**parts)


class Exemptions(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    usernames: tuple[str, ...] = ()
    runtime_classes: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises ConfigError."""
        wrong = (
            ("usernames", self.usernames, lambda name: [] if name else ["username must not be empty"]),
            ("runtimeClasses", self.runtime_classes, dns_subdomain_problems),
            ("namespaces", self.namespaces, dns_label_problems),
        )
        for key, names, problems in wrong:
            for index, name in enumerate(names):
                at = f"PodSecurity: exemptions.{key}[{index}]"
                if said := problems(name):
                    raise ConfigError(f'{at}: Invalid value: "{name}": {", ".join(said)}')
                if name in names[:index]:
                    raise ConfigError(f'{at}: Duplicate value: "{name}"')


class PodSecurityConfiguration(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    api_version: str = ""
    kind: str = ""
    defaults: Defaults = Defaults()
    exemptions: Exemptions = Exemptions()


def read_configuration(configuration: dict[str, Any] | None) -> PodSecurityConfiguration:
    """Raises ConfigError."""
    if not configuration:
        return PodSecurityConfiguration()
    try:
        read = msgspec.convert(configuration, PodSecurityConfiguration)
    except msgspec.ValidationError as error:
        raise ConfigError(f"PodSecurity: {error}") from error
    if read.api_version not in _VERSIONS or read.kind != "PodSecurityConfiguration":
        raise ConfigError(f"PodSecurity: no kind PodSecurityConfiguration of {_VERSIONS[0]}")
    read.exemptions.check()
    return read
