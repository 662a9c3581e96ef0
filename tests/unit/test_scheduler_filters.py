"""Which Nodes each filter lets through, and with which words it refuses the others."""

from __future__ import annotations

import pytest

from control_plane.scheduler.framework import CycleState
from control_plane.scheduler.plugins.node_affinity import NodeAffinity
from control_plane.scheduler.plugins.node_name import NodeName
from control_plane.scheduler.plugins.node_ports import NodePorts
from control_plane.scheduler.plugins.node_resources_fit import NodeResourcesFit
from control_plane.scheduler.plugins.node_unschedulable import NodeUnschedulable
from control_plane.scheduler.plugins.taint_toleration import TaintToleration
from kube.api.core_v1 import NodeSelectorTerm, Toleration
from tests.support.scheduling import cache_of, container, fitting, node, pod, reasons, required, requirement

CONTROL_PLANE = "node-role.kubernetes.io/control-plane:NoSchedule"


@pytest.mark.parametrize(("wants", "taken", "fits"), [
    pytest.param("TCP/8080", "UDP/8080", True, id="other protocol"),
    pytest.param("TCP/8080", "TCP/8081", True, id="other port"),
    pytest.param("TCP/8080", "TCP/8080", False, id="same port"),
    pytest.param("TCP/127.0.0.1:80", "TCP/127.0.0.2:80", True, id="other address"),
    pytest.param("TCP/127.0.0.1:80", "TCP/80", False, id="all addresses are taken"),
    pytest.param("TCP/80", "TCP/127.0.0.1:80", False, id="all addresses are wanted"),
])
def test_node_ports(wants: str, taken: str, fits: bool) -> None:
    nodes = cache_of(node("n1"), placed={"n1": [pod("other", host_port=taken)]}).nodes

    verdict = NodePorts().filter(CycleState(), pod(host_port=wants), nodes)

    assert ("n1" in fitting(verdict, nodes)) is fits
    assert fits or reasons(verdict) == ["node(s) didn't have free ports for the requested pod ports"]


def test_a_port_is_free_again_when_its_pod_goes() -> None:
    cache = cache_of(node("n1"), placed={"n1": [pod("other", host_port="TCP/80")]})

    cache.remove_pod(pod("other").uid)

    assert fitting(NodePorts().filter(CycleState(), pod(host_port="TCP/80"), cache.nodes), cache.nodes) == {"n1"}


@pytest.mark.req("NOD-02")
@pytest.mark.parametrize(("taint", "toleration", "fits"), [
    pytest.param(CONTROL_PLANE, None, False, id="untolerated"),
    pytest.param("k=v:NoExecute", None, False, id="untolerated NoExecute"),
    pytest.param("k=v:PreferNoSchedule", None, True, id="a preference is no refusal"),
    pytest.param(CONTROL_PLANE, Toleration(key="node-role.kubernetes.io/control-plane", operator="Exists"), True, id="Exists, any effect"),
    pytest.param("k=v:NoSchedule", Toleration(key="k", value="v", effect="NoSchedule"), True, id="equal value"),
    pytest.param("k=v:NoSchedule", Toleration(key="k", value="w"), False, id="other value"),
    pytest.param("k=v:NoSchedule", Toleration(key="k", value="v", effect="NoExecute"), False, id="other effect"),
    pytest.param("k=v:NoSchedule", Toleration(operator="Exists"), True, id="everything"),
])
def test_taint_toleration(taint: str, toleration: Toleration | None, fits: bool) -> None:
    nodes = cache_of(node("n1", taints=[taint]), node("n2")).nodes

    verdict = TaintToleration().filter(CycleState(), pod(tolerations=[toleration] if toleration else []), nodes)

    assert fitting(verdict, nodes) == ({"n1", "n2"} if fits else {"n2"})
    assert fits or reasons(verdict) == ["node(s) had untolerated taint(s)"]


@pytest.mark.parametrize(("selector", "names"), [
    pytest.param({"disk": "ssd"}, {"n1", "n2"}, id="one label"),
    pytest.param({"disk": "ssd", "zone": "b"}, {"n2"}, id="all labels"),
    pytest.param({"disk": "tape"}, set(), id="no such value"),
    pytest.param({"gpu": "yes"}, set(), id="no such label"),
])
def test_node_selector(selector: dict[str, str], names: set[str]) -> None:
    nodes = cache_of(
        node("n1", labels={"disk": "ssd", "zone": "a"}), node("n2", labels={"disk": "ssd", "zone": "b"}), node("n3", labels={"disk": "hdd"})
    ).nodes

    verdict = NodeAffinity().filter(CycleState(), pod(node_selector=selector), nodes)

    assert fitting(verdict, nodes) == names
    assert reasons(verdict) == ["node(s) didn't match Pod's node affinity/selector"]


@pytest.mark.parametrize(("terms", "names"), [
    pytest.param([[requirement("zone", "In", "a", "b")]], {"n1", "n2"}, id="In"),
    pytest.param([[requirement("zone", "NotIn", "a")]], {"n2", "n3"}, id="NotIn holds without the label"),
    pytest.param([[requirement("zone", "Exists")]], {"n1", "n2"}, id="Exists"),
    pytest.param([[requirement("zone", "DoesNotExist")]], {"n3"}, id="DoesNotExist"),
    pytest.param([[requirement("cores", "Gt", "8")]], {"n2"}, id="Gt is no comparison of texts"),
    pytest.param([[requirement("cores", "Lt", "16")]], {"n1"}, id="Lt"),
    pytest.param([[requirement("zone", "Gt", "1")]], set(), id="Gt of no number"),
    pytest.param([[requirement("zone", "In", "a"), requirement("cores", "Exists")]], {"n1"}, id="all of a term"),
    pytest.param([[requirement("zone", "In", "a")], [requirement("cores", "In", "16")]], {"n1", "n2"}, id="any of the terms"),
    pytest.param([[]], set(), id="an empty term matches nothing"),
    pytest.param([], set(), id="no term matches nothing"),
    pytest.param([[requirement("gone", "NotIn", "x")]], {"n1", "n2", "n3"}, id="NotIn of an unknown label"),
])
def test_required_node_affinity(terms: list[list[object]], names: set[str]) -> None:
    nodes = cache_of(node("n1", labels={"zone": "a", "cores": "8"}), node("n2", labels={"zone": "b", "cores": "16"}), node("n3")).nodes
    affinity = required(*(NodeSelectorTerm(match_expressions=tuple(term)) for term in terms))  # type: ignore[arg-type]

    assert fitting(NodeAffinity().filter(CycleState(), pod(affinity=affinity), nodes), nodes) == names


def test_a_pod_of_a_daemon_set_is_offered_its_node_only() -> None:
    nodes = cache_of(node("n1"), node("n2")).nodes
    affinity = required(NodeSelectorTerm(match_fields=(requirement("metadata.name", "In", "n2"),)))

    result = NodeAffinity().pre_filter(CycleState(), pod(affinity=affinity), nodes)

    assert result is not None
    assert result.nodes is not None
    assert result.nodes.tolist() == [False, True]


def test_labels_that_go_are_forgotten() -> None:
    cache = cache_of(node("n1", labels={"zone": "a"}))

    cache.set_node(node("n1"))

    assert fitting(NodeAffinity().filter(CycleState(), pod(node_selector={"zone": "a"}), cache.nodes), cache.nodes) == set()


@pytest.mark.req("NOD-04")
def test_a_cordoned_node_is_refused_unless_tolerated() -> None:
    nodes = cache_of(node("n1", unschedulable=True), node("n2")).nodes
    toleration = Toleration(key="node.kubernetes.io/unschedulable", operator="Exists", effect="NoSchedule")

    refused = NodeUnschedulable().filter(CycleState(), pod(), nodes)
    tolerated = NodeUnschedulable().filter(CycleState(), pod(tolerations=[toleration]), nodes)

    assert (fitting(refused, nodes), reasons(refused)) == ({"n2"}, ["node(s) were unschedulable"])
    assert fitting(tolerated, nodes) == {"n1", "n2"}


def test_a_pod_that_names_its_node_goes_nowhere_else() -> None:
    nodes = cache_of(node("n1"), node("n2")).nodes

    verdict = NodeName().filter(CycleState(), pod(node_name="n2"), nodes)

    assert (fitting(verdict, nodes), reasons(verdict)) == ({"n2"}, ["node(s) didn't match the requested node name"])


@pytest.mark.req("ARC-06")
@pytest.mark.parametrize(("requests", "expected"), [
    pytest.param({"cpu": "1"}, [], id="fits"),
    pytest.param({"cpu": "1001m"}, ["Insufficient cpu"], id="one thousandth too much"),
    pytest.param({"memory": "1Gi", "cpu": "2"}, ["Insufficient cpu", "Insufficient memory"], id="each resource has its reason"),
    pytest.param({"example.com/gpu": "1"}, ["Insufficient example.com/gpu"], id="a resource the node does not have"),
    pytest.param({"cpu": "0"}, [], id="nothing wanted"),
])
def test_node_resources_fit(requests: dict[str, str], expected: list[str]) -> None:
    nodes = cache_of(node("n1", cpu="3", memory="1Gi"), placed={"n1": [pod("other", cpu="2", memory="512Mi")]}).nodes

    verdict = NodeResourcesFit().filter(CycleState(), pod(containers=[container(**requests)]), nodes)

    assert sorted(reasons(verdict)) == expected


def test_a_node_holds_so_many_pods_and_no_more() -> None:
    nodes = cache_of(node("n1", pods="1"), placed={"n1": [pod("other")]}).nodes

    assert reasons(NodeResourcesFit().filter(CycleState(), pod(), nodes)) == ["Too many pods"]
