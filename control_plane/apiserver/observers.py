"""Who is told of every request: the metrics now, an audit log later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.platform_collector import PlatformCollector

from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.flow.control import FlowControl
from control_plane.apiserver.request_info import RequestInfo
from kube.apimachinery.resources import SCHEME

_DURATION_BUCKETS: Final = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60)


_VERBS: Final = frozenset({
    "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "post", "put", "head", "options",
})


class RequestObserver(Protocol):
    """Called once per request, when its answer (or, of a watch, its last byte) is out. `user` is None if nobody was authenticated."""

    def completed(self, info: RequestInfo, user: UserInfo | None, code: int, duration_s: float) -> None: ...

    def stays(self, info: RequestInfo, change: int) -> None:
        """One more, or one less, of the requests that stay: watches, logs that are followed, execs."""


class RequestMetrics:
    """kube-apiserver's request metrics, under their names."""

    def __init__(self, registry: CollectorRegistry, flow: FlowControl) -> None:
        labels = ("verb", "group", "version", "resource", "subresource", "scope")
        self._total = Counter(
            "apiserver_request", "Requests by verb, resource and code.", (*labels, "code"), registry=registry
        )
        self._duration = Histogram(
            "apiserver_request_duration_seconds", "Response latency by verb and resource; watches are left out.", labels,
            buckets=_DURATION_BUCKETS, registry=registry,
        )
        self._staying = Gauge(
            "apiserver_longrunning_requests", "Requests that stay, now: watches, followed logs, connections.", labels, registry=registry
        )
        in_flight = Gauge(
            "apiserver_current_inflight_requests", "Requests being worked on now.", ("request_kind",), registry=registry
        )
        in_flight.labels("readOnly").set_function(lambda: flow.in_flight[False])
        in_flight.labels("mutating").set_function(lambda: flow.in_flight[True])
        self._counts: dict[tuple[str, ...], Callable[[], None]] = {}
        self._observations: dict[tuple[str, ...], Callable[[float], None]] = {}

    def completed(self, info: RequestInfo, user: UserInfo | None, code: int, duration_s: float) -> None:
        key = _labels(info)
        counted = (*key, str(code))
        count = self._counts.get(counted)
        if count is None:
            count = self._counts[counted] = self._total.labels(*counted).inc
        count()
        if not info.long_running:
            observe = self._observations.get(key)
            if observe is None:
                observe = self._observations[key] = self._duration.labels(*key).observe
            observe(duration_s)


    def stays(self, info: RequestInfo, change: int) -> None:
        self._staying.labels(*_labels(info)).inc(change)


def _labels(info: RequestInfo) -> tuple[str, ...]:
    """Only names that the server knows: each set of labels is kept for ever, and a path can hold anything."""
    verb = info.verb.upper() if info.verb in _VERBS else "OTHER"
    row = SCHEME.for_path(info.group, info.version, info.resource) if info.is_resource else None
    if row is None or (info.subresource and info.subresource not in row.subresources):
        return (verb, "", "", "", "", _scope(info))
    return (verb, info.group, info.version, info.resource, info.subresource, _scope(info))


def _scope(info: RequestInfo) -> str:
    if not info.is_resource:
        return ""
    if info.name:
        return "resource"
    return "namespace" if info.namespace else "cluster"


def process_registry() -> CollectorRegistry:
    """A registry of this apiserver alone, with the process's own figures in it."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    Gauge("apiserver_event_loop_tasks", "Tasks of the event loop.", registry=registry).set_function(lambda: len(asyncio.all_tasks()))
    return registry
