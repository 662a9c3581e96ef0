"""What is said of a Pod that fits nowhere."""

from __future__ import annotations

import pytest

from control_plane.scheduler.cycle import DecisionCycle, NoDecision
from control_plane.scheduler.framework import Profile
from control_plane.scheduler.plugins.default_preemption import DefaultPreemption
from control_plane.scheduler.plugins.node_affinity import NodeAffinity
from control_plane.scheduler.plugins.node_resources_fit import NodeResourcesFit
from control_plane.scheduler.plugins.node_unschedulable import NodeUnschedulable
from control_plane.scheduler.plugins.taint_toleration import TaintToleration
from control_plane.scheduler.pod_info import PodInfo
from kube.api.core_v1 import Node, NodeSelectorTerm
from tests.support.scheduling import cache_of, node, pod, required, requirement

CONTROL_PLANE = node("cp", taints=["node-role.kubernetes.io/control-plane:NoSchedule"])
FILLER = pod("filler", cpu="3")


def refusal(info: PodInfo, *nodes: Node, filled: tuple[str, ...] = ()) -> NoDecision:
    placed = {name: [pod(f"filler-{name}", cpu="3")] for name in filled}
    cache = cache_of(*nodes, placed=placed)
    plugins = (NodeUnschedulable(), TaintToleration(), NodeAffinity(), NodeResourcesFit(), DefaultPreemption(cache))
    decision = DecisionCycle(Profile("default-scheduler", plugins, {}), cache.nodes).decide(info)
    assert isinstance(decision, NoDecision)
    return decision


@pytest.mark.req("ARC-06")
@pytest.mark.parametrize(("info", "nodes", "filled", "message"), [
    pytest.param(
        pod(cpu="100"), (CONTROL_PLANE, node("n1"), node("n2")), (),
        "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. "
        "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.",
        id="more than any node has"),
    pytest.param(
        pod(cpu="2"), (CONTROL_PLANE, node("n1"), node("n2")), ("n1", "n2"),
        "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. "
        "preemption: 0/3 nodes are available: 1 Preemption is not helpful for scheduling, "
        "2 No preemption victims found for incoming pod.",
        id="more than is free"),
    pytest.param(
        pod(cpu="100", memory="100Gi"), (node("n1"),), (),
        "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory. "
        "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
        id="two reasons on one node"),
    pytest.param(
        pod(node_selector={"disk": "tape"}), (node("n1"), node("n2", unschedulable=True)), (),
        "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) were unschedulable. "
        "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
        id="each node counts once, under the first filter"),
    pytest.param(
        pod(cpu="100", affinity=required(NodeSelectorTerm(match_fields=(requirement("metadata.name", "In", "n1"),)))),
        (node("n1"), node("n2")), (),
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't satisfy plugin(s) [NodeAffinity]. "
        "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
        id="a pod meant for one node"),
    pytest.param(
        pod(cpu="100", spec={"preemption_policy": "Never"}), (node("n1"),), (),
        "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never.",
        id="never preempts"),
    pytest.param(pod(), (), (), "no nodes available to schedule pods", id="no node at all"),
])
def test_message(info: PodInfo, nodes: tuple[Node, ...], filled: tuple[str, ...], message: str) -> None:
    assert refusal(info, *nodes, filled=filled).diagnosis.message() == message


def test_the_plugins_that_refused_are_named_for_the_queue() -> None:
    decision = refusal(pod(cpu="100"), CONTROL_PLANE, node("n1"))

    assert decision.diagnosis.plugins == {"TaintToleration", "NodeResourcesFit"}
