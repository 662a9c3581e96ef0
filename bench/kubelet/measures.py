"""What is measured of nodes and their Pods. Each measure works on a running cluster and gives figures; less is better."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from bench.kubelet import load
from bench.kubelet.cost import CONTAINERS, Processes, Spent, between, cpu_s, disk_of, kernel_memory
from bench.kubelet.figures import Figure, percentile
from kube.client.client import Client
from launcher.cluster.layout import Layout
from launcher.cluster.settings import ClusterSettings
from launcher.testing.cluster import Cluster


class Sizes(NamedTuple):
    pods: int = 100         # one after the other, and in bursts of ten
    many: int = 500         # at once
    idle: int = 50          # of one node
    doomed: int = 200       # in the namespace that is deleted
    idle_s: float = 60.0


Measure = Callable[[Cluster, Client, Sizes], AsyncIterator[Figure]]


async def starting(cluster: Cluster, client: Client, sizes: Sizes) -> AsyncIterator[Figure]:
    """Created -> Ready for an image that is there, and what one Pod's life costs."""
    processes = Processes(cluster)
    async with load.namespace(client, "bench-starting") as where:
        await load.create(client, where, 2, 1)  # the first Pods of a cluster meet cold caches
        await load.delete_pods(client, where)
        for label, at_once, goals in (("one after the other", 1, (150.0, 500.0)), ("ten at once", 10, (None, None))):
            before = processes.cpu()
            times = await load.create(client, where, sizes.pods, at_once)
            begun = processes.cpu()
            yield Figure(f"created -> Ready, {label}, p50", "ms", percentile(times, 0.5), goals[0])
            yield Figure(f"created -> Ready, {label}, p99", "ms", percentile(times, 0.99), goals[1])
            for figure in cpu_figures(f"a start, {label}", between(before, begun), sizes.pods):
                yield figure
            seconds = await load.delete_pods(client, where)
            yield Figure(f"delete {sizes.pods} Pods", "s", seconds)
            ended = processes.cpu()
            for figure in cpu_figures("an end", between(begun, ended), sizes.pods):
                yield figure


async def crowd(cluster: Cluster, client: Client, sizes: Sizes) -> AsyncIterator[Figure]:
    """Many Pods at once on all nodes."""
    processes = Processes(cluster)
    before = processes.cpu()
    async with load.namespace(client, "bench-crowd") as where:
        times = await load.create(client, where, sizes.many, sizes.many, load.is_running)
        yield Figure(f"{sizes.many} Pods on {cluster.nodes} nodes Running", "s", times[-1] / 1000, 20.0 if sizes.many == 500 else None)
        yield Figure("the median Pod", "s", percentile(times, 0.5) / 1000)
        spent = between(before, processes.cpu())
        for figure in cpu_figures("a start", spent, sizes.many):
            yield figure
        yield Figure("CPU of all", "s", sum(spent.values()))


async def idling(cluster: Cluster, client: Client, sizes: Sizes) -> AsyncIterator[Figure]:
    """One node full of Pods that do nothing: what they weigh, and what its agents do all the same."""
    processes, node = Processes(cluster), cluster.nodes
    pids = {name: [process["pid"] for process in cluster.status()["processes"] if process["name"] == name][-1]
            for name in ("kubelet", "kube-proxy")}
    state = Layout(ClusterSettings(name=cluster.name)).state / "nodes" / f"node{node}"
    memory, kernel, disk = processes.memory(), kernel_memory(), disk_of(state)
    inside = processes.in_containers()
    async with load.namespace(client, "bench-idle") as where:
        await load.create(client, where, sizes.idle, 10)
        await asyncio.sleep(5)
        grown, inside_now, count = processes.memory() - memory, processes.in_containers(), sizes.idle
        conmon, kubelet, charged = grown["conmon"], grown["kubelet"], inside_now[1] - inside[1]
        yield Figure("idle Pod: conmon", "MB", conmon / count / 1e6)
        yield Figure("idle Pod: kubelet", "MB", kubelet / count / 1e6)
        yield Figure("idle Pod: kernel, in the Pod's cgroup", "MB", charged / count / 1e6)
        yield Figure("idle Pod: all of these", "MB", (conmon + kubelet + charged) / count / 1e6, 3.0)
        yield Figure("idle Pod: control plane and kube-proxy", "MB", (sum(grown.values()) - conmon - kubelet) / count / 1e6)
        yield Figure("idle Pod: kernel, whole machine", "MB", (kernel_memory() - kernel) / count / 1e6)
        yield Figure("idle Pod: its process", "MB", (inside_now[0] - inside[0]) / count / 1e6)
        yield Figure("idle Pod: files", "KB", (disk_of(state) - disk) / count / 1e3)
        before, began = {name: cpu_s(pid) for name, pid in pids.items()}, time.monotonic()
        all_before = processes.cpu()
        await asyncio.sleep(sizes.idle_s)
        passed = time.monotonic() - began
        for name, pid in pids.items():
            share = (cpu_s(pid) - before[name]) / passed * 100
            yield Figure(f"{name} with {count} idle Pods", "% core", share, 1.0 if name == "kubelet" else None)
        idle = between(all_before, processes.cpu())
        yield Figure("all processes of the cluster", "% core", (sum(idle.values()) - idle[CONTAINERS]) / passed * 100)


async def deleting(cluster: Cluster, client: Client, sizes: Sizes) -> AsyncIterator[Figure]:
    """`kubectl delete ns`, and what the kubelets hold before and after."""
    processes = Processes(cluster)
    before = processes.held("kubelet")
    async with load.namespace(client, "bench-doomed") as where:
        await load.create(client, where, sizes.doomed, 50)
        full, began = processes.held("kubelet"), processes.cpu()
        yield Figure(f"kubectl delete ns, {sizes.doomed} Pods", "s", await load.delete_namespace(client, where))
        for figure in cpu_figures("an end", between(began, processes.cpu()), sizes.doomed):
            yield figure
    await asyncio.sleep(2)
    after = processes.held("kubelet")
    for label, held in (("before", before), (f"with {sizes.doomed} Pods", full), ("after", after)):
        yield Figure(f"kubelets, {label}: threads", "", held.threads)
        yield Figure(f"kubelets, {label}: descriptors", "", held.descriptors)


def cpu_figures(label: str, spent: Spent, count: int) -> list[Figure]:
    """Per Pod and component; what is below a tenth of a millisecond is left out."""
    each = {name: seconds / count * 1000 for name, seconds in spent.items()}
    return [
        *(Figure(f"{label}: {name}", "ms CPU", value) for name, value in sorted(each.items(), key=lambda item: -item[1]) if value > 0.1),
        Figure(f"{label}: all", "ms CPU", sum(value for value in each.values() if value > 0)),
    ]


# Each on a cluster with so many nodes; 0: as asked for.
MEASURES: dict[str, tuple[Measure, int]] = {
    "starting": (starting, 0),
    "deleting": (deleting, 0),
    "idling": (idling, 1),
    "crowd": (crowd, 10),
}
