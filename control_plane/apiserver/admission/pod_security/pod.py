"""A Pod as the checks look at it, and how they speak."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from kube.apimachinery.meta import JsonObject


class Violation(NamedTuple):
    """Prints as "reason (detail)"."""

    reason: str
    detail: str

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


@dataclass(frozen=True)
class PodView:
    """`metadata` and `spec` of a Pod or of a template."""

    metadata: JsonObject
    spec: JsonObject

    @cached_property
    def containers(self) -> list[JsonObject]:
        keys = ("initContainers", "containers", "ephemeralContainers")
        return [container for key in keys for container in self.spec.get(key) or ()]

    @property
    def security(self) -> JsonObject:
        return self.spec.get("securityContext") or {}

    @property
    def annotations(self) -> dict[str, str]:
        return self.metadata.get("annotations") or {}

    @property
    def is_windows(self) -> bool:
        return bool((self.spec.get("os") or {}).get("name") == "windows")

    @property
    def has_own_users(self) -> bool:
        """Runs in a user namespace: its root is nobody outside."""
        return self.spec.get("hostUsers") is False

    def names(self, condition: Callable[[JsonObject], bool]) -> list[str]:
        """Of the containers that it is true for."""
        return [container.get("name") or "" for container in self.containers if condition(container)]


Check = Callable[[PodView], Violation | None]


def security_of(container: JsonObject) -> dict[str, Any]:
    return container.get("securityContext") or {}


def quoted(names: Iterable[str]) -> str:
    listed = '", "'.join(names)
    return f'"{listed}"' if listed else ""


def counted(singular: str, items: Iterable[object]) -> str:
    return singular if len(list(items)) == 1 else singular + "s"


def containers_quoted(names: list[str]) -> str:
    """container "a"; containers "a", "b"."""
    return f"{counted('container', names)} {quoted(names)}"


def setters(pod: bool, containers: list[str]) -> str:
    """Who set something: pod and containers "a", "b"."""
    parts = [*(["pod"] if pod else []), *([containers_quoted(containers)] if containers else [])]
    return " and ".join(parts)
