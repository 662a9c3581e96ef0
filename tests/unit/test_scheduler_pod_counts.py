"""Pods per Node and selector, as Pods and Nodes come and go."""

from __future__ import annotations

import pytest

from control_plane.scheduler import pod_counts
from control_plane.scheduler.cache import SchedulerCache
from kube.apimachinery.labels import Selector, parse_selector
from tests.support.scheduling import cache_of, node, pod

WEB = parse_selector("app=web")


def counts(cache: SchedulerCache, selector: Selector = WEB, namespace: str = "default") -> dict[str, float]:
    table = cache.nodes
    column = table.pods.matching(namespace, selector, table.size)
    return {name: float(column[row]) for name in ("n1", "n2") if (row := table.row_of(name)) is not None}


@pytest.fixture
def cache() -> SchedulerCache:
    return cache_of(node("n1"), node("n2"), placed={"n1": [pod("w1", labels={"app": "web"}), pod("w2", labels={"app": "web", "v": "2"})]})


@pytest.mark.parametrize(("selector", "number"), [
    pytest.param("app=web", 2, id="both"),
    pytest.param("app=web,v=2", 1, id="one"),
    pytest.param("app in (web,db),!v", 1, id="without a label"),
    pytest.param("app=db", 0, id="none"),
])
def test_a_selector_counts_who_is_there_already(cache: SchedulerCache, selector: str, number: int) -> None:
    assert counts(cache, parse_selector(selector)) == {"n1": number, "n2": 0}


def test_a_selector_asked_for_once_follows_what_happens(cache: SchedulerCache) -> None:
    seen = [counts(cache)]

    cache.assume(pod("w3", labels={"app": "web", "new": "labels"}), "n2")
    seen.append(counts(cache))
    cache.set_pod(pod("w3", labels={"app": "web", "new": "labels"}), "n2")
    seen.append(counts(cache))
    cache.remove_pod(pod("w1").uid)
    seen.append(counts(cache))

    assert seen == [{"n1": 2, "n2": 0}, {"n1": 2, "n2": 1}, {"n1": 2, "n2": 1}, {"n1": 1, "n2": 1}]


def test_a_pod_that_is_being_deleted_counts_no_more(cache: SchedulerCache) -> None:
    counts(cache)

    cache.set_pod(pod("w1", labels={"app": "web"}, metadata={"deletion_timestamp": "2026-01-01T00:00:00Z"}), "n1")
    while_dying = counts(cache)
    cache.remove_pod(pod("w1").uid)

    assert (while_dying["n1"], counts(cache)["n1"]) == (1, 1)


def test_namespaces_are_apart(cache: SchedulerCache) -> None:
    counts(cache, namespace="other")

    cache.assume(pod("w3", labels={"app": "web"}, namespace="other"), "n2")

    assert counts(cache) == {"n1": 2, "n2": 0}
    assert counts(cache, namespace="other") == {"n1": 0, "n2": 1}


def test_a_node_that_goes_takes_its_pods_along_and_brings_them_back(cache: SchedulerCache) -> None:
    counts(cache)

    cache.remove_node("n1")
    cache.set_node(node("n3"))                  # takes the free row
    column = cache.nodes.pods.matching("default", WEB, cache.nodes.size)
    without = float(column.sum())
    cache.set_node(node("n1"))

    assert without == 0
    assert counts(cache) == {"n1": 2, "n2": 0}


def test_columns_grow_with_the_table(cache: SchedulerCache) -> None:
    counts(cache)

    for number in range(10, 40):
        cache.set_node(node(f"n{number}"))
    cache.assume(pod("w3", labels={"app": "web"}), "n39")

    assert cache.nodes.pods.matching("default", WEB, cache.nodes.size).sum() == 3


def test_forgotten_selectors_are_counted_anew(cache: SchedulerCache) -> None:
    counts(cache)

    for number in range(pod_counts.MAX_COLUMNS):
        counts(cache, parse_selector(f"app=web,x!={number}"))
    cache.assume(pod("w3", labels={"app": "web"}), "n2")

    assert counts(cache) == {"n1": 2, "n2": 1}
