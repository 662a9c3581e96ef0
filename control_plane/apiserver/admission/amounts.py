"""What a Pod asks for as a whole: what it says for itself, else what its containers say together."""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.strategies.pod_totals import total_of
from control_plane.quota.amounts import Amounts, read_amounts
from kube.apimachinery.meta import JsonObject

_FOR_A_WHOLE_POD: Final = frozenset({"cpu", "memory"})


def of_whole_pod(spec: JsonObject, key: str) -> Amounts:
    """`key`: requests or limits. Overhead is not counted."""
    own = read_amounts((spec.get("resources") or {}).get(key))
    return {**total_of(spec, key), **{name: amount for name, amount in own.items() if name in _FOR_A_WHOLE_POD}}
