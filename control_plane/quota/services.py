"""Services: their number, their node ports and load balancers. Follows kubernetes' pkg/quota/v1/evaluator/core/services.go."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

from control_plane.quota.amounts import ONE, ZERO, Amounts
from control_plane.quota.scopes import Matcher, no_scope
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.quantity import Quantity
from kube.apimachinery.scheme import GroupResource

SERVICES: Final = GroupResource("", "services")
_NAMES: Final = frozenset({"count/services", "services", "services.nodeports", "services.loadbalancers"})


class ServiceEvaluator:
    resource = SERVICES
    in_scope: Matcher = staticmethod(no_scope)

    def handles(self, operation: str, subresource: str, obj: JsonObject, old: JsonObject | None) -> bool:
        """Updates too: a Service's type can change."""
        return not subresource and operation in ("CREATE", "UPDATE")

    def names(self, hard: Iterable[str]) -> list[str]:
        return [name for name in hard if name in _NAMES]

    def missing(self, names: Collection[str], obj: JsonObject) -> str:
        return ""

    def usage(self, obj: JsonObject, now: datetime) -> Amounts:
        spec = obj.get("spec") or {}
        kind = spec.get("type")
        return {
            "count/services": ONE, "services": ONE, "services.nodeports": Quantity.of(_node_ports(spec)),
            "services.loadbalancers": ONE if kind == "LoadBalancer" else ZERO,
        }


def _node_ports(spec: JsonObject) -> int:
    """By intent: the ports are not allocated yet when a Service is charged."""
    ports = spec.get("ports") or ()
    match spec.get("type"):
        case "NodePort":
            return len(ports)
        case "LoadBalancer":
            suppressed = spec.get("allocateLoadBalancerNodePorts") is False
            return sum(bool(port.get("nodePort")) for port in ports) if suppressed else len(ports)
    return 0
