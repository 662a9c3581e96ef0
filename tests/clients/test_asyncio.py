"""kubernetes-asyncio: the official client's face on aiohttp."""

from __future__ import annotations

from typing import Any

import kubernetes_asyncio
import kubernetes_asyncio.stream
import pytest

from tests.support.space import Space, config_map, pod

LIBRARY: Any = kubernetes_asyncio


@pytest.fixture
async def settings(kubeconfig: str) -> Any:
    made = LIBRARY.client.Configuration()
    await LIBRARY.config.load_kube_config(kubeconfig, client_configuration=made)
    return made


async def test_an_object_from_create_to_delete(space: Space, settings: Any) -> None:
    async with LIBRARY.client.ApiClient(settings) as api:
        core = LIBRARY.client.CoreV1Api(api)
        made = await core.create_namespaced_config_map(space.namespace, config_map("c", a="1"))
        await core.patch_namespaced_config_map("c", space.namespace, {"data": {"b": "2"}}, _content_type="application/merge-patch+json")
        await core.delete_namespaced_config_map("c", space.namespace)
        told = []
        async with LIBRARY.watch.Watch().stream(
            core.list_namespaced_config_map, space.namespace, resource_version=made.metadata.resource_version, timeout_seconds=30,
        ) as events:
            async for event in events:
                told.append((event["type"], event["object"].data))
                if event["type"] == "DELETED":
                    break

    assert told == [("MODIFIED", {"a": "1", "b": "2"}), ("DELETED", {"a": "1", "b": "2"})]


async def test_exec(space: Space, settings: Any) -> None:
    space.run(pod("p"))

    async with LIBRARY.stream.WsApiClient(settings) as api:
        said = await LIBRARY.client.CoreV1Api(api).connect_get_namespaced_pod_exec(
            "p", space.namespace, command=["echo", "hi"], stdout=True, stderr=True, stdin=False, tty=False)

    assert said == "hi\n"
