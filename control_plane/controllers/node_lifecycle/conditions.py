"""Conditions of a Node whose kubelet no longer speaks; pure. Follows upstream's tryUpdateNodeHealth."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from kube.api.core_v1 import Node, NodeCondition
from kube.process.clock import to_rfc3339

WATCHED: Final = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")


def condition(node: Node, kind: str) -> NodeCondition | None:
    return next((held for held in node.status.conditions if held.type == kind), None)


def ready_status(node: Node) -> str:
    """"True", "False" or "Unknown"; a Node that never reported is Unknown."""
    ready = condition(node, "Ready")
    return ready.status if ready is not None else "Unknown"


def silenced(node: Node, now: datetime) -> Node:
    """What its kubelet would have to keep up to date becomes Unknown."""
    instant = to_rfc3339(now)
    conditions = {held.type: held for held in node.status.conditions}
    for kind in WATCHED:
        held = conditions.get(kind)
        if held is None:
            conditions[kind] = NodeCondition(
                type=kind, status="Unknown", reason="NodeStatusNeverUpdated", message="Kubelet never posted node status.",
                last_heartbeat_time=node.metadata.creation_timestamp, last_transition_time=instant)
        elif held.status != "Unknown":
            conditions[kind] = msgspec.structs.replace(
                held, status="Unknown", reason="NodeStatusUnknown", message="Kubelet stopped posting node status.",
                last_transition_time=instant)
    if tuple(conditions.values()) == node.status.conditions:
        return node
    return msgspec.structs.replace(node, status=msgspec.structs.replace(node.status, conditions=tuple(conditions.values())))
