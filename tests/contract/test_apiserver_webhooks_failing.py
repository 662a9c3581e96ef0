"""What happens when a webhook fails: no answer, a wrong one, a late one, a certificate that nobody trusts; and what counts it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.api_calls import Api
from tests.support.apiserver import RunningApiserver, running_apiserver
from tests.support.apiserver_pki import TestPki
from tests.support.ports import free_ports
from tests.support.webhook_bench import BASE, EVERYTHING, Bench, hooked_api
from tests.support.webhooks import (
    Json,
    WebhookServer,
    allow,
    ca_bundle,
    configuration,
    deny,
    webhook,
)

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]

NAME = "check.test.example"


@pytest_asyncio.fixture(loop_scope="module")
async def bench(server: RunningApiserver, hooks: WebhookServer) -> AsyncIterator[Bench]:
    async with hooked_api(server) as api:
        yield Bench(api, server, hooks, NAME)


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
