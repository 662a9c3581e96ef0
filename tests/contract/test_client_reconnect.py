"""An apiserver that dies and comes back costs its clients time, not events."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kube.api.core_v1 import ConfigMap
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.grpc_transport import GrpcTransport
from kube.client.informer import InformerFactory
from tests.support.apiserver import running_apiserver, running_apiservers
from tests.support.controllers import eventually


def config_map(name: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(namespace="default", name=name))


@pytest.mark.etcd
async def test_an_informer_catches_up_after_kill_9_of_the_apiserver(tmp_path: Path) -> None:
    async with (
        running_apiserver(tmp_path) as server, Client(GrpcTransport(server.access())) as client, InformerFactory(client) as informers,
    ):
        informer = informers.informer(ConfigMap, namespace="default")
        await informers.start()
        await informers.wait_synced()
        await server.kill()
        creating = asyncio.create_task(client.create(config_map("meanwhile")))
        await server.start()

        await creating          # waited for the server, and was sent once

        async def seen() -> bool:
            return informer.get(NamespacedName("default", "meanwhile")) is not None

        await eventually(seen, within_s=60, what="the informer has the new object")


@pytest.mark.etcd
async def test_with_two_apiservers_the_client_goes_on_with_the_other(tmp_path: Path) -> None:
    async with running_apiservers(tmp_path, 2) as servers:
        access = servers[0].access()
        both = type(access)(targets=(*access.targets, *servers[1].access().targets), tls=access.tls)
        async with Client(GrpcTransport(both)) as client:
            await client.create(config_map("first"))
            await servers[0].kill()

            async with asyncio.timeout(60):
                created = await client.create(config_map("second"))

            assert created.metadata.uid
