"""Quotas from end to end: the real kube-controller-manager counts, a real apiserver charges, the real kubectl shows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.contract.test_controllers_apiserver import controller_manager
from tests.support.api_calls import Api, Json, config_map, new_namespace, pod
from tests.support.apiserver import RunningApiserver, running_apiserver
from tests.support.controllers import eventually

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningApiserver]:
    directory = tmp_path_factory.mktemp("apiserver")
    async with running_apiserver(directory) as running, controller_manager(running, directory):
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def api(server: RunningApiserver) -> AsyncIterator[Api]:
    async with server.session() as session:
        yield Api(session)


async def new_space(api: Api, name: str) -> str:
    """With what the controllers put into every namespace."""
    space = await new_namespace(api, name)

    async def is_furnished() -> bool:
        found = [await api.get(f"{space}/{what}") for what in ("serviceaccounts/default", "configmaps/kube-root-ca.crt")]
        return all(code == 200 for code, _ in found)

    await eventually(is_furnished, within_s=60, what=f"{name} is furnished")
    return space


async def new_quota(api: Api, space: str, hard: Json, *, name: str = "q", **spec: Any) -> str:
    code, quota = await api.post(f"{space}/resourcequotas", {"metadata": {"name": name}, "spec": {"hard": hard, **spec}})
    assert code == 201, quota
    path = f"{space}/resourcequotas/{name}"

    async def is_counted() -> bool:
        status = (await api.get(path))[1].get("status") or {}
        return status.get("hard") == hard and status.get("used", {}).keys() == hard.keys()

    await eventually(is_counted, within_s=60, what="the quota has a status")
    return path


async def becomes(api: Api, quota: str, **used: str) -> None:
    async def says_so() -> bool:
        held: Json = (await api.get(quota))[1].get("status", {}).get("used", {})
        return {name: held.get(name) for name in used} == used

    await eventually(says_so, within_s=60, what=f"{quota} uses {used}")


async def test_what_is_deleted_is_given_back(api: Api) -> None:
    space = await new_space(api, "back")
    await api.post(f"{space}/configmaps", config_map("before"))
    quota = await new_quota(api, space, {"configmaps": "4", "pods": "1", "count/secrets": "9", "count/deployments.apps": "2"})

    await becomes(api, quota, configmaps="2", pods="0")         # kube-root-ca.crt is one
    created = [(await api.post(f"{space}/configmaps", config_map(name)))[0] for name in ("a", "b", "c")]
    await api.post(f"{space}/pods", pod("p"))
    await api.delete(f"{space}/configmaps/a")
    await api.delete(f"{space}/pods/p", gracePeriodSeconds="0")

    assert created == [201, 201, 403]
    await becomes(api, quota, configmaps="3", pods="0")
    assert (await api.post(f"{space}/configmaps", config_map("c")))[0] == 201
    await api.delete(f"{space}/configmaps", fieldSelector="metadata.name!=kube-root-ca.crt")
    await becomes(api, quota, configmaps="1")


async def test_a_finished_pod_is_no_longer_charged(api: Api) -> None:
    space = await new_space(api, "finished")
    quota = await new_quota(api, space, {"pods": "1", "count/pods": "5", "requests.cpu": "1"})
    asking = [{"name": "c", "image": "busybox", "resources": {"requests": {"cpu": "500m"}}}]
    await api.post(f"{space}/pods", pod("p", containers=asking))
    await becomes(api, quota, pods="1", **{"requests.cpu": "500m"})

    await api.patch(f"{space}/pods/p/status", {"status": {"phase": "Succeeded"}})

    await becomes(api, quota, pods="0", **{"count/pods": "1", "requests.cpu": "0"})
    assert (await api.post(f"{space}/pods", pod("next", containers=asking)))[0] == 201


async def test_other_bounds_hold_at_once(api: Api) -> None:
    space = await new_space(api, "bounds")
    quota = await new_quota(api, space, {"services": "0"})

    await api.patch(quota, {"spec": {"hard": {"services": "1", "persistentvolumeclaims": "3"}}})

    async def has_both() -> bool:
        return bool((await api.get(quota))[1]["status"] == {
            "hard": {"services": "1", "persistentvolumeclaims": "3"}, "used": {"services": "0", "persistentvolumeclaims": "0"}})

    await eventually(has_both, within_s=60, what="both bounds")


async def test_a_charge_for_nothing_is_given_back(api: Api) -> None:
    """As if the apiserver had died between the charge and the write; or somebody had written nonsense."""
    space = await new_space(api, "nothing")
    quota = await new_quota(api, space, {"secrets": "3"})
    _, held = await api.get(quota)
    held["status"]["used"]["secrets"] = "2"

    assert (await api.put(f"{quota}/status", held))[0] == 200

    await becomes(api, quota, secrets="0")


async def test_an_apiserver_that_dies_leaves_no_charge_behind(server: RunningApiserver, api: Api, tmp_path: Path) -> None:
    space = await new_space(api, "dies")
    quota = await new_quota(api, space, {"configmaps": "900"})
    other = RunningApiserver(tmp_path, server.etcd, server.pki)
    await other.start()
    made = asyncio.Semaphore(0)

    async def flood(session: aiohttp.ClientSession, number: int) -> None:
        with suppress(aiohttp.ClientError):
            for turn in range(1000):
                await Api(session).post(f"{space}/configmaps", config_map(f"c{number}-{turn}"))
                made.release()

    async with other.session() as session, asyncio.TaskGroup() as tasks:
        for number in range(12):
            tasks.create_task(flood(session, number))
        for _ in range(60):
            await made.acquire()
        await other.kill()

    left = len((await api.get(f"{space}/configmaps"))[1]["items"])
    assert left > 60
    await becomes(api, quota, configmaps=str(left))


async def test_custom_objects_are_counted(api: Api) -> None:
    definition = {
        "metadata": {"name": "gadgets.quota.test.example"},
        "spec": {"group": "quota.test.example", "scope": "Namespaced", "names": {"plural": "gadgets", "kind": "Gadget"}, "versions": [{
            "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}]},
    }
    space = await new_space(api, "custom")
    gadgets = "/apis/quota.test.example/v1/namespaces/custom/gadgets"
    name = "count/gadgets.quota.test.example"
    await api.post(f"{space}/resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {name: "2"}}})
    assert (await api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition))[0] == 201
    await becomes(api, f"{space}/resourcequotas/q", **{name: "0"})

    def gadget(called: str) -> Json:
        return {"apiVersion": "quota.test.example/v1", "kind": "Gadget", "metadata": {"name": called}}

    async def is_served() -> bool:
        return (await api.get(gadgets))[0] == 200

    await eventually(is_served, within_s=60, what="gadgets are served")
    codes = [(await api.post(gadgets, gadget(called)))[0] for called in ("a", "b", "c")]
    assert codes == [201, 201, 403]

    await api.delete(gadgets)

    await becomes(api, f"{space}/resourcequotas/q", **{name: "0"})


async def test_creating_and_deleting_in_turns_ends_with_the_right_count(api: Api) -> None:
    space = await new_space(api, "turns")
    quota = await new_quota(api, space, {"configmaps": "8"})

    async def come_and_go(number: int) -> None:
        for turn in range(6):
            code, _ = await api.post(f"{space}/configmaps", config_map(f"c{number}-{turn}"))
            if code == 201 and turn < 5:
                await api.delete(f"{space}/configmaps/c{number}-{turn}")

    await asyncio.gather(*(come_and_go(number) for number in range(8)))

    left = len((await api.get(f"{space}/configmaps"))[1]["items"])
    await becomes(api, quota, configmaps=str(left))
    assert left <= 8
