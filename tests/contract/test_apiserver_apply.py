"""Server-side apply over HTTPS, against a real etcd: creating, merging, conflicts, and what is refused."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.support.api_calls import Api, Json, config_map, deployment, new_namespace
from tests.support.apiserver import RunningApiserver
from tests.support.managed_fields import APPLY, DEPLOYMENTS, apply, owners

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]


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
