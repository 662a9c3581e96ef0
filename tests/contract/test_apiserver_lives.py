"""Several apiservers over one etcd, and apiservers that die: no write lost, no door half open."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from tests.support.api_calls import Api, config_map, new_namespace, service
from tests.support.apiserver import running_apiserver, running_apiservers
from tests.support.controllers import eventually

pytestmark = pytest.mark.etcd


async def test_two_apiservers_show_one_state(tmp_path: Path) -> None:
    async with running_apiservers(tmp_path, 2) as (one, two), one.session() as first, two.session() as second:
        here, there = Api(first), Api(second)
        path = await new_namespace(here, "shared")

        for number in range(20):
            await here.post(f"{path}/configmaps", config_map(f"c{number}"))
            code, _ = await there.get(f"{path}/configmaps/c{number}")
            assert code == 200      # no acknowledged write is missing next door
        await asyncio.gather(*(
            api.patch(f"{path}/configmaps/c0", {"data": {f"k{number}": "x"}})
            for number, api in enumerate([here, there] * 10)
        ))
        _, merged = await here.get(f"{path}/configmaps/c0")
        made = await asyncio.gather(*(
            api.post(f"{path}/services", service("s", type="NodePort", ports=[{"port": 80, "nodePort": 30080}]) | {
                "metadata": {"generateName": "s-"},
            })
            for api in [here, there] * 3
        ))

    assert len(merged["data"]) == 20
    assert sorted(code for code, _ in made) == [201, 422, 422, 422, 422, 422]


async def test_a_killed_apiserver_loses_no_acknowledged_write(tmp_path: Path) -> None:
    async with running_apiserver(tmp_path) as server:
        async with server.session() as session:
            api = Api(session)
            path = await new_namespace(api, "killed")
            acknowledged = 0
            while acknowledged < 20:
                code, _ = await api.post(f"{path}/configmaps", config_map(f"c{acknowledged}"))
                assert code == 201
                acknowledged += 1
            await server.kill()
        await server.start()
        async with server.session() as session:
            _, body = await Api(session).get(f"{path}/configmaps")

    assert len(body["items"]) == acknowledged


async def test_an_orderly_end_ends_watches_and_withdraws_the_address(tmp_path: Path) -> None:
    async with running_apiservers(tmp_path, 2) as (one, two), one.session() as session, two.session() as other:
        two_api = Api(other)

        async def addresses() -> list[str]:
            _, endpoints = await two_api.get("/api/v1/namespaces/default/endpoints/kubernetes")
            return [one["ip"] for subset in endpoints.get("subsets", []) for one in subset["addresses"]]

        async with asyncio.timeout(60):
            while len(await addresses()) < 2:  # noqa: ASYNC110 (it is not ours to signal)
                await asyncio.sleep(0.05)
        async with Api(session).watch("/api/v1/configmaps", resourceVersion="0", labelSelector="none=none") as watch:
            code = await one.stop()
            ended = await watch.ended()
        left = await addresses()

    assert (code, ended) == (0, True)
    assert left == ["192.0.2.11"]


@pytest.mark.req("SVC-16")
async def test_an_apiserver_that_returns_with_another_address_leaves_no_dead_endpoint(tmp_path: Path) -> None:
    async with running_apiservers(tmp_path, 2) as (one, two), two.session() as session:
        api, namespace = Api(session), "namespaces/default"

        async def addresses() -> tuple[list[str], list[str]]:
            _, endpoints = await api.get(f"/api/v1/{namespace}/endpoints/kubernetes")
            _, endpoint_slice = await api.get(f"/apis/discovery.k8s.io/v1/{namespace}/endpointslices/kubernetes")
            return (
                [one["ip"] for subset in endpoints.get("subsets", []) for one in subset["addresses"]],
                [address for endpoint in endpoint_slice["endpoints"] for address in endpoint["addresses"]],
            )

        async def shown(*wanted: str) -> bool:
            return await addresses() == ([*wanted], [*wanted])

        await eventually(lambda: shown("192.0.2.10", "192.0.2.11"), within_s=60, what="both are endpoints")
        await one.kill()
        one.config = msgspec.structs.replace(one.config, advertise_address="192.0.2.99")
        await one.start()

        await eventually(lambda: shown("192.0.2.11", "192.0.2.99"), within_s=60, what="the former address is gone")


async def test_etcd_may_die_and_come_back(tmp_path: Path) -> None:
    async with running_apiserver(tmp_path) as server, server.session() as session:
        api = Api(session)
        path = await new_namespace(api, "etcd")
        await api.post(f"{path}/configmaps", config_map("before"))

        await server.etcd.kill()
        await server.etcd.start()
        code, _ = await api.post(f"{path}/configmaps", config_map("after"))
        _, body = await api.get(f"{path}/configmaps")

    assert code == 201
    assert [item["metadata"]["name"] for item in body["items"]] == ["after", "before"]
