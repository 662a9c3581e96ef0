"""A kubelet's /metrics/resource: Prometheus text, of which a few names are read."""

from __future__ import annotations

import re
from collections.abc import Iterator

from addons.metrics_server.storage import Batch, PodKey, Point

_LINE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)(?: (-?\d+))?$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_CPU, _MEMORY, _START = "container_cpu_usage_seconds_total", "container_memory_working_set_bytes", "container_start_time_seconds"
_NODE_CPU, _NODE_MEMORY = "node_cpu_usage_seconds_total", "node_memory_working_set_bytes"


def parse(text: str, node: str, now: float) -> Batch:
    """Only what is whole: CPU and memory of the node, of every container of a Pod. Samples without a time are of `now`."""
    values: dict[tuple[PodKey, str], dict[str, tuple[float, float]]] = {}
    own: dict[str, tuple[float, float]] = {}
    for name, labels, value, at in _samples(text, now):
        if name in (_NODE_CPU, _NODE_MEMORY):
            own[name] = value, at
        elif name in (_CPU, _MEMORY, _START):
            key = (labels.get("namespace", ""), labels.get("pod", ""))
            values.setdefault((key, labels.get("container", "")), {})[name] = value, at
    batch = Batch()
    if _NODE_CPU in own and own.get(_NODE_MEMORY, (0.0, 0.0))[0]:
        cpu, at = own[_NODE_CPU]
        batch.nodes[node] = Point(at, int(cpu * 1e9), int(own[_NODE_MEMORY][0]))
    broken = set()
    for (key, container), found in values.items():
        if _CPU not in found or not found.get(_MEMORY, (0.0, 0.0))[0]:
            broken.add(key)         # it has just begun, or ended: half a Pod is no Pod
            continue
        cpu, at = found[_CPU]
        point = Point(at, int(cpu * 1e9), int(found[_MEMORY][0]), found.get(_START, (0.0, 0.0))[0])
        batch.pods.setdefault(key, {})[container] = point
    batch.pods = {key: containers for key, containers in batch.pods.items() if key not in broken}
    return batch


def _samples(text: str, now: float) -> Iterator[tuple[str, dict[str, str], float, float]]:
    for line in text.splitlines():
        match = None if line.startswith("#") else _LINE.match(line)
        if match is not None:
            name, labels, value, stamp = match.groups()
            try:
                yield name, dict(_LABEL.findall(labels or "")), float(value), int(stamp) / 1000 if stamp else now
            except ValueError:
                continue
