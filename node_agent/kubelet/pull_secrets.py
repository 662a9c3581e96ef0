"""Credentials for registries, out of a Pod's imagePullSecrets. Follows pkg/credentialprovider: its DockerKeyring and its globs.

A ServiceAccount's imagePullSecrets are in the Pod already: the apiserver puts them there when the Pod is created without any.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from urllib.parse import SplitResult, urlsplit

import msgspec

from kube.api.core_v1 import Pod, Secret
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from node_agent.runtime.image_pulls import PullCredential, PullSecretId

CONFIG_JSON, CONFIG_JSON_KEY = "kubernetes.io/dockerconfigjson", ".dockerconfigjson"
CONFIG, CONFIG_KEY = "kubernetes.io/dockercfg", ".dockercfg"
DEFAULT_REGISTRY, DOCKER_HUB = "index.docker.io", ("docker.io", "index.docker.io")
ReadSecret = Callable[[NamespacedName], Awaitable[Secret]]


class PullSecretError(Exception):
    """A Secret that holds no configuration of Docker's."""


class Login(msgspec.Struct):
    """One registry in a config.json. `auth` is base64 of username:password, and goes before the two."""

    username: str = ""
    password: str = ""
    email: str = ""
    auth: str = ""


class ConfigJson(msgspec.Struct):
    auths: dict[str, Login] | None = None


class Keyring:
    """Which credentials fit an image. The most specific ones first."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        """Raises PullSecretError."""
        self._credentials: dict[str, list[PullCredential]] = {}
        for secret in secrets:
            for address, login in _logins(secret).items():
                credential = _credential(login, secret)
                self._credentials.setdefault(_key(address), []).append(credential)

    def lookup(self, image: str) -> list[PullCredential]:
        """`image`: canonical, without tag or digest."""
        found = [
            credential for key in sorted(self._credentials, reverse=True) if matches(key, image) for credential in self._credentials[key]
        ]
        if not found and image.partition("/")[0] in DOCKER_HUB:
            found = self._credentials.get(DEFAULT_REGISTRY, [])
        return found


async def pull_secrets(pod: Pod, read: ReadSecret) -> tuple[list[Secret], list[str]]:
    """The Pod's, and the names of those that could not be had."""
    found, missing = [], []
    for reference in pod.spec.image_pull_secrets:
        if not reference.name:
            continue                        # the API lets them pass
        try:
            found.append(await read(NamespacedName(pod.metadata.namespace, reference.name)))
        except errors.ApiError:
            missing.append(reference.name)
    return found, missing


def matches(glob: str, image: str) -> bool:
    """Part by part of the host's name; the port must be the same, the path a prefix. "*.example" does not cover "example"."""
    wanted, given = _split(glob), _split(image)
    if wanted is None or given is None:
        return False
    (wanted_host, wanted_port), (given_host, given_port) = _host(wanted), _host(given)
    wanted_parts, given_parts = wanted_host.split("."), given_host.split(".")
    return (
        wanted_port == given_port and len(wanted_parts) == len(given_parts) and given.path.startswith(wanted.path)
        and all(fnmatch.fnmatchcase(part, pattern) for pattern, part in zip(wanted_parts, given_parts, strict=True))
    )


def _split(address: str) -> SplitResult | None:
    try:
        return urlsplit("//" + address)
    except ValueError:
        return None


def _host(parts: SplitResult) -> tuple[str, str]:
    host, colon, port = parts.netloc.rpartition(":")
    host, port = (host, port) if colon and not port.endswith("]") else (parts.netloc, "")
    return (host[1:-1] if host.startswith("[") and ":" in host else host), port


def _key(address: str) -> str:
    """As Docker reads it: a scheme says nothing, /v1/ and /v2/ are the registry itself."""
    for scheme in ("https://", "http://"):
        address = address.removeprefix(scheme)
    host, slash, path = address.partition("/")
    path = slash + path
    if path.startswith(("/v1/", "/v2/")):
        path = path[3:]
    return host + path if path != "/" else host


def _logins(secret: Secret) -> dict[str, Login]:
    try:
        if secret.type == CONFIG_JSON and (text := secret.data.get(CONFIG_JSON_KEY)):
            return msgspec.json.decode(base64.b64decode(text), type=ConfigJson).auths or {}
        if secret.type == CONFIG and (text := secret.data.get(CONFIG_KEY)):
            return msgspec.json.decode(base64.b64decode(text), type=dict[str, Login])
    except (msgspec.MsgspecError, ValueError) as error:
        raise PullSecretError(f"Secret {secret.metadata.namespace}/{secret.metadata.name} cannot be read: {error}") from error
    return {}


def _credential(login: Login, secret: Secret) -> PullCredential:
    username, password = login.username, login.password
    if login.auth:
        try:
            text = login.auth.strip()
            decoded = base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode()
        except ValueError as error:
            raise PullSecretError(f"Secret {secret.metadata.namespace}/{secret.metadata.name} cannot be read: auth: {error}") from error
        username, colon, password = decoded.partition(":")
        if not colon:
            raise PullSecretError("unable to parse auth field, must be formatted as base64(username:password)")
    hashed = hashlib.sha256(msgspec.json.encode([username, password, login.email])).hexdigest()
    metadata = secret.metadata
    return PullCredential(username, password, PullSecretId(metadata.uid, metadata.namespace, metadata.name, hashed))


def secret_ids(credentials: Sequence[PullCredential]) -> list[PullSecretId]:
    return [credential.secret for credential in credentials]
