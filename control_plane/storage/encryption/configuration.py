"""EncryptionConfiguration (apiserver.config.k8s.io/v1, --encryption-provider-config). Follows apiserver's validation_encryption.go."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

from control_plane.storage.encryption.ciphers import AesCbc, AesGcm, Cipher, SecretBox
from control_plane.storage.encryption.encryption import Provider, Rule
from kube.process.config import YAML_LOADER, ConfigError

API_VERSIONS: Final = ("apiserver.config.k8s.io/v1",)
_AES: Final = (16, 24, 32)
_CIPHERS: Final[dict[str, tuple[Callable[[bytes], Cipher], tuple[int, ...]]]] = {
    "aescbc": (AesCbc, _AES), "aesgcm": (AesGcm, _AES), "secretbox": (SecretBox, (32,)),
}
_NO_API: Final = ("apiserveripinfo", "serviceipallocations", "servicenodeportallocations")
_OVERLAP: Final = (
    "using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they will be masked")


class _Part(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    pass


class Key(_Part, frozen=True):
    name: str = ""
    secret: str = ""


class Keys(_Part, frozen=True):
    keys: tuple[Key, ...] = ()


class ProviderConfiguration(_Part, frozen=True):
    aesgcm: Keys | None = None
    aescbc: Keys | None = None
    secretbox: Keys | None = None
    identity: dict[str, Any] | None = None
    kms: dict[str, Any] | None = None


class ResourceConfiguration(_Part, frozen=True):
    resources: tuple[str, ...] = ()
    providers: tuple[ProviderConfiguration, ...] = ()


class EncryptionConfiguration(_Part, frozen=True):
    api_version: str = ""
    kind: str = ""
    metadata: dict[str, Any] = {}
    resources: tuple[ResourceConfiguration, ...] = ()


def read_rules(file: str) -> list[Rule]:
    """Raises ConfigError; its message never holds a key."""
    try:
        content = yaml.load(Path(file).read_text(), Loader=YAML_LOADER)  # noqa: S506  (a SafeLoader)
    except OSError as error:
        raise ConfigError(f'error opening encryption provider configuration file "{file}": {error.strerror}') from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{file}: not valid YAML") from error
    try:
        configuration = msgspec.convert(content, EncryptionConfiguration)
    except msgspec.ValidationError as error:
        raise ConfigError(f"error decoding encryption provider configuration file {file}: {str(error).replace('`', '')}") from error
    if configuration.kind != "EncryptionConfiguration" or configuration.api_version not in API_VERSIONS:
        raise ConfigError(f"{file}: expected kind EncryptionConfiguration of {API_VERSIONS[0]}")
    if problems := list(_problems(configuration)):
        raise ConfigError(f"{file}: {', '.join(problems)}")
    return [Rule(_identities(part.resources), tuple(_providers(part))) for part in configuration.resources]


def _identities(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple("*." if name == "*.core" else name for name in names)


def _providers(part: ResourceConfiguration) -> Iterator[Provider]:
    for configured in part.providers:
        if configured.identity is not None:
            yield Provider(b"", None)
            continue
        for name, (cipher, _) in _CIPHERS.items():
            for key in (getattr(configured, name) or Keys()).keys:
                yield Provider(f"k8s:enc:{name}:v1:{key.name}:".encode(), cipher(base64.b64decode(key.secret)))


def _problems(configuration: EncryptionConfiguration) -> Iterator[str]:
    if not configuration.resources:
        yield "resources: Required value: at least one resources is required"
    for index, part in enumerate(configuration.resources):
        at = f"resources[{index}]"
        if not part.resources:
            yield f"{at}.resources: Required value: at least one {at}.resources is required"
        yield from _resource_problems(part.resources, f"{at}.resources")
        if not part.providers:
            yield f"{at}.providers: Required value: at least one {at}.providers is required"
        for number, provider in enumerate(part.providers):
            yield from _provider_problems(provider, f"{at}.providers[{number}]")


def _resource_problems(names: tuple[str, ...], at: str) -> Iterator[str]:
    if len(set(names)) != len(names):
        yield f"{at}: Invalid value: the same resource cannot be specified multiple times"
    groups = [name.partition(".")[2] for name in names]
    stars = [name.partition(".")[2] for name in names if name.startswith("*.")]
    if len(names) > 1 and ("*" in stars or any(groups.count(group) > 1 for group in stars)):
        yield f"{at}: Invalid value: {_OVERLAP}"
    for index, name in enumerate(names):
        resource, _, group = name.partition(".")
        why = ""
        if name != name.lower():
            why = "resource name should not contain capital letters"
        elif name == "*":
            why = "use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources"
        elif name in _NO_API:
            why = "resources which do not have REST API/s cannot be encrypted"
        elif group == "events.k8s.io":
            why = "'*.events.k8s.io' objects are stored using the 'events' API group in etcd. Use 'events' instead in the config file"
        elif group == "extensions":
            why = "'extensions' group has been removed and cannot be used for encryption"
        elif group == "*" and resource != "*":
            why = "encrypting the same resource across groups is not supported"
        if why:
            yield f'{at}[{index}]: Invalid value: "{name}": {why}'


def _provider_problems(provider: ProviderConfiguration, at: str) -> Iterator[str]:
    given = [name for name in ("kms", *_CIPHERS, "identity") if getattr(provider, name) is not None]
    if not given:
        yield f"{at}: Invalid value: provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity"
    elif len(given) > 1:
        yield f"{at}: Invalid value: more than one provider specified in a single element, should split into different list elements"
    elif given == ["kms"]:
        yield f"{at}.kms: Forbidden: KMS plugins are not supported; use secretbox, aesgcm or aescbc"
    elif given[0] in _CIPHERS:
        keys: Keys = getattr(provider, given[0])
        if not keys.keys:
            yield f"{at}.{given[0]}.keys: Required value: at least one keys is required"
        for index, key in enumerate(keys.keys):
            yield from _key_problems(key, f"{at}.{given[0]}.keys[{index}]", _CIPHERS[given[0]][1])


def _key_problems(key: Key, at: str, lengths: tuple[int, ...]) -> Iterator[str]:
    if not key.name:
        yield f"{at}.name: Required value: name is a mandatory field for a key"
    if not key.secret:
        yield f"{at}.secret: Required value: secret is a mandatory field for a key"
        return
    try:
        length = len(base64.b64decode(key.secret, validate=True))
    except ValueError:
        yield f'{at}.secret: Invalid value: "REDACTED": secrets must be base64 encoded'
        return
    if length not in lengths:
        expected = " ".join(map(str, lengths))
        yield f'{at}.secret: Invalid value: "REDACTED": secret is not of the expected length, got {length}, expected one of [{expected}]'
