"""Validating webhooks, and what happens when a webhook fails: real HTTPS servers, called by a real apiserver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.api_calls import Api, config_map, deployment, pod
from tests.support.apiserver import RunningApiserver, running_apiserver
from tests.support.apiserver_pki import TestPki
from tests.support.ports import free_ports
from tests.support.webhooks import (
    Json,
    WebhookServer,
    allow,
    ca_bundle,
    configuration,
    deny,
    labelled,
    rule,
    webhook,
    webhook_server,
)

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]

BASE = "/apis/admissionregistration.k8s.io/v1"
NAME = "check.test.example"
EVERYTHING = rule("*/*", operations=("*",), groups=("*",), versions=("*",))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningApiserver]:
    async with running_apiserver(tmp_path_factory.mktemp("apiserver")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def hooks(server: RunningApiserver) -> AsyncIterator[WebhookServer]:
    async with webhook_server(server.pki.identity("webhook")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def api(server: RunningApiserver) -> AsyncIterator[Api]:
    async with server.session() as session:
        made = Api(session)
        await made.post("/api/v1/namespaces", {"metadata": {"name": "hooks"}})
        await made.post("/api/v1/namespaces/hooks/serviceaccounts", {"metadata": {"name": "default"}})
        yield made
        for plural in ("validatingwebhookconfigurations", "mutatingwebhookconfigurations"):
            await made.delete(f"{BASE}/{plural}")


class Bench:
    def __init__(self, api: Api, server: RunningApiserver, hooks: WebhookServer) -> None:
        self.api, self.hooks, self.bundle = api, hooks, ca_bundle(server.admin)

    def hook(self, path: str, *rules: Json, name: str = NAME, url: str = "", **more: Any) -> Json:
        return webhook(name, url or self.hooks.url(path), self.bundle, *(rules or [rule("configmaps")]), **more)

    async def configure(self, *webhooks: Json, name: str = "c", kind: str = "Validating") -> None:
        path = f"{BASE}/{kind.lower()}webhookconfigurations"
        code, said = await self.api.post(path, configuration(kind, name, *webhooks))
        assert code == 201, said

    async def create(self, name: str, **query: Any) -> tuple[int, Json]:
        return await self.api.post("/api/v1/namespaces/hooks/configmaps", config_map(name, a="b"), **query)

    async def exists(self, name: str) -> bool:
        return (await self.api.get(f"/api/v1/namespaces/hooks/configmaps/{name}"))[0] == 200

    async def metric(self, name: str) -> list[str]:
        async with self.api.session.get("/metrics") as got:
            return [line for line in (await got.text()).splitlines() if line.startswith(name)]


@pytest.fixture
def bench(api: Api, server: RunningApiserver, hooks: WebhookServer) -> Bench:
    return Bench(api, server, hooks)


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


@pytest.mark.req("WHK-03")
@pytest.mark.parametrize(("handler", "message"), [
    pytest.param(lambda review: (500, {"Content-Type": "text/plain"}, b"out of order\n"),
                 'an error on the server ("out of order") has prevented the request from succeeding', id="500"),
    pytest.param(lambda review: (404, {}, b""), "the server could not find the requested resource", id="404"),
    pytest.param(lambda review: (302, {"Location": "https://127.0.0.1:1/"}, b""),
                 "the server responded with the status code 302 but did not return more information", id="redirect"),
    pytest.param(lambda review: (503, {}, b'{"kind":"Status","apiVersion":"v1","status":"Failure","message":"gone fishing","code":503}'),
                 "gone fishing", id="Status"),
    pytest.param(lambda review: b"", "0-length response with status code: 200 and content type: application/json", id="empty"),
    pytest.param(lambda review: b"<html>", "couldn't get version/kind; json parse error: ", id="no JSON"),
])
async def test_http_answers_that_are_no_review(bench: Bench, handler: Any, message: str) -> None:
    bench.hooks.paths["/broken"] = handler
    await bench.configure(bench.hook("/broken"))

    code, said = await bench.create("broken")

    assert code == 500
    assert said["message"].startswith(f'Internal error occurred: failed calling webhook "{NAME}": failed to call webhook: {message}')
    assert said["reason"] == "InternalError"


@pytest.mark.req("WHK-03")
async def test_a_server_that_is_not_there(bench: Bench) -> None:
    (port,) = free_ports(1)
    url = f"https://127.0.0.1:{port}/x"
    await bench.configure(bench.hook("", url=url, timeoutSeconds=5))

    code, said = await bench.create("nobody")

    assert (code, said["message"]) == (
        500, f'Internal error occurred: failed calling webhook "{NAME}": failed to call webhook: Post "{url}?timeout=5s": '
             f"dial tcp 127.0.0.1:{port}: connect: connection refused")


@pytest.mark.req("WHK-03")
async def test_a_server_that_takes_too_long(bench: Bench) -> None:
    async def never(review: Json) -> Json:
        await asyncio.sleep(3600)
        return allow(review)

    bench.hooks.paths["/never"] = never
    await bench.configure(bench.hook("/never", timeoutSeconds=1))

    code, said = await bench.create("late")

    assert (code, said["message"]) == (
        500, f'Internal error occurred: failed calling webhook "{NAME}": failed to call webhook: '
             f'Post "{bench.hooks.url("/never")}?timeout=1s": context deadline exceeded')


@pytest.mark.req("WHK-01")
async def test_certificates_are_checked(bench: Bench, server: RunningApiserver, tmp_path: Path) -> None:
    foreign = ca_bundle(TestPki(tmp_path).identity("other"))
    bench.hooks.serves("/check", allow)
    prefix = f'Internal error occurred: failed calling webhook "{NAME}": failed to call webhook: Post "'

    await bench.configure({**bench.hook("/check"), "clientConfig": {"url": bench.hooks.url("/check"), "caBundle": foreign}}, name="a")
    unknown = (await bench.create("unknown"))[1]["message"]
    await bench.api.delete(f"{BASE}/validatingwebhookconfigurations/a")
    await bench.configure({**bench.hook("/check"), "clientConfig": {"url": bench.hooks.url("/check")}}, name="b")
    nobody = (await bench.create("nobody"))[1]["message"]
    await bench.api.delete(f"{BASE}/validatingwebhookconfigurations/b")
    await bench.configure(bench.hook("", url=bench.hooks.url("/check", "127.0.0.2")), name="d")
    other_name = (await bench.create("name"))[1]["message"]
    await bench.api.delete(f"{BASE}/validatingwebhookconfigurations/d")
    no_pem = {"url": bench.hooks.url("/check"), "caBundle": "bm90IGEgUEVN"}
    await bench.configure({**bench.hook("/check"), "clientConfig": no_pem}, name="e")
    no_bundle = (await bench.create("bundle"))[1]["message"]

    assert unknown.startswith(prefix)
    assert unknown.endswith("tls: failed to verify certificate: x509: certificate signed by unknown authority")
    assert nobody.endswith("x509: certificate signed by unknown authority")
    assert other_name.startswith(prefix)
    assert no_bundle == (f'Internal error occurred: failed calling webhook "{NAME}": could not get REST client: unable to load root '
                         "certificates: unable to parse bytes as PEM block")
    assert bench.hooks.reviews == []


@pytest.mark.req("WHK-03")
async def test_a_failure_that_is_to_be_ignored_is_counted(bench: Bench) -> None:
    bench.hooks.paths["/broken"] = lambda review: (500, {}, b"")
    await bench.configure(bench.hook("/broken", name="open.test.example", failurePolicy="Ignore"))
    await bench.configure(bench.hook("/broken", name="openmutate.test.example", failurePolicy="Ignore"), kind="Mutating")

    code, _ = await bench.create("open")

    assert code == 201
    assert await bench.metric("apiserver_admission_webhook_fail_open_count") == [
        'apiserver_admission_webhook_fail_open_count{name="openmutate.test.example",type="admit"} 1.0',
        'apiserver_admission_webhook_fail_open_count{name="open.test.example",type="validating"} 1.0',
    ]


async def test_a_refusal_is_final_whatever_the_failure_policy(bench: Bench) -> None:
    bench.hooks.serves("/deny", lambda review: deny(review, message="no"))
    await bench.configure(bench.hook("/deny", name="strict.test.example", failurePolicy="Ignore"))

    code, _ = await bench.create("strict")

    assert code == 400
    labels = 'error_type="no_error",name="strict.test.example",operation="CREATE",rejection_code="400",type="validating"'
    assert f"apiserver_admission_webhook_rejection_count{{{labels}}} 1.0" in await bench.metric("apiserver_admission_webhook_rejection")
    assert any('name="strict.test.example",operation="CREATE",rejected="true",type="validating"' in line and line.endswith(" 1.0")
               for line in await bench.metric("apiserver_admission_webhook_admission_duration_seconds_count"))


async def test_connections_are_used_again_and_a_dead_one_is_no_failure(bench: Bench, server: RunningApiserver) -> None:
    bench.hooks.serves("/check", allow)
    await bench.configure(bench.hook("/check"))

    for number in range(3):
        assert (await bench.create(f"kept{number}"))[0] == 201

    assert bench.hooks.connections == 1


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


async def test_a_service_that_is_not_there(bench: Bench) -> None:
    config = {"service": {"namespace": "hooks", "name": "nope", "path": "/check"}, "caBundle": bench.bundle}
    await bench.configure({**bench.hook(""), "clientConfig": config})

    code, said = await bench.create("service")

    assert (code, said["message"]) == (
        500, f'Internal error occurred: failed calling webhook "{NAME}": failed to call webhook: '
             'Post "https://nope.hooks.svc:443/check?timeout=10s": service "nope" not found')


async def test_an_apiserver_starts_although_a_webhook_refuses_everything(tmp_path: Path) -> None:
    async with running_apiserver(tmp_path) as server, server.session() as session:
        await Api(session).delete("/apis/scheduling.k8s.io/v1/priorityclasses/system-node-critical")     # to be made again
        nobody = webhook(NAME, "https://127.0.0.1:1/", "", EVERYTHING, timeoutSeconds=1)
        for kind in ("Mutating", "Validating"):
            path = f"{BASE}/{kind.lower()}webhookconfigurations"
            assert (await Api(session).post(path, configuration(kind, "all", nobody)))[0] == 201
        await server.stop()

        await server.start()

        assert (await Api(session).get("/api/v1/namespaces/default"))[0] == 200
        assert (await Api(session).post("/api/v1/namespaces", {"metadata": {"name": "new"}}))[0] == 500
        assert "cannot create a system object" in server.log
        assert await server.stop() == 0


@pytest.mark.req("ADM-09")
async def test_each_plugin_can_be_switched_off(tmp_path: Path) -> None:
    plugins = ("MutatingAdmissionWebhook", "ValidatingAdmissionWebhook")
    async with running_apiserver(tmp_path, disable_admission_plugins=plugins) as server, server.session() as session, \
            webhook_server(server.pki.identity("webhook")) as hooks:
        bench = Bench(Api(session), server, hooks)
        await bench.api.post("/api/v1/namespaces", {"metadata": {"name": "hooks"}})
        for kind in ("Mutating", "Validating"):
            await bench.configure(bench.hook("/check"), kind=kind)

        assert (await bench.create("free"))[0] == 201
        assert hooks.reviews == []


