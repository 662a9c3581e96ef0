"""SchedulingGates."""

from __future__ import annotations

from typing import ClassVar

from control_plane.scheduler.framework import ClusterEvent, Code, Status
from control_plane.scheduler.pod_info import PodInfo


class SchedulingGates:
    """Keeps a Pod out of the active queue while it has scheduling gates. Follows kube-scheduler's SchedulingGates."""

    name: ClassVar[str] = "SchedulingGates"
    events: ClassVar[ClusterEvent] = ClusterEvent.TARGET_POD_UPDATE

    def pre_enqueue(self, pod: PodInfo) -> Status | None:
        gates = pod.pod.spec.scheduling_gates
        if not gates:
            return None
        listed = " ".join(gate.name for gate in gates)
        return Status(Code.UNRESOLVABLE, f"waiting for scheduling gates: [{listed}]", self.name)
