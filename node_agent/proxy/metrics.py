"""kube-proxy's metrics, under upstream's names."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

_SYNC_BUCKETS = tuple(0.001 * 2**step for step in range(15))
_PROGRAMMING_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, *range(1, 21), 25, 30, 45, 60, 90, 120, 180, 240, 300)

SYNC_SECONDS: Final = Histogram(
    "kubeproxy_sync_proxy_rules_duration_seconds", "SyncProxyRules latency in seconds", buckets=_SYNC_BUCKETS)
SYNC_FULL_SECONDS: Final = Histogram(
    "kubeproxy_sync_full_proxy_rules_duration_seconds", "SyncProxyRules latency in seconds for full resyncs", buckets=_SYNC_BUCKETS)
PROGRAMMING_SECONDS: Final = Histogram(
    "kubeproxy_network_programming_duration_seconds", "In Cluster Network Programming Latency in seconds", buckets=_PROGRAMMING_BUCKETS)
SYNC_FAILURES: Final = Counter(
    "kubeproxy_sync_proxy_rules_nftables_sync_failures", "Cumulative proxy nftables sync failures")
ENDPOINT_CHANGES: Final = Counter(
    "kubeproxy_sync_proxy_rules_endpoint_changes", "Cumulative proxy rules Endpoint changes")
SERVICE_CHANGES: Final = Counter(
    "kubeproxy_sync_proxy_rules_service_changes", "Cumulative proxy rules Service changes")
LAST_SYNC: Final = Gauge(
    "kubeproxy_sync_proxy_rules_last_timestamp_seconds", "The last time proxy rules were successfully synced")
LAST_QUEUED: Final = Gauge(
    "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds", "The last time a sync of proxy rules was queued")
