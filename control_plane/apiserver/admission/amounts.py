"""What a Pod asks for as a whole: what it says for itself, else what its containers say together."""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.strategies.pod_totals import total_of
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.quantity import Quantity

Amounts = dict[str, Quantity]
_FOR_A_WHOLE_POD: Final = frozenset({"cpu", "memory"})


def read_amounts(listed: JsonObject | None) -> Amounts:
    return {name: Quantity.parse(amount) for name, amount in (listed or {}).items()}


def of_whole_pod(spec: JsonObject, key: str) -> Amounts:
    """`key`: requests or limits. Overhead is not counted."""
    own = read_amounts((spec.get("resources") or {}).get(key))
    return {**total_of(spec, key), **{name: amount for name, amount in own.items() if name in _FOR_A_WHOLE_POD}}


def plus(one: Amounts, other: Amounts) -> Amounts:
    return {**one, **{name: one[name] + amount if name in one else amount for name, amount in other.items()}}
