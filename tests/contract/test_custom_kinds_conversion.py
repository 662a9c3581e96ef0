"""A kind in two versions that a webhook converts: stored as v1 (spec.hostPort), served as v2 (spec.host, spec.port) too."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.api_calls import Api, new_namespace
from tests.support.apiserver import RunningApiserver
from tests.support.custom_kinds import GROUP, custom, definition, established, root, version
from tests.support.webhooks import Json, WebhookServer, ca_bundle, webhook_server

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]

TEXT: Json = {"type": "string"}
ONE = root(spec={"type": "object", "properties": {"hostPort": TEXT}})
TWO = root(spec={"type": "object", "properties": {"host": TEXT, "port": TEXT, "scheme": {"type": "string", "default": "http"}}})


def converted(review: Json) -> Json:
    request = review["request"]
    objects = [_in_version(obj, request["desiredAPIVersion"]) for obj in request["objects"]]
    response = {"uid": request["uid"], "result": {"status": "Success"}, "convertedObjects": objects}
    return {"apiVersion": review["apiVersion"], "kind": "ConversionReview", "response": response}


def _in_version(obj: Json, api_version: str) -> Json:
    spec = obj.get("spec") or {}
    if api_version.endswith("/v2"):
        host, _, port = spec.get("hostPort", "").partition(":")
        spec = {"host": host, "port": port}
    else:
        spec = {"hostPort": f"{spec.get('host')}:{spec.get('port')}"}
    return {**obj, "apiVersion": api_version, "spec": spec}


def refused(review: Json) -> Json:
    response = {"uid": review["request"]["uid"], "result": {"status": "Failure", "message": "not today"}}
    return {"apiVersion": review["apiVersion"], "kind": "ConversionReview", "response": response}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hook(server: RunningApiserver) -> AsyncIterator[WebhookServer]:
    async with webhook_server(server.pki.identity("webhook")) as running:
        running.serves("/convert", converted)
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(server: RunningApiserver, hook: WebhookServer) -> AsyncIterator[Api]:
    async with server.session() as session:
        made = Api(session)
        config = {"url": hook.url("/convert"), "caBundle": ca_bundle(server.pki.identity("webhook"))}
        conversion = {"strategy": "Webhook", "webhook": {"clientConfig": config, "conversionReviewVersions": ["v1"]}}
        await established(made, definition(
            "routes", "Route", version("v1", schema=ONE), version("v2", storage=False, schema=TWO), conversion=conversion))
        yield made


async def paths(api: Api, name: str) -> tuple[str, str]:
    base = (await new_namespace(api, name)).removeprefix("/api/v1")
    one, two = (f"/apis/{GROUP}/{number}{base}/routes" for number in ("v1", "v2"))
    return one, two


async def test_each_version_reads_what_the_other_wrote(api: Api) -> None:
    one, two = await paths(api, "read")

    await api.post(one, custom("a", "Route", f"{GROUP}/v1", spec={"hostPort": "a.example:80"}))
    code, made = await api.post(two, custom("b", "Route", f"{GROUP}/v2", spec={"host": "b.example", "port": "81"}))

    assert (code, made["spec"]) == (201, {"host": "b.example", "port": "81", "scheme": "http"})
    assert (await api.get(f"{two}/a"))[1]["spec"] == {"host": "a.example", "port": "80", "scheme": "http"}
    assert (await api.get(f"{one}/b"))[1]["spec"] == {"hostPort": "b.example:81"}


async def test_a_list_is_converted_in_one_question(api: Api, hook: WebhookServer) -> None:
    one, two = await paths(api, "list")
    for name in ("a", "b", "c"):
        await api.post(one, custom(name, "Route", f"{GROUP}/v1", spec={"hostPort": f"{name}:1"}))
    asked = len(hook.reviews)

    _, found = await api.get(two)

    assert [item["spec"]["host"] for item in found["items"]] == ["a", "b", "c"]
    assert len(hook.reviews) == asked + 1


async def test_changes_through_the_other_version(api: Api) -> None:
    one, two = await paths(api, "change")
    await api.post(one, custom("a", "Route", f"{GROUP}/v1", spec={"hostPort": "a:1"}))

    code, changed = await api.patch(f"{two}/a", {"spec": {"port": "2"}})

    assert (code, changed["spec"]["port"], changed["metadata"]["generation"]) == (200, "2", 2)
    assert (await api.get(f"{one}/a"))[1]["spec"] == {"hostPort": "a:2"}


async def test_watches_speak_their_version(api: Api) -> None:
    one, two = await paths(api, "watch")

    async with api.watch(two) as watch:
        await api.post(one, custom("a", "Route", f"{GROUP}/v1", spec={"hostPort": "a:1"}))
        _, added = await watch.next()
        await api.delete(f"{one}/a")
        kind, deleted = await watch.next()

    assert (added["apiVersion"], added["spec"]["port"]) == (f"{GROUP}/v2", "1")
    assert (kind, deleted["spec"]["port"]) == ("DELETED", "1")


async def test_a_webhook_that_refuses_is_told(api: Api, hook: WebhookServer) -> None:
    one, two = await paths(api, "refused")
    await api.post(one, custom("a", "Route", f"{GROUP}/v1", spec={"hostPort": "a:1"}))

    hook.serves("/convert", refused)
    try:
        code, status = await api.get(f"{two}/a")
        held, _ = await api.get(f"{one}/a")
    finally:
        hook.serves("/convert", converted)

    assert (code, held) == (500, 200)
    assert status["message"] == f"conversion webhook for {GROUP}/v1, Kind=Route failed: not today"
