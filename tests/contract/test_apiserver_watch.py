"""watch over HTTPS: from which state, which events, how it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from kube.process.tls import client_context
from tests.support.api_calls import Api, config_map, new_namespace, pod
from tests.support.apiserver import RunningApiserver, running_apiserver
from tests.support.custom_kinds import GROUP, custom, definition, established

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningApiserver]:
    async with running_apiserver(tmp_path_factory.mktemp("apiserver"), watch_cache_events=50, bookmark_interval_s=0.2) as running:
        yield running


async def test_a_watch_from_a_version_tells_what_came_after_it(api: Api) -> None:
    path = await new_namespace(api, "after")
    _, before = await api.post(f"{path}/configmaps", config_map("before"))

    async with api.watch(f"{path}/configmaps", resourceVersion=before["metadata"]["resourceVersion"]) as watch:
        await api.post(f"{path}/configmaps", config_map("a"))
        await api.patch(f"{path}/configmaps/a", {"data": {"k": "v"}})
        await api.delete(f"{path}/configmaps/a")
        events = [await watch.next() for _ in range(3)]

    assert [(kind, obj["metadata"]["name"]) for kind, obj in events] == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    versions = [int(obj["metadata"]["resourceVersion"]) for _, obj in events]
    assert versions == sorted(set(versions))


@pytest.mark.parametrize("version", ["", "0"])
async def test_a_watch_without_a_version_begins_with_what_is_there(api: Api, version: str) -> None:
    path = await new_namespace(api, f"state{version}")
    await api.post(f"{path}/configmaps", config_map("a"))
    await api.get(f"{path}/configmaps/a")

    async with api.watch(f"{path}/configmaps", resourceVersion=version) as watch:
        kind, obj = await watch.next()

    assert (kind, obj["metadata"]["name"]) == ("ADDED", "a")


async def test_a_label_that_comes_and_goes_is_added_and_deleted(api: Api) -> None:
    path = await new_namespace(api, "labels")
    _, created = await api.post(f"{path}/configmaps", config_map("a"))
    version = created["metadata"]["resourceVersion"]

    async with api.watch(f"{path}/configmaps", labelSelector="on=yes", resourceVersion=version) as watch:
        await api.patch(f"{path}/configmaps/a", {"metadata": {"labels": {"on": "yes"}}})
        await api.patch(f"{path}/configmaps/a", {"data": {"k": "v"}})
        _, last = await api.patch(f"{path}/configmaps/a", {"metadata": {"labels": None}})
        events = [await watch.next() for _ in range(3)]

    assert [kind for kind, _ in events] == ["ADDED", "MODIFIED", "DELETED"]
    assert events[2][1]["metadata"]["labels"] == {"on": "yes"}       # the last state that matched
    assert events[2][1]["metadata"]["resourceVersion"] == last["metadata"]["resourceVersion"]


async def test_pods_of_one_node_are_watched_by_a_field_selector(api: Api) -> None:
    path = await new_namespace(api, "fields", service_account=True)

    async with api.watch("/api/v1/pods", fieldSelector="spec.nodeName=n1") as watch:
        for name in ("p1", "p2"):
            await api.post(f"{path}/pods", pod(name))
        await api.post(f"{path}/pods/p2/binding", {"metadata": {"name": "p2"}, "target": {"name": "n1"}})
        kind, obj = await watch.next()

    assert (kind, obj["metadata"]["name"], obj["spec"]["nodeName"]) == ("ADDED", "p2", "n1")


async def test_a_version_that_is_too_old_is_told_as_an_event(api: Api) -> None:
    path = await new_namespace(api, "old")
    _, first = await api.post(f"{path}/configmaps", config_map("a"))
    for number in range(60):
        await api.patch(f"{path}/configmaps/a", {"data": {"k": str(number)}})

    async with api.watch(f"{path}/configmaps", resourceVersion=first["metadata"]["resourceVersion"]) as watch:
        kind, status = await watch.next()
        ended = await watch.ended()

    assert (kind, status["kind"], status["code"], status["reason"]) == ("ERROR", "Status", 410, "Expired")
    assert status["message"].startswith("too old resource version: ")
    assert ended


async def test_bookmarks_carry_the_version_on(api: Api) -> None:
    path = await new_namespace(api, "bookmarks")

    async with api.watch(f"{path}/configmaps", allowWatchBookmarks="true") as watch:
        _, other = await api.post("/api/v1/namespaces/default/configmaps", config_map("elsewhere"))
        kind, obj = await watch.next()
        while int(obj["metadata"]["resourceVersion"]) < int(other["metadata"]["resourceVersion"]):
            kind, obj = await watch.next()

    assert (kind, obj["kind"]) == ("BOOKMARK", "ConfigMap")


async def test_initial_events_end_with_a_marked_bookmark(api: Api) -> None:
    path = await new_namespace(api, "initial")
    await api.post(f"{path}/configmaps", config_map("a"))

    async with api.watch(
        f"{path}/configmaps", sendInitialEvents="true", resourceVersionMatch="NotOlderThan", allowWatchBookmarks="true"
    ) as watch:
        first, second = await watch.next(), await watch.next()

    assert first[0] == "ADDED"
    assert (second[0], second[1]["metadata"]["annotations"]) == ("BOOKMARK", {"k8s.io/initial-events-end": "true"})


async def test_a_watch_ends_when_its_time_is_up(api: Api) -> None:
    async with api.watch("/api/v1/configmaps", timeoutSeconds="1", resourceVersion="0", labelSelector="none=none") as watch:
        assert await watch.ended()


async def test_a_table_watch_sends_rows_with_the_columns_once(api: Api) -> None:
    path = await new_namespace(api, "tables")
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}

    async with api.watch(f"{path}/configmaps", headers=accept) as watch:
        for name in ("a", "b"):
            await api.post(f"{path}/configmaps", config_map(name))
        (_, first), (_, second) = await watch.next(), await watch.next()

    assert [column["name"] for column in first["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert (first["rows"][0]["cells"][0], second["rows"][0]["cells"][0]) == ("a", "b")
    assert not second["columnDefinitions"]


async def test_watching_goes_on_where_an_apiserver_was_killed(api: Api, server: RunningApiserver) -> None:
    path = await new_namespace(api, "killed")
    _, seen = await api.post(f"{path}/configmaps", config_map("seen"))
    await api.post(f"{path}/configmaps", config_map("missed"))

    await server.kill()
    await server.start()
    async with api.watch(f"{path}/configmaps", resourceVersion=seen["metadata"]["resourceVersion"]) as watch:
        kind, obj = await watch.next()

    # The ring of a fresh cache begins with its load: older versions are either known to it or told to be too old.
    assert (kind, obj.get("code")) == ("ERROR", 410) or obj["metadata"]["name"] == "missed"


async def answer_to(server: RunningApiserver, request_line: str) -> bytes:
    """All that comes until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=client_context(server.admin))
    writer.write(f"{request_line}\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    try:
        return await asyncio.wait_for(reader.read(), 30)
    finally:
        writer.close()


async def test_a_client_of_http_1_0_is_told_without_chunks(server: RunningApiserver) -> None:
    answer = await answer_to(server, "GET /api/v1/namespaces?watch=1&timeoutSeconds=1 HTTP/1.0")

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] == b"200"
    assert {json.loads(line)["type"] for line in body.splitlines()} == {"ADDED"}


async def test_head_has_no_body(api: Api, server: RunningApiserver) -> None:
    await established(api, definition())      # of built-in kinds there is no HEAD
    path = f"/apis/{GROUP}/v1/namespaces/default/crontabs"
    await api.post(path, custom("a"))

    answer = await answer_to(server, f"HEAD {path}?watch=1&timeoutSeconds=1 HTTP/1.1")

    assert answer.split()[1] == b"200"
    assert answer.endswith(b"\r\n\r\n")
    assert answer.count(b"\r\n\r\n") == 1
