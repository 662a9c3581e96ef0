"""Whether a Pod fits on the node that it was bound to, and who makes room for critical ones."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from kube.api.core_v1 import ContainerPort, Node, NodeSpec, Pod, ResourceRequirements, Taint, Toleration
from kube.api.meta_v1 import ObjectMeta
from node_agent.kubelet.pod_fit import misfit, victims
from tests.support.pods import container, pod

ALLOCATABLE = {"cpu": "2", "memory": "1Gi", "ephemeral-storage": "1Gi", "pods": "3"}
CRITICAL = 2_000_000_000


def node(**spec: Any) -> Node:
    return Node(metadata=ObjectMeta(name="node1", labels={"disk": "ssd"}), spec=NodeSpec(**spec))


def asking(name: str = "web", *, cpu: str = "0", ports: tuple[int, ...] = (), **spec: Any) -> Pod:
    resources = ResourceRequirements(requests={"cpu": cpu}) if cpu != "0" else None
    made = pod(container(resources=resources, ports=tuple(ContainerPort(host_port=port) for port in ports)), **spec)
    return replace(made, metadata=replace(made.metadata, name=name, uid=f"uid-{name}"))


@pytest.mark.parametrize(("wanted", "others", "refusal"), [
    pytest.param(asking(cpu="2"), [], None, id="fits"),
    pytest.param(
        asking(cpu="1500m"), [asking("a", cpu="1")],
        ("OutOfcpu", "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000"), id="cpu"),
    pytest.param(
        asking(), [asking(name) for name in "abc"],
        ("OutOfpods", "Node didn't have enough resource: pods, requested: 1, used: 3, capacity: 3"), id="number of Pods"),
    pytest.param(
        asking(node_selector={"disk": "hdd"}), [],
        ("NodeAffinity", "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"), id="node selector"),
    pytest.param(
        asking(ports=(80,)), [asking("a", ports=(80,))],
        ("NodePorts", "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"), id="host port"),
])
def test_a_pod_that_does_not_fit_is_refused(wanted: Pod, others: list[Pod], refusal: tuple[str, str] | None) -> None:
    assert misfit(wanted, others, node(), ALLOCATABLE) == refusal


def test_only_noexecute_taints_count_and_not_for_static_pods() -> None:
    tainted = node(taints=(Taint(key="a", effect="NoSchedule"), Taint(key="b", effect="NoExecute")))
    refused = misfit(asking(), [], tainted, ALLOCATABLE)
    tolerant = asking(tolerations=(Toleration(key="b", operator="Exists"),))

    assert refused is not None
    assert refused.reason == "TaintToleration"
    assert misfit(tolerant, [], tainted, ALLOCATABLE) is None
    assert misfit(asking(), [], tainted, ALLOCATABLE, static=True) is None


@pytest.mark.parametrize(("priority", "cpu", "chosen"), [
    pytest.param(0, "1", [], id="an ordinary Pod takes nobody's place"),
    pytest.param(CRITICAL, "1", ["large"], id="as few as can be"),
    pytest.param(CRITICAL, "1500m", ["large", "small"], id="more when it takes more"),
    pytest.param(CRITICAL, "3", [], id="nobody where it would not help"),
])
def test_critical_pods_take_the_place_of_others(priority: int, cpu: str, chosen: list[str]) -> None:
    ordinary = [asking("small", cpu="500m", priority=10), asking("large", cpu="1", priority=20)]
    others = [*ordinary, asking("critical", cpu="500m", priority=CRITICAL)]

    found = victims(asking(cpu=cpu, priority=priority), others, node(), ALLOCATABLE)

    assert sorted(each.metadata.name for each in found) == chosen
