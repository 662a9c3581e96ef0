"""The chain of authorizers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.authorization.attributes import Attributes, Decision
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.errors import Forbidden


class Authorizer:
    """Construct before the cache is loaded: its indexes observe the cache."""

    def __init__(self, cache: WatchCache, modes: Sequence[str] = ("Node", "RBAC")) -> None:
        raise NotImplementedError

    def authorize(self, attributes: Attributes) -> Decision:
        raise NotImplementedError

    def rules_for(self, user: UserInfo, namespace: str) -> dict[str, Any]:
        """The `status` of a SelfSubjectRulesReview."""
        raise NotImplementedError


def forbidden_error(attributes: Attributes, reason: str = "") -> Forbidden:
    """pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "default" """
    raise NotImplementedError
