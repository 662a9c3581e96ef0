"""Which Node is preferred."""

from __future__ import annotations

import random

import pytest

from control_plane.scheduler.cache import SchedulerCache
from control_plane.scheduler.cycle import Decision, DecisionCycle
from control_plane.scheduler.framework import CycleState, Profile
from control_plane.scheduler.plugins.image_locality import ImageLocality
from control_plane.scheduler.plugins.node_affinity import NodeAffinity
from control_plane.scheduler.plugins.node_resources_balanced_allocation import NodeResourcesBalancedAllocation
from control_plane.scheduler.plugins.node_resources_fit import NodeResourcesFit
from control_plane.scheduler.plugins.taint_toleration import TaintToleration
from control_plane.scheduler.profile import WEIGHTS
from tests.support.scheduling import cache_of, node, pod, preferred

ALL_ROWS = slice(0, 2)
MIB = 1024 * 1024


def cycle_over(cache: SchedulerCache, seed: int = 1) -> DecisionCycle:
    plugins = (TaintToleration(), NodeAffinity(), NodeResourcesFit(), NodeResourcesBalancedAllocation(), ImageLocality())
    return DecisionCycle(Profile("default-scheduler", plugins, WEIGHTS), cache.nodes, random_source=random.Random(seed))


def test_least_allocated_counts_as_upstream_does() -> None:
    # upstream: cpu (4000-1000-1000)*100/4000 = 50, memory (10-2-3)*100/10 = 50 -> 50; the empty node: 75 and 70 -> 72
    cache = cache_of(node("n1", cpu="4", memory="10Gi"), node("n2", cpu="4", memory="10Gi"),
                     placed={"n1": [pod("other", cpu="1", memory="2Gi")]})

    scores = NodeResourcesFit().score(CycleState(), pod(cpu="1", memory="3Gi"), cache.nodes, ALL_ROWS)

    assert scores is not None
    assert scores.tolist() == [50, 72]


def test_pods_without_requests_spread_all_the_same() -> None:
    cache = cache_of(node("n1", cpu="2"), node("n2", cpu="2"))
    cycle = cycle_over(cache)
    chosen = []

    for number in range(4):
        one = pod(f"web-{number}")
        decision = cycle.decide(one)
        assert isinstance(decision, Decision)
        cache.assume(one, decision.node_name)
        chosen.append(decision.node_name)

    assert (chosen.count("n1"), chosen.count("n2")) == (2, 2)


def test_balanced_allocation_prefers_similar_fractions() -> None:
    # n1: cpu 3/4, memory 1/4 -> deviation 0.25 -> 75;  n2: 1/4 and 1/4 -> 100
    cache = cache_of(node("n1", cpu="4", memory="4Gi"), node("n2", cpu="4", memory="4Gi"), placed={"n1": [pod("other", cpu="2")]})

    scores = NodeResourcesBalancedAllocation().score(CycleState(), pod(cpu="1", memory="1Gi"), cache.nodes, ALL_ROWS)

    assert scores is not None
    assert scores.tolist() == [75, 100]


def test_balanced_allocation_leaves_pods_without_requests_alone() -> None:
    assert not NodeResourcesBalancedAllocation().pre_score(CycleState(), pod(), cache_of(node("n1")).nodes, ALL_ROWS)


def test_taints_to_be_avoided_count_against_a_node() -> None:
    cache = cache_of(node("n1", taints=["a:PreferNoSchedule", "b:PreferNoSchedule"]), node("n2", taints=["a:PreferNoSchedule"]))
    plugin = TaintToleration()

    scores = plugin.score(CycleState(), pod(), cache.nodes, ALL_ROWS)

    assert scores is not None
    assert plugin.normalize_score(scores).tolist() == [0, 50]


def test_preferred_terms_add_their_weights() -> None:
    cache = cache_of(node("n1", labels={"zone": "a"}), node("n2", labels={"zone": "b"}))
    plugin = NodeAffinity()

    scores = plugin.score(CycleState(), pod(affinity=preferred(a=20, b=80)), cache.nodes, ALL_ROWS)

    assert scores is not None
    assert plugin.normalize_score(scores).tolist() == [25, 100]


@pytest.mark.parametrize(("size_mib", "score"), [
    pytest.param(10, 0, id="small images do not count"),
    pytest.param(1046, 51, id="scaled between 23 MB and 1000 MB, halved because half of the nodes have it"),
    pytest.param(4000, 100, id="no more than the most"),
])
def test_image_locality(size_mib: int, score: int) -> None:
    cache = cache_of(node("n1", images={"docker.io/library/busybox:latest": 1, "busybox:latest": size_mib * MIB}), node("n2"))

    scores = ImageLocality().score(CycleState(), pod(), cache.nodes, ALL_ROWS)

    assert scores is not None
    assert scores.tolist() == [score, 0]


def test_equals_are_chosen_at_random() -> None:
    cache = cache_of(node("n1"), node("n2"), node("n3"))
    cycle = cycle_over(cache)

    chosen = {decision.node_name for _ in range(60) if isinstance(decision := cycle.decide(pod()), Decision)}

    assert chosen == {"n1", "n2", "n3"}
