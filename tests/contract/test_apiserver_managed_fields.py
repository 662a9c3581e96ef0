"""Managed fields over HTTPS, against a real etcd: every write has its owner, and clients see who owns what."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.api_calls import JSON_PATCH, Api, Json, config_map, deployment, new_namespace, pod
from tests.support.managed_fields import DEPLOYMENTS, apply, owners

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]


async def test_who_creates_owns_what_it_sent_and_the_defaults(api: Api) -> None:
    await new_namespace(api, "owner")

    _, created = await api.post(DEPLOYMENTS.format("owner"), deployment("web"))
    (entry,) = created["metadata"]["managedFields"]

    assert {key: entry[key] for key in ("manager", "operation", "apiVersion", "fieldsType")} == {
        "manager": "tests", "operation": "Update", "apiVersion": "apps/v1", "fieldsType": "FieldsV1",
    }
    assert entry["time"] == created["metadata"]["creationTimestamp"]
    spec = entry["fieldsV1"]["f:spec"]
    assert {"f:replicas", "f:progressDeadlineSeconds", "f:selector", "f:template"} <= spec.keys()
    assert spec["f:selector"] == {}
    assert 'k:{"name":"main"}' in spec["f:template"]["f:spec"]["f:containers"]
    assert "f:metadata" not in entry["fieldsV1"]


async def test_what_admission_adds_is_nobodys(api: Api) -> None:
    path = await new_namespace(api, "added", service_account=True)

    _, created = await api.post(f"{path}/pods", pod("a"))

    assert created["spec"]["serviceAccountName"] == "default"
    assert created["spec"]["tolerations"]
    assert not {"f:serviceAccountName", "f:serviceAccount", "f:tolerations", "f:volumes"} & owners(created)["tests Update"]["f:spec"].keys()


async def test_an_update_takes_over_what_it_changes(api: Api) -> None:
    path = await new_namespace(api, "takes")
    _, created = await api.post(f"{path}/configmaps", config_map("a", x="1", y="1"))

    _, updated = await api.patch(f"{path}/configmaps/a", {"data": {"x": "2", "z": "1"}}, fieldManager="other")

    assert owners(created) == {"tests Update": {"f:data": {".": {}, "f:x": {}, "f:y": {}}}}
    assert owners(updated) == {"tests Update": {"f:data": {".": {}, "f:y": {}}}, "other Update": {"f:data": {"f:x": {}, "f:z": {}}}}


async def test_fields_that_go_have_no_owner(api: Api) -> None:
    path = await new_namespace(api, "gone")
    _, created = await api.post(f"{path}/configmaps", config_map("a", x="1", y="1"))
    del created["data"]["y"]

    _, updated = await api.put(f"{path}/configmaps/a", created, fieldManager="other")

    assert owners(updated) == {"tests Update": {"f:data": {".": {}, "f:x": {}}}}


async def test_status_and_scale_have_entries_of_their_own(api: Api) -> None:
    await new_namespace(api, "doors")
    path = DEPLOYMENTS.format("doors") + "/web"
    await api.post(DEPLOYMENTS.format("doors"), deployment("web"))

    await api.patch(f"{path}/status", {"spec": {"replicas": 9}, "status": {"replicas": 1}}, fieldManager="controller")
    await api.patch(f"{path}/scale", {"spec": {"replicas": 3}}, fieldManager="scaler")
    _, read = await api.get(path)
    by_manager = {entry["manager"]: entry for entry in read["metadata"]["managedFields"]}

    assert read["spec"]["replicas"] == 3
    assert owners(read)["controller Update status"] == {"f:status": {"f:replicas": {}}}
    assert by_manager["scaler"] == {
        "manager": "scaler", "operation": "Update", "apiVersion": "apps/v1", "subresource": "scale", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:replicas": {}}},
    }
    assert "f:replicas" not in by_manager["tests"]["fieldsV1"]["f:spec"]
    assert "managedFields" not in (await api.get(f"{path}/scale"))[1]["metadata"]


async def test_a_binding_has_no_manager(api: Api) -> None:
    path = await new_namespace(api, "bound", service_account=True)
    _, created = await api.post(f"{path}/pods", pod("a"))

    await api.post(f"{path}/pods/a/binding", {"target": {"kind": "Node", "name": "n1"}})
    _, read = await api.get(f"{path}/pods/a")

    assert read["spec"]["nodeName"] == "n1"
    assert read["metadata"]["managedFields"] == created["metadata"]["managedFields"]


async def test_a_write_that_changes_nothing_writes_nothing(api: Api) -> None:
    path = await new_namespace(api, "idle")
    await api.post(f"{path}/configmaps", config_map("a", x="1"))
    _, first = await apply(api, f"{path}/configmaps/a", config_map("a", x="1", y="2"))
    await asyncio.sleep(1.1)        # managers' times have no parts of a second

    _, again = await apply(api, f"{path}/configmaps/a", config_map("a", x="1", y="2"))
    _, updated = await api.put(f"{path}/configmaps/a", first)

    assert again == first
    assert updated == first


@pytest.mark.parametrize("reset", [[], [{}]], ids=["empty", "one empty entry"])
async def test_managed_fields_can_be_reset(api: Api, reset: list[Json]) -> None:
    path = await new_namespace(api, f"reset-{len(reset)}")
    _, created = await api.post(f"{path}/configmaps", config_map("a", x="1"))

    _, patched = await api.patch(f"{path}/configmaps/a", {"metadata": {"managedFields": reset}})
    _, updated = await api.patch(f"{path}/configmaps/a", {"data": {"x": "2"}})
    _, applied = await apply(api, f"{path}/configmaps/a", config_map("a", y="1"))

    assert created["metadata"]["managedFields"]
    assert "managedFields" not in patched["metadata"]
    assert "managedFields" not in updated["metadata"]       # as upstream: who is not tracked is not tracked again by an update
    assert owners(applied) == {
        "me Apply": {"f:data": {"f:y": {}}}, "before-first-apply Update": {"f:data": {".": {}, "f:x": {}}},
    }


async def test_a_client_may_write_managed_fields_but_no_nonsense(api: Api) -> None:
    path = await new_namespace(api, "edited")
    _, created = await api.post(f"{path}/configmaps", config_map("a", x="1"))
    renamed = [{**created["metadata"]["managedFields"][0], "manager": "renamed"}]
    nonsense = [{"manager": "x", "operation": "Frobnicate", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {}}]

    _, first = await api.put(f"{path}/configmaps/a", {**created, "metadata": {**created["metadata"], "managedFields": renamed}})
    _, second = await api.patch(f"{path}/configmaps/a", {"metadata": {"managedFields": nonsense}})
    _, third = await api.patch(f"{path}/configmaps/a", {"metadata": {"managedFields": None}})

    assert list(owners(first)) == ["renamed Update"]
    assert first["metadata"]["managedFields"][0]["time"] == renamed[0]["time"]
    assert second["metadata"]["managedFields"] == third["metadata"]["managedFields"] == first["metadata"]["managedFields"]


async def test_a_json_patch_reaches_into_managed_fields(api: Api) -> None:
    path = await new_namespace(api, "pointer")
    await api.post(f"{path}/configmaps", config_map("a", x="1"))
    patch = [{"op": "replace", "path": "/metadata/managedFields/0/manager", "value": "renamed"}]

    code, patched = await api.patch(f"{path}/configmaps/a", patch, JSON_PATCH)

    assert (code, list(owners(patched))) == (200, ["renamed Update"])


async def test_old_managers_become_one(api: Api) -> None:
    path = await new_namespace(api, "many")
    await api.post(f"{path}/configmaps", config_map("a", x="1"))

    for number in range(15):
        _, read = await api.patch(f"{path}/configmaps/a", {"data": {f"k{number}": "x"}}, fieldManager=f"m{number:02}")

    assert len(read["metadata"]["managedFields"]) == 10
    assert owners(read)["ancient-changes Update"]["f:data"].keys() >= {"f:k0", "f:k1", "f:k2"}
    assert owners(read)["m14 Update"] == {"f:data": {"f:k14": {}}}


async def test_lists_and_other_encodings_show_managed_fields(api: Api) -> None:
    path = await new_namespace(api, "shown")
    _, created = await api.post(f"{path}/configmaps", config_map("a", x="1"))
    accept = {"Accept": "application/yaml"}

    _, listed = await api.get(f"{path}/configmaps")
    async with api.session.get(f"{path}/configmaps/a", headers=accept) as answer:
        text = await answer.text()
    async with api.session.get(f"{path}/configmaps/a", headers={"Accept": "application/vnd.kubernetes.protobuf"}) as answer:
        protobuf = await answer.read()

    assert listed["items"][0]["metadata"]["managedFields"] == created["metadata"]["managedFields"]
    assert "fieldsV1:\n      f:data:\n        .: {}\n        f:x: {}\n" in text
    assert b'{"f:data":{".":{},"f:x":{}}}' in protobuf


async def test_a_watch_shows_managed_fields(api: Api) -> None:
    path = await new_namespace(api, "watched")
    _, created = await api.post(f"{path}/configmaps", config_map("a", x="1"))

    async with api.watch(f"{path}/configmaps", resourceVersion="0", fieldSelector="metadata.name=a") as watch:
        _, seen = await watch.next()

    assert seen["metadata"]["managedFields"] == created["metadata"]["managedFields"]
