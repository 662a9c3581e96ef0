"""The chain of authorizers: the first that allows or denies decides; else the reasons of all are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from control_plane.apiserver.authentication.user import MASTERS_GROUP, UserInfo, node_name_of
from control_plane.apiserver.authorization import configuration
from control_plane.apiserver.authorization.abac import AbacAuthorizer
from control_plane.apiserver.authorization.attributes import Attributes, Decision
from control_plane.apiserver.authorization.configuration import chain_of
from control_plane.apiserver.authorization.node import NodeAuthorizer
from control_plane.apiserver.authorization.node_graph import NodeGraph
from control_plane.apiserver.authorization.rbac import RbacAuthorizer
from control_plane.apiserver.authorization.rbac_index import RbacIndex
from control_plane.apiserver.authorization.rules import Rule
from control_plane.apiserver.authorization.webhook import WebhookAuthorizer, WebhookSettings
from control_plane.apiserver.identity_config import IdentityConfig
from control_plane.apiserver.remote import Threads, from_kubeconfig
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.errors import Forbidden, forbidden
from kube.apimachinery.scheme import GroupResource

T = TypeVar("T")
EVERYTHING: Final = Rule(frozenset("*"), frozenset("*"), frozenset("*")), Rule(frozenset("*"), urls=("*",))


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


@dataclass(frozen=True, slots=True)
class Link:
    """A mode under its name, which stands before its reasons."""

    name: str
    mode: Mode


class Authorizer:
    """Construct it before the cache runs or after, both work: its indexes observe the cache."""

    def __init__(self, cache: WatchCache, modes: Sequence[str] = ("Node", "RBAC"), config: IdentityConfig | None = None) -> None:
        """`config` says more than `modes`. Raises ConfigError for what is wrong with it."""
        self.index = RbacIndex(cache)
        self._rbac = RbacAuthorizer(self.index)
        self._config = config or IdentityConfig(authorization_modes=tuple(modes))
        self._config.check_identity()
        self._cache = cache
        self._node: NodeAuthorizer | None = None
        self._checks = Threads()      # not the webhooks' own: a check waits for one of theirs
        self.read()

    def read(self) -> None:
        """The chain as the configuration has it now. Raises ConfigError, and leaves the chain that there is."""
        wanted = chain_of(self._config)
        made = [Link(link.name, self._mode(link, self._config)) for link in wanted]
        self._modes = {link.type for link in wanted}
        self._chain: tuple[Link, ...] = (Link("privileged", PrivilegedGroups()), *made)
        self.asks_others = any(isinstance(link.mode, WebhookAuthorizer) for link in made)

    def _mode(self, link: configuration.Link, config: IdentityConfig) -> Mode:
        if link.type == "Webhook" and link.webhook:
            return webhook_of(link.webhook)
        if link.type == "ABAC":
            return AbacAuthorizer(config.authorization_policy_file)
        makers: dict[str, Callable[[], Mode]] = {
            "Node": self._node_mode, "RBAC": lambda: self._rbac,
            "AlwaysAllow": AlwaysAllow, "AlwaysDeny": AlwaysDeny,
        }
        return makers[link.type]()

    def _node_mode(self) -> NodeAuthorizer:
        """One, for its graph observes the cache."""
        if self._node is None:
            self._node = NodeAuthorizer(NodeGraph(self._cache))
        return self._node

    def authorize(self, attributes: Attributes) -> Decision:
        """Blocks where a webhook has to be asked (`asks_others`): the event loop calls `decide`, or `asking` with what calls this."""
        passed: list[tuple[str, Decision]] = []
        for link in self._chain:
            decision = link.mode.authorize(attributes)
            if decision.allowed or decision.denied:
                return decision
            passed.append((link.name, decision))
        return _no_opinion(passed)

    async def decide(self, attributes: Attributes) -> Decision:
        passed: list[tuple[str, Decision]] = []
        for link in self._chain:
            mode = link.mode
            decision = await mode.decide(attributes) if isinstance(mode, WebhookAuthorizer) else mode.authorize(attributes)
            if decision.allowed or decision.denied:
                return decision
            passed.append((link.name, decision))
        return _no_opinion(passed)

    async def asking(self, check: Callable[[], T]) -> T:
        """A check that calls `authorize`, itself or far below; others are served while it waits for a webhook."""
        return await self._checks.run(check) if self.asks_others else check()

    def held_rules(self, user: UserInfo, namespace: str) -> list[Rule]:
        """What roles grant to the user, in the namespace and everywhere."""
        return self._rbac.rules_for(user, namespace) if "RBAC" in self._modes else []

    def rules_for(self, user: UserInfo, namespace: str) -> dict[str, Any]:
        """The `status` of a SelfSubjectRulesReview."""
        found: list[Rule] = list(EVERYTHING) if MASTERS_GROUP in user.groups or "AlwaysAllow" in self._modes else []
        errors = []
        for link in self._chain:
            if isinstance(link.mode, RbacAuthorizer | AbacAuthorizer):
                found += link.mode.rules_for(user, namespace)
            elif isinstance(link.mode, WebhookAuthorizer):
                errors.append("webhook authorizer does not support user rule resolution")
            elif isinstance(link.mode, NodeAuthorizer) and node_name_of(user) is not None:
                errors.append("node authorizer does not support user rule resolution")
        rules = [rule.to_dict() for rule in found]
        status: dict[str, Any] = {
            "resourceRules": [rule for rule in rules if "nonResourceURLs" not in rule],
            "nonResourceRules": [rule for rule in rules if "nonResourceURLs" in rule],
            "incomplete": bool(errors),
        }
        if errors:
            status["evaluationError"] = errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]"
        return status


def _no_opinion(passed: Sequence[tuple[str, Decision]]) -> Decision:
    """Nobody allowed it: the reasons of all, each behind its authorizer's name."""
    errors = list(dict.fromkeys(decision.error for _, decision in passed if decision.error))
    return Decision(
        allowed=False, reason="\n".join(f"{name}: {decision.reason}" for name, decision in passed if decision.reason),
        error=errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]" if errors else "",
    )


def webhook_of(webhook: configuration.Webhook) -> WebhookAuthorizer:
    """Raises ConfigError."""
    file, expressions = webhook.connection_info.kube_config_file or "", tuple(one.expression for one in webhook.match_conditions)
    matches = None
    if expressions:
        from control_plane.apiserver.authorization.conditions import hold  # CEL: much to load, and seldom used

        matches = partial(hold, expressions)
    settings = WebhookSettings(
        webhook.subject_access_review_version,
        configuration.seconds(webhook.authorized_ttl) if webhook.cache_authorized_requests else 0.0,
        configuration.seconds(webhook.unauthorized_ttl) if webhook.cache_unauthorized_requests else 0.0,
        webhook.failure_policy == "Deny", matches,
    )
    return WebhookAuthorizer(from_kubeconfig(file, timeout_s=configuration.seconds(webhook.timeout)), settings, Threads())


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
