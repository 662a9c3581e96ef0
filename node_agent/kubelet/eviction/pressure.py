"""What the node is short of at the moment, and which Pods it does not take therefore. Follows the eviction manager's Admit."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from kube.api.core_v1 import Pod
from node_agent.kubelet.pod_admission import Refusal
from node_agent.kubelet.resources import BEST_EFFORT, is_critical, qos_class

REASON: Final = "Evicted"
MEMORY, MEMORY_TAINT = "MemoryPressure", "node.kubernetes.io/memory-pressure"


@dataclass(slots=True)
class NodePressure:
    conditions: frozenset[str] = frozenset()
    evictions: Counter[str] = field(default_factory=Counter)        # by signal; of a Pod's own limits, by upstream's names for them

    def refusal(self, pod: Pod) -> Refusal | None:
        """None: it may run. Short of memory alone, a node takes whoever has asked for some, or tolerates it."""
        if not self.conditions or is_critical(pod):
            return None
        if self.conditions == {MEMORY} and (qos_class(pod) != BEST_EFFORT or _tolerates_memory_pressure(pod)):
            return None
        return Refusal(REASON, f"The node had condition: [{' '.join(sorted(self.conditions))}]. ")


def _tolerates_memory_pressure(pod: Pod) -> bool:
    return any(
        toleration.effect in ("", "NoSchedule") and toleration.key in ("", MEMORY_TAINT)
        and (toleration.operator == "Exists" or (bool(toleration.key) and not toleration.value))
        for toleration in pod.spec.tolerations
    )
