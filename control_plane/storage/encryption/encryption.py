"""Values on their way to etcd and back. The first provider writes, all read; a value says by its prefix who wrote it.

    k8s:enc:aescbc:v1:KEY NAME:...      no such prefix: as it is (identity)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from control_plane.storage.encryption.ciphers import Cipher
from control_plane.storage.errors import StorageError
from control_plane.storage.keys import REGISTRY, resource_prefix
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupResource

_ENCRYPTED: Final = b"k8s:enc:"


class TransformError(StorageError):
    """What etcd holds cannot be read with the keys that are known."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f'unable to transform key "{key}": {why}')


class Provider(NamedTuple):
    """One key of one cipher. identity: no prefix, no cipher."""

    prefix: bytes
    cipher: Cipher | None


class Rule(NamedTuple):
    """Of an EncryptionConfiguration: "secrets", "deployments.apps", "*.apps", "*." (the core group), "*.*"."""

    resources: tuple[str, ...]
    providers: tuple[Provider, ...]

    def covers(self, identity: GroupResource) -> bool:
        name = f"{identity.resource}.{identity.group}" if identity.group else identity.resource
        return name in self.resources or f"*.{identity.group}" in self.resources or "*.*" in self.resources


class Encryption:
    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._by_prefix: dict[str, tuple[Provider, ...]] = {}
        for row in SCHEME:
            if providers := self._first(row.storage_identity):
                self._by_prefix[resource_prefix(row)] = providers

    def seal(self, key: str, value: bytes) -> bytes:
        providers = self._providers(key)
        if not providers or providers[0].cipher is None:
            return value
        return providers[0].prefix + providers[0].cipher.seal(value, key.encode())

    def unseal(self, key: str, stored: bytes) -> bytes:
        """Raises TransformError."""
        if not stored.startswith(_ENCRYPTED):
            return self._plain(key, stored)
        failure = "identity transformer tried to read encrypted data"
        for prefix, cipher in self._providers(key):
            if cipher is None:
                continue
            failure = "no matching prefix found"
            if stored.startswith(prefix):
                try:
                    return cipher.unseal(stored[len(prefix):], key.encode())
                except ValueError as error:
                    raise TransformError(key, str(error)) from error
        raise TransformError(key, failure)

    def is_stale(self, key: str, stored: bytes) -> bool:
        """Whether another provider wrote it than the one that would write it now."""
        providers = self._providers(key)
        if not providers:
            return False
        first = providers[0]
        return stored.startswith(_ENCRYPTED) if first.cipher is None else not stored.startswith(first.prefix)

    def _plain(self, key: str, stored: bytes) -> bytes:
        providers = self._providers(key)
        if providers and all(provider.cipher is not None for provider in providers):
            raise TransformError(key, "no matching prefix found")
        return stored

    def _providers(self, key: str) -> tuple[Provider, ...]:
        if not key.startswith(REGISTRY):
            return ()
        _, _, first, second, *_ = (*key.split("/", 4), "", "")
        short, long = f"{REGISTRY}{first}/", f"{REGISTRY}{first}/{second}/"
        held = self._by_prefix.get(short)
        if held is None:
            held = self._by_prefix.get(long)
        if held is None and "." in first:      # a custom kind
            held = self._by_prefix[long] = self._first(GroupResource(first, second))
        return held or ()

    def _first(self, identity: GroupResource) -> tuple[Provider, ...]:
        return next((rule.providers for rule in self._rules if rule.covers(identity)), ())
