"""What was measured, as text for Prometheus: /metrics/resource, /metrics/cadvisor, and the claims' volumes of /metrics.

Names, help and labels follow pkg/kubelet/metrics/collectors and cAdvisor's; of cAdvisor's, those that a small node can tell cheaply.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from kube.apimachinery.quantity import Quantity
from node_agent.kubelet.stats.cgroup_usage import CgroupUsage
from node_agent.kubelet.stats.collector import NodeUsage, PodUsage
from node_agent.kubelet.stats.model import Summary, VolumeStats
from node_agent.kubelet.stats.network_usage import InterfaceUsage

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Sample(NamedTuple):
    labels: tuple[tuple[str, str], ...]
    value: float
    at: float | None = None         # seconds since 1970


class Metric(NamedTuple):
    name: str
    kind: str
    help: str
    samples: Sequence[Sample]


def render(metrics: Sequence[Metric]) -> bytes:
    """Without metrics that have no sample."""
    lines = []
    for metric in metrics:
        if metric.samples:
            lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]
            lines += [_line(metric.name, sample) for sample in metric.samples]
    return "\n".join([*lines, ""]).encode()


def _line(name: str, sample: Sample) -> str:
    labels = ",".join(f'{key}="{_escaped(value)}"' for key, value in sample.labels)
    stamp = "" if sample.at is None else f" {int(sample.at * 1000)}"
    return f"{name}{{{labels}}} {sample.value!r}{stamp}" if labels else f"{name} {sample.value!r}{stamp}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def resource_metrics(usage: NodeUsage) -> list[Metric]:
    """What metrics-server reads."""
    node, starts, cpu, memory, swap = [usage.rated.usage] if usage.rated else [], [], [], [], []
    pod_cpu, pod_memory, pod_swap = [], [], []
    for pod in usage.pods:
        of_pod = _pod_labels(pod)
        for source, rated in pod.containers:
            labels = (("container", source.name), *of_pod)
            starts.append(Sample(labels, source.started_at))
            cpu.append(_cpu(labels, rated.usage))
            memory.append(_memory(labels, rated.usage))
            swap.append(_swap(labels, rated.usage))
        if pod.rated is not None:
            pod_cpu.append(_cpu(of_pod, pod.rated.usage))
            pod_memory.append(_memory(of_pod, pod.rated.usage))
            pod_swap.append(_swap(of_pod, pod.rated.usage))
    failed = [Sample((), float(not node))]
    return [
        Metric("container_cpu_usage_seconds_total", "counter",
               "[STABLE] Cumulative cpu time consumed by the container in core-seconds", cpu),
        Metric("container_memory_working_set_bytes", "gauge", "[STABLE] Current working set of the container in bytes", memory),
        Metric("container_start_time_seconds", "gauge", "[STABLE] Start time of the container since unix epoch in seconds", starts),
        Metric("container_swap_usage_bytes", "gauge",
               "[ALPHA] Current amount of the container swap usage in bytes. Reported only on non-windows systems", swap),
        Metric("node_cpu_usage_seconds_total", "counter", "[STABLE] Cumulative cpu time consumed by the node in core-seconds",
               [_cpu((), each) for each in node]),
        Metric("node_memory_working_set_bytes", "gauge", "[STABLE] Current working set of the node in bytes",
               [_memory((), each) for each in node]),
        Metric("node_swap_usage_bytes", "gauge", "[ALPHA] Current swap usage of the node in bytes. Reported only on non-windows systems",
               [_swap((), each) for each in node]),
        Metric("pod_cpu_usage_seconds_total", "counter", "[STABLE] Cumulative cpu time consumed by the pod in core-seconds", pod_cpu),
        Metric("pod_memory_working_set_bytes", "gauge", "[STABLE] Current working set of the pod in bytes", pod_memory),
        Metric("pod_swap_usage_bytes", "gauge",
               "[ALPHA] Current amount of the pod swap usage in bytes. Reported only on non-windows systems", pod_swap),
        Metric("resource_scrape_error", "gauge",
               "[STABLE] 1 if there was an error while getting container metrics, 0 otherwise", failed),
    ]


def _pod_labels(pod: PodUsage) -> tuple[tuple[str, str], ...]:
    metadata = pod.source.pod.metadata
    return (("namespace", metadata.namespace), ("pod", metadata.name))


def _cpu(labels: tuple[tuple[str, str], ...], usage: CgroupUsage) -> Sample:
    return Sample(labels, usage.cpu_ns / 1e9, usage.at)


def _memory(labels: tuple[tuple[str, str], ...], usage: CgroupUsage) -> Sample:
    return Sample(labels, float(usage.working_set_bytes), usage.at)


def _swap(labels: tuple[tuple[str, str], ...], usage: CgroupUsage) -> Sample:
    return Sample(labels, float(usage.swap_bytes), usage.at)


_VOLUME_METRICS: Final = (
    ("kubelet_volume_stats_available_bytes", "Number of available bytes in the volume", "available_bytes"),
    ("kubelet_volume_stats_capacity_bytes", "Capacity in bytes of the volume", "capacity_bytes"),
    ("kubelet_volume_stats_inodes", "Maximum number of inodes in the volume", "inodes"),
    ("kubelet_volume_stats_inodes_free", "Number of free inodes in the volume", "inodes_free"),
    ("kubelet_volume_stats_inodes_used", "Number of used inodes in the volume", "inodes_used"),
    ("kubelet_volume_stats_used_bytes", "Number of used bytes in the volume", "used_bytes"),
)


def volume_metrics(summary: Summary) -> list[Metric]:
    """Each claim once, however many Pods of the node use it."""
    claims: dict[tuple[str, str], VolumeStats] = {}
    for pod in summary.pods:
        for volume in pod.volume:
            if volume.pvc_ref is not None:
                claims.setdefault((volume.pvc_ref.namespace, volume.pvc_ref.name), volume)
    return [
        Metric(name, "gauge", f"[ALPHA] {text}", [
            Sample((("namespace", namespace), ("persistentvolumeclaim", claim)), float(getattr(volume, field) or 0))
            for (namespace, claim), volume in sorted(claims.items())
        ])
        for name, text, field in _VOLUME_METRICS
    ]


_CONTAINER_METRICS: Final = (
    ("container_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed in seconds.", lambda usage: usage.cpu_ns / 1e9),
    ("container_memory_usage_bytes", "gauge", "Current memory usage in bytes, including all memory regardless of when it was accessed",
     lambda usage: float(usage.memory_bytes)),
    ("container_memory_working_set_bytes", "gauge", "Current working set in bytes.", lambda usage: float(usage.working_set_bytes)),
    ("container_memory_rss", "gauge", "Size of RSS in bytes.", lambda usage: float(usage.rss_bytes)),
    ("container_processes", "gauge", "Number of processes running inside the container.", lambda usage: float(usage.processes)),
    ("container_spec_memory_limit_bytes", "gauge", "Memory limit for the container.", lambda usage: float(usage.memory_limit or 0)),
)
_NETWORK_METRICS: Final = (
    ("container_network_receive_bytes_total", "Cumulative count of bytes received", "rx_bytes"),
    ("container_network_receive_errors_total", "Cumulative count of errors encountered while receiving", "rx_errors"),
    ("container_network_transmit_bytes_total", "Cumulative count of bytes transmitted", "tx_bytes"),
    ("container_network_transmit_errors_total", "Cumulative count of errors encountered while transmitting", "tx_errors"),
)


def cadvisor_metrics(usage: NodeUsage, interfaces: dict[str, InterfaceUsage]) -> list[Metric]:
    """By container, Pod and node, as cAdvisor labels them: a Pod's own line has no container, the node's is that of id "/"."""
    groups = list(_groups(usage))
    metrics = [
        Metric(name, kind, text, [Sample(labels, value(found), found.at) for labels, found in groups])
        for name, kind, text, value in _CONTAINER_METRICS
    ]
    starts = [
        Sample(_cadvisor_labels(source.cgroup, source.name, source.image, source.id, pod), source.started_at)
        for pod in usage.pods for source, _ in pod.containers
    ]
    metrics.append(Metric("container_start_time_seconds", "gauge", "Start time of the container since unix epoch in seconds.", starts))
    links = [(pod, interfaces[pod.source.link].from_inside()) for pod in usage.pods if pod.source.link in interfaces]
    metrics += [
        Metric(name, "counter", text, [
            Sample((("id", pod.source.cgroup), ("interface", "eth0"), *_pod_labels(pod)), float(getattr(link, field)))
            for pod, link in links
        ])
        for name, text, field in _NETWORK_METRICS
    ]
    cores = [Sample((), Quantity.parse(usage.source.cpu_cores).milli_value() / 1000)]
    memory = [Sample((), float(usage.source.memory_bytes))]
    return [
        *metrics, Metric("machine_cpu_cores", "gauge", "Number of logical CPU cores.", cores),
        Metric("machine_memory_bytes", "gauge", "Amount of memory installed on the machine.", memory),
    ]


def _groups(usage: NodeUsage) -> Iterator[tuple[tuple[tuple[str, str], ...], CgroupUsage]]:
    if usage.rated is not None:
        yield _cadvisor_labels("/", "", "", "", None), usage.rated.usage
    for pod in usage.pods:
        if pod.rated is not None:
            yield _cadvisor_labels(pod.source.cgroup, "", "", "", pod), pod.rated.usage
        for source, rated in pod.containers:
            yield _cadvisor_labels(source.cgroup, source.name, source.image, source.id, pod), rated.usage


def _cadvisor_labels(cgroup: str, container: str, image: str, name: str, pod: PodUsage | None) -> tuple[tuple[str, str], ...]:
    own = dict(_pod_labels(pod)) if pod else {"namespace": "", "pod": ""}
    return (
        ("container", container), ("id", cgroup), ("image", image), ("name", name), ("namespace", own["namespace"]), ("pod", own["pod"]),
    )
