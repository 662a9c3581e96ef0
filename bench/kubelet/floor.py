"""What a Pod of one container costs without us: namespaces, a wired veth, overlay, `runc create` under conmon, and the way back.

The same programs and system calls as in the kubelet, one after the other, from prepared files; no records, no status, no volumes. CPU is of
the programs; what the kernel does for system calls of ours is in the time.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.kubelet.figures import Figure
from launcher.cluster.layout import IMAGES
from netns import namespaces, sandbox_link
from netns.kernel import check, enter, libc
from netns.sandbox_link import SandboxLink
from node_agent.runtime.cgroups import detect_cgroups, remove_cgroup
from node_agent.runtime.conmon import ConmonStart, Tools, create_container, release
from node_agent.runtime.images import ImageStore
from node_agent.runtime.layers import discard_overlay, mount_overlay
from node_agent.runtime.model import ContainerConfig, Image, Sandbox, SandboxConfig
from node_agent.runtime.pod_runtime import find_tools
from node_agent.runtime.sandbox import SandboxStore
from node_agent.runtime.spec import oci_spec

START = ("namespaces", "veth, address, routes", "overlay, config.json", "conmon, runc create", "release")
END = ("kill, reap", "cgroups", "overlay, files", "link", "namespaces, files")
PR_SET_CHILD_SUBREAPER = 36


class Floor:
    """A folder, a cgroup and a node's network namespace for the length of the measure."""

    def __init__(self, folder: Path, image: Image) -> None:
        self.folder = folder
        self.image = image
        self.name = f"kbfloor{os.getpid()}"
        self.tools: Tools = find_tools(folder)
        self.sandboxes = SandboxStore(folder / "root", folder / "run", f"{self.name}-", time.time)
        self.spent: dict[str, list[float]] = {step: [] for step in (*START, *END)}
        (folder / "exits").mkdir()

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.spent[step].append((time.perf_counter() - began) * 1000)

    async def one(self, number: int) -> None:
        uid = f"{number:08d}-0000-4000-8000-000000000000"
        config = SandboxConfig(uid=uid, namespace="floor", name="pod", hostname="pod", cgroup=f"/{self.name}/{uid}", log_dir="")
        with self.timed("namespaces"):
            sandbox = self.sandboxes.create(config)
        with self.timed("veth, address, routes"):
            link = SandboxLink(host_ifname=f"veth{number}", index=1000 + number, address=f"10.99.0.{number % 200 + 1}", mtu=1450)
            sandbox_link.attach(link, sandbox.net)
        await self._container(sandbox)
        with self.timed("link"):
            sandbox_link.detach(link.host_ifname)
        with self.timed("namespaces, files"):
            self.sandboxes.remove(sandbox)

    async def _container(self, sandbox: Sandbox) -> None:
        container_id = os.urandom(32).hex()
        bundle = self.folder / container_id[:16]
        config = ContainerConfig(
            pod_uid=sandbox.config.uid, name="main", attempt=0, image="busybox", log_path=str(bundle / "log"),
            cgroup=f"{sandbox.config.cgroup}/main", command=("sleep", "100000"),
        )
        with self.timed("overlay, config.json"):
            bundle.mkdir()
            rootfs = mount_overlay(self.image.layers, bundle)
            spec = oci_spec(config, self.image, sandbox, rootfs=rootfs, own_oom_score_adj=0, bounding=frozenset())
            (bundle / "config.json").write_text(json.dumps(spec))
            (bundle / "log").touch()
        start = ConmonStart(container_id=container_id, bundle=bundle, log_path=config.log_path, exits_dir=str(self.folder / "exits"))
        with self.timed("conmon, runc create"):
            pid, conmon = await create_container(self.tools, start)
        with self.timed("release"):
            await release(Path(self.tools.runc_root) / container_id / "exec.fifo")
        with self.timed("kill, reap"):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(conmon, 0)  # noqa: ASYNC222 - nothing else runs here
        with self.timed("cgroups"):
            remove_cgroup(detect_cgroups(), sandbox.config.cgroup)
        with self.timed("overlay, files"):
            discard_overlay(bundle)


def _programs_cpu_ms() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1000


def floor_figures(rounds: int) -> list[Figure]:
    """In a process of its own: it enters a network namespace of its own."""
    name = f"kbfloor{os.getpid()}"
    namespaces.create_named(name)
    try:
        enter(namespaces.path_of(name))
        check(libc().prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))      # conmon is waited for, and what it has waited for
        with tempfile.TemporaryDirectory(dir="/run", prefix="kbf") as folder:
            return asyncio.run(_measure(Path(folder), rounds))
    finally:
        namespaces.delete_named(name)
        remove_cgroup(detect_cgroups(), f"/{name}")


async def _measure(folder: Path, rounds: int) -> list[Figure]:
    image = await ImageStore(IMAGES).find("busybox")
    assert image is not None
    floor = Floor(folder, image)
    await floor.one(0)
    began_ms = _programs_cpu_ms()
    for number in range(1, rounds + 1):
        await floor.one(number)
    programs_ms = (_programs_cpu_ms() - began_ms) / rounds
    medians = {step: sorted(times[1:])[rounds // 2] for step, times in floor.spent.items()}
    return [
        *(Figure(f"floor: {step}", "ms", value) for step, value in medians.items()),
        Figure("floor: start, in all", "ms", sum(medians[step] for step in START)),
        Figure("floor: end, in all", "ms", sum(medians[step] for step in END)),
        Figure("floor: conmon, runc, the container's process", "ms CPU", programs_ms),
    ]
