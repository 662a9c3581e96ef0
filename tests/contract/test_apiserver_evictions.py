"""Evictions and the budgets that guard Pods. The answers are those of kube-apiserver v1.37, asked the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.api_calls import Api, Json, new_namespace, pod
from tests.support.apiserver import running_apiserver

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]

LABELS = {"app": "web"}
COUNTED = {"observedGeneration": 1, "disruptionsAllowed": 0, "currentHealthy": 2, "desiredHealthy": 1, "expectedPods": 2}
VIOLATES = "Cannot evict pod as it would violate the pod's disruption budget."
GONE_SYNC = {"type": "DisruptionAllowed", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z", "message": "boom"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with running_apiserver(tmp_path_factory.mktemp("apiserver")) as running, running.session() as session:
        yield Api(session)


class Scene:
    """A namespace with one running Pod `p`."""

    def __init__(self, api: Api, path: str, made: Json) -> None:
        self.api = api
        self.pod_path = f"{path}/pods/p"
        self.budgets = path.replace("/api/v1/", "/apis/policy/v1/") + "/poddisruptionbudgets"
        self.made = made

    @classmethod
    async def set(cls, api: Api, name: str, *, ready: bool = True, phase: str = "Running") -> Scene:
        path = await new_namespace(api, name, service_account=True)
        wanted = pod("p", nodeName="n1")
        await api.post(f"{path}/pods", {**wanted, "metadata": {**wanted["metadata"], "labels": LABELS}})
        status = {"phase": phase, "conditions": [{"type": "Ready", "status": str(ready)}]}
        code, made = await api.patch(f"{path}/pods/p/status", {"status": status})
        assert code == 200, made
        return cls(api, path, made)

    async def budget(self, status: Json | None = None, name: str = "b", **spec: Any) -> None:
        body = {"metadata": {"name": name}, "spec": {"minAvailable": 1, "selector": {"matchLabels": LABELS}, **spec}}
        code, answer = await self.api.post(self.budgets, body)
        assert code == 201, answer
        if status is not None:
            code, answer = await self.api.patch(f"{self.budgets}/{name}/status", {"status": status})
            assert code == 200, answer

    async def evict(self, options: Json | None = None, **query: str) -> tuple[int, Json]:
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}, "deleteOptions": options}
        return await self.api.post(f"{self.pod_path}/eviction", body, **query)

    async def untouched(self) -> bool:
        return await self.api.get(self.pod_path) == (200, self.made)


@pytest.mark.parametrize(("status", "retry_after", "cause"), [
    pytest.param(None, 10, "The disruption budget b is still being processed by the server.", id="never counted"),
    pytest.param(
        {**COUNTED, "currentHealthy": 1}, None, "The disruption budget b needs 1 healthy pods and has 1 currently", id="at its limit"),
    pytest.param(COUNTED, None, "The disruption budget b does not allow evicting pods currently", id="none allowed"),
    pytest.param(
        {**COUNTED, "conditions": [{**GONE_SYNC, "reason": "SyncFailed"}]}, None,
        "The disruption budget b does not allow evicting pods currently because it failed sync: boom", id="not counted"),
    pytest.param(
        {**COUNTED, "conditions": [{**GONE_SYNC, "reason": "Other"}]}, None,
        "The disruption budget b does not allow evicting pods currently (Other): boom", id="says why"),
])
async def test_a_budget_refuses(api: Api, request: pytest.FixtureRequest, status: Json | None, retry_after: int | None, cause: str) -> None:
    scene = await Scene.set(api, f"refused-{request.node.callspec.id.replace(' ', '-')}")
    await scene.budget(status)

    code, answer = await scene.evict()
    dry_code, _ = await scene.evict(dryRun="All")

    assert (code, dry_code, answer["reason"], answer["message"]) == (429, 429, "TooManyRequests", VIOLATES)
    assert answer["details"]["causes"] == [{"reason": "DisruptionBudget", "message": cause}]
    assert answer["details"].get("retryAfterSeconds") == retry_after
    assert await scene.untouched()


async def test_a_budget_pays_with_one_of_its_disruptions(api: Api) -> None:
    scene = await Scene.set(api, "pays")
    await scene.budget({**COUNTED, "disruptionsAllowed": 1})

    dry, _ = await scene.evict(dryRun="All")
    _, before = await api.get(f"{scene.budgets}/b")
    held = await scene.untouched()
    code, _ = await scene.evict()
    _, budget = await api.get(f"{scene.budgets}/b")
    _, left = await api.get(scene.pod_path)

    assert (dry, before["status"]["disruptionsAllowed"], held) == (201, 1, True)
    assert (code, budget["status"]["disruptionsAllowed"], list(budget["status"]["disruptedPods"])) == (201, 0, ["p"])
    assert [(one["status"], one["reason"]) for one in budget["status"]["conditions"]] == [("False", "InsufficientPods")]
    assert left["metadata"]["deletionTimestamp"]


async def test_two_budgets_are_one_too_many(api: Api) -> None:
    scene = await Scene.set(api, "two")
    await scene.budget()
    await scene.budget(name="c")

    code, answer = await scene.evict()

    assert (code, answer.get("reason"), answer["message"]) == (
        500, None, "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.")
    assert await scene.untouched()


@pytest.mark.parametrize(("status", "policy", "code"), [
    pytest.param({**COUNTED, "currentHealthy": 0}, "IfHealthyBudget", 429, id="the others are not healthy enough"),
    pytest.param({**COUNTED, "currentHealthy": 1}, "IfHealthyBudget", 201, id="the others suffice"),
    pytest.param(None, "AlwaysAllow", 201, id="always allowed"),
])
async def test_a_pod_that_is_not_ready(
    api: Api, request: pytest.FixtureRequest, status: Json | None, policy: str, code: int
) -> None:
    scene = await Scene.set(api, f"unready-{request.node.callspec.id.replace(' ', '-')}", ready=False)
    await scene.budget(status, unhealthyPodEvictionPolicy=policy)
    _, before = await api.get(f"{scene.budgets}/b")

    evicted, _ = await scene.evict()
    _, after = await api.get(f"{scene.budgets}/b")

    assert evicted == code
    assert after == before


async def test_a_pending_pod_needs_no_leave(api: Api) -> None:
    scene = await Scene.set(api, "pending", phase="Pending", ready=False)
    await scene.budget()
    assert (await scene.evict())[0] == 201


async def test_evictions_that_ask_for_the_impossible(api: Api) -> None:
    scene = await Scene.set(api, "impossible")

    nameless = await api.post(f"{scene.pod_path}/eviction", {"metadata": {}})
    elsewhere = await api.post(f"{scene.pod_path}/eviction", {"metadata": {"name": "p", "namespace": "other"}})
    breaking = await scene.evict({"ignoreStoreReadErrorWithClusterBreakingPotential": True})
    mismatch = await scene.evict({"dryRun": ["All", "All"]}, dryRun="All")
    stale = await scene.evict({"preconditions": {"resourceVersion": "1"}})

    assert [(code, answer["message"]) for code, answer in (nameless, elsewhere, mismatch)] == [
        (400, "name in URL does not match name in Eviction object"),
        (400, "the namespace of the provided object does not match the namespace sent on the request"),
        (500, "Non-matching dry-run options in request and content: [All] and [All All]"),
    ]
    assert (breaking[0], breaking[1]["details"]["causes"][0]["field"]) == (
        422, "deleteOptions.ignoreStoreReadErrorWithClusterBreakingPotential")
    assert (stale[0], stale[1]["details"]) == (409, {"name": "p", "kind": "Pod"})
    assert await scene.untouched()
