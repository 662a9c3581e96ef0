"""PrioritySort."""

from __future__ import annotations

from typing import ClassVar

from control_plane.scheduler.pod_info import PodInfo


class PrioritySort:
    """Higher priority first; among equals, who waited longer. Follows kube-scheduler's PrioritySort."""

    name: ClassVar[str] = "PrioritySort"

    def sort_key(self, pod: PodInfo, queued_at: float) -> tuple[int, float]:
        return (-pod.priority, queued_at)
