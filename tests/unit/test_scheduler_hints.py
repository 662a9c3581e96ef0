"""Which changes each plugin thinks worth another try of a Pod it refused."""

from __future__ import annotations

from typing import Any

import pytest

from control_plane.scheduler.changes import NodeChange, PodChange
from control_plane.scheduler.event_handlers import assigned_pod_changes, node_changes
from control_plane.scheduler.framework import ClusterEvent
from control_plane.scheduler.plugins.node_affinity import NodeAffinity
from control_plane.scheduler.plugins.node_ports import NodePorts
from control_plane.scheduler.plugins.node_resources_fit import NodeResourcesFit
from control_plane.scheduler.plugins.node_unschedulable import NodeUnschedulable
from control_plane.scheduler.plugins.taint_toleration import TaintToleration
from control_plane.scheduler.pod_info import PodInfo
from kube.api.core_v1 import Node, Toleration
from tests.support.scheduling import node, pod

TWO_TAINTS, ONE_TAINT = ["a:NoSchedule", "b:NoExecute"], ["b:NoExecute"]
EXISTS = Toleration(operator="Exists")


@pytest.mark.parametrize(("plugin", "waiting", "old", "new", "helps"), [
    pytest.param(TaintToleration(), pod(), None, node(taints=ONE_TAINT), False, id="a tainted node comes"),
    pytest.param(TaintToleration(), pod(), None, node(), True, id="a node comes"),
    pytest.param(TaintToleration(), pod(), node(taints=TWO_TAINTS), node(taints=ONE_TAINT), False, id="one of two taints goes"),
    pytest.param(TaintToleration(), pod(), node(taints=ONE_TAINT), node(), True, id="the last taint goes"),
    pytest.param(TaintToleration(), pod(), node(taints=ONE_TAINT), node(taints=["b:PreferNoSchedule"]), True, id="a taint softens"),
    pytest.param(TaintToleration(), pod(), node(), node(taints=["b:PreferNoSchedule"]), False, id="it was untainted before"),
    pytest.param(NodeUnschedulable(), pod(), node(unschedulable=True), node(), True, id="uncordoned"),
    pytest.param(NodeUnschedulable(), pod(), node(taints=ONE_TAINT), node(), False, id="it was not cordoned"),
    pytest.param(NodeUnschedulable(), pod(), None, node(unschedulable=True), False, id="a cordoned node comes"),
    pytest.param(NodeAffinity(), pod(node_selector={"d": "ssd"}), node(), node(labels={"d": "ssd"}), True, id="the label wanted"),
    pytest.param(NodeAffinity(), pod(node_selector={"d": "ssd"}), node(), node(labels={"d": "hdd"}), False, id="another value"),
    pytest.param(NodeAffinity(), pod(node_selector={"d": "ssd"}), node(labels={"d": "ssd"}), node(labels={"d": "ssd", "e": ""}), False,
                 id="it matched before"),
    pytest.param(NodeAffinity(), pod(node_selector={"d": "ssd"}), None, node(), False, id="a node without the label comes"),
    pytest.param(NodeResourcesFit(), pod(cpu="2"), None, node(cpu="4"), True, id="a large node comes"),
    pytest.param(NodeResourcesFit(), pod(cpu="2"), None, node(cpu="1"), False, id="a small node comes"),
    pytest.param(NodeResourcesFit(), pod(cpu="2"), node(cpu="3"), node(cpu="4"), True, id="a node grows"),
    pytest.param(NodeResourcesFit(), pod(cpu="2"), node(memory="1Gi"), node(memory="2Gi"), False, id="in what is not wanted"),
    pytest.param(NodeResourcesFit(), pod(cpu="2"), node(pods="10"), node(pods="11"), True, id="it takes more pods"),
])
def test_changes_of_nodes(plugin: Any, waiting: PodInfo, old: Node | None, new: Node, helps: bool) -> None:
    event = ClusterEvent.NODE_ADD if old is None else node_changes(old, new)

    assert plugin.helped_by_node(waiting, NodeChange(event, old, new)) is helps


@pytest.mark.parametrize(("plugin", "waiting", "old", "new", "helps"), [
    pytest.param(NodePorts(), pod(host_port="TCP/80"), pod("o", host_port="TCP/80"), None, True, id="frees the port"),
    pytest.param(NodePorts(), pod(host_port="TCP/80"), pod("o", host_port="UDP/80"), None, False, id="frees another port"),
    pytest.param(NodePorts(), pod(host_port="TCP/80"), pod("o"), None, False, id="has no port"),
    pytest.param(NodeResourcesFit(), pod(cpu="1"), pod("o"), None, True, id="any pod that goes leaves room"),
    pytest.param(NodeResourcesFit(), pod(cpu="1"), pod("o", cpu="2"), pod("o", cpu="1"), True, id="scaled down"),
    pytest.param(NodeResourcesFit(), pod(cpu="1"), pod("o", cpu="1"), pod("o", cpu="2"), False, id="scaled up"),
    pytest.param(NodeResourcesFit(), pod(cpu="1"), pod("o", memory="2Gi"), pod("o", memory="1Gi"), False, id="in what is not wanted"),
])
def test_changes_of_other_pods(plugin: Any, waiting: PodInfo, old: PodInfo, new: PodInfo | None, helps: bool) -> None:
    event = ClusterEvent.ASSIGNED_POD_DELETE if new is None else assigned_pod_changes(pod(node_name="n1").pod, pod(cpu="1").pod)

    assert plugin.helped_by_pod(waiting, PodChange(event, old, new)) is helps


@pytest.mark.parametrize(("plugin", "new", "helps"), [
    pytest.param(TaintToleration(), pod(cpu="2", tolerations=[EXISTS]), True, id="a toleration, tainted nodes"),
    pytest.param(TaintToleration(), pod(cpu="2", priority=1), False, id="something else, tainted nodes"),
    pytest.param(NodeUnschedulable(), pod(cpu="2", tolerations=[EXISTS]), True, id="a toleration, cordoned nodes"),
    pytest.param(NodeUnschedulable(), pod(cpu="2", tolerations=[Toleration(key="a", operator="Exists")]), False, id="of something else"),
    pytest.param(NodeResourcesFit(), pod(cpu="1"), True, id="asks for less"),
    pytest.param(NodeResourcesFit(), pod(cpu="2", tolerations=[EXISTS]), False, id="a toleration, full nodes"),
])
def test_changes_of_the_pod_itself(plugin: Any, new: PodInfo, helps: bool) -> None:
    assert plugin.helped_by_pod(new, PodChange(ClusterEvent.TARGET_POD_UPDATE, pod(cpu="2"), new)) is helps


@pytest.mark.parametrize(("old", "new", "event"), [
    pytest.param({}, {"node_name": "n1"}, ClusterEvent.ASSIGNED_POD_ADD, id="gets its node"),
    pytest.param({"node_name": "n1"}, {"node_name": "n1"}, ClusterEvent(0), id="a mere status"),
    pytest.param({"node_name": "n1"}, {"node_name": "n1", "labels": {"a": "b"}}, ClusterEvent.ASSIGNED_POD_LABEL, id="labels"),
    pytest.param({"node_name": "n1", "cpu": "2"}, {"node_name": "n1", "cpu": "1"}, ClusterEvent.ASSIGNED_POD_SCALE_DOWN, id="requests"),
])
def test_what_a_change_of_a_placed_pod_means(old: dict[str, Any], new: dict[str, Any], event: ClusterEvent) -> None:
    assert assigned_pod_changes(pod(**old).pod, pod(**new).pod) == event
