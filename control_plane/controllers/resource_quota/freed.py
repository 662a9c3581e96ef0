"""What objects gave back since a quota was written last: known by its price, so that nobody need count everything for it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from control_plane.controllers.resource_quota.changes import as_json
from control_plane.controllers.resource_quota.watches import Watches
from control_plane.quota.amounts import ZERO, Amounts, add, grown
from control_plane.quota.evaluator import counted
from control_plane.quota.pods import PODS, is_overdue
from control_plane.quota.registry import Evaluators
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupResource


class Freed(NamedTuple):
    """An object that went (`new` is None) or became cheaper; as the informer had it."""

    resource: GroupResource
    old: Any
    new: Any


class Price(NamedTuple):
    amounts: Amounts
    certain: bool


def price(quota: JsonObject, hard: Amounts, freed: Iterable[Freed], evaluators: Evaluators, watches: Watches, now: datetime) -> Price:
    """Not certain where time alone made an object cheaper, or where one became dearer: nobody knows whether that is counted already."""
    total, certain = Amounts(), True
    for resource, old, new in freed:
        evaluator, whole = evaluators.of(resource), watches.is_whole(resource)
        gone = as_json(old) if whole else {}
        before = counted(evaluator, quota, hard, [gone], now)
        after = counted(evaluator, quota, hard, [] if new is None else [as_json(new) if whole else {}], now)
        total = add(total, grown(before, after))
        certain = certain and not (resource == PODS and is_overdue(gone, now)) and not any(grown(after, before).values())
    return Price(total, certain)


def less(used: Amounts, freed: Amounts) -> Amounts:
    return {name: max(amount - freed.get(name, ZERO), ZERO) for name, amount in used.items()}
