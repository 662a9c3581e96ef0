"""Quality of service: what a Pod asked for decides who is evicted first. Follows apis/core/v1/helper/qos."""

from __future__ import annotations

from kube.apimachinery.meta import JsonObject
from kube.apimachinery.quantity import Quantity

_COUNTED = ("cpu", "memory")


def qos_class(spec: JsonObject) -> str:
    """Guaranteed: every container has limits for cpu and memory, and requests equal to them. BestEffort: nothing asked. Else Burstable."""
    if spec.get("resources"):
        asked = [spec["resources"]]
    else:
        asked = [container.get("resources") or {} for key in ("initContainers", "containers") for container in spec.get(key) or ()]
    requests = [_amounts(resources.get("requests") or {}) for resources in asked]
    limits = [_amounts(resources.get("limits") or {}) for resources in asked]
    if not any(requests) and not any(limits):
        return "BestEffort"
    equal = all(set(limit) == set(_COUNTED) and (request or limit) == limit for request, limit in zip(requests, limits, strict=True))
    return "Guaranteed" if equal else "Burstable"


def _amounts(resources: JsonObject) -> dict[str, Quantity]:
    amounts = {name: Quantity.parse(resources[name]) for name in _COUNTED if name in resources}
    return {name: amount for name, amount in amounts.items() if amount}
