"""A node's worth of runtime for a test: directories, a cgroup and Pod namespaces of its own, all gone afterwards."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from node_agent.runtime.cgroups import detect_cgroups, remove_cgroup
from node_agent.runtime.model import ContainerConfig, ContainerRecord, Sandbox, SandboxConfig
from node_agent.runtime.pod_runtime import PROGRAMS_PATH, ConmonRuntime


@dataclass
class RuntimeNode:
    root: Path
    run_dir: Path
    images: Path
    token: str
    runtime: ConmonRuntime
    ended: list[ContainerRecord] = field(default_factory=list)
    programs_path: str = PROGRAMS_PATH
    timeout_s: float = 120.0

    @property
    def cgroup(self) -> str:
        return f"/kubonsai-test-{self.token}"

    def cgroup_roots(self) -> list[Path]:
        return detect_cgroups().roots()

    def open_runtime(self) -> ConmonRuntime:
        return ConmonRuntime(
            root_dir=self.root, run_dir=self.run_dir, images_dir=self.images, netns_prefix=f"t{self.token}-", on_exit=self.ended.append,
            programs_path=self.programs_path, timeout_s=self.timeout_s,
        )

    async def restart(self) -> None:
        """What a new kubelet process finds."""
        self.runtime.close()
        self.runtime = self.open_runtime()
        await self.runtime.start()

    async def sandbox(self, uid: str = "0a1b2c3d-0000-4000-8000-000000000001", **more: object) -> Sandbox:
        config = {
            "uid": uid, "namespace": "default", "name": "web", "hostname": "web", "cgroup": f"{self.cgroup}/pod{uid}",
            "log_dir": str(self.root / "logs"), "resolv_conf": "nameserver 10.96.0.10\n", **more,
        }
        return await self.runtime.create_sandbox(SandboxConfig(**config))  # type: ignore[arg-type]

    def config(self, sandbox: Sandbox, script: str, **more: object) -> ContainerConfig:
        uid = sandbox.config.uid
        config = {
            "pod_uid": uid, "name": "main", "attempt": 0, "image": "busybox", "log_path": str(self.root / "logs/main/0.log"),
            "cgroup": f"{sandbox.config.cgroup}/{secrets.token_hex(4)}", "command": ("sh", "-c", script), **more,
        }
        return ContainerConfig(**config)  # type: ignore[arg-type]

    async def run(self, sandbox: Sandbox, script: str, **more: object) -> ContainerRecord:
        record = await self.runtime.create_container(self.config(sandbox, script, **more))
        await self.runtime.start_container(record.id)
        return record

    async def finished(self, record: ContainerRecord, within_s: float = 60) -> ContainerRecord:
        await asyncio.wait_for(self.runtime.wait_container(record.id), within_s)
        return record

    def log(self, name: str = "main/0.log") -> list[str]:
        """Its whole lines."""
        text = (self.root / "logs" / name).read_text()
        return [line.split(" ", 3)[3] for line in text[:text.rfind("\n") + 1].splitlines()]

    async def eventually(self, condition: Callable[[], bool], within_s: float = 60) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, "condition did not come true"
            await asyncio.sleep(0.01)


@asynccontextmanager
async def runtime_node(tmp_path: Path, images: Path) -> AsyncIterator[RuntimeNode]:
    token = secrets.token_hex(3)
    run_dir = Path(f"/run/kbt-{token}")
    node = RuntimeNode(tmp_path / "node", run_dir, images, token, runtime=None)  # type: ignore[arg-type]
    node.runtime = node.open_runtime()
    await node.runtime.start()
    try:
        yield node
    finally:
        for sandbox in node.runtime.sandboxes():
            await node.runtime.remove_pod(sandbox.config.uid)
        node.runtime.close()
        remove_cgroup(detect_cgroups(), node.cgroup)
        shutil.rmtree(run_dir, ignore_errors=True)


def mounts_below(path: Path) -> list[str]:
    return [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines() if line.split()[1].startswith(str(path))]


def cgroups_below(path: str) -> list[str]:
    return [directory for root in detect_cgroups().roots() for directory, _, _ in os.walk(root / path.lstrip("/"))]
