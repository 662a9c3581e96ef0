"""Lists of resources as maps name -> Quantity. Follows apiserver's pkg/quota/v1/resources.go."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any, Final

from kube.apimachinery.quantity import Quantity

Amounts = dict[str, Quantity]
ZERO: Final = Quantity.of(0)
ONE: Final = Quantity.of(1)


def read_amounts(listed: Mapping[str, Any] | None) -> Amounts:
    """Raises QuantityError."""
    return {name: Quantity.parse(value) for name, value in listed.items()} if listed else {}


def written(amounts: Amounts) -> dict[str, str]:
    return {name: str(amounts[name]) for name in sorted(amounts)}


def add(one: Amounts, other: Amounts) -> Amounts:
    total = dict(one)
    for name, amount in other.items():
        total[name] = total[name] + amount if name in total else amount
    return total


def grown(new: Amounts, old: Amounts) -> Amounts:
    """What `new` has more than `old`, by name; nothing is below zero."""
    return {name: max(amount - old.get(name, ZERO), ZERO) for name, amount in new.items()}


def highest(one: Amounts, other: Amounts) -> Amounts:
    total = dict(one)
    for name, amount in other.items():
        if name not in total or amount > total[name]:
            total[name] = amount
    return total


def masked(amounts: Amounts, names: Container[str]) -> Amounts:
    return {name: amount for name, amount in amounts.items() if name in names}


def without_zeros(amounts: Amounts) -> Amounts:
    return {name: amount for name, amount in amounts.items() if amount}


def below_zero(amounts: Amounts) -> list[str]:
    return [name for name, amount in amounts.items() if amount < ZERO]


def exceeding(amounts: Amounts, limits: Amounts) -> list[str]:
    return [name for name, limit in limits.items() if name in amounts and amounts[name] > limit]


def same(one: Amounts, other: Amounts) -> bool:
    """By value: 1 is 1000m."""
    return one == other


def listed(amounts: Amounts) -> str:
    """As messages show them: cpu=1,pods=2."""
    return ",".join(f"{name}={amounts[name]}" for name in sorted(amounts))


def names_listed(names: Iterable[str]) -> str:
    return ",".join(sorted(names))
