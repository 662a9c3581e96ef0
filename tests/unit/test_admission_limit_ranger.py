"""LimitRanger: what it fills in, and its bounds. The cases are those of upstream's unit tests."""

from __future__ import annotations

from typing import Any

import pytest

from control_plane.apiserver.admission.plugin import Operation
from kube.apimachinery.meta import JsonObject
from tests.support.admission import NAMESPACE, admit, chain, new, pod, refusal, request
from tests.support.memory_store import memory_cache

Resources = dict[str, dict[str, str]]


def limits(kind: str, **keys: dict[str, str]) -> JsonObject:
    return new("LimitRange", "bounds", spec={"limits": [{"type": kind, **keys}]})


def container(name: str = "c", *, requests: dict[str, str] | None = None, limits: dict[str, str] | None = None, **more: Any) -> JsonObject:
    resources = {key: value for key, value in (("requests", requests), ("limits", limits)) if value}
    return {"name": name, "image": "i", **({"resources": resources} if resources else {}), **more}


def claim(size: str = "") -> JsonObject:
    return new("PersistentVolumeClaim", spec={"resources": {"requests": {"storage": size}} if size else {}})


DEFAULTS = limits("Container", default={"cpu": "75m", "memory": "10Mi"}, defaultRequest={"cpu": "50m", "memory": "5Mi"})


@pytest.mark.req("ADM-08")
async def test_a_pod_without_resources_gets_the_defaults() -> None:
    made = await admit(request(pod("x", container("a"), initContainers=[container("i")])), "LimitRanger", DEFAULTS)

    filled = {"requests": {"cpu": "50m", "memory": "5Mi"}, "limits": {"cpu": "75m", "memory": "10Mi"}}
    assert made["spec"]["containers"][0]["resources"] == made["spec"]["initContainers"][0]["resources"] == filled
    assert made["metadata"]["annotations"] == {
        "kubernetes.io/limit-ranger": "LimitRanger plugin set: cpu, memory request for container a; cpu, memory limit for container a; "
        "cpu, memory request for init container i; cpu, memory limit for init container i",
    }


async def test_only_what_is_missing_is_filled_in() -> None:
    some = await admit(request(pod("x", container(requests={"memory": "512Mi"}))), "LimitRanger", DEFAULTS)
    full = pod("x", container(requests={"cpu": "100m", "memory": "512Mi"}, limits={"cpu": "200m", "memory": "1G"}))

    assert some["spec"]["containers"][0]["resources"] == {
        "requests": {"cpu": "50m", "memory": "512Mi"}, "limits": {"cpu": "75m", "memory": "10Mi"},
    }
    assert some["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: cpu request for container c; cpu, memory limit for container c"
    )
    assert await admit(request(full), "LimitRanger", DEFAULTS) == full


async def test_a_limit_range_made_a_moment_ago_counts() -> None:
    async with memory_cache(NAMESPACE) as (store, cache):
        await store.put(DEFAULTS)
        asked = request(pod())
        await chain(cache, "LimitRanger").admit(asked)
    assert asked.obj is not None
    assert asked.obj["spec"]["containers"][0]["resources"]["limits"] == {"cpu": "75m", "memory": "10Mi"}


@pytest.mark.parametrize(("bounds", "containers", "spec"), [
    pytest.param({"min": {"cpu": "50m"}}, [container(requests={"cpu": "100m"})], {}, id="min"),
    pytest.param({"min": {"cpu": "50m"}}, [container(requests={"cpu": "50m"}, limits={"cpu": "200m"})], {}, id="min is enough"),
    pytest.param({"max": {"memory": "2Gi"}}, [container(requests={"memory": "1Gi"}, limits={"memory": "2Gi"})], {}, id="max"),
    pytest.param({"max": {"memory": "2Gi"}}, [container(limits={"memory": "2Gi"})], {}, id="max without request"),
    pytest.param({"maxLimitRequestRatio": {"cpu": "1.5"}}, [container(requests={"cpu": "50m"}, limits={"cpu": "75m"})], {}, id="ratio"),
])
async def test_containers_within_the_bounds(bounds: Resources, containers: list[JsonObject], spec: JsonObject) -> None:
    await admit(request(pod("x", *containers, **spec)), "LimitRanger", limits("Container", **bounds))


@pytest.mark.req("ADM-08")
@pytest.mark.parametrize(("bounds", "resources", "why"), [
    pytest.param(
        {"min": {"cpu": "50m"}}, {"requests": {"cpu": "40m"}}, "minimum cpu usage per Container is 50m, but request is 40m", id="request",
    ),
    pytest.param({"min": {"cpu": "50m"}}, {}, "minimum cpu usage per Container is 50m.  No request is specified", id="no request"),
    pytest.param(
        {"max": {"memory": "1Gi"}}, {"requests": {"memory": "250Mi"}, "limits": {"memory": "2Gi"}},
        "maximum memory usage per Container is 1Gi, but limit is 2Gi", id="limit",
    ),
    pytest.param({"max": {"memory": "1Gi"}}, {}, "maximum memory usage per Container is 1Gi.  No limit is specified", id="no limit"),
    pytest.param(
        {"max": {"cpu": "1"}}, {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}},
        "maximum cpu usage per Container is 1, but request is 2", id="request over the max",
    ),
    pytest.param(
        {"maxLimitRequestRatio": {"cpu": "1"}}, {"requests": {"cpu": "1250m"}, "limits": {"cpu": "2500m"}},
        "cpu max limit to request ratio per Container is 1, but provided ratio is 2.000000", id="ratio",
    ),
    pytest.param(
        {"maxLimitRequestRatio": {"cpu": "2"}}, {"limits": {"cpu": "1"}},
        "cpu max limit to request ratio per Container is 2, but no request is specified or request is 0", id="ratio without request",
    ),
    pytest.param(
        {"maxLimitRequestRatio": {"cpu": "2"}}, {"requests": {"cpu": "1"}},
        "cpu max limit to request ratio per Container is 2, but no limit is specified or limit is 0", id="ratio without limit",
    ),
    pytest.param(
        {"min": {"cpu": "1"}, "max": {"memory": "1Gi"}}, {"requests": {"cpu": "500m"}, "limits": {"memory": "2Gi"}},
        "[minimum cpu usage per Container is 1, but request is 500m, maximum memory usage per Container is 1Gi, but limit is 2Gi]",
        id="two",
    ),
])
async def test_containers_out_of_bounds(bounds: Resources, resources: Resources, why: str) -> None:
    held = limits("Container", **bounds)
    made = pod("x", container("c", requests=resources.get("requests"), limits=resources.get("limits")))
    init = pod("x", container(requests={"cpu": "1", "memory": "1Gi"}, limits={"cpu": "1", "memory": "1Gi"}),
               initContainers=[container("i", requests=resources.get("requests"), limits=resources.get("limits"))])

    assert await refusal(request(made), "LimitRanger", held) == f'pods "x" is forbidden: {why}'
    assert why.strip("[]") in await refusal(request(init), "LimitRanger", held)


@pytest.mark.parametrize(("bounds", "made", "why"), [
    pytest.param(
        {"max": {"cpu": "2"}}, pod("x", *[container(n, limits={"cpu": "1"}) for n in "abc"]),
        "maximum cpu usage per Pod is 2, but limit is 3", id="sum",
    ),
    pytest.param(
        {"max": {"memory": "1Gi"}},
        pod("x", container(limits={"memory": "500Mi"}), initContainers=[container("i", limits={"memory": "1.5Gi"})]),
        "maximum memory usage per Pod is 1Gi, but limit is 1536Mi", id="init container",
    ),
    pytest.param(
        {"max": {"cpu": "2"}},
        pod("x", container(limits={"cpu": "1500m"}), initContainers=[container("i", limits={"cpu": "1"}, restartPolicy="Always")]),
        "maximum cpu usage per Pod is 2, but limit is 2500m", id="sidecar",
    ),
    pytest.param(
        {"min": {"cpu": "160m"}}, pod("x", container(requests={"cpu": "50m"}), resources={"requests": {"cpu": "100m"}}),
        "minimum cpu usage per Pod is 160m, but request is 100m", id="the Pod's own",
    ),
])
async def test_whole_pods_out_of_bounds(bounds: Resources, made: JsonObject, why: str) -> None:
    assert await refusal(request(made), "LimitRanger", limits("Pod", **bounds)) == f'pods "x" is forbidden: {why}'


async def test_whole_pods_within_the_bounds() -> None:
    bounds = limits("Pod", max={"cpu": "2", "memory": "1Gi"}, min={"cpu": "100m"})
    init = [container("i", requests={"cpu": "2"}, limits={"cpu": "2", "memory": "1Gi"})]
    both = [container(n, requests={"cpu": "50m"}, limits={"cpu": "1", "memory": "500Mi"}) for n in "ab"]
    own = pod("x", container(requests={"cpu": "1m"}), resources={"requests": {"cpu": "1"}, "limits": {"cpu": "2", "memory": "1Gi"}})

    await admit(request(pod("x", *both, initContainers=init)), "LimitRanger", bounds)
    await admit(request(own), "LimitRanger", bounds)


@pytest.mark.parametrize(("bounds", "size", "why"), [
    pytest.param({"min": {"storage": "1Gi"}}, "500Mi", "minimum storage usage per {} is 1Gi, but request is 500Mi", id="min"),
    pytest.param({"max": {"storage": "1Gi"}}, "2Gi", "maximum storage usage per {} is 1Gi, but request is 2Gi", id="max"),
    pytest.param({"max": {"storage": "1Gi"}}, "", "maximum storage usage per {} is 1Gi.  No request is specified", id="none"),
])
async def test_claims_out_of_bounds(bounds: Resources, size: str, why: str) -> None:
    held = limits("PersistentVolumeClaim", **bounds)
    said = 'persistentvolumeclaims "x" is forbidden: ' + why.format("PersistentVolumeClaim")
    for operation, old in ((Operation.CREATE, None), (Operation.UPDATE, claim("1Gi"))):
        assert await refusal(request(claim(size), operation, old=old), "LimitRanger", held) == said
    await admit(request(claim("1Gi")), "LimitRanger", held)


async def test_updates_are_looked_at_where_resources_may_change() -> None:
    held = limits("Container", max={"cpu": "1"})
    small, big = pod("x", container(limits={"cpu": "1"})), pod("x", container(limits={"cpu": "2"}))
    going = claim("1Gi")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

    await admit(request(big, Operation.UPDATE, old=small), "LimitRanger", held)
    await admit(request(big, Operation.UPDATE, old=small, subresource="status"), "LimitRanger", held)
    assert "maximum cpu usage per Container is 1, but limit is 2" in await refusal(
        request(big, Operation.UPDATE, old=small, subresource="resize"), "LimitRanger", held,
    )
    await admit(
        request(claim("2Gi"), Operation.UPDATE, old=going), "LimitRanger", limits("PersistentVolumeClaim", max={"storage": "1Gi"}),
    )
