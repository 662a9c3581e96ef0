"""The chain of authorizers: the first that allows decides; else the reasons of all are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from control_plane.apiserver.authentication.user import MASTERS_GROUP, UserInfo, node_name_of
from control_plane.apiserver.authorization.attributes import Attributes, Decision
from control_plane.apiserver.authorization.node import NodeAuthorizer
from control_plane.apiserver.authorization.node_graph import NodeGraph
from control_plane.apiserver.authorization.rbac import RbacAuthorizer
from control_plane.apiserver.authorization.rbac_index import RbacIndex
from control_plane.apiserver.authorization.rules import Rule
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.errors import Forbidden, forbidden
from kube.apimachinery.scheme import GroupResource
from kube.process.config import ConfigError


class Mode(Protocol):
    def authorize(self, attributes: Attributes) -> Decision: ...


class PrivilegedGroups:
    """system:masters may do everything, whatever the modes say, so that nobody can lock the cluster's owner out."""

    def authorize(self, attributes: Attributes) -> Decision:
        return Decision(allowed=MASTERS_GROUP in attributes.user.groups)


class AlwaysAllow:
    def authorize(self, attributes: Attributes) -> Decision:
        return Decision(allowed=True)


class AlwaysDeny:
    def authorize(self, attributes: Attributes) -> Decision:
        return Decision(allowed=False, reason="Everything is forbidden.")


class Authorizer:
    """Construct it before the cache runs or after, both work: its indexes observe the cache."""

    def __init__(self, cache: WatchCache, modes: Sequence[str] = ("Node", "RBAC")) -> None:
        """Raises ConfigError for an unknown mode."""
        self.index = RbacIndex(cache)
        self._rbac = RbacAuthorizer(self.index)
        makers: Final[dict[str, Callable[[], Mode]]] = {
            "Node": lambda: NodeAuthorizer(NodeGraph(cache)), "RBAC": lambda: self._rbac,
            "AlwaysAllow": AlwaysAllow, "AlwaysDeny": AlwaysDeny,
        }
        if unknown := [mode for mode in modes if mode not in makers]:
            raise ConfigError(f"authorization_modes: unknown mode {unknown[0]!r}, known are {', '.join(makers)}")
        self._modes = modes
        self._chain: tuple[Mode, ...] = (PrivilegedGroups(), *(makers[mode]() for mode in modes))

    def authorize(self, attributes: Attributes) -> Decision:
        decisions = []
        for mode in self._chain:
            decision = mode.authorize(attributes)
            if decision.allowed or decision.denied:
                return decision
            decisions.append(decision)
        return Decision(
            allowed=False,
            reason="\n".join(decision.reason for decision in decisions if decision.reason),
            error="\n".join(decision.error for decision in decisions if decision.error),
        )

    def held_rules(self, user: UserInfo, namespace: str) -> list[Rule]:
        """What roles grant to the user, in the namespace and everywhere."""
        return self._rbac.rules_for(user, namespace) if "RBAC" in self._modes else []

    def rules_for(self, user: UserInfo, namespace: str) -> dict[str, Any]:
        """The `status` of a SelfSubjectRulesReview."""
        rules = [rule.to_dict() for rule in self.held_rules(user, namespace)]
        if MASTERS_GROUP in user.groups or "AlwaysAllow" in self._modes:
            everything = Rule(frozenset("*"), frozenset("*"), frozenset("*")), Rule(frozenset("*"), urls=("*",))
            rules = [rule.to_dict() for rule in everything] + rules
        is_node = "Node" in self._modes and node_name_of(user) is not None
        status: dict[str, Any] = {
            "resourceRules": [rule for rule in rules if "nonResourceURLs" not in rule],
            "nonResourceRules": [rule for rule in rules if "nonResourceURLs" in rule],
            "incomplete": is_node,
        }
        if is_node:
            status["evaluationError"] = "node authorizer does not support user rule resolution"
        return status


def forbidden_error(attributes: Attributes, reason: str = "") -> Forbidden:
    """Upstream's responsewriters.Forbidden: pods is forbidden: User "bob" cannot list resource "pods" in API group "" ..."""
    user = attributes.user.name
    tail = f": {reason}" if reason else ""
    if not attributes.is_resource:
        return Forbidden(f'forbidden: User "{user}" cannot {attributes.verb} path "{attributes.path}"{tail}')
    resource = f"{attributes.resource}/{attributes.subresource}" if attributes.subresource else attributes.resource
    where = f'in the namespace "{attributes.namespace}"' if attributes.namespace else "at the cluster scope"
    why = f'User "{user}" cannot {attributes.verb} resource "{resource}" in API group "{attributes.group}" {where}{tail}'
    return forbidden(GroupResource(attributes.group, attributes.resource), attributes.name, why)
