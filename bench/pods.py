"""How long a Pod takes from created to Ready, scheduler and all.

    ./kubonsai bench pods [--pods 100] [--nodes 3]

Busybox Pods without probes, first one after the other, then in bursts; the clock stops when a watch shows Ready. Goals for one after the
other: p50 150 ms, p99 500 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from kube.api.core_v1 import Container, Pod, PodSpec
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.rest_transport import RestTransport
from launcher.testing.cluster import Cluster, eventually

NAMESPACE = "default"


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


def bench_pod(name: str) -> Pod:
    container = Container(name="main", image="busybox", command=("sleep", "10000"))
    spec = PodSpec(containers=(container,), termination_grace_period_seconds=1)
    return Pod(metadata=ObjectMeta(name=name, namespace=NAMESPACE, labels={"bench": "pods"}), spec=spec)


async def measure(client: Client, count: int, at_once: int) -> list[float]:
    """Milliseconds from the create call to Ready, sorted."""
    created: dict[str, float] = {}
    ready: dict[str, float] = {}
    arrived = asyncio.Event()
    start = (await client.list(Pod, NAMESPACE)).resource_version

    async def watch() -> None:
        async for event in client.watch(Pod, NAMESPACE, resource_version=start, label_selector="bench=pods"):
            if any(condition.type == "Ready" and condition.status == "True" for condition in event.object.status.conditions):
                ready.setdefault(event.object.metadata.name, time.perf_counter())
                arrived.set()

    async def create(name: str) -> None:
        created[name] = time.perf_counter()
        await client.create(bench_pod(name))

    watching = asyncio.create_task(watch(), name="watch")
    try:
        for first in range(0, count, at_once):
            names = [f"bench-{at_once}-{number}" for number in range(first, min(count, first + at_once))]
            await asyncio.gather(*(create(name) for name in names))
            while len(ready) < len(created):
                arrived.clear()
                await asyncio.wait_for(arrived.wait(), 60)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    return sorted((ready[name] - created[name]) * 1000 for name in ready)


async def delete_all(client: Client) -> float:
    """Seconds until the last object is gone."""
    began = time.perf_counter()
    pods = (await client.list(Pod, NAMESPACE, label_selector="bench=pods")).items
    await asyncio.gather(*(client.delete(Pod, NamespacedName(NAMESPACE, pod.metadata.name)) for pod in pods))
    while (await client.list(Pod, NAMESPACE, label_selector="bench=pods")).items:  # noqa: ASYNC110 - another process works
        await asyncio.sleep(0.05)
    return time.perf_counter() - began


def row(label: str, times: Sequence[float], deleted_s: float) -> str:
    def percentile(share: float) -> float:
        return times[min(len(times) - 1, int(len(times) * share))]

    columns = "".join(f"{value:>9.0f}" for value in (percentile(0.5), percentile(0.9), percentile(0.99), times[-1]))
    return f"{label:<20}{len(times):>6}{columns}{deleted_s:>11.2f}"


async def run(cluster: Cluster, folder: Path, pods: int) -> None:
    async with client_of(cluster, folder) as client:
        await measure(client, 2, 1)  # the first Pods of a cluster meet cold caches
        await delete_all(client)
        print(f"{'':<20}{'pods':>6}{'p50 ms':>9}{'p90 ms':>9}{'p99 ms':>9}{'max ms':>9}{'deleted s':>11}")
        for label, at_once in (("one after the other", 1), ("ten at once", 10)):
            times = await measure(client, pods, at_once)
            print(row(label, times, await delete_all(client)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pods", type=int, default=100)
    parser.add_argument("--nodes", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cluster = Cluster(folder, nodes=options.nodes)
        try:
            cluster.start()
            eventually(lambda: cluster.get("serviceaccount", "default", "-n", NAMESPACE))
            asyncio.run(run(cluster, folder, options.pods))
        finally:
            cluster.stop()


if __name__ == "__main__":
    main()
