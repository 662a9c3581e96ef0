"""/stats/summary, /metrics/resource, /metrics/cadvisor and the volumes' part of /metrics, for the kubelet's HTTPS server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec
from aiohttp import web

from node_agent.kubelet.seams import PodRuntime
from node_agent.kubelet.stats.collector import StatsCollector
from node_agent.kubelet.stats.exposition import (
    CONTENT_TYPE,
    Metric,
    Sample,
    cadvisor_metrics,
    render,
    resource_metrics,
    volume_metrics,
)
from node_agent.kubelet.stats.model import Summary
from node_agent.kubelet.stats.network_usage import read_interfaces
from node_agent.kubelet.stats.node_facts import available_memory, processes
from node_agent.kubelet.stats.summary import make_summary

SHORT = "only_cpu_and_memory"


async def summary(stats: StatsCollector, request: web.Request) -> web.Response:
    made = await _summary(stats, short=request.query.get(SHORT) == "true")
    return web.Response(body=msgspec.json.encode(made), content_type="application/json")


async def resource(stats: StatsCollector) -> web.Response:
    return _text(resource_metrics(await stats.usage()))


async def cadvisor(stats: StatsCollector) -> web.Response:
    return _text(cadvisor_metrics(await stats.usage(), read_interfaces()))


async def kubelet_metrics(stats: StatsCollector, runtime: PodRuntime, evictions: Mapping[str, int]) -> bytes:
    """What upstream's kubelet tells of itself in /metrics, as far as this one has it. `evictions`: how many, by signal."""
    counted = [Sample((("eviction_signal", signal),), float(number)) for signal, number in sorted(evictions.items())]
    states = Counter(str(record.state) for record in runtime.containers())
    containers = [Sample((("container_state", state),), float(number)) for state, number in sorted(states.items())]
    return render([
        Metric("kubelet_evictions", "counter", "[ALPHA] Cumulative number of pod evictions by eviction signal", counted),
        Metric("kubelet_node_name", "gauge", "[ALPHA] The node's name. The count is always 1.",
               [Sample((("node", stats.node.name),), 1.0)]),
        Metric("kubelet_running_containers", "gauge", "[ALPHA] Number of containers currently running", containers),
        Metric("kubelet_running_pods", "gauge", "[ALPHA] Number of pods that have a running pod sandbox",
               [Sample((), float(len(runtime.sandboxes())))]),
        *volume_metrics(await _summary(stats, short=False)),
    ])


async def _summary(stats: StatsCollector, *, short: bool) -> Summary:
    if short:
        usage, storage = await stats.usage(), None
    else:
        usage, storage = await stats.whole()
    available = available_memory(stats.node, usage.rated.usage if usage.rated else None)
    return make_summary(usage, storage, processes(), available)


def _text(metrics: list[Metric]) -> web.Response:
    return web.Response(body=render(metrics), headers={"Content-Type": CONTENT_TYPE})
