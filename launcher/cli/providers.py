"""Which cluster a command is about: of namespaces, or of containers. No Docker engine is asked where the answer is known without it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kube.process.config import ConfigError
from launcher.cluster.errors import LauncherError
from launcher.cluster.namespaces_provider import NamespacesCluster
from launcher.cluster.provider import Provider
from launcher.cluster.state import cluster_names, down_first
from launcher.compose import provider_engine
from launcher.compose.provider_folder import output_folder

if TYPE_CHECKING:
    from launcher.compose.provider import ComposeCluster

DEFAULT_NAME = "kubonsai"
KINDS = ("namespaces", "compose")
VARIABLE = "KUBONSAI_PROVIDER"


def _compose_cluster(name: str) -> ComposeCluster:
    from launcher.compose.provider import ComposeCluster  # only who has containers waits for the import

    return ComposeCluster(name)


def _compose_names() -> list[str]:
    if not provider_engine.has_client():
        return []
    from launcher.compose.provider import cluster_names as names

    return names()


def _compose_hint(name: str) -> bool:
    return (output_folder(name) / "kubeconfig").exists()


@dataclass(frozen=True, slots=True)
class Finder:
    """The questions that the choice depends on; each is asked only when it has to be."""

    namespaces_names: Callable[[], list[str]] = cluster_names
    compose_names: Callable[[], list[str]] = _compose_names         # raises LauncherError when the engine does not answer
    compose_hint: Callable[[str], bool] = _compose_hint             # a trace in this checkout: worth asking the engine
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def default_kind(self) -> str:
        """What KUBONSAI_PROVIDER says. Raises ConfigError."""
        kind = self.environment.get(VARIABLE) or KINDS[0]
        if kind not in KINDS:
            raise ConfigError(f"{VARIABLE}: must be one of {', '.join(KINDS)}, got {kind!r}")
        return kind

    def for_up(self, name: str, asked: str | None) -> str:
        """The kind of the cluster that `up` is to make, or to repair. Raises ConfigError when the name is another kind's."""
        kind = self.default_kind()
        there = KINDS[0] if name in self.namespaces_names() else ""
        if not there and asked != "compose" and self.compose_hint(name) and name in self._reachable_compose_names():
            there = "compose"
        if asked and there and asked != there:
            raise ConfigError(f"cluster {name!r} is of provider {there}; {down_first(name)}")
        return asked or there or kind

    def existing(self, name: str) -> str:
        """The kind of a cluster that is there. Raises ConfigError when there is none."""
        if kind := self.find(name):
            return kind
        raise ConfigError(f"no cluster named {name!r}{self.others()}")

    def others(self) -> str:
        """The end of a sentence about a cluster that is not there."""
        known = [*self.namespaces_names(), *self._reachable_compose_names()]
        hint = f"there are: {', '.join(known)}" if known else "there is none; `./kubonsai up` makes one"
        return f"; {hint}{self.blind_spot()}"

    def find(self, name: str) -> str:
        """The kind of a cluster that is there; "" when there is none."""
        NamespacesCluster(name)         # a name that cannot be is an error
        if name in self.namespaces_names():
            return KINDS[0]
        return "compose" if name in self._reachable_compose_names() else ""

    def all_clusters(self) -> list[Provider]:
        """For `down --all`. An engine that does not answer has none that could be ended."""
        found = {"namespaces": self.namespaces_names(), "compose": self._reachable_compose_names()}
        return [provider(kind, name) for kind, names in found.items() for name in names]

    def blind_spot(self) -> str:
        """Why a cluster may be there that nobody sees; "" when all could be asked."""
        try:
            self.compose_names()
        except LauncherError as error:
            return f". ({error})"
        return ""

    def _reachable_compose_names(self) -> list[str]:
        try:
            return self.compose_names()
        except LauncherError:
            return []


def provider(kind: str, name: str) -> Provider:
    return _compose_cluster(name) if kind == "compose" else NamespacesCluster(name)


def existing(name: str | None) -> Provider:
    """The cluster of that name. Raises ConfigError when there is none."""
    name = name or DEFAULT_NAME
    return provider(Finder().existing(name), name)


def of_containers(name: str | None) -> ComposeCluster | None:
    """The cluster if it has an image store of its own, being of containers. Raises ConfigError for a name that is not there."""
    finder = Finder()
    asked = name or finder.default_kind() == "compose"
    kind = finder.existing(name or DEFAULT_NAME) if asked else finder.find(DEFAULT_NAME)
    return _compose_cluster(name or DEFAULT_NAME) if kind == "compose" else None
