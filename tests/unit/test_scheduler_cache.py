"""What stands on which Node, as Pods and Nodes come and go."""

from __future__ import annotations

from control_plane.scheduler.cache import SchedulerCache
from tests.support.scheduling import cache_of, node, pod


def cpu_requested(cache: SchedulerCache, name: str) -> float:
    row = cache.nodes.row_of(name)
    assert row is not None
    return float(cache.nodes.requested("cpu")[row])


def test_an_assumed_pod_takes_its_room_at_once_and_only_once() -> None:
    cache = cache_of(node("n1"))
    web = pod("web", cpu="1")

    cache.assume(web, "n1")
    assumed = cpu_requested(cache, "n1")
    cache.set_pod(web, "n1")

    assert (assumed, cpu_requested(cache, "n1"), cache.is_assumed(web.uid)) == (1000, 1000, False)


def test_a_forgotten_pod_gives_its_room_back() -> None:
    cache = cache_of(node("n1"))
    web = pod("web", cpu="1")
    cache.assume(web, "n1")

    cache.forget(web)

    assert (cpu_requested(cache, "n1"), cache.knows(web.uid)) == (0, False)


def test_a_confirmed_pod_is_not_forgotten() -> None:
    cache = cache_of(node("n1"))
    web = pod("web", cpu="1")
    cache.set_pod(web, "n1")

    cache.forget(web)

    assert cpu_requested(cache, "n1") == 1000


def test_the_watch_corrects_a_wrong_assumption() -> None:
    cache = cache_of(node("n1"), node("n2"))
    web = pod("web", cpu="1")
    cache.assume(web, "n1")

    cache.set_pod(web, "n2")

    assert (cpu_requested(cache, "n1"), cpu_requested(cache, "n2")) == (0, 1000)


def test_pods_are_counted_when_their_node_appears_later() -> None:
    cache = cache_of()
    cache.set_pod(pod("web", cpu="1"), "n1")

    cache.set_node(node("n1"))

    assert cpu_requested(cache, "n1") == 1000


def test_a_returning_node_finds_its_pods_counted_and_nothing_else() -> None:
    cache = cache_of(node("n1"), node("n2"), placed={"n1": [pod("web", cpu="1", host_port="TCP/80")]})

    cache.remove_node("n1")
    cache.set_node(node("n3"))          # takes the free row
    empty = cpu_requested(cache, "n3"), dict(cache.nodes.host_ports)
    cache.set_node(node("n1"))

    assert empty == (0, {})
    assert cpu_requested(cache, "n1") == 1000
    assert len(cache.nodes) == 3


def test_the_table_grows_and_keeps_what_it_holds() -> None:
    cache = cache_of(*(node(f"n{number}", labels={"zone": "a"}) for number in range(20)))

    zone = cache.nodes.labels.get("zone")

    assert zone is not None
    assert cache.nodes.live.sum() == zone.any_of(("a",), cache.nodes.size).sum() == len(cache.nodes) == 20
    assert cache.nodes.allocatable("cpu").tolist() == [4000.0] * 20
