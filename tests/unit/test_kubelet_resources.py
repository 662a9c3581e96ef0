"""From requests and limits to cgroups; waiting longer after each failure."""

from __future__ import annotations

import pytest

from kube.api.core_v1 import Container, ResourceRequirements
from node_agent.kubelet.backoff import Backoff
from node_agent.kubelet.resources import container_resources, oom_score_adj, pod_cgroup, pod_resources, qos_class
from tests.support.pods import UID, container, pod, sidecar


def sized(requests: dict[str, str] | None = None, limits: dict[str, str] | None = None) -> Container:
    return container(resources=ResourceRequirements(requests=requests or {}, limits=limits or {}))


FULL = {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(("wanted", "qos", "score"), [
    pytest.param(container(), "BestEffort", 1000, id="nothing asked"),
    pytest.param(sized(FULL, FULL), "Guaranteed", -997, id="requests equal limits"),
    pytest.param(sized(limits=FULL), "Guaranteed", -997, id="limits alone"),
    pytest.param(sized(FULL), "Burstable", 750, id="a quarter of the memory"),
    pytest.param(sized({"cpu": "1"}), "Burstable", 999, id="only cpu"),
])
def test_quality_of_service(wanted: Container, qos: str, score: int) -> None:
    assert (qos_class(pod(wanted)), oom_score_adj(pod(wanted), wanted, 4 << 30)) == (qos, score)


@pytest.mark.req("POD-05")
def test_limits_become_cgroup_settings() -> None:
    found = container_resources(pod(), sized(limits={"cpu": "100m", "memory": "100Mi"}))

    assert (found.cpu_quota_us, found.cpu_period_us, found.memory_limit, found.cpu_shares) == (10_000, 100_000, 104_857_600, 102)


def test_pod_has_the_sum_where_all_are_limited() -> None:
    half = sized(limits={"cpu": "500m", "memory": "1Gi"})

    limited, open_ended = pod_resources(pod(half, half)), pod_resources(pod(half, container("free")))

    assert (limited.cpu_quota_us, limited.memory_limit, limited.cpu_shares) == (100_000, 2 << 30, 1024)
    assert (open_ended.cpu_quota_us, open_ended.memory_limit) == (None, None)


def test_sidecars_count_with_the_others_and_init_containers_by_their_peak() -> None:
    big = sized({"cpu": "4"})

    assert pod_resources(pod(sized({"cpu": "1"}), init=(big,))).cpu_shares == 4096
    assert pod_resources(pod(sized({"cpu": "1"}), init=(sidecar(resources=big.resources),))).cpu_shares == 5120


def test_cgroup_paths() -> None:
    assert pod_cgroup("/k/node1", pod()) == f"/k/node1/kubepods/besteffort/pod{UID}"
    assert pod_cgroup("/k/node1", pod(sized(FULL, FULL))) == f"/k/node1/kubepods/pod{UID}"


def test_back_off_doubles_to_its_maximum_and_forgets() -> None:
    backoff, waits = Backoff(), []
    assert backoff.remaining_s("a", since=0, now=0) == 0
    for step in range(7):
        backoff.next("a", now=step)
        waits.append(backoff.wait_s("a"))

    assert waits == [10, 20, 40, 80, 160, 300, 300]
    assert backoff.remaining_s("a", since=100, now=150) == 250
    assert backoff.remaining_s("a", since=100, now=1000) == 0
    backoff.next("a", now=1000)
    assert backoff.wait_s("a") == 10


@pytest.mark.req("LIF-12")
@pytest.mark.parametrize(("ran_s", "wait_s"), [
    pytest.param(60, 300, id="ran a minute"), pytest.param(590, 300, id="not quite ten minutes"), pytest.param(601, 10, id="ten minutes"),
])
def test_only_ten_minutes_without_an_end_are_forgiven(ran_s: int, wait_s: int) -> None:
    backoff = Backoff()
    for _ in range(6):
        backoff.next("a", now=0)

    ended = float(ran_s)
    waits = backoff.remaining_s("a", since=ended, now=ended + 299)     # however long it has waited since
    backoff.next("a", now=ended + 300, failed_at=ended)

    assert (waits, backoff.wait_s("a")) == (1 if wait_s == 300 else 0, wait_s)


def test_what_a_pod_says_as_a_whole_comes_first() -> None:
    whole = ResourceRequirements(requests={"cpu": "1", "memory": "1Gi"}, limits={"cpu": "2", "memory": "2Gi"})
    free, own = container("free"), sized({"cpu": "100m", "memory": "256Mi"}, {"cpu": "500m", "memory": "512Mi"})
    asking = pod(free, own, resources=whole)

    found = pod_resources(asking)
    assert (found.cpu_shares, found.cpu_quota_us, found.memory_limit) == (1024, 200_000, 2 << 30)
    assert qos_class(asking) == "Burstable"
    inherited, said = container_resources(asking, free), container_resources(asking, own)
    assert (inherited.cpu_quota_us, inherited.memory_limit) == (200_000, 2 << 30)
    assert (said.cpu_quota_us, said.memory_limit) == (50_000, 512 << 20)
    # The 768 Mi that nobody asked for are shared by two: 384 Mi each, of 4 Gi.
    assert (oom_score_adj(asking, free, 4 << 30), oom_score_adj(asking, own, 4 << 30)) == (907, 844)


def test_a_pod_that_is_limited_as_a_whole_is_guaranteed() -> None:
    amounts = {"cpu": "1", "memory": "1Gi"}

    assert qos_class(pod(container(), resources=ResourceRequirements(requests=amounts, limits=amounts))) == "Guaranteed"


def test_overhead_is_the_pods_own() -> None:
    plain = pod(sized(limits=FULL), overhead={"cpu": "250m", "memory": "128Mi"})

    found = pod_resources(plain)
    assert (found.cpu_quota_us, found.memory_limit) == (125_000, (1024 + 128) << 20)
    assert container_resources(plain, plain.spec.containers[0]).cpu_quota_us == 100_000


def test_huge_pages_by_the_kernels_names() -> None:
    limited = sized(limits={"hugepages-2Mi": "4Mi", "hugepages-1Gi": "1Gi"})

    assert container_resources(pod(limited), limited).huge_pages == {"2MB": 4 << 20, "1GB": 1 << 30}
