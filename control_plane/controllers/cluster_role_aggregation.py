"""Gives ClusterRoles with an aggregationRule the rules of those it selects. Follows upstream's clusterrole-aggregation-controller."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from control_plane.controllers.managed import ControllerContext, ManagedController
from kube.api.rbac_v1 import ClusterRole, PolicyRule
from kube.apimachinery import errors
from kube.apimachinery.labels import selector_from_label_selector
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result
from kube.client.objects import key_of


def aggregated(role: ClusterRole, others: Iterable[ClusterRole]) -> tuple[PolicyRule, ...]:
    """Selector by selector, role by role in the order of their names, each rule once. Pure."""
    rules: list[PolicyRule] = []
    by_name = sorted(others, key=lambda other: other.metadata.name)
    for wanted in role.aggregation_rule.cluster_role_selectors if role.aggregation_rule else ():
        selector = selector_from_label_selector(wanted)
        for other in by_name:
            if other.metadata.name != role.metadata.name and selector.matches(other.metadata.labels):
                rules += [rule for rule in other.rules if rule not in rules]
    return tuple(rules)


class ClusterRoleAggregationController(ManagedController[NamespacedName]):
    """Any change may concern any role that aggregates; there are few of them."""

    def __init__(self, context: ControllerContext) -> None:
        super().__init__("clusterrole-aggregation", context, workers=1)
        self._roles = self.informer(ClusterRole)
        self._roles.add_handler(self._enqueue, lambda _old, new: self._enqueue(new), self._enqueue)

    def _enqueue(self, _changed: ClusterRole) -> None:
        for role in self._roles.store.list():
            if role.aggregation_rule is not None:
                self.queue.add(key_of(role))

    async def reconcile(self, key: NamespacedName) -> Result:
        role = self._roles.get(key)
        if role is None or role.aggregation_rule is None:
            return DONE
        rules = aggregated(role, self._roles.store.list())
        if rules != role.rules:
            try:
                await self.client.update(msgspec.structs.replace(role, rules=rules))
            except errors.NotFound:
                return DONE
        return DONE
