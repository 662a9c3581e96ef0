"""Which registries may be asked, and from where. By default no packet leaves the machine: the cluster's own networks only.

The rule is about where packets go, not what images are called: mirrors, token services and redirects are held to it as well.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from kube.process.config import Config, ConfigError
from node_agent.runtime.model import RuntimeServiceError

DOCKER_HUB = ("docker.io", "registry-1.docker.io")      # what images say, where its registry is
Network = Literal["node", "machine"]


class NotAllowedError(RuntimeServiceError):
    """The cluster's configuration does not let nodes ask there."""


class RegistryAccess(Config, frozen=True, kw_only=True):
    """One host that nodes may ask."""

    host: str                       # "registry.example:5000"; without a port every one; "*.example": all below it; "*": all
    network: Network = "node"       # the node's, as every other program on it; or the machine's, where the cluster was started
    plain_http: bool = False        # whether it may be spoken to without TLS

    def __post_init__(self) -> None:
        if not self.host or "/" in self.host or "*" in self.host.removeprefix("*.").removeprefix("*"):
            raise ConfigError(f'registries: host {self.host!r}: write a name as in an image, with or without ":port"; "*.example"; or "*"')


@dataclass(frozen=True, slots=True)
class Access:
    network: Network
    plain_http: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings:
    """What a node is told about registries."""

    listed: Sequence[RegistryAccess] = ()
    local_networks: Sequence[str] = ()
    config_dir: str = ""                # with a folder per registry: endpoints.py

    @property
    def needs_machine(self) -> bool:
        return any(entry.network == "machine" for entry in self.listed)


class AccessRules:
    """`local_networks` are those of the cluster; with the loopback they need no entry, and may be spoken to without TLS."""

    def __init__(self, listed: Sequence[RegistryAccess] = (), local_networks: Iterable[str] = ()) -> None:
        self._listed = listed
        self._local = [ipaddress.ip_network(network) for network in ("127.0.0.0/8", "::1/128", *local_networks)]

    def of(self, host: str) -> Access | None:
        """`host` with or without a port, as in a URL; None: it must not be asked."""
        name, port = split_host(host)
        for entry in self._listed:
            if _covers(entry.host, name, port):
                return Access(entry.network, entry.plain_http or self._is_local(name))
        return Access("node", plain_http=True) if self._is_local(name) else None

    def _is_local(self, name: str) -> bool:
        if name == "localhost":
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return any(address in network for network in self._local)


def split_host(host: str) -> tuple[str, int | None]:
    """Name or address in lower case, and the port if there is one."""
    parts = urlsplit("//" + host)
    try:
        return (parts.hostname or "").lower(), parts.port
    except ValueError:
        return (parts.hostname or "").lower(), None


def _covers(pattern: str, name: str, port: int | None) -> bool:
    if pattern == "*":
        return True
    wanted, wanted_port = split_host(pattern.removeprefix("*"))
    if wanted_port is not None and wanted_port != port:
        return False
    if pattern.startswith("*."):
        return name.endswith(wanted)
    return name == wanted or (wanted, name) == DOCKER_HUB
