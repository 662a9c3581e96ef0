"""Mutating webhooks: real HTTPS servers, called by a real apiserver."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.api_calls import config_map, deployment, new_namespace, pod
from tests.support.apiserver import RunningApiserver
from tests.support.webhook_bench import BASE, Bench, hooked_api
from tests.support.webhooks import (
    Json,
    WebhookServer,
    allow,
    answer,
    deny,
    labelled,
    patch,
    rule,
)

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]

CONFIGURATIONS = f"{BASE}/mutatingwebhookconfigurations"
NAME = "hook.test.example"


@pytest_asyncio.fixture(loop_scope="module")
async def bench(server: RunningApiserver, hooks: WebhookServer) -> AsyncIterator[Bench]:
    async with hooked_api(server) as api:
        yield Bench(api, server, hooks, NAME, "Mutating")


@pytest.mark.req("WHK-01", "WHK-05", "WHK-07")
async def test_a_webhook_is_asked_and_its_patch_is_applied(bench: Bench) -> None:
    bench.hooks.serves("/mutate", lambda review: labelled(review, "seen"))
    await bench.configure(bench.hook("/mutate"))

    code, made = await bench.create("asked", fieldManager="me")
    asked, = bench.hooks.asked("/mutate")

    assert (code, made["metadata"]["labels"]) == (201, {"seen": "yes"})
    assert asked["uid"]
    assert asked["kind"] == asked["requestKind"] == {"group": "", "version": "v1", "kind": "ConfigMap"}
    assert asked["resource"] == asked["requestResource"] == {"group": "", "version": "v1", "resource": "configmaps"}
    assert (asked["name"], asked["namespace"], asked["operation"], asked["dryRun"]) == ("asked", "hooks", "CREATE", False)
    assert asked["userInfo"]["username"] == "kubernetes-admin"
    assert set(asked["userInfo"]["groups"]) == {"system:masters", "system:authenticated"}
    assert (asked["object"]["data"], asked["oldObject"]) == ({"a": "b"}, None)
    assert asked["options"] == {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "me"}
    assert "subResource" not in asked
    head = bench.hooks.heads[0]
    assert head.startswith("POST /mutate?timeout=10s HTTP/1.1\r\n")
    assert "Content-Type: application/json" in head


async def test_a_configuration_is_in_force_from_the_moment_it_is_answered_until_its_deletion_is(bench: Bench) -> None:
    async def busy(writer: int) -> None:
        for number in range(100):
            await bench.api.post("/api/v1/namespaces/hooks/configmaps", config_map(f"busy-{writer}-{number}", a="b"))

    bench.hooks.serves("/refuse", lambda review: answer(review, allowed=not review["request"]["name"].startswith("mine")))
    others = [asyncio.create_task(busy(writer)) for writer in range(8)]       # the cache has more to read than these configurations
    try:
        codes: list[tuple[int, int]] = []
        while not all(other.done() for other in others):
            await bench.configure(bench.hook("/refuse"))
            refused = (await bench.create(f"mine-{len(codes)}"))[0]
            await bench.api.delete(f"{CONFIGURATIONS}/c")
            codes.append((refused, (await bench.create(f"mine-{len(codes)}"))[0]))
    finally:
        await asyncio.gather(*others)

    assert set(codes) == {(400, 201)}


@pytest.mark.req("WHK-05")
async def test_updates_and_deletions_carry_the_old_object(bench: Bench) -> None:
    bench.hooks.serves("/all", allow)
    await bench.configure(bench.hook("/all", rule("configmaps", operations=("UPDATE", "DELETE"))))
    await bench.create("life")

    await bench.api.patch("/api/v1/namespaces/hooks/configmaps/life", {"data": {"a": "c"}})
    await bench.api.delete("/api/v1/namespaces/hooks/configmaps/life", {"kind": "DeleteOptions", "apiVersion": "v1",
                                                                        "propagationPolicy": "Background"})
    changed, deleted = bench.hooks.asked("/all")

    assert (changed["operation"], changed["oldObject"]["data"], changed["object"]["data"]) == ("UPDATE", {"a": "b"}, {"a": "c"})
    assert changed["options"]["kind"] == "UpdateOptions"
    assert (deleted["operation"], deleted["object"], deleted["oldObject"]["data"]) == ("DELETE", None, {"a": "c"})
    assert deleted["options"] == {"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1", "propagationPolicy": "Background"}


@pytest.mark.req("WHK-05")
async def test_a_scale_is_shown_as_a_scale(bench: Bench) -> None:
    bench.hooks.serves("/scale", lambda review: patch(review, {"op": "replace", "path": "/spec/replicas", "value": 5}))
    await bench.api.post("/apis/apps/v1/namespaces/hooks/deployments", deployment("d"))
    await bench.configure(bench.hook("/scale", rule("deployments/scale", groups=("apps",))))

    at = "/apis/apps/v1/namespaces/hooks/deployments/d"
    code, scale = await bench.api.patch(f"{at}/scale", {"spec": {"replicas": 3}})
    asked, = bench.hooks.asked("/scale")
    held = (await bench.api.get(at))[1]

    assert (code, scale["kind"], scale["spec"]) == (200, "Scale", {"replicas": 5})
    assert held["spec"]["replicas"] == 5
    assert asked["kind"] == {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    assert (asked["resource"]["resource"], asked["subResource"], asked["operation"]) == ("deployments", "scale", "UPDATE")
    assert (asked["object"]["spec"], asked["oldObject"]["spec"]) == ({"replicas": 3}, {"replicas": 1})
    assert asked["options"]["kind"] == "UpdateOptions"


@pytest.mark.req("WHK-07")
async def test_what_a_patch_adds_is_defaulted_and_validated(bench: Bench) -> None:
    extra = {"name": "sidecar", "image": "busybox"}
    bench.hooks.serves("/inject", lambda review: patch(review, {"op": "add", "path": "/spec/containers/-", "value": extra}))
    await bench.configure(bench.hook("/inject", rule("pods", operations=("CREATE",))))

    made = (await bench.api.post("/api/v1/namespaces/hooks/pods", pod("injected")))[1]
    sidecar = made["spec"]["containers"][1]
    extra["image"] = ""
    code, said = await bench.api.post("/api/v1/namespaces/hooks/pods", pod("refused"))

    assert (sidecar["name"], sidecar["imagePullPolicy"], sidecar["terminationMessagePath"]) == ("sidecar", "Always", "/dev/termination-log")
    assert sidecar["volumeMounts"][0]["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount", "plugins run again"
    assert (code, said["message"]) == (422, 'Pod "refused" is invalid: spec.containers[1].image: Required value')


async def test_webhooks_are_asked_in_order_and_see_each_others_changes(bench: Bench) -> None:
    order: list[str] = []

    def mark(key: str) -> Any:
        def handler(review: Json) -> Json:
            order.append(key)
            return labelled(review, key)
        return handler

    for key in ("one", "two", "three"):
        bench.hooks.serves(f"/{key}", mark(key))
    await bench.configure(bench.hook("/three", name="three.test.example"), name="z")
    await bench.configure(bench.hook("/one", name="one.test.example"), bench.hook("/two", name="two.test.example"), name="a")

    made = (await bench.create("ordered"))[1]

    assert order == ["one", "two", "three"]
    assert made["metadata"]["labels"] == {"one": "yes", "two": "yes", "three": "yes"}
    assert bench.hooks.asked("/three")[0]["object"]["metadata"]["labels"] == {"one": "yes", "two": "yes"}


async def test_a_webhook_that_asked_for_it_is_called_again_when_a_later_one_changed_the_object(bench: Bench) -> None:
    bench.hooks.serves("/first", lambda review: labelled(review, "first"))
    bench.hooks.serves("/never", allow)
    bench.hooks.serves("/later", lambda review: labelled(review, "later"))
    await bench.configure(
        bench.hook("/first", name="first.test.example", reinvocationPolicy="IfNeeded"), bench.hook("/never", name="never.test.example"),
        bench.hook("/later", name="later.test.example", reinvocationPolicy="IfNeeded"),
    )

    await bench.create("again")

    assert [path for path, _ in bench.hooks.reviews] == ["/first", "/never", "/later", "/first"]
    assert bench.hooks.asked("/first")[1]["object"]["metadata"]["labels"] == {"first": "yes", "later": "yes"}


@pytest.mark.req("WHK-07", "WHK-05")
@pytest.mark.parametrize(("reply", "message"), [
    pytest.param(lambda review: allow(review, patchType="JSONPatch", patch="%%%"), "failed to call webhook: illegal base64 data",
                 id="no base64"),
    pytest.param(lambda review: allow(review, patchType="JSONPatch", patch=base64.b64encode(b"{").decode()),
                 "received undecodable patch in webhook response: ", id="no JSON"),
    pytest.param(lambda review: patch(review, {"op": "add", "path": "/spec/no/such", "value": 1}), "", id="no such path"),
    pytest.param(lambda review: allow(review, patch=base64.b64encode(b"[]").decode()),
                 "received invalid webhook response: webhook returned response.patch but not response.patchType", id="no patch type"),
    pytest.param(lambda review: {**patch(review, {"op": "test", "path": "", "value": {}}), "response": {
        "uid": review["request"]["uid"], "allowed": True, "patchType": "MergePatch", "patch": base64.b64encode(b'[{"a":1}]').decode()}},
        'unsupported patch type "MergePatch"', id="other patch type"),
    pytest.param(lambda review: {**allow(review), "response": {"uid": "other", "allowed": True}},
                 "received invalid webhook response: expected response.uid=", id="other uid"),
    pytest.param(lambda review: {**allow(review), "apiVersion": "admission.k8s.io/v1beta1"},
                 "received invalid webhook response: expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got "
                 "admission.k8s.io/v1beta1, Kind=AdmissionReview", id="other version"),
    pytest.param(lambda review: {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"},
                 "received invalid webhook response: webhook response was absent", id="no response"),
    pytest.param(lambda review: answer(review, allowed="yes"), "failed to call webhook: json: cannot unmarshal string into Go struct field "
                 "AdmissionResponse.response.allowed of type bool", id="wrong type"),
])
async def test_answers_that_are_none(bench: Bench, reply: Any, message: str) -> None:
    bench.hooks.serves("/broken", reply)
    await bench.configure(bench.hook("/broken"))

    code, said = await bench.create("broken")

    assert code == 500
    assert said["message"].startswith("Internal error occurred: ")
    assert f'webhook "{NAME}"' in said["message"]
    assert message in said["message"]
    assert (await bench.api.get("/api/v1/namespaces/hooks/configmaps/broken"))[0] == 404


async def test_a_patch_cannot_move_the_object_to_another_namespace(bench: Bench) -> None:
    bench.hooks.serves("/move", lambda review: patch(review, {"op": "replace", "path": "/metadata/namespace", "value": "default"}))
    await bench.configure(bench.hook("/move"))

    code, said = await bench.create("moved")

    assert (code, said["message"]) == (
        400, "the namespace of the provided object does not match the namespace sent on the request")


async def test_a_deletion_cannot_be_patched_but_refused(bench: Bench) -> None:
    await bench.create("stays")
    bench.hooks.serves("/delete", lambda review: patch(review, {"op": "add", "path": "/a", "value": 1}))
    await bench.configure(bench.hook("/delete", rule("configmaps", operations=("DELETE",))))
    at = "/api/v1/namespaces/hooks/configmaps/stays"

    code, said = await bench.api.delete(at)
    bench.hooks.serves("/delete", lambda review: deny(review, message="never", code=409))
    refused = await bench.api.delete(at)

    assert (code, said["message"]) == (500, f'Internal error occurred: admission webhook "{NAME}" attempted to modify the object, which '
                                            "is not supported for this operation")
    assert (refused[0], refused[1]["message"]) == (409, f'admission webhook "{NAME}" denied the request: never')
    assert (await bench.api.get(at))[0] == 200


@pytest.mark.req("ADM-01")
async def test_reads_ask_nobody(bench: Bench) -> None:
    bench.hooks.serves("/all", allow)
    await bench.configure(bench.hook("/all", rule("*/*", operations=("*",), groups=("*",), versions=("*",))))
    path = await new_namespace(bench.api, "reads")
    before = len(bench.hooks.reviews)

    await bench.api.get(f"{path}/configmaps")
    await bench.api.get(path)

    assert before >= 1, "creating a namespace asks"
    assert len(bench.hooks.reviews) == before
