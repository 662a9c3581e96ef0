"""list: pages, snapshots, versions, selectors, tables."""

from __future__ import annotations

import gzip
import json

import pytest

from tests.support.api_calls import Api, config_map, new_namespace, pod
from tests.support.apiserver import RunningApiserver

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]


async def filled(api: Api, name: str, count: int) -> str:
    path = await new_namespace(api, name)
    for number in range(count):
        await api.post(f"{path}/configmaps", config_map(f"c{number}") | {"metadata": {
            "name": f"c{number}", "labels": {"parity": "even" if number % 2 == 0 else "odd"},
        }})
    return f"{path}/configmaps"


def names(body: dict[str, object]) -> list[str]:
    items = body["items"]
    assert isinstance(items, list)
    return [item["metadata"]["name"] for item in items]


async def test_pages_show_one_snapshot(api: Api) -> None:
    path = await filled(api, "pages", 5)

    _, first = await api.get(path, limit=2)
    await api.delete(f"{path}/c3")
    await api.post(path, config_map("c9"))
    _, second = await api.get(path, limit=2, **{"continue": first["metadata"]["continue"]})
    _, third = await api.get(path, limit=2, **{"continue": second["metadata"]["continue"]})

    assert [names(page) for page in (first, second, third)] == [["c0", "c1"], ["c2", "c3"], ["c4"]]
    assert (first["metadata"]["remainingItemCount"], second["metadata"]["remainingItemCount"]) == (3, 1)
    assert first["metadata"]["resourceVersion"] == third["metadata"]["resourceVersion"]
    assert "continue" not in third["metadata"]


async def test_pages_with_a_selector(api: Api) -> None:
    path = await filled(api, "selected", 6)

    _, first = await api.get(path, limit=2, labelSelector="parity=odd")
    _, second = await api.get(path, limit=2, labelSelector="parity=odd", **{"continue": first["metadata"]["continue"]})

    assert (names(first), names(second)) == (["c1", "c3"], ["c5"])
    assert "remainingItemCount" not in first["metadata"]


async def test_the_past_can_be_listed_exactly(api: Api) -> None:
    path = await filled(api, "exact", 2)
    _, now = await api.get(path)
    await api.delete(f"{path}/c0")

    _, past = await api.get(path, resourceVersion=now["metadata"]["resourceVersion"], resourceVersionMatch="Exact")
    _, newest = await api.get(path, resourceVersion=now["metadata"]["resourceVersion"], resourceVersionMatch="NotOlderThan")

    assert (names(past), names(newest)) == (["c0", "c1"], ["c1"])


async def test_a_version_from_the_future_is_waited_for_and_refused(api: Api) -> None:
    code, status = await api.get("/api/v1/configmaps", resourceVersion="999999999")

    assert code == 504
    assert status["message"].startswith("Timeout: Too large resource version: 999999999, current: ")
    assert status["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_a_foreign_continue_token_is_a_bad_request(api: Api) -> None:
    code, status = await api.get("/api/v1/configmaps", limit=1, **{"continue": "nonsense"})

    assert (code, status["reason"]) == (400, "BadRequest")


async def test_an_unknown_field_cannot_be_selected(api: Api) -> None:
    code, status = await api.get("/api/v1/pods", fieldSelector="spec.mood=good")

    assert (code, status["message"]) == (400, "field label not supported: spec.mood")


async def test_a_reader_sees_every_acknowledged_write(api: Api) -> None:
    path = await filled(api, "fresh", 0)

    for number in range(50):
        await api.post(path, config_map(f"c{number}"))
        _, body = await api.get(path)
        assert len(body["items"]) == number + 1


async def test_events_are_one_store_under_two_groups(api: Api) -> None:
    path = await new_namespace(api, "events")
    event = {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "reason": "Tested", "message": "it was", "type": "Normal",
        "involvedObject": {"kind": "Pod", "namespace": "events", "name": "p"}, "source": {"component": "test"},
    }

    code, _ = await api.post(f"{path}/events", event)
    _, newer = await api.get("/apis/events.k8s.io/v1/namespaces/events/events/e")

    assert code == 201
    assert (newer["apiVersion"], newer["note"], newer["regarding"]["name"]) == ("events.k8s.io/v1", "it was", "p")


async def test_tables_and_bare_metadata(api: Api) -> None:
    path = await new_namespace(api, "shapes", service_account=True)
    await api.post(f"{path}/pods", pod("p"))

    _, table = await api.get(f"{path}/pods", headers={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"})
    _, bare = await api.get(
        f"{path}/pods", headers={"Accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}
    )

    assert (table["kind"], table["rows"][0]["cells"][:3]) == ("Table", ["p", "0/1", "Pending"])
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    assert (bare["kind"], bare["items"][0].keys()) == ("PartialObjectMetadataList", {"kind", "apiVersion", "metadata"})


async def test_what_is_not_kept_has_no_table(api: Api) -> None:
    review = {"spec": {"nonResourceAttributes": {"path": "/", "verb": "get"}}}
    path, table = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "application/json;as=Table;v=v1;g=meta.k8s.io"

    code, status = await api.post(path, review, headers={"Accept": table})
    answered, made = await api.post(path, review, headers={"Accept": f"{table},application/json"})

    assert (code, status["reason"]) == (406, "NotAcceptable")
    assert (answered, made["kind"]) == (201, "SelfSubjectAccessReview")


async def test_yaml_and_protobuf_go_in_and_out(api: Api) -> None:
    path = await filled(api, "formats", 0)
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y}\ndata: {when: '2026-01-01'}\n"

    code, _ = await api.post(path, body, content_type="application/yaml")
    async with api.session.get(f"{path}/y", headers={"Accept": "application/vnd.kubernetes.protobuf"}) as answer:
        proto = await answer.read()
    posted, copy = await api.post(
        path, proto.replace(b"\x01y", b"\x01z"), content_type="application/vnd.kubernetes.protobuf", dryRun="All"
    )
    async with api.session.get(f"{path}/y", headers={"Accept": "application/yaml"}) as answer:
        text = await answer.text()

    assert code == 201
    assert proto.startswith(b"k8s\0")
    assert (posted, copy["message"]) == (400, "resourceVersion should not be set on objects to be created")
    assert "kind: ConfigMap" in text


async def test_large_answers_are_gzipped_for_those_who_take_it(server: RunningApiserver, api: Api) -> None:
    path = await new_namespace(api, "large")
    for number in range(3):
        await api.post(f"{path}/configmaps", config_map(f"c{number}") | {"data": {"a": "0123456789" * 6000}})

    async def raw(accepted: str, **parameters: int) -> tuple[str | None, bytes]:
        url, headers = f"{path}/configmaps", {"Accept-Encoding": accepted}
        async with server.session() as session, session.get(url, params=parameters, headers=headers, auto_decompress=False) as answer:
            return answer.headers.get("Content-Encoding"), await answer.read()

    encoding, body = await raw("gzip, deflate")
    assert (encoding, len(names(json.loads(gzip.decompress(body))))) == ("gzip", 3)
    assert len(body) < 20_000
    assert (await raw("identity"))[0] is None
    assert (await raw("deflate"))[0] is None
    assert (await raw("gzip", limit=1))[0] is None       # 60 KB
