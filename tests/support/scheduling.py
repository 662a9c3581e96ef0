"""Builders of Pods, Nodes and node tables that show only what a case is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from control_plane.scheduler.cache import SchedulerCache
from control_plane.scheduler.framework import Verdict
from control_plane.scheduler.node_table import NodeTable
from control_plane.scheduler.pod_info import PodInfo
from kube.api.core_v1 import (
    Affinity,
    Container,
    ContainerImage,
    ContainerPort,
    Node,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    NodeSpec,
    NodeStatus,
    Pod,
    PodSchedulingGate,
    PodSpec,
    PreferredSchedulingTerm,
    ResourceRequirements,
    Taint,
    Toleration,
)
from kube.api.meta_v1 import ObjectMeta


def taint(text: str) -> Taint:
    """"key=value:Effect" or "key:Effect"."""
    pair, _, effect = text.rpartition(":")
    key, _, value = pair.partition("=")
    return Taint(key=key, value=value, effect=effect)


def node(
    name: str = "n1", *, cpu: str = "4", memory: str = "8Gi", pods: str = "110", labels: Mapping[str, str] | None = None,
    taints: Sequence[str] = (), unschedulable: bool = False, images: Mapping[str, int] | None = None, **allocatable: str,
) -> Node:
    return Node(
        metadata=ObjectMeta(name=name, uid=f"uid-of-{name}", labels={"kubernetes.io/hostname": name, **(labels or {})}),
        spec=NodeSpec(taints=tuple(map(taint, taints)), unschedulable=unschedulable),
        status=NodeStatus(
            allocatable={"cpu": cpu, "memory": memory, "pods": pods, **allocatable},
            images=tuple(ContainerImage(names=(image,), size_bytes=size) for image, size in (images or {}).items()),
        ),
    )


def container(*, restart_policy: str = "", image: str = "busybox", host_ports: Sequence[str] = (), **requests: str) -> Container:
    """Host ports as "TCP/8080" or "TCP/127.0.0.1:8080"."""
    ports = []
    for text in host_ports:
        protocol, _, address = text.partition("/")
        ip, _, port = address.rpartition(":")
        ports.append(ContainerPort(protocol=protocol, host_ip=ip, host_port=int(port), container_port=80))
    resources = ResourceRequirements(requests=requests) if requests else None
    return Container(name="c", image=image, restart_policy=restart_policy, ports=tuple(ports), resources=resources)


def pod(
    name: str = "web", *, containers: Sequence[Container] | None = None, init_containers: Sequence[Container] = (), host_port: str = "",
    tolerations: Sequence[Toleration] = (), node_selector: Mapping[str, str] | None = None, affinity: Affinity | None = None,
    priority: int = 0, gates: Sequence[str] = (), node_name: str = "", labels: Mapping[str, str] | None = None,
    namespace: str = "default", metadata: Mapping[str, Any] | None = None, spec: Mapping[str, Any] | None = None, **requests: str,
) -> PodInfo:
    main = container(host_ports=(host_port,) if host_port else (), **requests)
    return PodInfo(Pod(
        metadata=ObjectMeta(name=name, namespace=namespace, uid=f"uid-of-{name}", labels=dict(labels or {}), **(metadata or {})),
        spec=PodSpec(
            containers=tuple(containers if containers is not None else (main,)), init_containers=tuple(init_containers),
            tolerations=tuple(tolerations), node_selector=dict(node_selector or {}), affinity=affinity, priority=priority,
            scheduling_gates=tuple(PodSchedulingGate(name=gate) for gate in gates), node_name=node_name,
            scheduler_name="default-scheduler", **(spec or {}),
        ),
    ))


def requirement(key: str, operator: str, *values: str) -> NodeSelectorRequirement:
    return NodeSelectorRequirement(key=key, operator=operator, values=values)


def required(*terms: NodeSelectorTerm) -> Affinity:
    return Affinity(node_affinity=NodeAffinity(
        required_during_scheduling_ignored_during_execution=NodeSelector(node_selector_terms=terms)))


def preferred(**weight_of_zone: int) -> Affinity:
    return Affinity(node_affinity=NodeAffinity(preferred_during_scheduling_ignored_during_execution=tuple(
        PreferredSchedulingTerm(weight=weight, preference=NodeSelectorTerm(match_expressions=(requirement("zone", "In", zone),)))
        for zone, weight in weight_of_zone.items()
    )))


def cache_of(*nodes: Node, placed: Mapping[str, Iterable[PodInfo]] | None = None) -> SchedulerCache:
    """A cache with its table; `placed` says which Pods stand on which Node."""
    cache = SchedulerCache(NodeTable(capacity=2))
    for each in nodes:
        cache.set_node(each)
    for name, pods in (placed or {}).items():
        for one in pods:
            cache.set_pod(one, name)
    return cache


def fitting(verdict: Verdict, nodes: NodeTable) -> set[str]:
    refused = verdict.refused()
    fits = nodes.live if refused is None else nodes.live & ~refused
    return {nodes.names[row] for row in np.flatnonzero(fits)}


def reasons(verdict: Verdict) -> list[str]:
    return [rejection.reason for rejection in verdict.rejections]
