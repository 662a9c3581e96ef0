"""Where the registry of an image is: its own host, or what a hosts.toml says. Follows containerd's docs/hosts.md.

    DIRECTORY/registry.example:5000/hosts.toml      or registry.example_5000_, or _default for all others
        server = "https://registry.example:5000"    asked last; without it the host of the image's name
        [host."http://172.30.0.11:5001"]            asked in this order
          capabilities = ["pull", "resolve"]        resolve: it may say what a tag stands for
          ca = "ca.crt"                             or several; paths as seen from the file
          client = ["client.cert", "client.key"]    or one file that holds both; or a list of such pairs, of which the first is taken
          skip_verify = false
          override_path = false                     true: the URL's path is all there is, no /v2 is added
          [host."http://172.30.0.11:5001".header]
            X-Name = "value"
    DIRECTORY/registry.example/*.crt                without a hosts.toml: the authorities to trust
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from node_agent.runtime.model import RuntimeServiceError
from node_agent.runtime.registry.access import DOCKER_HUB

DEFAULT = "_default"
CAPABILITIES = ("pull", "resolve")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One host to ask. `base` ends before /REPOSITORY/manifests; its scheme may be "", which is to be found out."""

    host: str                                   # with its port
    path: str = "/v2"
    scheme: str = ""
    ca_files: tuple[str, ...] = ()              # () : those of the system
    client_files: tuple[str, ...] = ()          # certificate, key
    skip_verify: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    resolves: bool = True
    pulls: bool = True
    mirror: bool = False


def endpoints_of(registry: str, directory: Path | None) -> list[Endpoint]:
    """In the order in which they are to be asked. Raises RuntimeServiceError for a file that cannot be read."""
    own = Endpoint(host=DOCKER_HUB[1] if registry == DOCKER_HUB[0] else registry)
    folder = _folder(registry, directory) if directory else None
    if folder is None:
        return [own]
    file = folder / "hosts.toml"
    try:
        if not file.is_file():
            certificates = tuple(str(path) for path in sorted(folder.glob("*.crt")))
            return [Endpoint(host=own.host, ca_files=certificates)]
        given = tomllib.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise RuntimeServiceError(f"{file} cannot be read: {error}") from error
    try:
        return list(_listed(given, own, folder))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise RuntimeServiceError(f"{file} cannot be used: {error}") from error


def _folder(registry: str, directory: Path) -> Path | None:
    name, colon, port = registry.rpartition(":")
    names = [registry, f"{name}_{port}_", DEFAULT] if colon else [registry, DEFAULT]
    return next((directory / name for name in names if (directory / name).is_dir()), None)


def _listed(given: Mapping[str, Any], own: Endpoint, folder: Path) -> Iterator[Endpoint]:
    for url, settings in given.get("host", {}).items():
        yield _endpoint(url, settings, folder, mirror=True)
    if server := given.get("server"):
        yield _endpoint(server, given, folder, mirror=False)
    else:
        yield own


def _endpoint(url: str, settings: Mapping[str, Any], folder: Path, *, mirror: bool) -> Endpoint:
    parts = urlsplit(url if "://" in url else f"//{url}")
    if not parts.netloc or parts.scheme not in ("", "http", "https"):
        raise ValueError(f"{url!r} is no URL of a host")
    capabilities = settings.get("capabilities", CAPABILITIES)
    path = parts.path.rstrip("/")
    if not settings.get("override_path", False) and not path.endswith("/v2"):
        path += "/v2"
    return Endpoint(
        host=parts.netloc, path=path, scheme=parts.scheme, ca_files=_paths(settings.get("ca", ()), folder),
        client_files=_client(settings.get("client", ()), folder), skip_verify=bool(settings.get("skip_verify", False)),
        headers=tuple((name, text) for name, value in settings.get("header", {}).items() for text in _texts(value)),
        resolves="resolve" in capabilities, pulls="pull" in capabilities, mirror=mirror,
    )


def _texts(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(str(text) for text in value)


def _paths(value: Any, folder: Path) -> tuple[str, ...]:
    return tuple(str(folder / path) for path in _texts(value))


def _client(value: Any, folder: Path) -> tuple[str, ...]:
    if isinstance(value, list) and value and isinstance(value[0], list):
        value = value[0]
    return _paths(value, folder)
