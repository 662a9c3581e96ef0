"""Taints that follow from a Node's conditions; pure. Follows upstream's node_lifecycle_controller.go."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from control_plane.controllers.node_lifecycle.conditions import ready_status
from kube.api.core_v1 import Node, Taint, Toleration
from kube.process.clock import to_rfc3339

NOT_READY: Final = "node.kubernetes.io/not-ready"
UNREACHABLE: Final = "node.kubernetes.io/unreachable"
UNSCHEDULABLE: Final = "node.kubernetes.io/unschedulable"
PRESSURES: Final = {
    "MemoryPressure": "node.kubernetes.io/memory-pressure",
    "DiskPressure": "node.kubernetes.io/disk-pressure",
    "PIDPressure": "node.kubernetes.io/pid-pressure",
    "NetworkUnavailable": "node.kubernetes.io/network-unavailable",
}
OURS: Final = frozenset({
    *((key, "NoSchedule") for key in (NOT_READY, UNREACHABLE, UNSCHEDULABLE, *PRESSURES.values())),
    (NOT_READY, "NoExecute"), (UNREACHABLE, "NoExecute"),
})


def wanted_taints(node: Node, *, evict: bool) -> set[tuple[str, str]]:
    """(key, effect) of each. Without `evict` a Node in trouble only takes no new Pods."""
    wanted = {(PRESSURES[held.type], "NoSchedule") for held in node.status.conditions
              if held.type in PRESSURES and held.status == "True"}
    if node.spec.unschedulable:
        wanted.add((UNSCHEDULABLE, "NoSchedule"))
    status = ready_status(node)
    if status != "True":
        key = NOT_READY if status == "False" else UNREACHABLE
        wanted.add((key, "NoSchedule"))
        if evict:
            wanted.add((key, "NoExecute"))
    return wanted


def with_taints(node: Node, *, evict: bool, now: datetime) -> Node:
    """The same Node when its taints are right."""
    wanted = wanted_taints(node, evict=evict)
    held = {(taint.key, taint.effect) for taint in node.spec.taints} & OURS
    if held == wanted:
        return node
    kept = tuple(taint for taint in node.spec.taints if (taint.key, taint.effect) not in OURS or (taint.key, taint.effect) in wanted)
    new = tuple(Taint(key=key, effect=effect, time_added=to_rfc3339(now)) for key, effect in sorted(wanted - held))
    return msgspec.structs.replace(node, spec=msgspec.structs.replace(node.spec, taints=kept + new))


def no_execute(node: Node) -> list[Taint]:
    return [taint for taint in node.spec.taints if taint.effect == "NoExecute"]


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    if toleration.operator == "Exists":
        return True
    return bool(toleration.key) and toleration.value == taint.value


def toleration_s(tolerations: Iterable[Toleration], taints: Iterable[Taint]) -> float | None:
    """How long a Pod may stay under these taints: 0 if it does not tolerate one of them, None for ever."""
    known = [*tolerations]
    longest: float | None = None
    for taint in taints:
        matching = [toleration for toleration in known if tolerates(toleration, taint)]
        if not matching:
            return 0.0
        limits = [max(0, toleration.toleration_seconds) for toleration in matching if toleration.toleration_seconds is not None]
        if limits:
            longest = min(limits) if longest is None else min(longest, *limits)
    return longest
