"""How Pods of one kind are kept apart. The figures of the scores are upstream's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from control_plane.scheduler.cache import SchedulerCache
from control_plane.scheduler.changes import NodeChange, PodChange
from control_plane.scheduler.cycle import Decision, DecisionCycle
from control_plane.scheduler.framework import ClusterEvent, CycleState, Profile
from control_plane.scheduler.plugins.node_resources_balanced_allocation import NodeResourcesBalancedAllocation
from control_plane.scheduler.plugins.node_resources_fit import NodeResourcesFit
from control_plane.scheduler.plugins.pod_topology_spread import PodTopologySpread
from control_plane.scheduler.pod_info import PodInfo
from control_plane.scheduler.profile import WEIGHTS
from kube.api.core_v1 import Toleration, TopologySpreadConstraint
from kube.api.meta_v1 import LabelSelector
from kube.apimachinery.labels import EVERYTHING, selector_from_set
from tests.support.scheduling import cache_of, fitting, node, pod, reasons

ZONES = {"a": "1", "b": "1", "x": "2", "y": "2"}
FOO, BAR = {"foo": ""}, {"bar": ""}
SKEWED = "node(s) didn't match pod topology spread constraints"
UNLABELLED = "node(s) didn't match pod topology spread constraints (missing required label)"
DELETED = {"deletion_timestamp": "2026-01-01T00:00:00Z"}

SPREADING = PodTopologySpread(lambda pod: EVERYTHING)


def constraint(key: str = "host", skew: int = 1, labels: Mapping[str, str] | None = FOO, **more: Any) -> TopologySpreadConstraint:
    selector = None if labels is None else LabelSelector(match_labels=dict(labels))
    topology_key = "kubernetes.io/hostname" if key == "host" else key
    return TopologySpreadConstraint(
        max_skew=skew, topology_key=topology_key, label_selector=selector, **{"when_unsatisfiable": "DoNotSchedule", **more})


def wish(key: str = "host", skew: int = 1, labels: Mapping[str, str] | None = FOO, **more: Any) -> TopologySpreadConstraint:
    return constraint(key, skew, labels, when_unsatisfiable="ScheduleAnyway", **more)


def new_pod(*constraints: TopologySpreadConstraint, labels: Mapping[str, str] = FOO, **more: Any) -> PodInfo:
    return pod("new", labels=labels, spec={"topology_spread_constraints": constraints}, **more)


def cluster(standing: str, zones: Mapping[str, str] = ZONES, **of_node: Any) -> SchedulerCache:
    """`standing`: Pods labelled foo per Node, as "2/1/0/3"."""
    counts = dict(zip(zones, map(int, standing.split("/")), strict=True))
    nodes = [node(name, labels={"zone": zone} if zone else {}, **of_node.get(name, {})) for name, zone in zones.items()]
    return cache_of(*nodes, placed={
        name: [pod(f"{name}{number}", labels=FOO) for number in range(count)] for name, count in counts.items()})


def scores_of(plugin: PodTopologySpread, incoming: PodInfo, cache: SchedulerCache, candidates: str = "") -> list[float]:
    rows = slice(0, cache.nodes.size) if not candidates else np.array([cache.nodes.row_of(name) for name in candidates])
    state = CycleState()
    assert plugin.pre_score(state, incoming, cache.nodes, rows)
    scores = plugin.score(state, incoming, cache.nodes, rows)
    assert scores is not None
    return list(plugin.normalize_score(scores))


@pytest.mark.parametrize(("constraints", "standing", "fits"), [
    pytest.param([constraint("zone")], "2/1/0/3", "abxy", id="equal zones"),
    pytest.param([constraint("zone")], "2/1/0/1", "xy", id="one zone is ahead"),
    pytest.param([constraint()], "2/1/0/3", "x", id="hosts"),
    pytest.param([constraint(skew=2)], "2/1/0/3", "bx", id="a larger skew"),
    pytest.param([constraint("zone"), constraint()], "2/1/0/1", "x", id="both must hold"),
    pytest.param([constraint("zone"), constraint()], "0/0/0/0", "abxy", id="nobody is there yet"),
    pytest.param([constraint("zone", min_domains=2)], "1/0/1/0", "abxy", id="enough domains"),
    pytest.param([constraint("zone", min_domains=3)], "1/0/1/0", "", id="too few domains: the least is taken as none"),
    pytest.param([constraint(labels=None)], "2/1/0/3", "abxy", id="no selector matches nobody"),
    pytest.param([constraint(labels={})], "2/1/0/3", "abxy", id="an empty selector counts nobody"),
    pytest.param([constraint(labels=BAR)], "2/1/0/3", "abxy", id="others do not count"),
    pytest.param([wish()], "2/1/0/3", "abxy", id="a wish refuses nobody"),
])
def test_which_nodes_fit(constraints: list[TopologySpreadConstraint], standing: str, fits: str) -> None:
    nodes = cluster(standing).nodes

    verdict = SPREADING.filter(CycleState(), new_pod(*constraints), nodes)

    assert fitting(verdict, nodes) == set(fits)
    assert reasons(verdict) == ([] if fits == "abxy" else [SKEWED])


def test_a_pod_its_own_selector_does_not_match_adds_nothing_to_a_domain() -> None:
    nodes = cluster("2/1/0/3").nodes

    assert fitting(SPREADING.filter(CycleState(), new_pod(constraint(), labels=BAR), nodes), nodes) == {"b", "x"}


def test_nodes_without_the_label_are_no_domain_and_say_so() -> None:
    nodes = cluster("1/0/0/0", {"a": "1", "b": "1", "x": "", "y": ""}).nodes

    verdict = SPREADING.filter(CycleState(), new_pod(constraint("zone"), constraint(skew=9)), nodes)

    assert fitting(verdict, nodes) == {"a", "b"}
    assert [(each.reason, each.unresolvable) for each in verdict.rejections] == [(UNLABELLED, True)]


@pytest.mark.parametrize(("policy", "fits"), [
    pytest.param({}, "bxy", id="by default nodes the selector excludes are no domain"),
    pytest.param({"node_affinity_policy": "Honor"}, "bxy", id="honoured"),
    pytest.param({"node_affinity_policy": "Ignore"}, "x", id="ignored"),
])
def test_node_affinity_policy(policy: dict[str, Any], fits: str) -> None:
    nodes = cluster("2/1/0/3").nodes

    verdict = SPREADING.filter(CycleState(), new_pod(constraint(**policy), node_selector={"zone": "1"}), nodes)

    assert fitting(verdict, nodes) == set(fits)


@pytest.mark.parametrize(("policy", "tolerations", "fits"), [
    pytest.param({}, [], "x", id="by default a tainted node is a domain"),
    pytest.param({"node_taints_policy": "Honor"}, [], "bx", id="honoured"),
    pytest.param({"node_taints_policy": "Honor"}, [Toleration(operator="Exists")], "x", id="honoured, but tolerated"),
])
def test_node_taints_policy(policy: dict[str, Any], tolerations: list[Toleration], fits: str) -> None:
    nodes = cluster("2/1/0/3", x={"taints": ["k:NoSchedule"]}).nodes

    verdict = SPREADING.filter(CycleState(), new_pod(constraint(**policy), tolerations=tolerations), nodes)

    assert fitting(verdict, nodes) == set(fits)


@pytest.mark.parametrize(("standing", "fits"), [
    pytest.param({"labels": {**FOO, "version": "2"}}, "b", id="same version"),
    pytest.param({"labels": {**FOO, "version": "1"}}, "ab", id="other version"),
    pytest.param({"labels": {**FOO, "version": "2"}, "namespace": "other"}, "ab", id="other namespace"),
    pytest.param({"labels": {**FOO, "version": "2"}, "metadata": DELETED}, "ab", id="being deleted"),
])
def test_match_label_keys_and_who_counts_at_all(standing: dict[str, Any], fits: str) -> None:
    nodes = cache_of(node("a"), node("b"), placed={"a": [pod("one", **standing)]}).nodes
    incoming = new_pod(constraint(match_label_keys=("version", "absent")), labels={**FOO, "version": "2"})

    assert fitting(SPREADING.filter(CycleState(), incoming, nodes), nodes) == set(fits)


@pytest.mark.parametrize(("constraints", "zones", "standing", "candidates", "scores"), [
    pytest.param([wish()], ZONES, "0/0/0/0", "abxy", [100, 100, 100, 100], id="nobody yet"),
    pytest.param([wish()], ZONES, "2/1/0/3", "a", [100], id="a single candidate"),
    pytest.param([wish()], ZONES, "2/1/0/3", "", [20, 60, 100, 0], id="hosts"),
    pytest.param([wish(labels=None)], ZONES, "2/1/0/3", "", [100, 100, 100, 100], id="no selector"),
    pytest.param([wish(skew=2)], ZONES, "2/1/0/3", "", [33, 66, 100, 16], id="a larger skew evens out"),
    pytest.param([wish(skew=3)], ZONES, "4/3/2/1", "", [44, 66, 77, 100], id="a still larger one"),
    pytest.param([wish()], ZONES, "4/2/1/3", "abx", [33, 83, 100], id="three candidates"),
    pytest.param([wish("zone")], ZONES, "4/2/1/3", "abx", [75, 75, 100], id="zones count all their nodes"),
    pytest.param([wish("zone"), wish()], ZONES, "2/1/2/4", "ax", [100, 63], id="zone and host"),
    pytest.param([wish("zone")], {"a": "1", "b": "", "x": "2"}, "4/2/1", "", [16, 0, 100], id="without the label: nothing"),
])
def test_scores(
    constraints: list[TopologySpreadConstraint], zones: dict[str, str], standing: str, candidates: str, scores: list[float]
) -> None:
    assert scores_of(SPREADING, new_pod(*constraints), cluster(standing, zones), candidates) == scores


@pytest.mark.parametrize(("zones", "standing", "scores"), [
    pytest.param({"a": "", "b": "", "x": "", "y": ""}, "4/3/2/1", [44, 66, 77, 100], id="no zones: hosts alone"),
    pytest.param({"a": "", "b": ""}, "1/0", [66, 100], id="one replica stands already"),
])
def test_pods_without_constraints_get_the_systems_defaults(zones: dict[str, str], standing: str, scores: list[float]) -> None:
    plugin = PodTopologySpread(lambda pod: selector_from_set(FOO))

    assert scores_of(plugin, pod("new", labels=FOO), cluster(standing, zones)) == scores


@pytest.mark.parametrize(("incoming", "selector"), [
    pytest.param(new_pod(constraint()), FOO, id="constraints of its own, none of them a wish"),
    pytest.param(pod(), {}, id="nobody selects or owns the pod"),
])
def test_nothing_to_score(incoming: PodInfo, selector: dict[str, str]) -> None:
    nodes = cluster("2/1/0/3").nodes

    assert not PodTopologySpread(lambda pod: selector_from_set(selector)).pre_score(CycleState(), incoming, nodes, slice(0, 4))


@pytest.mark.req("ENV-03")
def test_replicas_spread_although_one_node_is_emptier() -> None:
    cache = cache_of(node("n2"), node("n3"), placed={"n2": [pod("dns", cpu="200m", memory="140Mi")]})
    plugins = (NodeResourcesFit(), PodTopologySpread(lambda pod: selector_from_set(FOO)), NodeResourcesBalancedAllocation())
    cycle = DecisionCycle(Profile("default-scheduler", plugins, WEIGHTS), cache.nodes)
    chosen = []

    for number in range(4):
        replica = pod(f"web-{number}", labels=FOO, cpu="10m")
        decision = cycle.decide(replica)
        assert isinstance(decision, Decision)
        cache.assume(replica, decision.node_name)
        chosen.append(decision.node_name)

    assert sorted(chosen) == ["n2", "n2", "n3", "n3"]


PLACED = pod("other", labels=FOO, node_name="a")


@pytest.mark.parametrize(("change", "helps"), [
    pytest.param(PodChange(ClusterEvent.ASSIGNED_POD_ADD, new=PLACED), True, id="a matching pod comes"),
    pytest.param(PodChange(ClusterEvent.ASSIGNED_POD_ADD, new=pod("other", labels=BAR)), False, id="another pod comes"),
    pytest.param(PodChange(ClusterEvent.ASSIGNED_POD_DELETE, old=PLACED), True, id="a matching pod goes"),
    pytest.param(PodChange(ClusterEvent.ASSIGNED_POD_DELETE, old=pod(labels=FOO, namespace="ns")), False, id="of another namespace"),
    pytest.param(PodChange(ClusterEvent.ASSIGNED_POD_LABEL, PLACED, pod("other", labels=BAR)), True, id="matches no longer"),
    pytest.param(PodChange(ClusterEvent.ASSIGNED_POD_LABEL, PLACED, pod("other", labels={**FOO, **BAR})), False, id="matches still"),
    pytest.param(PodChange(ClusterEvent.TARGET_POD_UPDATE, new_pod(), new_pod(tolerations=[Toleration(operator="Exists")])), True,
                 id="its own new toleration, taints are honoured"),
    pytest.param(PodChange(ClusterEvent.TARGET_POD_UPDATE, new_pod(), new_pod()), False, id="its own status"),
])
def test_changes_of_pods_that_may_help(change: PodChange, helps: bool) -> None:
    assert SPREADING.helped_by_pod(new_pod(constraint("zone", node_taints_policy="Honor")), change) is helps


IN_ZONE, ELSEWHERE, OUTSIDE = node(labels={"zone": "1"}), node(labels={"zone": "2"}), node()


@pytest.mark.parametrize(("change", "helps"), [
    pytest.param(NodeChange(ClusterEvent.NODE_ADD, new=IN_ZONE), True, id="a domain comes"),
    pytest.param(NodeChange(ClusterEvent.NODE_ADD, new=OUTSIDE), False, id="a node outside all domains comes"),
    pytest.param(NodeChange(ClusterEvent.NODE_DELETE, old=IN_ZONE), True, id="a domain goes"),
    pytest.param(NodeChange(ClusterEvent.NODE_DELETE, old=OUTSIDE), False, id="a node outside goes"),
    pytest.param(NodeChange(ClusterEvent.NODE_LABEL, OUTSIDE, IN_ZONE), True, id="a node joins a domain"),
    pytest.param(NodeChange(ClusterEvent.NODE_LABEL, IN_ZONE, ELSEWHERE), True, id="a node moves"),
    pytest.param(NodeChange(ClusterEvent.NODE_LABEL, IN_ZONE, node(labels={"zone": "1", "disk": "ssd"})), False, id="another label"),
    pytest.param(NodeChange(ClusterEvent.NODE_TAINT, IN_ZONE, node(labels={"zone": "1"}, taints=["k:NoSchedule"])), True, id="a taint"),
    pytest.param(NodeChange(ClusterEvent.NODE_TAINT, OUTSIDE, node(taints=["k:NoSchedule"])), False, id="a taint outside"),
])
def test_changes_of_nodes_that_may_help(change: NodeChange, helps: bool) -> None:
    assert SPREADING.helped_by_node(new_pod(constraint("zone")), change) is helps
