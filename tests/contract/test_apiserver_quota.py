"""ResourceQuotas at a real apiserver over a real etcd: what is charged, what is refused, and that nothing slips through.

No controller runs here: the tests write a quota's status themselves.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.api_calls import Api, Json, config_map, new_namespace, pod, service
from tests.support.apiserver import RunningApiserver, running_apiserver

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]

LIMITED = {
    "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AdmissionConfiguration",
    "plugins": [{"name": "ResourceQuota", "configuration": {
        "apiVersion": "apiserver.config.k8s.io/v1", "kind": "ResourceQuotaConfiguration",
        "limitedResources": [
            {"resource": "persistentvolumeclaims", "matchContains": [".storageclass.storage.k8s.io/requests.storage"]},
            {"resource": "pods", "matchScopes": [{"scopeName": "PriorityClass", "operator": "In", "values": ["rare"]}]},
        ],
    }}],
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningApiserver]:
    directory = tmp_path_factory.mktemp("apiserver")
    configuration = directory / "admission.json"
    configuration.write_text(json.dumps(LIMITED))
    async with running_apiserver(directory, admission_control_config_file=str(configuration)) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def api(server: RunningApiserver) -> AsyncIterator[Api]:
    async with server.session() as session:
        yield Api(session)


async def new_quota(api: Api, space: str, hard: Json, *, name: str = "q", used: Json | None = None, **spec: Any) -> str:
    """A quota with the status that a controller would give it, once the server's cache has it; returns its path."""
    code, quota = await api.post(f"{space}/resourcequotas", {"metadata": {"name": name}, "spec": {"hard": hard, **spec}})
    assert code == 201, quota
    quota["status"] = {"hard": hard, "used": dict.fromkeys(hard, "0") if used is None else used}
    code, quota = await api.put(f"{space}/resourcequotas/{name}/status", quota)
    assert code == 200, quota
    return await cached(api, f"{space}/resourcequotas/{name}", quota)


async def cached(api: Api, path: str, written: Json) -> str:
    """Waits until the cache, of which admission asks, knows of what was written. Returns the path."""
    code, found = await api.get(f"{path}?resourceVersion={written['metadata']['resourceVersion']}")
    assert code == 200, found
    return path


async def used_of(api: Api, quota: str) -> Json:
    code, found = await api.get(quota)
    assert code == 200, found
    used: Json = found["status"]["used"]
    return used


async def names(api: Api, path: str) -> list[str]:
    return [item["metadata"]["name"] for item in (await api.get(path))[1]["items"]]


@pytest.mark.req("ADM-14")
async def test_a_third_pod_does_not_fit_into_a_quota_of_two(api: Api) -> None:
    space = await new_namespace(api, "two", service_account=True)
    quota = await new_quota(api, space, {"pods": "2"})

    codes = [(await api.post(f"{space}/pods", pod(name)))[0] for name in ("a", "b")]
    code, refusal = await api.post(f"{space}/pods", pod("c"))

    assert (codes, code) == ([201, 201], 403)
    assert refusal["message"] == 'pods "c" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2'
    assert refusal["reason"] == "Forbidden"
    assert await used_of(api, quota) == {"pods": "2"}
    managers = (await api.get(quota))[1]["metadata"]["managedFields"]
    assert [(one["operation"], one["fieldsV1"]) for one in managers if one["manager"] == "kube-apiserver"] == [
        ("Update", {"f:status": {"f:used": {"f:pods": {}}}})]


async def test_many_at_once_never_get_more_than_the_quota(api: Api) -> None:
    space = await new_namespace(api, "many", service_account=True)
    quota = await new_quota(api, space, {"pods": "7", "requests.cpu": "1"})
    await new_quota(api, space, {"requests.memory": "1Gi"}, name="memory")
    asking = {"requests": {"cpu": "150m", "memory": "1Mi"}}

    answers = await asyncio.gather(*(
        api.post(f"{space}/pods", pod(f"p{number}", containers=[{"name": "c", "image": "busybox", "resources": asking}]))
        for number in range(40)))

    assert Counter(code for code, _ in answers) == {201: 6, 403: 34}
    assert len(await names(api, f"{space}/pods")) == 6
    assert await used_of(api, quota) == {"pods": "6", "requests.cpu": "900m"}
    assert await used_of(api, f"{space}/resourcequotas/memory") == {"requests.memory": "6Mi"}


async def test_two_apiservers_share_one_quota(server: RunningApiserver, api: Api, tmp_path: Path) -> None:
    space = await new_namespace(api, "shared")
    quota = await new_quota(api, space, {"configmaps": "10"})
    other = RunningApiserver(tmp_path, server.etcd, server.pki)
    await other.start()
    try:
        async with other.session() as session:
            apis = (api, Api(session))
            answers = await asyncio.gather(*(
                apis[number % 2].post(f"{space}/configmaps", config_map(f"c{number}")) for number in range(60)))
    finally:
        await other.stop()

    created = sum(code == 201 for code, _ in answers)
    assert {code for code, _ in answers} <= {201, 403, 409}, answers      # 409: beaten too often by the other server
    assert created == len(await names(api, f"{space}/configmaps")) == 10
    assert await used_of(api, quota) == {"configmaps": "10"}


async def test_what_is_refused_costs_nothing(api: Api) -> None:
    space = await new_namespace(api, "refused", service_account=True)
    quota = await new_quota(api, space, {"pods": "3", "configmaps": "3", "limits.memory": "1Gi"})
    limited = [{"name": "c", "image": "busybox", "resources": {"limits": {"memory": "10Mi"}}}]
    _, taken = await api.post(f"{space}/configmaps", config_map("taken"))
    await cached(api, f"{space}/configmaps/taken", taken)
    before = await used_of(api, quota)

    refusals = [
        await api.post(f"{space}/pods", pod("silent")),
        await api.post(f"{space}/pods", pod("Wrong Name", containers=limited)),
        await api.post(f"{space}/pods", pod("greedy", containers=[{**limited[0], "resources": {"limits": {"memory": "2Gi"}}}])),
        await api.post(f"{space}/configmaps", config_map("taken")),
        await api.post(f"{space}/configmaps", config_map("tried"), dryRun="All"),
    ]

    assert [code for code, _ in refusals] == [403, 422, 403, 409, 201]
    assert refusals[0][1]["message"] == 'pods "silent" is forbidden: failed quota: q: must specify limits.memory for: main'
    assert refusals[2][1]["message"] == (
        'pods "greedy" is forbidden: exceeded quota: q, requested: limits.memory=2Gi, used: limits.memory=0, limited: limits.memory=1Gi')
    assert before == await used_of(api, quota) == {"pods": "0", "configmaps": "1", "limits.memory": "0"}


async def test_a_quota_without_usage_lets_nothing_through(api: Api) -> None:
    space = await new_namespace(api, "unknown")
    await new_quota(api, space, {"configmaps": "3", "secrets": "3"}, used={"secrets": "0"})

    code, refusal = await api.post(f"{space}/configmaps", config_map("a"))

    assert code == 403
    assert refusal["message"] == 'configmaps "a" is forbidden: status unknown for quota: q, resources: configmaps'


async def test_a_service_pays_for_what_it_becomes(api: Api) -> None:
    space = await new_namespace(api, "services")
    quota = await new_quota(api, space, {"services": "3", "services.nodeports": "2", "services.loadbalancers": "0"})
    ports = [{"name": "a", "port": 80}, {"name": "b", "port": 81}]

    await api.post(f"{space}/services", service("web", ports=ports))
    became, _ = await api.patch(f"{space}/services/web", {"spec": {"type": "NodePort"}})
    balanced, refusal = await api.patch(f"{space}/services/web", {"spec": {"type": "LoadBalancer"}})
    another, other = await api.post(f"{space}/services", service("more", type="NodePort"))

    assert (became, balanced, another) == (200, 403, 403)
    assert refusal["message"].endswith(
        "exceeded quota: q, requested: services.loadbalancers=1, used: services.loadbalancers=0, limited: services.loadbalancers=0")
    assert other["message"].endswith("requested: services.nodeports=1, used: services.nodeports=2, limited: services.nodeports=2")
    assert await used_of(api, quota) == {"services": "1", "services.nodeports": "2", "services.loadbalancers": "0"}


async def test_a_resized_pod_pays_for_what_it_grows(api: Api) -> None:
    space = await new_namespace(api, "resized", service_account=True)
    quota = await new_quota(api, space, {"requests.cpu": "1"})
    container = {"name": "main", "image": "busybox", "resources": {"requests": {"cpu": "400m"}}}
    await api.post(f"{space}/pods", pod("a", containers=[container]))

    def wanting(cpu: str) -> Json:
        return {"spec": {"containers": [{"name": "main", "resources": {"requests": {"cpu": cpu}}}]}}

    grown, _ = await api.patch(f"{space}/pods/a/resize", wanting("900m"), "application/strategic-merge-patch+json")
    after = await used_of(api, quota)
    too_much, refusal = await api.patch(f"{space}/pods/a/resize", wanting("1100m"), "application/strategic-merge-patch+json")

    assert (grown, after, too_much) == (200, {"requests.cpu": "900m"}, 403)
    assert refusal["message"] == (
        'pods "a" is forbidden: exceeded quota: q, requested: requests.cpu=200m, used: requests.cpu=900m, limited: requests.cpu=1')


async def test_what_is_limited_by_configuration_needs_a_quota(api: Api) -> None:
    space = await new_namespace(api, "limited", service_account=True)
    await api.post("/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": {"name": "rare"}, "value": 10})
    claim = {"metadata": {"name": "c"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "storageClassName": "gold", "resources": {"requests": {"storage": "1Gi"}}}}

    plain, _ = await api.post(f"{space}/pods", pod("plain"))
    claimed, refusal = await api.post(f"{space}/persistentvolumeclaims", claim)
    important, other = await api.post(f"{space}/pods", pod("important", priorityClassName="rare"))

    assert (plain, claimed, important) == (201, 403, 500)
    assert refusal["message"] == (
        'persistentvolumeclaims "c" is forbidden: insufficient quota to consume: gold.storageclass.storage.k8s.io/requests.storage')
    assert other["message"].endswith("insufficient quota to match these scopes: [{PriorityClass In [rare]}]")

    await new_quota(api, space, {"gold.storageclass.storage.k8s.io/requests.storage": "2Gi"}, name="gold")
    rare = {"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["rare"]}]}}
    await new_quota(api, space, {"pods": "1"}, name="rare", **rare)

    codes = [
        (await api.post(f"{space}/persistentvolumeclaims", claim))[0],
        (await api.post(f"{space}/pods", pod("important", priorityClassName="rare")))[0],
        (await api.post(f"{space}/pods", pod("second", priorityClassName="rare")))[0],
        (await api.post(f"{space}/pods", pod("common")))[0],
    ]
    assert codes == [201, 201, 403, 201]
