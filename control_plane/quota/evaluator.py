"""What quotas know of one resource. Follows apiserver's pkg/quota/v1/generic/evaluator.go."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final, Protocol

from control_plane.quota.amounts import ONE, ZERO, Amounts, add, masked
from control_plane.quota.scopes import Matcher, no_scope, selectors_of
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupResource

COUNT: Final = "count/"
_ALIASES: Final = frozenset({"configmaps", "resourcequotas", "replicationcontrollers", "secrets"})


class Evaluator(Protocol):
    @property
    def resource(self) -> GroupResource: ...

    @property
    def in_scope(self) -> Matcher: ...

    def handles(self, operation: str, subresource: str, obj: JsonObject, old: JsonObject | None) -> bool:
        """Whether such a write may change what is used. `operation`: CREATE, UPDATE."""

    def names(self, hard: Iterable[str]) -> list[str]:
        """Those of a quota's names that are about this resource."""

    def missing(self, names: Collection[str], obj: JsonObject) -> str:
        """What the object must say under a quota of these names and does not; "" if nothing."""

    def usage(self, obj: JsonObject, now: datetime) -> Amounts: ...


def matches(evaluator: Evaluator, quota: JsonObject, hard: Iterable[str], obj: JsonObject) -> bool:
    """Whether the quota is about this object."""
    return bool(evaluator.names(hard)) and in_scopes(evaluator, quota, obj)


def in_scopes(evaluator: Evaluator, quota: JsonObject, obj: JsonObject) -> bool:
    return all(evaluator.in_scope(selector, obj) for selector in selectors_of(quota))


def counted(evaluator: Evaluator, quota: JsonObject, hard: Iterable[str], objects: Iterable[JsonObject], now: datetime) -> Amounts:
    """What these objects together use of the names that are about their resource: all of them, zeros too."""
    names = evaluator.names(hard)
    used = dict.fromkeys(names, ZERO)
    for obj in objects:
        if in_scopes(evaluator, quota, obj):
            used = add(used, masked(evaluator.usage(obj, now), names))
    return used


def count_name(resource: GroupResource) -> str:
    return f"{COUNT}{resource.resource}.{resource.group}" if resource.group else COUNT + resource.resource


class CountEvaluator:
    """Any resource that nothing more is known of: its objects are counted."""

    in_scope: Matcher = staticmethod(no_scope)

    def __init__(self, resource: GroupResource) -> None:
        self.resource = resource
        alias = not resource.group and resource.resource in _ALIASES
        self._names = (count_name(resource), resource.resource) if alias else (count_name(resource),)

    def handles(self, operation: str, subresource: str, obj: JsonObject, old: JsonObject | None) -> bool:
        return operation == "CREATE" and not subresource

    def names(self, hard: Iterable[str]) -> list[str]:
        return [name for name in hard if name in self._names]

    def missing(self, names: Collection[str], obj: JsonObject) -> str:
        return ""

    def usage(self, obj: JsonObject, now: datetime) -> Amounts:
        return dict.fromkeys(self._names, ONE)
