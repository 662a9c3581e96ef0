"""delete and deletecollection: grace, finalizers, propagation, preconditions."""

from __future__ import annotations

import pytest

from tests.support.api_calls import Api, config_map, deployment, new_namespace, pod

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]


async def test_most_kinds_answer_with_a_status(api: Api) -> None:
    path = await new_namespace(api, "plain")
    _, created = await api.post(f"{path}/configmaps", config_map("a"))

    code, status = await api.delete(f"{path}/configmaps/a")
    missing, _ = await api.get(f"{path}/configmaps/a")

    assert (code, missing) == (200, 404)
    assert (status["kind"], status["status"]) == ("Status", "Success")
    assert status["details"] == {"name": "a", "kind": "configmaps", "uid": created["metadata"]["uid"]}


async def test_a_scheduled_pod_gets_its_grace(api: Api) -> None:
    path = await new_namespace(api, "grace", service_account=True)
    await api.post(f"{path}/pods", pod("p", nodeName="n1", terminationGracePeriodSeconds=20))

    code, first = await api.delete(f"{path}/pods/p")
    _, again = await api.delete(f"{path}/pods/p")
    _, shorter = await api.delete(f"{path}/pods/p", {"gracePeriodSeconds": 5})
    gone, _ = await api.delete(f"{path}/pods/p", {"gracePeriodSeconds": 0})
    missing, _ = await api.get(f"{path}/pods/p")

    assert (code, first["kind"], first["metadata"]["deletionGracePeriodSeconds"]) == (200, "Pod", 20)
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert shorter["metadata"]["deletionGracePeriodSeconds"] == 5
    assert shorter["metadata"]["deletionTimestamp"] < first["metadata"]["deletionTimestamp"]
    assert (gone, missing) == (200, 404)


async def test_a_pod_without_a_node_goes_at_once(api: Api) -> None:
    path = await new_namespace(api, "unscheduled", service_account=True)
    await api.post(f"{path}/pods", pod("p"))

    _, answer = await api.delete(f"{path}/pods/p")
    missing, _ = await api.get(f"{path}/pods/p")

    assert (answer["kind"], missing) == ("Pod", 404)


async def test_finalizers_hold_an_object_until_the_last_is_gone(api: Api) -> None:
    path = await new_namespace(api, "finalizers")
    body = config_map("a") | {"metadata": {"name": "a", "finalizers": ["example.com/one"]}}
    await api.post(f"{path}/configmaps", body)

    _, held = await api.delete(f"{path}/configmaps/a")
    refused, status = await api.patch(f"{path}/configmaps/a", {"metadata": {"finalizers": ["example.com/one", "example.com/two"]}})
    _, _ = await api.patch(f"{path}/configmaps/a", {"metadata": {"finalizers": None}})
    missing, _ = await api.get(f"{path}/configmaps/a")

    assert held["metadata"]["deletionTimestamp"]
    assert (refused, missing) == (422, 404)
    assert "no new finalizers can be added if the object is being deleted" in status["message"]


@pytest.mark.parametrize(("policy", "finalizers"), [
    ("Foreground", ["foregroundDeletion"]), ("Orphan", ["orphan"]), ("Background", None),
])
async def test_the_propagation_policy_becomes_a_finalizer(api: Api, policy: str, finalizers: list[str] | None) -> None:
    await new_namespace(api, f"policy-{policy.lower()}")
    path = f"/apis/apps/v1/namespaces/policy-{policy.lower()}/deployments"
    await api.post(path, deployment("web"))

    await api.delete(f"{path}/web", {"propagationPolicy": policy})
    code, left = await api.get(f"{path}/web")

    assert (code == 404) is (finalizers is None)
    assert left.get("metadata", {}).get("finalizers") == finalizers


async def test_preconditions(api: Api) -> None:
    path = await new_namespace(api, "preconditions")
    _, created = await api.post(f"{path}/configmaps", config_map("a"))
    uid = created["metadata"]["uid"]

    code, status = await api.delete(f"{path}/configmaps/a", {"preconditions": {"uid": "another"}})
    right, _ = await api.delete(f"{path}/configmaps/a", {"preconditions": {"uid": uid}})

    assert (code, right) == (409, 200)
    assert f"the UID in the precondition (another) does not match the UID in record ({uid})" in status["message"]


async def test_a_collection_is_deleted_by_selector(api: Api) -> None:
    path = await new_namespace(api, "collection")
    for name, color in (("a", "red"), ("b", "blue"), ("c", "red")):
        await api.post(f"{path}/configmaps", config_map(name) | {"metadata": {"name": name, "labels": {"color": color}}})

    code, deleted = await api.delete(f"{path}/configmaps", labelSelector="color=red")
    _, left = await api.get(f"{path}/configmaps")

    assert (code, deleted["kind"]) == (200, "ConfigMapList")
    assert [item["metadata"]["name"] for item in deleted["items"]] == ["a", "c"]
    assert [item["metadata"]["name"] for item in left["items"]] == ["b"]


async def test_a_namespace_ends_when_it_is_finalized(api: Api) -> None:
    path = await new_namespace(api, "ending")

    _, marked = await api.delete(path)
    refused, status = await api.post(f"{path}/configmaps", config_map("late"))
    _, finalized = await api.put(f"{path}/finalize", {**marked, "spec": {}})
    missing, _ = await api.get(path)

    assert (marked["status"]["phase"], marked["spec"]["finalizers"]) == ("Terminating", ["kubernetes"])
    assert refused == 403
    assert "because it is being terminated" in status["message"]
    assert finalized["kind"] == "Namespace"
    assert missing == 404


@pytest.mark.parametrize("version", ["v1", "v1beta1"])      # v1beta1: kubectl drain before 1.22
async def test_an_evicted_pod_goes(api: Api, version: str) -> None:
    path = await new_namespace(api, f"evict-{version}", service_account=True)
    await api.post(f"{path}/pods", pod("p", nodeName="n1"))

    eviction = {"apiVersion": f"policy/{version}", "kind": "Eviction", "metadata": {"name": "p"}}
    code, status = await api.post(f"{path}/pods/p/eviction", eviction)
    _, left = await api.get(f"{path}/pods/p")

    assert (code, status["status"]) == (201, "Success")
    assert left["metadata"]["deletionTimestamp"]
    assert left["status"]["conditions"][-1]["type"] == "DisruptionTarget"


@pytest.mark.parametrize("precondition", ["uid", "resourceVersion"])
async def test_an_eviction_that_is_refused_leaves_no_mark(api: Api, precondition: str) -> None:
    path = await new_namespace(api, f"unmarked-{precondition.lower()}", service_account=True)
    _, made = await api.post(f"{path}/pods", pod("p", nodeName="n"))

    def eviction(value: str) -> dict[str, object]:
        return {"metadata": {"name": "p"}, "deleteOptions": {"preconditions": {precondition: value}}}

    refused, _ = await api.post(f"{path}/pods/p/eviction", eviction("1"))
    _, held = await api.get(f"{path}/pods/p")
    evicted, _ = await api.post(f"{path}/pods/p/eviction", eviction(made["metadata"][precondition]))

    assert (refused, evicted) == (409, 201)
    assert held == made
