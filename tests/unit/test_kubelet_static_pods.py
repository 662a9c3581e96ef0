"""The folder of static Pods while the kubelet runs: files come and go, and so may the folder."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

from kube.api.core_v1 import Pod
from kube.process.clock import SystemClock
from node_agent.kubelet.pod_workers import PodWorkers
from node_agent.kubelet.static_pods import StaticPods
from node_agent.kubelet.status_manager import StatusManager
from tests.support.controllers import eventually, memory_client

MANIFEST = "{apiVersion: v1, kind: Pod, metadata: {name: NAME}, spec: {containers: [{name: c, image: i}]}}"


class Workers:
    """Notes who runs."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    def start_static(self, pod: Pod) -> None:
        self.names[pod.metadata.uid] = pod.metadata.name

    def end_static(self, pod_uid: str) -> None:
        del self.names[pod_uid]

    def find(self, namespace: str, name: str) -> None:
        return None


@asynccontextmanager
async def following(folder: Path) -> AsyncIterator[Workers]:
    client, _ = memory_client()
    workers = Workers()
    statuses = StatusManager(client)
    static = StaticPods(folder, "n1", client, SystemClock(), cast(PodWorkers, workers), statuses, lambda: None)
    await static.begin()
    running = asyncio.create_task(static.run())
    try:
        yield workers
        assert not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await statuses.close()


async def test_files_become_pods_and_the_folder_may_go_and_come_back(tmp_path: Path) -> None:
    folder = tmp_path / "manifests"
    async with following(folder) as workers:
        async def run(*names: str) -> None:
            async def they_do() -> bool:
                return sorted(workers.names.values()) == [f"{name}-n1" for name in names]

            await eventually(they_do, what=f"{names} run")

        def write(name: str) -> None:
            (folder / f"{name}.yaml").write_text(MANIFEST.replace("NAME", name))

        async def there() -> bool:
            return folder.is_dir()

        await eventually(there, what="the folder is made")
        write("a")
        write("b")
        await run("a", "b")
        (folder / "a.yaml").unlink()
        await run("b")

        shutil.rmtree(folder)
        await run()
        await eventually(there, what="the folder is made anew")
        write("c")
        await run("c")
