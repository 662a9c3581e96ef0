"""Validating webhooks: real HTTPS servers, called by a real apiserver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.api_calls import Api, config_map, deployment, pod
from tests.support.apiserver import RunningApiserver, running_apiserver
from tests.support.webhook_bench import BASE, EVERYTHING, Bench, hooked_api
from tests.support.webhooks import (
    Json,
    WebhookServer,
    allow,
    configuration,
    deny,
    labelled,
    rule,
    webhook_server,
)

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]

NAME = "check.test.example"


@pytest_asyncio.fixture(loop_scope="module")
async def bench(server: RunningApiserver, hooks: WebhookServer) -> AsyncIterator[Bench]:
    async with hooked_api(server) as api:
        yield Bench(api, server, hooks, NAME)


@pytest.mark.req("WHK-04", "WHK-08")
@pytest.mark.parametrize(("status", "code", "message", "reason"), [
    pytest.param({"code": 403, "message": "not here", "reason": "Forbidden"}, 403, ": not here", "Forbidden", id="whole"),
    pytest.param({"message": "not here"}, 400, ": not here", None, id="message alone"),
    pytest.param({"reason": "NotToday"}, 400, ": NotToday", "NotToday", id="reason alone"),
    pytest.param({"code": 200, "status": "Success"}, 400, " without explanation", None, id="a success that is none"),
    pytest.param({}, 400, " without explanation", None, id="nothing"),
])
async def test_a_refusal_is_told_as_the_webhook_said_it(bench: Bench, status: Json, code: int, message: str, reason: str | None) -> None:
    bench.hooks.serves("/deny", lambda review: deny(review, **status))
    await bench.configure(bench.hook("/deny"))

    refused, said = await bench.create("refused")

    assert (refused, said["code"], said["status"]) == (code, code, "Failure")
    assert said["message"] == f'admission webhook "{NAME}" denied the request{message}'
    assert said.get("reason") == reason
    assert not await bench.exists("refused")


@pytest.mark.req("WHK-08")
async def test_code_and_message_of_an_allowed_request_have_no_effect(bench: Bench) -> None:
    bench.hooks.serves("/allow", lambda review: allow(review, status={"code": 403, "message": "nevertheless"}))
    await bench.configure(bench.hook("/allow"))

    assert (await bench.create("allowed"))[0] == 201


@pytest.mark.req("ADM-01")
async def test_it_sees_what_the_mutating_ones_made(bench: Bench) -> None:
    bench.hooks.serves("/mutate", lambda review: labelled(review, "seen"))
    bench.hooks.serves("/check", allow)
    await bench.configure(bench.hook("/mutate"), kind="Mutating")
    await bench.configure(bench.hook("/check"))

    await bench.create("seen")

    asked, = bench.hooks.asked("/check")
    assert asked["object"]["metadata"]["labels"] == {"seen": "yes"}
    assert asked["object"]["metadata"]["uid"]


async def test_all_are_asked_at_once_and_the_first_refusal_by_order_counts(bench: Bench) -> None:
    both = asyncio.Barrier(2)

    async def slow(review: Json) -> Json:
        await both.wait()
        return deny(review, message="slow")

    async def fast(review: Json) -> Json:
        await both.wait()
        return deny(review, message="fast")

    bench.hooks.paths |= {"/slow": slow, "/fast": fast}
    await bench.configure(bench.hook("/slow", name="slow.test.example"), bench.hook("/fast", name="fast.test.example"))

    code, said = await bench.create("parallel")

    assert (code, said["message"]) == (400, 'admission webhook "slow.test.example" denied the request: slow')


async def test_warnings_reach_the_client_with_either_verdict(bench: Bench) -> None:
    bench.hooks.serves("/warn", lambda review: allow(review, warnings=["mind the gap", "x" * 300]))
    await bench.configure(bench.hook("/warn"))

    async def warnings(name: str) -> list[str]:
        async with bench.api.session.post("/api/v1/namespaces/hooks/configmaps", json=config_map(name)) as got:
            return got.headers.getall("Warning", [])

    allowed = await warnings("warned")
    bench.hooks.serves("/warn", lambda review: {**deny(review), "response": {
        "uid": review["request"]["uid"], "allowed": False, "warnings": ["and the door"]}})

    assert allowed == ['299 - "mind the gap"', f'299 - "{"x" * 300}"']
    assert await warnings("not") == ['299 - "and the door"']


@pytest.mark.req("WHK-06")
async def test_a_dry_run_is_said_and_leaves_nothing(bench: Bench) -> None:
    bench.hooks.serves("/check", allow)
    await bench.configure(bench.hook("/check", sideEffects="NoneOnDryRun"))

    code, _ = await bench.create("dry", dryRun="All")
    asked, = bench.hooks.asked("/check")

    assert (code, asked["dryRun"], asked["options"]["dryRun"]) == (201, True, ["All"])
    assert not await bench.exists("dry")


@pytest.mark.req("ADM-01", "ADM-09")
@pytest.mark.parametrize(("path", "body", "kind", "resource", "subresource"), [
    pytest.param("/api/v1/namespaces/hooks/pods/p/eviction", {"metadata": {"name": "p"}}, "policy/v1/Eviction", "pods", "eviction",
                 id="eviction"),
    pytest.param("/api/v1/namespaces/hooks/pods/p/binding", {"target": {"kind": "Node", "name": "n"}}, "/v1/Binding", "pods", "binding",
                 id="binding"),
    pytest.param("/api/v1/namespaces/hooks/serviceaccounts/default/token", {"spec": {}}, "authentication.k8s.io/v1/TokenRequest",
                 "serviceaccounts", "token", id="token"),
    pytest.param("/api/v1/namespaces", {"metadata": {"name": "refused"}}, "/v1/Namespace", "namespaces", "", id="namespace"),
])
async def test_what_is_created_in_other_ways_is_asked_about_too(
    bench: Bench, path: str, body: Json, kind: str, resource: str, subresource: str
) -> None:
    await bench.api.post("/api/v1/namespaces/hooks/pods", pod("p"))
    bench.hooks.serves("/check", lambda review: deny(review, message="no"))
    await bench.configure(bench.hook("/check", EVERYTHING))

    code, said = await bench.api.post(path, body)
    asked, = bench.hooks.asked("/check")

    assert (code, said["message"]) == (400, f'admission webhook "{NAME}" denied the request: no')
    assert "{group}/{version}/{kind}".format(**asked["kind"]) == kind
    assert (asked["resource"]["resource"], asked.get("subResource", ""), asked["operation"]) == (resource, subresource, "CREATE")
    assert asked["namespace"] == ("refused" if resource == "namespaces" else "hooks")
    assert asked["options"]["kind"] == "CreateOptions"


async def test_an_eviction_is_asked_about_once(bench: Bench) -> None:
    await bench.api.post("/api/v1/namespaces/hooks/pods", pod("goes"))
    bench.hooks.serves("/check", allow)
    await bench.configure(bench.hook("/check", EVERYTHING))

    code, _ = await bench.api.post("/api/v1/namespaces/hooks/pods/goes/eviction", {"metadata": {"name": "goes"}})

    assert code == 201
    assert [(asked["operation"], asked["subResource"]) for asked in bench.hooks.asked("/check")] == [("CREATE", "eviction")]


async def test_status_updates_are_a_subresource(bench: Bench) -> None:
    await bench.api.post("/apis/apps/v1/namespaces/hooks/deployments", deployment("status"))
    bench.hooks.serves("/check", allow)
    await bench.configure(bench.hook("/check", rule("deployments/status", groups=("apps",))))
    at = "/apis/apps/v1/namespaces/hooks/deployments/status"

    await bench.api.patch(at, {"spec": {"replicas": 2}})
    await bench.api.patch(f"{at}/status", {"status": {"replicas": 2}})
    asked, = bench.hooks.asked("/check")

    assert (asked["subResource"], asked["kind"]["kind"], asked["object"]["status"]["replicas"]) == ("status", "Deployment", 2)


async def test_older_reviews(bench: Bench) -> None:
    bench.hooks.serves("/old", lambda review: {"response": {"allowed": False, "status": {"message": "old"}}})
    await bench.configure(bench.hook("/old", admissionReviewVersions=["v2", "v1beta1", "v1"]))

    code, said = await bench.create("old")

    assert (code, said["message"]) == (400, f'admission webhook "{NAME}" denied the request: old')
    assert bench.hooks.reviews[0][1]["apiVersion"] == "admission.k8s.io/v1beta1"


@pytest.mark.req("WHK-03", "WHK-06")
async def test_a_configuration_that_is_wrong_is_refused(bench: Bench) -> None:
    wrong = {**bench.hook("/x"), "name": "short", "sideEffects": "Some", "timeoutSeconds": 40}

    code, said = await bench.api.post(f"{BASE}/validatingwebhookconfigurations", configuration("Validating", "wrong", wrong))

    assert code == 422
    for part in ("should be a domain with at least three segments", 'Unsupported value: "Some"', "must be between 1 and 30 seconds"):
        assert part in said["message"]


@pytest.mark.req("ADM-09")
async def test_each_plugin_can_be_switched_off(tmp_path: Path) -> None:
    plugins = ("MutatingAdmissionWebhook", "ValidatingAdmissionWebhook")
    async with running_apiserver(tmp_path, disable_admission_plugins=plugins) as server, server.session() as session, \
            webhook_server(server.pki.identity("webhook")) as hooks:
        bench = Bench(Api(session), server, hooks, NAME)
        await bench.api.post("/api/v1/namespaces", {"metadata": {"name": "hooks"}})
        for kind in ("Mutating", "Validating"):
            await bench.configure(bench.hook("/check"), kind=kind)

        assert (await bench.create("free"))[0] == 201
        assert hooks.reviews == []
