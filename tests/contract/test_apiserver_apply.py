"""Managed fields and server-side apply over HTTPS, against a real etcd: what clients see of who owns what."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.api_calls import JSON_PATCH, Api, Json, config_map, deployment, new_namespace, pod
from tests.support.apiserver import RunningApiserver, running_apiserver

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]

APPLY = "application/apply-patch+yaml"
DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningApiserver]:
    directory: Path = tmp_path_factory.mktemp("apply")
    async with running_apiserver(directory) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(server: RunningApiserver) -> AsyncIterator[Api]:
    async with server.session() as session:
        session.headers["User-Agent"] = "tests/1.0 (linux)"
        yield Api(session)


async def apply(api: Api, path: str, body: Any, manager: str = "me", **options: Any) -> tuple[int, Json]:
    return await api.patch(path, body, APPLY, fieldManager=manager, **options)


def owners(obj: Json) -> dict[str, Json]:
    """FieldsV1 by "manager operation [subresource]"."""
    return {
        " ".join(filter(None, (entry["manager"], entry["operation"], entry.get("subresource")))): entry["fieldsV1"]
        for entry in obj["metadata"].get("managedFields", [])
    }


def without_times(obj: Json) -> list[Json]:
    return [{key: value for key, value in entry.items() if key != "time"} for entry in obj["metadata"]["managedFields"]]


# Every write

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


# Apply

async def test_apply_creates_what_is_not_there(api: Api) -> None:
    path = await new_namespace(api, "fresh")

    code, created = await apply(api, f"{path}/services/web", b"""
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  ports: [{port: 80}]
  selector: {app: web}
""")
    again, _ = await apply(api, f"{path}/services/web", {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}], "selector": {"app": "web"}},
    })

    assert (code, again) == (201, 200)
    assert created["spec"]["clusterIP"]
    assert owners(created) == {"me Apply": {
        "f:spec": {"f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}}}, "f:selector": {}},
    }}


async def test_fields_that_are_applied_no_more_go_unless_somebody_owns_them(api: Api) -> None:
    path = await new_namespace(api, "removed") + "/configmaps/a"
    await apply(api, path, config_map("a", mine="1", shared="1"), "one")
    await apply(api, path, config_map("a", shared="1", other="1"), "two")

    nothing = {key: value for key, value in config_map("a").items() if key != "data"}
    _, left = await apply(api, path, nothing, "one")
    _, after = await apply(api, path, config_map("a", other="1"), "two")

    assert left["data"] == {"shared": "1", "other": "1"}
    assert after["data"] == {"other": "1"}
    assert owners(after) == {"two Apply": {"f:data": {"f:other": {}}}}


async def test_items_of_lists_with_keys_have_owners(api: Api) -> None:
    await new_namespace(api, "items")
    path = DEPLOYMENTS.format("items") + "/web"
    await api.post(DEPLOYMENTS.format("items"), deployment("web"))

    def with_containers(*names: str) -> Json:
        containers = [{"name": name, "image": "busybox", "env": [{"name": "A", "value": name}]} for name in names]
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": {"spec": {
            "containers": containers,
        }}}}

    _, both = await apply(api, path, with_containers("main", "side"))
    _, one = await apply(api, path, with_containers("main"))
    _, none = await apply(api, path, with_containers())

    def containers(obj: Json) -> list[tuple[str, bool]]:
        return [(one["name"], "env" in one) for one in obj["spec"]["template"]["spec"]["containers"]]

    assert containers(both) == [("main", True), ("side", True)]
    assert containers(one) == [("main", True)]
    assert containers(none) == [("main", False)]        # its other owner still has it


async def test_a_conflict_names_owner_and_field(api: Api) -> None:
    await new_namespace(api, "conflicts")
    path = DEPLOYMENTS.format("conflicts") + "/web"
    await api.post(DEPLOYMENTS.format("conflicts"), deployment("web"), fieldManager="kubectl-client-side-apply")
    wanted = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 5}}

    code, status = await apply(api, path, wanted)
    forced, taken = await apply(api, path, wanted, force="true")

    assert (code, status["reason"]) == (409, "Conflict")
    assert status["message"] == (
        'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using apps/v1: .spec.replicas'
    )
    assert status["details"] == {"causes": [{
        "reason": "FieldManagerConflict", "message": 'conflict with "kubectl-client-side-apply" using apps/v1', "field": ".spec.replicas",
    }]}
    assert (forced, taken["spec"]["replicas"]) == (200, 5)
    assert "f:replicas" not in owners(taken)["kubectl-client-side-apply Update"]["f:spec"]
    assert owners(taken)["me Apply"] == {"f:spec": {"f:replicas": {}}}


async def test_several_conflicts_are_grouped_by_manager(api: Api) -> None:
    path = await new_namespace(api, "groups") + "/configmaps/a"
    await apply(api, path, config_map("a", x="1"), "one")
    await apply(api, path, config_map("a", y="1", z="1"), "two")

    _, status = await apply(api, path, config_map("a", x="2", y="2", z="2"), "three")

    assert status["message"] == (
        'Apply failed with 3 conflicts: conflicts with "one":\n- .data.x\nconflicts with "two":\n- .data.y\n- .data.z'
    )
    assert [cause["field"] for cause in status["details"]["causes"]] == [".data.x", ".data.y", ".data.z"]


async def test_equal_values_are_shared_without_conflict(api: Api) -> None:
    path = await new_namespace(api, "shared") + "/configmaps/a"
    await apply(api, path, config_map("a", x="1"), "one")

    code, shared = await apply(api, path, config_map("a", x="1"), "two")

    assert code == 200
    assert owners(shared) == {"one Apply": {"f:data": {"f:x": {}}}, "two Apply": {"f:data": {"f:x": {}}}}


async def test_status_is_applied_through_its_subresource(api: Api) -> None:
    await new_namespace(api, "st")
    path = DEPLOYMENTS.format("st") + "/web"
    await api.post(DEPLOYMENTS.format("st"), deployment("web"))
    wanted: Json = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"replicas": 7}, "status": {"replicas": 2},
    }

    code, applied = await apply(api, f"{path}/status", wanted)
    main, _ = await apply(api, path, {**wanted, "spec": {"replicas": 1}}, "other")
    absent, status = await apply(api, DEPLOYMENTS.format("st") + "/none/status", {**wanted, "metadata": {"name": "none"}})

    assert (code, main) == (200, 200)
    assert (applied["status"], applied["spec"]["replicas"]) == ({"replicas": 2}, 1)
    assert owners(applied)["me Apply status"] == {"f:status": {"f:replicas": {}}}
    assert (absent, status["message"]) == (404, 'deployments.apps "none" not found')


async def test_a_scale_is_applied(api: Api) -> None:
    await new_namespace(api, "sc")
    path = DEPLOYMENTS.format("sc") + "/web"
    await api.post(DEPLOYMENTS.format("sc"), deployment("web"))
    wanted = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 4}}

    refused, status = await apply(api, f"{path}/scale", wanted)
    code, scale = await apply(api, f"{path}/scale", wanted, force="true")
    _, read = await api.get(path)

    assert (refused, status["message"]) == (
        409, 'Apply failed with 1 conflict: conflict with "tests" using autoscaling/v1: .spec.replicas',
    )
    assert (code, scale["spec"]["replicas"], read["spec"]["replicas"]) == (200, 4, 4)
    assert owners(read)["me Apply scale"] == {"f:spec": {"f:replicas": {}}}


async def test_a_dry_run_of_apply_leaves_nothing(api: Api) -> None:
    path = await new_namespace(api, "dry") + "/configmaps/a"

    code, shown = await apply(api, path, config_map("a", x="1"), dryRun="All")

    assert (code, shown["data"], list(owners(shown))) == (201, {"x": "1"}, ["me Apply"])
    assert (await api.get(path))[0] == 404


CONFIG: Json = config_map("a", x="1")
REFUSED: dict[str, tuple[Any, Json, int, str | None, str]] = {
    "no manager": (CONFIG, {"fieldManager": ""}, 422, "Invalid",
                   'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'),
    "unknown field": ({**CONFIG, "frob": 1}, {}, 500, None,
                      "failed to create typed patch object (refused/a; /v1, Kind=ConfigMap): .frob: field not declared in schema"),
    "wrong type": ({**CONFIG, "data": {"x": 1}}, {}, 500, None,
                   "failed to create typed patch object (refused/a; /v1, Kind=ConfigMap): .data.x: expected string, got "
                   "&value.valueUnstructured{Value:1}"),
    "other kind": ({**CONFIG, "kind": "Secret"}, {}, 400, "BadRequest", "invalid object type: /v1, Kind=Secret"),
    "other version": ({**CONFIG, "apiVersion": "v2"}, {}, 400, "BadRequest", "invalid object type: /v2, Kind=ConfigMap"),
    "other name": (config_map("b"), {}, 400, "BadRequest",
                   "the name of the object (b) does not match the name on the URL (a)"),
    "managed fields": ({**CONFIG, "metadata": {"name": "a", "managedFields": []}}, {}, 400, "BadRequest",
                       "metadata.managedFields must be nil"),
    "uid of nothing": ({**CONFIG, "metadata": {"name": "a", "uid": "u"}}, {}, 409, "Conflict",
                       'Operation cannot be fulfilled on configmaps "a": uid mismatch: the provided object specified uid u, and no '
                       "existing object was found"),
    "no object": (b"- a\n", {}, 400, "BadRequest",
                  "error decoding patch: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type "
                  "map[string]interface {}"),
    "twice": (b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  x: '1'\n  x: '2'\n", {"fieldValidation": "Strict"}, 400,
              "BadRequest", "error strict decoding patch: error converting YAML to JSON: yaml: unmarshal errors:\n"
                            '  line 6: key "x" already set in map'),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_cannot_be_applied(api: Api, case: str) -> None:
    body, options, code, reason, message = REFUSED[case]
    if case == next(iter(REFUSED)):
        await new_namespace(api, "refused")
    named: Any = body
    if isinstance(body, dict):
        named = {**body, "metadata": {"namespace": "refused", **body["metadata"]}}

    answer, status = await api.patch("/api/v1/namespaces/refused/configmaps/a", named, APPLY, **{"fieldManager": "me", **options})

    assert (answer, status.get("reason"), status["message"]) == (code, reason, message)
    assert (await api.get("/api/v1/namespaces/refused/configmaps/a"))[0] == 404


async def test_force_is_for_apply_alone(api: Api) -> None:
    code, status = await api.patch("/api/v1/namespaces/default", {}, force="true")

    assert (code, status["message"]) == (
        422, 'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch',
    )


async def test_cbor_is_not_taken(api: Api) -> None:
    code, status = await api.patch("/api/v1/namespaces/default", b"\xa0", "application/apply-patch+cbor", fieldManager="me")

    assert (code, status["message"]) == (415, "415: Unsupported Media Type")


async def test_a_resource_version_in_the_configuration_must_be_the_current_one(api: Api) -> None:
    path = await new_namespace(api, "locked") + "/configmaps/a"
    _, first = await apply(api, path, CONFIG)
    _, second = await apply(api, path, config_map("a", x="2"))

    def at(obj: Json) -> Json:
        return {**config_map("a", x="3"), "metadata": {"name": "a", "resourceVersion": obj["metadata"]["resourceVersion"]}}

    old, status = await apply(api, path, at(first))
    current, _ = await apply(api, path, at(second))

    assert (old, status["reason"]) == (409, "Conflict")
    assert "the object has been modified" in status["message"]
    assert current == 200


async def test_who_may_patch_may_not_therefore_create(api: Api, server: RunningApiserver) -> None:
    path = await new_namespace(api, "rights") + "/configmaps"
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch", "get"]}]
    rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/rights"
    await api.post(f"{rbac}/roles", {"metadata": {"name": "patcher"}, "rules": rules})
    await api.post(f"{rbac}/rolebindings", {
        "metadata": {"name": "patcher"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "patcher"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "bob"}],
    })
    await api.post(path, config_map("b"))

    async with server.session(server.pki.identity("bob")) as session:
        bob = Api(session)
        existing, _ = await apply(bob, f"{path}/b", config_map("b", x="1"))
        code, status = await apply(bob, f"{path}/a", CONFIG)

    assert existing == 200
    assert (code, status["message"]) == (
        403, 'configmaps "a" is forbidden: User "bob" cannot create resource "configmaps" in API group "" in the namespace "rights"',
    )


async def test_two_appliers_at_once_make_one_object(api: Api) -> None:
    path = await new_namespace(api, "race") + "/configmaps/a"

    answers = await asyncio.gather(*(apply(api, path, config_map("a", **{f"k{n}": "x"}), f"m{n}") for n in range(8)))
    _, read = await api.get(path)

    assert sorted(code for code, _ in answers) == [200] * 7 + [201]
    assert len(read["data"]) == 8
    assert sorted(entry["manager"] for entry in read["metadata"]["managedFields"]) == [f"m{n}" for n in range(8)]


async def test_kubectl_takes_over_what_its_client_side_apply_wrote(api: Api) -> None:
    path = await new_namespace(api, "migrated") + "/configmaps/a"
    last = json.dumps({**config_map("a", x="1"), "metadata": {"name": "a", "annotations": {}}})
    annotation = "kubectl.kubernetes.io/last-applied-configuration"
    body = {**config_map("a", x="1"), "metadata": {"name": "a", "annotations": {annotation: last}}}
    await api.post(path.rpartition("/")[0], body, fieldManager="kubectl-client-side-apply")

    other, _ = await apply(api, path, config_map("a", x="2"), "somebody")
    code, applied = await apply(api, path, config_map("a", x="2"), "kubectl")

    assert (other, code, applied["data"]) == (409, 200, {"x": "2"})
    assert json.loads(applied["metadata"]["annotations"][annotation])["data"] == {"x": "2"}
    assert owners(applied)["kubectl Apply"] == {"f:data": {"f:x": {}}}


async def test_an_object_has_managers_of_several_versions(api: Api) -> None:
    await new_namespace(api, "versions")
    v1, v2 = (f"/apis/autoscaling/{version}/namespaces/versions/horizontalpodautoscalers/h" for version in ("v1", "v2"))
    spec = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 3}
    hpa = {"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"}, "spec": spec}
    await apply(api, v1, {**hpa, "spec": {**spec, "targetCPUUtilizationPercentage": 50}}, "one")
    metrics = [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}]

    code, status = await apply(api, v2, {**hpa, "apiVersion": "autoscaling/v2", "spec": {**spec, "maxReplicas": 4}}, "two")
    _, forced = await apply(api, v2, {**hpa, "apiVersion": "autoscaling/v2", "spec": {**spec, "metrics": metrics}}, "two", force="true")

    assert (code, status["message"]) == (409, 'Apply failed with 1 conflict: conflict with "one": .spec.maxReplicas')
    assert [(entry["manager"], entry["apiVersion"]) for entry in forced["metadata"]["managedFields"]] == [
        ("one", "autoscaling/v1"), ("two", "autoscaling/v2"),
    ]
    assert "f:targetCPUUtilizationPercentage" not in owners(forced)["one Apply"]["f:spec"]


# Custom kinds

ITEMS = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name", "protocol"], "items": {
    "type": "object", "required": ["name"], "properties": {
        "name": {"type": "string"}, "protocol": {"type": "string", "default": "TCP"}, "value": {"type": "integer"},
    },
}}
SPEC = {"type": "object", "properties": {
    "replicas": {"type": "integer"}, "items": ITEMS,
    "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
    "plain": {"type": "array", "items": {"type": "string"}}, "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "point": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}}},
}}
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "frogs.example.com"},
    "spec": {"group": "example.com", "scope": "Namespaced", "names": {"plural": "frogs", "kind": "Frog"}, "versions": [{
        "name": "v1", "served": True, "storage": True,
        "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}},
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {
            "spec": SPEC, "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
        }}},
    }]},
}
FROGS = "/apis/example.com/v1/namespaces/pond/frogs"


def frog(**spec: Any) -> Json:
    return {"apiVersion": "example.com/v1", "kind": "Frog", "metadata": {"name": "f"}, "spec": spec}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pond(api: Api) -> str:
    await new_namespace(api, "pond")
    code, _ = await api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", DEFINITION)
    assert code == 201
    async with asyncio.timeout(60):
        while (await api.get(FROGS))[0] != 200:  # noqa: ASYNC110 (another process makes it so)
            await asyncio.sleep(0.05)
    return f"{FROGS}/f"


async def test_custom_kinds_are_applied_by_their_schema(api: Api, pond: str) -> None:
    both = frog(items=[{"name": "a", "value": 1}, {"name": "b"}], tags=["x"], plain=["p"], free={"k": {"l": 1}}, point={"x": 1})
    code, created = await apply(api, pond, both, "one")

    second = frog(items=[{"name": "b", "protocol": "TCP", "value": 2}], tags=["y"], free={"k": {"m": 1}})
    shared, merged = await apply(api, pond, second, "two")
    _, left = await apply(api, pond, frog(items=[{"name": "a", "value": 1}]), "one")

    assert (code, shared) == (201, 200)
    assert owners(created) == {"one Apply": {"f:spec": {
        "f:free": {"f:k": {".": {}, "f:l": {}}}, "f:items": {
            'k:{"name":"a","protocol":"TCP"}': {".": {}, "f:name": {}, "f:value": {}},
            'k:{"name":"b","protocol":"TCP"}': {".": {}, "f:name": {}},
        }, "f:plain": {}, "f:point": {}, "f:tags": {'v:"x"': {}},
    }}}
    assert merged["spec"]["free"] == {"k": {"l": 1, "m": 1}}
    assert merged["spec"]["tags"] == ["x", "y"]
    assert left["spec"] == {
        "items": [{"name": "a", "protocol": "TCP", "value": 1}, {"name": "b", "protocol": "TCP", "value": 2}], "tags": ["y"],
        "free": {"k": {"m": 1}},
    }
    await api.delete(pond)


async def test_custom_kinds_have_conflicts_and_subresources(api: Api, pond: str) -> None:
    await api.post(FROGS, frog(replicas=1, plain=["p"], point={"x": 1}))

    _, refused = await apply(api, pond, frog(plain=["q"], point={"x": 1, "y": 1}, replicas=1))
    _, unknown = await apply(api, pond, frog(croaks=True))
    _, twice = await apply(api, pond, frog(items=[{"name": "a"}, {"name": "a", "protocol": "TCP"}]))
    _, status = await api.patch(f"{pond}/status", {"spec": {"replicas": 9}, "status": {"replicas": 1}}, fieldManager="controller")

    assert refused["message"] == (
        'Apply failed with 2 conflicts: conflicts with "tests" using example.com/v1:\n- .spec.plain\n- .spec.point'
    )
    assert unknown["message"].endswith("Kind=Frog): .spec.croaks: field not declared in schema")
    assert twice["message"].endswith('Kind=Frog): .spec.items: duplicate entries for key [name="a",protocol="TCP"]')
    assert owners(status)["controller Update status"] == {"f:status": {".": {}, "f:replicas": {}}}
    await api.delete(pond)
