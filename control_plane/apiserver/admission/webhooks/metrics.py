"""What admission webhooks cost and refuse, under upstream's names (apiserver's admission/metrics)."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS: Final = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 10, 25)
_MAX_CODE: Final = 600
CALLING: Final = "calling_webhook_error"
INTERNAL: Final = "apiserver_internal_error"
NO_ERROR: Final = "no_error"


class WebhookMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._duration = Histogram(
            "apiserver_admission_webhook_admission_duration_seconds", "Admission webhook latency, by name, type and operation.",
            ("name", "type", "operation", "rejected"), buckets=_BUCKETS, registry=registry,
        )
        self._requests = Counter(
            "apiserver_admission_webhook_request", "Admission webhook requests, by name, type, operation and HTTP status.",
            ("name", "type", "operation", "code", "rejected"), registry=registry,
        )
        # Counters whose names do not end in _total: the library's Counter would add that.
        self._rejections = Gauge(
            "apiserver_admission_webhook_rejection_count", "Requests refused on behalf of a webhook, by name, type, operation and error.",
            ("name", "type", "operation", "error_type", "rejection_code"), registry=registry,
        )
        self._failed_open = Gauge(
            "apiserver_admission_webhook_fail_open_count", "Requests that went on although a webhook failed, by name and type.",
            ("name", "type"), registry=registry,
        )

    def called(self, name: str, step: str, operation: str, duration_s: float, *, code: int, rejected: bool) -> None:
        self._duration.labels(name, step, operation, str(rejected).lower()).observe(duration_s)
        self._requests.labels(name, step, operation, str(min(code, _MAX_CODE)), str(rejected).lower()).inc()

    def rejected(self, name: str, step: str, operation: str, error_type: str, code: int) -> None:
        self._rejections.labels(name, step, operation, error_type, str(min(code, _MAX_CODE))).inc()

    def failed_open(self, name: str, step: str) -> None:
        self._failed_open.labels(name, step).inc()
