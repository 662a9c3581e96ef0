"""kube-scheduler's metrics, under upstream's names, as far as they cost nothing."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

_SECONDS: Final = tuple(0.0001 * 2**step for step in range(18))

SCHEDULE_ATTEMPTS: Final = Counter(
    "scheduler_schedule_attempts", "Attempts to schedule Pods, by result", ["result", "profile"])
SCHEDULING_ATTEMPT_S: Final = Histogram(
    "scheduler_scheduling_attempt_duration_seconds", "Time of one attempt, binding included", ["result", "profile"], buckets=_SECONDS)
ALGORITHM_S: Final = Histogram(
    "scheduler_scheduling_algorithm_duration_seconds", "Time of one decision", buckets=_SECONDS)
POD_SLI_S: Final = Histogram(
    "scheduler_pod_scheduling_sli_duration_seconds", "Time from a Pod's first appearance in the queue until it is bound", ["attempts"],
    buckets=tuple(0.01 * 2**step for step in range(20)))
POD_ATTEMPTS: Final = Histogram(
    "scheduler_pod_scheduling_attempts", "Attempts it took to schedule a Pod", buckets=(1, 2, 4, 8, 16))
PENDING_PODS: Final = Gauge("scheduler_pending_pods", "Pods waiting, by queue", ["queue"])
CACHE_SIZE: Final = Gauge("scheduler_cache_size", "Nodes, Pods and assumed Pods in the cache", ["type"])
