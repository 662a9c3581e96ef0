"""Decisions per second of the scheduler, in process: node table, plugins, assume. No API, no binding.

    python -m bench.scheduler [--nodes 5000] [--pods 3000]
"""

from __future__ import annotations

import argparse
import os
import time

from msgspec.structs import replace

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from control_plane.scheduler.cache import SchedulerCache
from control_plane.scheduler.cycle import Decision, DecisionCycle
from control_plane.scheduler.framework import Profile
from control_plane.scheduler.node_table import NodeTable
from control_plane.scheduler.pod_info import PodInfo
from control_plane.scheduler.profile import default_profile
from kube.api.core_v1 import (
    Affinity,
    Container,
    ContainerImage,
    ContainerPort,
    Node,
    NodeAffinity,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    NodeSpec,
    NodeStatus,
    Pod,
    PodSpec,
    PreferredSchedulingTerm,
    ResourceRequirements,
    Taint,
    TopologySpreadConstraint,
)
from kube.api.meta_v1 import LabelSelector, ObjectMeta
from kube.apimachinery.labels import EVERYTHING, selector_from_set

ZONE = "topology.kubernetes.io/zone"


def make_node(number: int) -> Node:
    tainted = number % 50 == 0
    return Node(
        metadata=ObjectMeta(
            name=f"node{number}", labels={"kubernetes.io/hostname": f"node{number}", ZONE: f"zone-{number % 3}", "disk": "ssd"}
        ),
        spec=NodeSpec(taints=(Taint(key="dedicated", value="infra", effect="NoSchedule"),) if tainted else ()),
        status=NodeStatus(
            allocatable={"cpu": str(8 + number % 24), "memory": f"{32 + number % 64}Gi", "ephemeral-storage": "100Gi", "pods": "110"},
            images=(ContainerImage(names=(f"app-{number % 20}:v1",), size_bytes=300_000_000),),
        ),
    )


def make_pod(kind: str, number: int) -> Pod:
    spec = PodSpec(
        scheduler_name="default-scheduler",
        containers=(Container(
            name="app", image=f"app-{number % 20}:v1",
            ports=(ContainerPort(host_port=8000 + number % 10, container_port=80),) if kind == "host port" else (),
            resources=ResourceRequirements(requests={"cpu": "100m", "memory": "128Mi"}) if kind != "best effort" else None,
        ),),
        node_selector={"disk": "ssd", ZONE: f"zone-{number % 3}"} if kind == "node selector" else {},
        affinity=Affinity(node_affinity=NodeAffinity(preferred_during_scheduling_ignored_during_execution=(
            PreferredSchedulingTerm(weight=10, preference=NodeSelectorTerm(match_expressions=(
                NodeSelectorRequirement(key=ZONE, operator="In", values=(f"zone-{number % 3}",)),))),
        ))) if kind == "preferred zone" else None,
    )
    labels = {"app": "bench"} if kind in ("one deployment", "hard spread") else {}
    if kind == "hard spread":
        spec = replace(spec, topology_spread_constraints=tuple(
            TopologySpreadConstraint(max_skew=1, topology_key=key, when_unsatisfiable="DoNotSchedule",
                                     label_selector=LabelSelector(match_labels=labels)) for key in (ZONE, "kubernetes.io/hostname")))
    return Pod(metadata=ObjectMeta(name=f"pod-{number}", namespace="default", uid=f"{kind}-{number}", labels=labels), spec=spec)


def measure(kind: str, node_count: int, pod_count: int) -> tuple[float, float]:
    """Decisions per second, and the slowest one in milliseconds."""
    nodes = NodeTable()
    cache = SchedulerCache(nodes)
    for number in range(node_count):
        cache.set_node(make_node(number))
    app = selector_from_set({"app": "bench"})
    whole = default_profile(cache, None, lambda pod: app if pod.metadata.labels else EVERYTHING)  # type: ignore[arg-type]   # no binding
    cycle = DecisionCycle(Profile(whole.scheduler_name, whole.plugins, whole.weights), nodes)
    pods = [PodInfo(make_pod(kind, number)) for number in range(pod_count)]
    slowest = 0.0
    started = time.perf_counter()
    for pod in pods:
        before = time.perf_counter()
        decision = cycle.decide(pod)
        assert isinstance(decision, Decision), decision
        cache.assume(pod, decision.node_name)
        slowest = max(slowest, time.perf_counter() - before)
    return pod_count / (time.perf_counter() - started), slowest * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--pods", type=int, default=3000)
    options = parser.parse_args()
    print(f"{options.nodes} nodes, {options.pods} pods of each kind")
    print(f"{'pods':<16} {'decisions/s':>12} {'slowest ms':>12}")
    for kind in ("cpu and memory", "best effort", "node selector", "preferred zone", "host port", "one deployment", "hard spread"):
        rate, slowest = measure(kind, options.nodes, options.pods)
        print(f"{kind:<16} {rate:>12,.0f} {slowest:>12.2f}")


if __name__ == "__main__":
    main()
