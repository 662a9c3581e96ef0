"""CustomResourceDefinitions and their objects, over HTTPS against a real etcd."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.api_calls import STRATEGIC_PATCH, Api, Json, new_namespace
from tests.support.apiserver import RunningApiserver, running_apiservers
from tests.support.custom_kinds import (
    CRON_SPEC,
    DEFINITIONS,
    GROUP,
    SCALE,
    condition,
    custom,
    definition,
    established,
    gone,
    root,
    until,
    version,
)

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(server: RunningApiserver) -> AsyncIterator[Api]:
    async with server.session() as session:
        api = Api(session)
        columns = [{"name": "Spec", "type": "string", "jsonPath": ".spec.cronSpec"},
                   {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"}]
        await established(api, definition(
            "crontabs", "CronTab", version(subresources={"status": {}, "scale": SCALE}, additionalPrinterColumns=columns),
            names={"shortNames": ["ct"], "categories": ["all"]}))
        yield api


async def objects(api: Api, name: str) -> str:
    """The path of CronTabs in a namespace of the test's own."""
    return (await new_namespace(api, name)).replace("/api/v1", f"/apis/{GROUP}/v1") + "/crontabs"


async def test_what_is_created_is_pruned_and_defaulted(api: Api) -> None:
    path = await objects(api, "pruned")

    code, made = await api.post(path, custom("a", spec={"cronSpec": "* * * * *", "unknown": 1}, other=2))

    assert (code, made["spec"], "other" in made) == (201, {"cronSpec": "* * * * *", "replicas": 1}, False)
    assert made["metadata"]["generation"] == 1
    assert (await api.get(f"{path}/a"))[1] == made


@pytest.mark.parametrize(("spec", "message"), [
    ({"cronSpec": "* * * * *", "replicas": "three"},
     'spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string"'),
    ({"replicas": 2}, "spec.cronSpec: Required value"),
    ({"cronSpec": "* * * * *", "replicas": 11},
     "spec.replicas: Invalid value: 11: spec.replicas in body should be less than or equal to 10"),
    ({"cronSpec": "often"},
     "spec.cronSpec: Invalid value: \"often\": spec.cronSpec in body should match '^(\\d+|\\*)(\\s+(\\d+|\\*)){4}$'"),
])
async def test_invalid_objects_are_refused_in_upstreams_words(api: Api, spec: dict[str, object], message: str) -> None:
    path = await objects(api, f"invalid-{len(message)}")

    code, status = await api.post(path, custom("a", spec=spec))

    assert code == 422
    assert status["message"].startswith(f'CronTab.{GROUP} "a" is invalid: ')
    assert message in status["message"]


async def test_unknown_fields_are_refused_where_that_is_asked(api: Api) -> None:
    path = await objects(api, "strict")
    body = custom("a", spec={"cronSpec": "* * * * *", "imaeg": "x"})

    code, status = await api.post(path, body, fieldValidation="Strict")
    async with api.session.post(path, json=body, params={"fieldValidation": "Warn"}) as answer:
        warning = answer.headers["Warning"]

    assert (code, status["message"]) == (
        400, 'CronTab in version "v1" cannot be handled as a CronTab: strict decoding error: unknown field "spec.imaeg"')
    assert warning == '299 - "unknown field \\"spec.imaeg\\""'


async def test_status_and_spec_are_written_apart(api: Api) -> None:
    path = await objects(api, "status")
    await api.post(path, custom("a"))

    _, through_status = await api.patch(f"{path}/a/status", {"status": {"replicas": 1}, "spec": {"replicas": 5}})
    _, through_main = await api.patch(f"{path}/a", {"status": {"replicas": 7}, "spec": {"replicas": 3}})

    def seen(obj: Json) -> tuple[Json, int, int]:
        return obj["status"], obj["spec"]["replicas"], obj["metadata"]["generation"]

    assert seen(through_status) == ({"replicas": 1}, 1, 1)
    assert seen(through_main) == ({"replicas": 1}, 3, 2)


async def test_scale_reads_and_writes_the_named_fields(api: Api) -> None:
    path = await objects(api, "scale")
    await api.post(path, custom("a"))
    await api.patch(f"{path}/a/status", {"status": {"replicas": 1, "labelSelector": "app=a"}})

    _, scale = await api.get(f"{path}/a/scale")
    code, changed = await api.put(f"{path}/a/scale", {**scale, "spec": {"replicas": 4}})

    assert (scale["kind"], scale["spec"], scale["status"]) == ("Scale", {"replicas": 1}, {"replicas": 1, "selector": "app=a"})
    assert (code, changed["spec"]) == (200, {"replicas": 4})
    assert (await api.get(f"{path}/a"))[1]["spec"]["replicas"] == 4
    assert (await api.patch(f"{path}/a/scale", {"spec": {"replicas": 99}}))[0] == 422


async def test_an_update_needs_the_version_it_is_made_on(api: Api) -> None:
    path = await objects(api, "locking")
    _, made = await api.post(path, custom("a"))
    del made["metadata"]["resourceVersion"]

    code, status = await api.put(f"{path}/a", made)

    assert (code, status["details"]["causes"][0]["message"]) == (422, "Invalid value: 0: must be specified for an update")


async def test_a_strategic_merge_patch_is_refused(api: Api) -> None:
    path = await objects(api, "strategic")
    await api.post(path, custom("a"))

    code, status = await api.patch(f"{path}/a", {"spec": {"replicas": 2}}, STRATEGIC_PATCH)

    assert (code, status["reason"]) == (415, "UnsupportedMediaType")


async def test_tables_have_the_columns_of_the_definition(api: Api) -> None:
    path = await objects(api, "columns")
    await api.post(path, custom("a"))

    _, table = await api.get(path, headers={"Accept": TABLE})

    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Spec", "Replicas"]
    assert table["rows"][0]["cells"] == ["a", "* * * * *", 1]


async def test_protobuf_is_answered_with_json(api: Api) -> None:
    path = await objects(api, "protobuf")
    await api.post(path, custom("a"))

    async with api.session.get(f"{path}/a", headers={"Accept": "application/vnd.kubernetes.protobuf,application/json"}) as answer:
        assert answer.content_type == "application/json"
    async with api.session.get(f"{path}/a", headers={"Accept": "application/vnd.kubernetes.protobuf"}) as answer:
        assert answer.status == 406


async def test_discovery_shows_the_kind(api: Api) -> None:
    _, legacy = await api.get(f"/apis/{GROUP}/v1")
    _, group = await api.get(f"/apis/{GROUP}")
    _, aggregated = await api.get("/apis", headers={"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"})

    row = next(row for row in legacy["resources"] if row["name"] == "crontabs")
    assert (row["singularName"], row["shortNames"], row["categories"], row["kind"]) == ("crontab", ["ct"], ["all"], "CronTab")
    assert group["preferredVersion"] == {"groupVersion": f"{GROUP}/v1", "version": "v1"}
    found = next(item for item in aggregated["items"] if item["metadata"]["name"] == GROUP)["versions"][0]["resources"]
    shown = next(one for one in found if one["resource"] == "crontabs")
    assert shown["responseKind"] == {"group": GROUP, "version": "v1", "kind": "CronTab"}
    assert [one["subresource"] for one in shown["subresources"]] == ["status", "scale"]


async def test_openapi_publishes_the_schema(api: Api) -> None:
    _, index = await api.get("/openapi/v3")
    _, document = await api.get(index["paths"][f"apis/{GROUP}/v1"]["serverRelativeURL"])
    _, v2 = await api.get("/openapi/v2")

    name = "com.example.stable.v1.CronTab"
    spec = document["components"]["schemas"][name]["properties"]["spec"]
    assert spec["properties"]["cronSpec"]["description"] == "When it runs."
    assert v2["definitions"][name]["properties"]["spec"]["properties"]["replicas"]["type"] == "integer"
    assert f"/apis/{GROUP}/v1/namespaces/{{namespace}}/crontabs/{{name}}/scale" in v2["paths"]


async def test_a_watch_sees_objects_come_and_change(api: Api) -> None:
    path = await objects(api, "watched")

    async with api.watch(path) as watch:
        await api.post(path, custom("a"))
        kind, first = await watch.next()
        await api.patch(f"{path}/a", {"spec": {"image": "x"}})
        changed, second = await watch.next()

    assert (kind, first["metadata"]["name"]) == ("ADDED", "a")
    assert (changed, second["spec"]["image"]) == ("MODIFIED", "x")


async def test_a_changed_schema_counts_for_what_is_there(api: Api) -> None:
    crd = await established(api, definition("gadgets", "Gadget"))
    path = (await new_namespace(api, "changed")).replace("/api/v1", f"/apis/{GROUP}/v1") + "/gadgets"
    await api.post(path, custom("a", "Gadget"))
    spec = {**CRON_SPEC, "properties": {**CRON_SPEC["properties"], "colour": {"type": "string", "default": "red"}}}
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = root(spec=spec)

    async with api.watch(path, resourceVersion="0") as watch:
        await watch.next()
        code, _ = await api.put(f"{DEFINITIONS}/gadgets.{GROUP}", crd)
        ended = await watch.ended()
    async with asyncio.timeout(60):
        while (await api.get(f"{path}/a"))[1]["spec"].get("colour") != "red":  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    assert (code, ended) == (200, True)


async def test_several_versions_are_served_from_one_store(api: Api) -> None:
    await established(api, definition(
        "widgets", "Widget", version("v1beta1", storage=False), version("v1"), version("v2alpha1", storage=False, deprecated=True)))
    base = (await new_namespace(api, "versions")).replace("/api/v1", f"/apis/{GROUP}")
    paths = {name: base.replace(GROUP, f"{GROUP}/{name}") + "/widgets" for name in ("v1beta1", "v1", "v2alpha1")}

    await api.post(paths["v1beta1"], custom("a", "Widget", f"{GROUP}/v1beta1"))
    _, group = await api.get(f"/apis/{GROUP}")
    async with api.session.get(f"{paths['v2alpha1']}/a") as answer:
        warning, shown = answer.headers["Warning"], await answer.json()

    assert [one["version"] for one in group["versions"]] == ["v1", "v1beta1", "v2alpha1"]
    assert (await api.get(f"{paths['v1']}/a"))[1]["apiVersion"] == f"{GROUP}/v1"
    assert shown["apiVersion"] == f"{GROUP}/v2alpha1"
    assert warning == f'299 - "{GROUP}/v2alpha1 Widget is deprecated; use {GROUP}/v1 Widget"'
    async with api.watch(paths["v1beta1"], resourceVersion="0") as watch:
        assert (await watch.next())[1]["apiVersion"] == f"{GROUP}/v1beta1"


async def test_names_that_are_taken_are_not_accepted(api: Api) -> None:
    await api.post(DEFINITIONS, definition("crons", "Cron", names={"shortNames": ["ct"]}))

    held = await until(api, f"crons.{GROUP}", "NamesAccepted", "False")

    assert condition(held, "NamesAccepted")["reason"] == "ShortNamesConflict"
    assert condition(held, "NamesAccepted")["message"] == '"ct" is already in use'
    assert condition(held, "Established")["reason"] == "NotAccepted"
    await api.delete(f"{DEFINITIONS}/crons.{GROUP}")


async def test_a_definition_takes_its_objects_with_it(api: Api) -> None:
    await established(api, definition("leaves", "Leaf"))
    path = (await new_namespace(api, "leaves")).replace("/api/v1", f"/apis/{GROUP}/v1") + "/leaves"
    for name in ("a", "b"):
        await api.post(path, custom(name, "Leaf"))

    async with api.watch(path, resourceVersion="0") as watch:
        await watch.next()
        await watch.next()
        _, dying = await api.delete(f"{DEFINITIONS}/leaves.{GROUP}")
        told = [(await watch.next())[0] for _ in range(2)]
        await gone(api, f"{DEFINITIONS}/leaves.{GROUP}")
        ended = await watch.ended()

    assert dying["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    assert condition(dying, "Terminating")["status"] == "True"
    assert (told, ended) == (["DELETED", "DELETED"], True)
    assert (await api.get(path))[0] == 404


async def test_a_definition_waits_for_finalizers_of_its_objects(api: Api) -> None:
    await established(api, definition("stones", "Stone"))
    path = (await new_namespace(api, "stones")).replace("/api/v1", f"/apis/{GROUP}/v1") + "/stones"
    body = custom("a", "Stone")
    body["metadata"]["finalizers"] = ["example.com/hold"]
    await api.post(path, body)

    await api.delete(f"{DEFINITIONS}/stones.{GROUP}")
    await until(api, f"stones.{GROUP}", "Terminating", "True")
    code, refused = await api.post(path, custom("b", "Stone"))
    await api.patch(f"{path}/a", {"metadata": {"finalizers": None}})
    await gone(api, f"{DEFINITIONS}/stones.{GROUP}")

    assert (code, refused["reason"]) in {(403, "Forbidden"), (405, "MethodNotAllowed")}


async def test_selectable_fields_select(api: Api) -> None:
    schema = root(spec={"type": "object", "properties": {"colour": {"type": "string"}, "size": {"type": "integer"}}})
    fields = [{"jsonPath": ".spec.colour"}, {"jsonPath": ".spec.size"}]
    await established(api, definition("shirts", "Shirt", version(schema=schema, selectableFields=fields)))
    path = (await new_namespace(api, "shirts")).replace("/api/v1", f"/apis/{GROUP}/v1") + "/shirts"
    for name, colour in (("a", "red"), ("b", "blue")):
        await api.post(path, custom(name, "Shirt", spec={"colour": colour, "size": 3}))

    _, red = await api.get(path, fieldSelector="spec.colour=red,spec.size=3")
    code, refused = await api.get(path, fieldSelector="spec.length=3")

    assert [item["metadata"]["name"] for item in red["items"]] == ["a"]
    assert (code, refused["message"]) == (400, "field label not supported: spec.length")


async def test_what_was_invalid_before_may_stay_as_it_is(api: Api) -> None:
    crd = await established(api, definition("tools", "Tool"))
    path = (await new_namespace(api, "tools")).replace("/api/v1", f"/apis/{GROUP}/v1") + "/tools"
    await api.post(path, custom("a", "Tool", spec={"cronSpec": "* * * * *", "image": "x"}))
    spec = {**CRON_SPEC, "properties": {**CRON_SPEC["properties"], "image": {"type": "string", "minLength": 3}}}
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = root(spec=spec)
    await api.put(f"{DEFINITIONS}/tools.{GROUP}", crd)
    async with asyncio.timeout(60):
        while (await api.post(path, custom("b", "Tool", spec={"cronSpec": "* * * * *", "image": "y"}), dryRun="All"))[0] != 422:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    kept, _ = await api.patch(f"{path}/a", {"spec": {"replicas": 2}})
    changed, _ = await api.patch(f"{path}/a", {"spec": {"image": "z"}})

    assert (kept, changed) == (200, 422)


async def test_rules_hold(api: Api) -> None:
    rules = [{"rule": "self.low <= self.high", "message": "low must not be above high"},
             {"rule": "self.high >= oldSelf.high", "fieldPath": ".high", "reason": "FieldValueForbidden", "message": "never lower"}]
    bounds = {"type": "object", "properties": {"low": {"type": "integer"}, "high": {"type": "integer"}}, "x-kubernetes-validations": rules}
    await established(api, definition("ranges", "Range", version(schema=root(spec=bounds))))
    path = (await new_namespace(api, "ranges")).replace("/api/v1", f"/apis/{GROUP}/v1") + "/ranges"

    code, broken = await api.post(path, custom("a", "Range", spec={"low": 3, "high": 1}))
    made, _ = await api.post(path, custom("a", "Range", spec={"low": 1, "high": 3}))
    changed, lowered = await api.patch(f"{path}/a", {"spec": {"high": 2}})

    assert (code, broken["message"]) == (422, f'Range.{GROUP} "a" is invalid: spec: Invalid value: low must not be above high')
    assert made == 201
    assert (changed, lowered["message"]) == (422, f'Range.{GROUP} "a" is invalid: spec.high: Forbidden: never lower')


async def test_everything_is_there_after_a_restart(server: RunningApiserver, tmp_path: Path) -> None:
    async with server.session() as session:
        path = await objects(Api(session), "restart")
        await Api(session).post(path, custom("a"))

    await server.kill()
    await server.start()

    async with server.session() as session:
        code, held = await Api(session).get(f"{path}/a")
    assert (code, held["spec"]["replicas"]) == (200, 1)


async def test_a_kind_that_no_version_serves_keeps_its_objects(api: Api) -> None:
    crd = await established(api, definition("ghosts", "Ghost"))
    path = (await new_namespace(api, "ghosts")).replace("/api/v1", f"/apis/{GROUP}/v1") + "/ghosts"
    await api.post(path, custom("a", "Ghost"))

    async def serve(*, served: bool, code: int) -> None:
        crd["spec"]["versions"][0]["served"] = served
        await api.patch(f"{DEFINITIONS}/ghosts.{GROUP}", {"spec": {"versions": crd["spec"]["versions"]}})
        async with asyncio.timeout(60):
            while (await api.get(f"{path}/a"))[0] != code:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    await serve(served=False, code=404)
    await serve(served=True, code=200)
    await api.delete(f"{DEFINITIONS}/ghosts.{GROUP}")
    await gone(api, f"{DEFINITIONS}/ghosts.{GROUP}")


async def test_every_apiserver_serves_a_kind_before_it_is_established(tmp_path: Path) -> None:
    async with running_apiservers(tmp_path, 2) as (one, two), one.session() as first, two.session() as second:
        held = await established(Api(first), definition(), within_s=60)
        code, made = await Api(second).post(f"/apis/{GROUP}/v1/namespaces/default/crontabs", custom("a"))

        accepted, served = (condition(held, kind)["lastTransitionTime"] for kind in ("NamesAccepted", "Established"))
        assert (code, (await Api(first).get(f"/apis/{GROUP}/v1/crontabs"))[1]["items"]) == (201, [made])
        assert accepted < served


async def test_a_condition_without_a_time_is_established_all_the_same(api: Api) -> None:
    crd = await established(api, definition("timeless", "Timeless"))
    accepted = condition(crd, "NamesAccepted")
    del accepted["lastTransitionTime"]
    crd["status"]["conditions"] = [accepted]

    code, answer = await api.put(f"{DEFINITIONS}/timeless.{GROUP}/status", crd)

    assert code == 200, answer
    held = await until(api, f"timeless.{GROUP}", "Established", "True")
    held["status"]["conditions"] = None
    await api.put(f"{DEFINITIONS}/timeless.{GROUP}/status", held)
    await until(api, f"timeless.{GROUP}", "Established", "True")
