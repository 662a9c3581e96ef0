"""Pods made and deleted as a user would, and the clock from the create call to what a watch shows."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import yaml

from kube.api.core_v1 import Container, Namespace, Pod, PodSpec, ServiceAccount
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.rest_transport import RestTransport
from launcher.testing.cluster import Cluster

PATIENCE_S = 300.0
CALLS_AT_ONCE = 20


def client_of(cluster: Cluster, folder: Path) -> Client:
    """By the cluster's own kubeconfig, as a user would."""
    config = yaml.safe_load(Path(cluster.environment["KUBECONFIG"]).read_text())
    server, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    files = {}
    for name, data in (
        ("ca", server["certificate-authority-data"]), ("crt", user["client-certificate-data"]), ("key", user["client-key-data"]),
    ):
        files[name] = folder / f"bench.{name}"
        files[name].write_bytes(base64.b64decode(data))
    transport = RestTransport.connect(
        server["server"], ca_file=files["ca"], cert_file=str(files["crt"]), key_file=str(files["key"]),
    )
    return Client(transport)


def bench_pod(namespace: str, name: str) -> Pod:
    container = Container(name="main", image="busybox", command=("sleep", "100000"))
    spec = PodSpec(containers=(container,), termination_grace_period_seconds=1)
    return Pod(metadata=ObjectMeta(name=name, namespace=namespace, labels={"bench": "pods"}), spec=spec)


def is_ready(pod: Pod) -> bool:
    return any(condition.type == "Ready" and condition.status == "True" for condition in pod.status.conditions)


def is_running(pod: Pod) -> bool:
    return pod.status.phase == "Running"


@asynccontextmanager
async def namespace(client: Client, name: str) -> AsyncIterator[str]:
    """One that Pods may be created in; gone afterwards, unless the work has deleted it."""
    await client.create(Namespace(metadata=ObjectMeta(name=name)))
    async with asyncio.timeout(PATIENCE_S):
        while not await _has_account(client, name):  # noqa: ASYNC110 - another process works
            await asyncio.sleep(0.05)
    try:
        yield name
    finally:
        with suppress(errors.NotFound):
            await delete_namespace(client, name)


async def _has_account(client: Client, name: str) -> bool:
    try:
        await client.get(ServiceAccount, NamespacedName(name, "default"))
    except errors.NotFound:
        return False
    return True


async def create(client: Client, where: str, count: int, at_once: int, done: Callable[[Pod], bool] = is_ready) -> list[float]:
    """Milliseconds from the create call until `done` for each Pod, sorted. `at_once` are made together, the next when all of them are."""
    created: dict[str, float] = {}
    arrived_at: dict[str, float] = {}
    arrived = asyncio.Event()
    start = (await client.list(Pod, where)).resource_version
    calls = asyncio.Semaphore(CALLS_AT_ONCE)

    async def watch() -> None:
        async for event in client.watch(Pod, where, resource_version=start, label_selector="bench=pods"):
            if done(event.object) and event.object.metadata.name not in arrived_at:
                arrived_at[event.object.metadata.name] = time.perf_counter()
                arrived.set()

    async def make(name: str) -> None:
        async with calls:
            created[name] = time.perf_counter()
            await client.create(bench_pod(where, name))

    watching = asyncio.create_task(watch(), name="watch")
    try:
        for first in range(0, count, at_once):
            names = [f"bench-{at_once}-{number}" for number in range(first, min(count, first + at_once))]
            await asyncio.gather(*(make(name) for name in names))
            async with asyncio.timeout(PATIENCE_S):
                while len(arrived_at) < len(created):
                    arrived.clear()
                    await arrived.wait()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    return sorted((arrived_at[name] - created[name]) * 1000 for name in arrived_at)


async def delete_pods(client: Client, where: str) -> float:
    """Seconds until the last object is gone."""
    began = time.perf_counter()
    pods = (await client.list(Pod, where, label_selector="bench=pods")).items
    calls = asyncio.Semaphore(CALLS_AT_ONCE)

    async def delete(pod: Pod) -> None:
        async with calls:
            await client.delete(Pod, NamespacedName(where, pod.metadata.name))

    await asyncio.gather(*(delete(pod) for pod in pods))
    async with asyncio.timeout(PATIENCE_S):
        while (await client.list(Pod, where, label_selector="bench=pods")).items:  # noqa: ASYNC110 - another process works
            await asyncio.sleep(0.05)
    return time.perf_counter() - began


async def delete_namespace(client: Client, name: str) -> float:
    """Seconds until it is gone with all that is in it."""
    began = time.perf_counter()
    await client.delete(Namespace, NamespacedName("", name))
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await client.get(Namespace, NamespacedName("", name))
            except errors.NotFound:
                return time.perf_counter() - began
            except errors.Timeout:      # the machine is too busy for the apiserver to be up to date
                pass
            await asyncio.sleep(0.05)
